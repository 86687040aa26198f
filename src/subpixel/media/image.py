"""Reads picture files: PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF and nothing else."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from subpixel.errors import InputError, UsageError
from subpixel.media.folders import is_folder
from subpixel.media.formats.png import late_chunks
from subpixel.media.formats.raster import Raster, Rows
from subpixel.media.metadata import Metadata, from_pillow_info
from subpixel.media.picture import Picture, PictureRows, from_pillow, from_rows

FORMATS = {
    ".png": "PNG",
    ".apng": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".avif": "AVIF",
}
_LIMIT = Lock()
_PLUGINS = ("Png", "Jpeg", "WebP", "Tiff", "Bmp", "Gif", "Avif")
_KINDS = sorted(set(FORMATS.values()))
BY_ROWS = ("PNG", "JPEG", "TIFF")  # read from the file as rows are asked for
MAX_MEGAPIXELS = 268  # of an enlarged picture: 16384 × 16384, about 1 GB while it is made
_NAMES = "PNG, JPEG, WebP, TIFF, BMP, GIF and AVIF"


class RowReader(Protocol):
    """A picture that is read from top to bottom; see `picture.PictureRows` and `formats.vips.VipsRows`."""

    raster: Raster
    metadata: Metadata
    notices: list[str]
    in_pieces: bool

    def read(self, count: int) -> Rows: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Header:
    """What a file says of its picture before anything is decoded.

    Attributes:
        kind: PNG, JPEG, ...
        size: width and height of the upright picture.
        frames: more than 1 where it moves, or has pages.
        deep: 16 bits a channel, of more than one channel: what Pillow has no form for.
        turned: the EXIF orientation, 1..8; None where Pillow cannot read the file.
        metadata: what lies beside the pixels; None there too.
    """

    kind: str
    size: tuple[int, int]
    frames: int
    deep: bool
    turned: int | None = None
    metadata: Metadata | None = None

    @property
    def moves(self) -> bool:
        return self.frames > 1 and self.kind in ("GIF", "PNG", "WEBP", "AVIF")


def read_header(path: Path) -> Header | None:
    """None where there is none to read: what is wrong is said when the picture is read."""
    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")
            with _pillow_open(file, unlimited=True) as image:
                return _header(image)
    except Exception:  # Pillow's parsers raise OSError, SyntaxError, struct.error, ValueError, ...
        with suppress(Exception):
            return _by_libvips(path)
        return None


def picture_size(path: Path) -> tuple[int, int] | None:
    """Width and height of the upright picture by the file's header alone; None where there is none to read."""
    header = read_header(path)
    return header.size if header else None


def read_picture(path: Path, *, scale: float = 1, max_megapixels: float = MAX_MEGAPIXELS) -> Picture:
    """Read a picture file; of several frames the first.

    Args:
        path: the file; its content decides the format, not its name.
        scale: what it will be enlarged by.
        max_megapixels: the largest enlarged picture; checked before anything is decoded.

    Raises:
        InputError: missing, no file, empty, no picture, damaged, or too large.
    """
    with opened_picture(path, scale=scale, max_megapixels=max_megapixels) as (image, header):
        if not header.deep:
            image.load()
            picture = from_pillow(image, str(path))
    if header.deep:
        rows = _by_rows(path, header)
        try:
            picture = from_rows(rows.read(rows.raster.height), rows.metadata, rows.notices)
        finally:
            rows.close()
    if header.frames > 1:
        picture.notices.append(f"{path}: the first of its {header.frames} frames is taken")
    return picture


def open_rows(path: Path, *, scale: float = 1, max_megapixels: float = MAX_MEGAPIXELS) -> RowReader:
    """A file's picture by rows, without the whole of it in memory where its kind allows that (`BY_ROWS`).

    Arguments and errors as of `read_picture`.
    """
    with opened_picture(path, scale=scale, max_megapixels=max_megapixels, unlimited=True) as (_, header):
        pass
    if read_by_rows(header):
        return _by_rows(path, header)
    return PictureRows(read_picture(path, scale=scale, max_megapixels=max_megapixels))


def read_by_rows(header: Header) -> bool:
    """Whether `open_rows` reads such a file without unpacking the whole of it."""
    return header.kind in BY_ROWS and find_spec("pyvips") is not None


@contextmanager
def opened_picture(
    path: Path, *, scale: float = 1, max_megapixels: float = MAX_MEGAPIXELS, unlimited: bool = False
) -> Iterator[tuple[Any, Header]]:
    """Pillow's image, its pixels not yet decoded; whatever fails in the block is said of this file.

    `unlimited`: nothing is going to be decoded by Pillow, so its own limit on sizes does not count.
    """
    from PIL import Image, UnidentifiedImageError

    _check_file(path)
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of sizes, checked here, and of damaged metadata
            try:
                with _pillow_open(file, unlimited=unlimited) as image:
                    check_size(str(path), image.size, scale, max_megapixels)
                    yield image, _header(image)
            except UnidentifiedImageError as error:
                header = _by_libvips(path)  # knows kinds of TIFF that Pillow does not
                if header is None:
                    raise InputError(_unidentified(path)) from error
                check_size(str(path), header.size, scale, max_megapixels)
                yield None, header
            except Image.DecompressionBombError as error:
                limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
                raise InputError(
                    f"{path} claims more than {limit:.0f} megapixels, which may be a decompression bomb: "
                    "cut it into parts first, or bound the memory with --memory"
                ) from error
    except (InputError, MemoryError):
        raise
    except PermissionError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error, ValueError, ...
        raise InputError(f"{path} is damaged or cut short ({error}): fetch it again") from error


def _pillow_open(file: Any, *, unlimited: bool) -> Any:
    from PIL import Image

    for name in _PLUGINS:  # else Pillow imports all that it has, for any that is missing
        import_module(f"PIL.{name}ImagePlugin")
    with _LIMIT:  # Pillow has one limit for all threads
        limit = Image.MAX_IMAGE_PIXELS
        try:
            if unlimited:
                Image.MAX_IMAGE_PIXELS = None
            return Image.open(file, formats=_KINDS)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _header(image: Any) -> Header:
    kind = {"MPO": "JPEG"}.get(image.format, image.format)  # a JPEG with a second picture, for depth or for 3-D
    deep = ";16" in str([tile[-1] for tile in image.tile]) and not image.mode.startswith("I;16")
    frames = 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))
    if kind == "PNG" and image.fp is not None:
        for name, data in late_chunks(image.fp).items():
            image.info.setdefault(name, data)
    turned, metadata = from_pillow_info(image)
    width, height = image.size
    size = (height, width) if turned >= 5 else (width, height)
    return Header(kind, size, frames, deep, turned, metadata)


def _by_rows(path: Path, header: Header) -> RowReader:
    if not find_spec("pyvips"):
        raise InputError(f"{path} has 16 bits a channel, which needs libvips: pip install 'pyvips[binary]'")
    from subpixel.media.formats.vips import VipsRows

    return VipsRows(path, header.kind, header.turned, header.metadata)


def _by_libvips(path: Path) -> Header | None:
    """The header of a TIFF that Pillow has no form for, 16-bit grey with alpha for one."""
    with path.open("rb") as file:
        if file.read(4) not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+") or not find_spec("pyvips"):
            return None
    try:
        rows = _by_rows(path, Header("TIFF", (1, 1), 1, deep=True))
    except InputError:
        return None
    rows.close()
    return Header("TIFF", (rows.raster.width, rows.raster.height), 1, deep=True)


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


def check_size(name: str, size: tuple[int, int], scale: float, max_megapixels: float) -> None:
    """Refuse a picture (width, height) whose enlargement would be too large.

    Raises:
        InputError: it would be, or it has no pixels.
    """
    width, height = size
    megapixels = width * height * scale**2 / 1e6
    if megapixels > max_megapixels:
        enlarged = f" enlarged ×{scale:g}" if scale > 1 else ""
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


def _unidentified(path: Path) -> str:
    """Damaged, or never one of ours: the first bytes tell."""
    starts = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"II*\0", b"MM\0*", b"BM", b"GIF8")
    with path.open("rb") as file:
        first = file.read(8)
    if first.startswith(starts) or first[4:] == b"ftyp":
        return f"{path} is damaged or cut short: fetch it again"
    return f"{path} is not a picture of a known kind: {_NAMES} are read, convert it to one of them"
