"""Reads and writes picture files: PNG, JPEG, WebP, TIFF, BMP and nothing else."""

import warnings
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from subpixel.errors import InputError, OutputError, UsageError
from subpixel.media.atomic import write_atomically
from subpixel.media.folders import is_folder
from subpixel.media.metadata import resized
from subpixel.media.picture import Picture, from_pillow, to_pillow

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
_KINDS = sorted(set(FORMATS.values()))
MAX_MEGAPIXELS = 268  # of an enlarged picture: 16384 × 16384, about 1 GB while it is made
_LONGEST_SIDE = {"JPEG": 65500, "WEBP": 16383}
# PNG by run lengths (zlib's Z_RLE) takes a quarter of level 6's time, and enlarged photos come out no larger:
# they have no repeated strings to find.
_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": "4:4:4", "optimize": True},
    "WEBP": {"quality": 95, "method": 2},
    "PNG": {"compress_type": 3},
    "TIFF": {"compression": "tiff_deflate"},
    "BMP": {},
}
_NAMES = "PNG, JPEG, WebP, TIFF and BMP"


def read_picture(path: Path, *, scale: int = 1, max_megapixels: float = MAX_MEGAPIXELS) -> Picture:
    """Read a picture file; of several frames the first.

    Args:
        path: the file; its content decides the format, not its name.
        scale: what it will be enlarged by.
        max_megapixels: the largest enlarged picture; checked before anything is decoded.

    Raises:
        InputError: missing, no file, empty, no picture, damaged, or too large.
    """
    from PIL import Image, UnidentifiedImageError

    _check_file(path)
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of sizes, checked here, and of damaged metadata
            try:
                with Image.open(file, formats=_KINDS) as image:
                    check_size(str(path), image.size, scale, max_megapixels)
                    deep = ";16" in str([tile[-1] for tile in image.tile])
                    frames = getattr(image, "n_frames", 1)
                    image.load()
                    picture = from_pillow(image, str(path), deep=deep)
            except UnidentifiedImageError as error:
                raise InputError(_unidentified(path)) from error
            except Image.DecompressionBombError as error:
                limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
                raise InputError(
                    f"{path} claims more than {limit:.0f} megapixels, which may be a decompression bomb: "
                    "cut it into parts first"
                ) from error
    except (InputError, MemoryError):
        raise
    except PermissionError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error, ValueError, ...
        raise InputError(f"{path} is damaged or cut short ({error}): fetch it again") from error
    if frames > 1:
        picture.notices.append(f"{path}: the first of its {frames} frames is taken")
    return picture


def _check_file(path: Path) -> None:
    if is_folder(path):
        raise InputError(f"{path} is a folder, not a picture")
    try:
        if not path.exists():
            raise InputError(f"{path} does not exist: check the name")
        if not path.is_file():
            raise InputError(f"{path} is not a regular file: copy the picture to one first")
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty (0 bytes): fetch it again")
    except (OSError, ValueError) as error:  # a closed folder, too long a name
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def picture_size(path: Path) -> tuple[int, int] | None:
    """Width and height by the file's header alone, before any orientation; None where there is none to read."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_KINDS) as image:
                return image.size
    except Exception:  # whatever is wrong is said when the picture is read
        return None


def check_size(name: str, size: tuple[int, int], scale: int, max_megapixels: float) -> None:
    """Refuse a picture (width, height) whose enlargement would be too large.

    Raises:
        InputError: it would be, or it has no pixels.
    """
    width, height = size
    megapixels = width * height * scale**2 / 1e6
    if megapixels > max_megapixels:
        enlarged = f" enlarged ×{scale}" if scale > 1 else ""
        raise InputError(
            f"{name}: {width}×{height} pixels{enlarged} make {megapixels:,.0f} megapixels, over the limit of "
            f"{max_megapixels:g}: crop it, take a smaller scale, or raise --max-megapixels"
        )
    if not megapixels:
        raise InputError(f"{name} has no pixels ({width}×{height})")


def output_format(path: Path) -> str:
    """Pillow's name of the format that the file's ending asks for.

    Raises:
        UsageError: no known ending.
    """
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        ending = path.suffix or "no ending"
        raise UsageError(f"{path}: pictures are written as {_NAMES}, not as {ending}") from None


def check_output(path: Path, width: int, height: int, *, transparent: bool) -> None:
    """Refuse what the format cannot hold, before any work is done for it.

    Raises:
        UsageError: no known ending.
        OutputError: too long a side, or transparency that would be lost.
    """
    kind = output_format(path)
    longest = _LONGEST_SIDE.get(kind)
    if longest and max(width, height) > longest:
        raise OutputError(
            f"{path}: {kind} holds at most {longest} pixels a side, not {width}×{height}: write PNG or TIFF"
        )
    if transparent and kind in ("JPEG", "BMP"):
        raise OutputError(f"{path}: {kind} cannot hold transparency: write PNG, WebP or TIFF")
    if is_folder(path):
        raise OutputError(f"{path} cannot be written: there is a folder of that name")


def write_picture(picture: Picture, path: Path) -> list[str]:
    """Write a picture, whole or not at all, with its profile and EXIF where the format has a place for them.

    Returns:
        What the format could not hold, one sentence each.

    Raises:
        UsageError: no known ending.
        OutputError: the format cannot hold it, or the file cannot be written.
    """
    kind = output_format(path)
    height, width = picture.pixels.shape[:2]
    check_output(path, width, height, transparent=picture.alpha is not None)
    notices = []
    if picture.white > 255 and kind not in ("PNG", "TIFF"):
        picture = _eight_bits(picture)
        notices.append(f"{path}: {kind} holds 8 bits a channel, so 16-bit grey is written as 8: PNG keeps 16")
    options = dict(_OPTIONS[kind])
    if kind != "BMP":
        if picture.icc:
            options["icc_profile"] = picture.icc
        if picture.exif:
            options["exif"] = resized(picture.exif, width, height)
            if kind == "TIFF":
                del options["compression"]  # Pillow hands compressed TIFFs to libtiff, which refuses these tags
    image = to_pillow(picture)
    image.info.clear()  # what it says is in the options
    content = BytesIO()
    try:
        image.save(content, kind, **options)
    except (ValueError, RuntimeError, OSError) as error:
        if "exif" not in options:
            raise OutputError(f"{path} cannot be written as {kind}: {error}") from error
        del options["exif"]  # a JPEG segment ends at 64 KB; camera makers fill more
        notices.append(f"{path}: its EXIF data does not fit into {kind} and is left out")
        content = BytesIO()
        image.save(content, kind, **options)
    write_atomically(path, content.getvalue())
    return notices


def _eight_bits(picture: Picture) -> Picture:
    return replace(picture, pixels=((picture.pixels.astype(np.uint32) + 128) // 257).astype(np.uint8))


def _unidentified(path: Path) -> str:
    """Damaged, or never one of ours: the first bytes tell."""
    starts = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"II*\0", b"MM\0*", b"BM")
    with path.open("rb") as file:
        known = file.read(4).startswith(starts)
    if known:
        return f"{path} is damaged or cut short: fetch it again"
    return f"{path} is not a picture of a known kind: {_NAMES} are read, convert it to one of them"
