"""Writes picture files, whole or not at all, from rows: PNG, TIFF and BMP as the rows come, the others at once."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from subpixel.errors import InputError, OutputError, UsageError
from subpixel.media.atomic import opened
from subpixel.media.folders import is_folder
from subpixel.media.formats.bmp import BmpWriter
from subpixel.media.formats.jpeg import segments_of_jpegs_alone
from subpixel.media.formats.png import PngWriter
from subpixel.media.formats.raster import Raster, Rows, RowWriter
from subpixel.media.formats.tiff import TiffWriter
from subpixel.media.image import output_format
from subpixel.media.metadata import Metadata
from subpixel.media.picture import Picture, PictureRows, from_rows, to_eight_bits, to_pillow

CHROMA = ("4:4:4", "4:2:2", "4:2:0")
DEEP = ("PNG", "TIFF")  # hold 16 bits a channel
OPAQUE = ("JPEG", "BMP")  # hold no transparency
_LONGEST_SIDE = {"JPEG": 65500, "WEBP": 16383, "AVIF": 65536, "GIF": 65535}
_QUALITY = {"JPEG": 95, "WEBP": 95, "AVIF": 85}
_ROWS = 64  # of a picture in memory, written at a time


@dataclass(frozen=True)
class Encoding:
    """How results are compressed.

    Attributes:
        quality: 1 to 100, of JPEG, WebP and AVIF; default 95, 95 and 85.
        lossless: of WebP.
        chroma: of JPEG and AVIF: "4:4:4", "4:2:2" or "4:2:0".
        compression: 0 (none) to 9 (smallest), of PNG; default: run lengths, fast and hardly larger than 9.

    Raises:
        UsageError: another value.
    """

    quality: int | None = None
    lossless: bool = False
    chroma: str = "4:4:4"
    compression: int | None = None

    def __post_init__(self) -> None:
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise UsageError(f"quality {self.quality} is impossible: 1 to 100")
        if self.chroma not in CHROMA:
            raise UsageError(f"chroma {self.chroma} is impossible: choose {', '.join(CHROMA)}")
        if self.compression is not None and not 0 <= self.compression <= 9:
            raise UsageError(f"compression {self.compression} is impossible: 0 to 9")


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
    if transparent and kind in OPAQUE:
        raise OutputError(f"{path}: {kind} cannot hold transparency: write PNG, WebP or TIFF")
    if is_folder(path):
        raise OutputError(f"{path} cannot be written: there is a folder of that name")


def write_picture(picture: Picture, path: Path, encoding: Encoding | None = None) -> list[str]:
    """Write a picture in memory; see `write_rows`."""
    rows = PictureRows(picture)
    pieces = (rows.read(_ROWS) for _ in range(0, rows.raster.height, _ROWS))
    return write_rows(path, rows.raster, pieces, picture.metadata, encoding)


def write_rows(
    path: Path,
    raster: Raster,
    pieces: Iterable[Rows],
    metadata: Metadata,
    encoding: Encoding | None = None,
    *,
    in_pieces: bool = False,
) -> list[str]:
    """Write a picture as its rows come, with what the format has a place for of its metadata.

    Args:
        path: its ending decides the format.
        raster: what the pieces [n, W, C] make together.
        in_pieces: JPEG too is encoded as the rows come; by another encoder, so other bytes.

    Returns:
        What the format could not hold, one sentence each.

    Raises:
        UsageError: no known ending.
        OutputError: the format cannot hold it, or the file cannot be written.
    """
    kind, encoding = output_format(path), encoding or Encoding()
    check_output(path, raster.width, raster.height, transparent=raster.has_alpha)
    metadata = metadata.sized(raster.width, raster.height)
    notices: list[str] = []
    if raster.bits > 8 and kind not in DEEP:
        raster = replace(raster, bits=8)
        pieces = map(to_eight_bits, pieces)
        notices.append(f"{path}: {kind} holds 8 bits a channel, so 16 are written as 8: PNG and TIFF keep 16")
    if raster.is_grey and raster.channels == 2 and kind == "GIF":
        pieces = (piece[..., [0, 0, 0, 1]] for piece in pieces)
        raster = replace(raster, channels=4)
    with opened(path) as file, _writer(kind, file, raster, metadata, encoding, in_pieces, path, notices) as writer:
        for piece in pieces:
            writer.write(piece)
        writer.close()
    return notices


@contextmanager
def _writer(
    kind: str,
    file: BinaryIO,
    raster: Raster,
    metadata: Metadata,
    encoding: Encoding,
    in_pieces: bool,
    path: Path,
    notices: list[str],
) -> Iterator[RowWriter]:
    if kind == "PNG":
        yield PngWriter(file, raster, metadata, encoding.compression)
    elif kind == "TIFF":
        yield TiffWriter(file, raster, metadata)
    elif kind == "BMP":
        yield BmpWriter(file, raster, metadata)
    elif kind == "JPEG" and in_pieces:
        from subpixel.media.formats.vips import JpegRows

        writer = JpegRows(file, raster, metadata, encoding.quality or _QUALITY[kind], encoding.chroma)
        try:
            yield writer
        finally:
            writer.abandon()
    else:
        yield _AtOnce(kind, file, raster, metadata, encoding, path, notices)


class _AtOnce:
    """Formats whose encoders want the whole picture: its rows are gathered, and Pillow writes them."""

    def __init__(
        self,
        kind: str,
        file: BinaryIO,
        raster: Raster,
        metadata: Metadata,
        encoding: Encoding,
        path: Path,
        notices: list[str],
    ) -> None:
        self._kind, self._file, self._metadata, self._encoding = kind, file, metadata, encoding
        self._path, self._notices = path, notices
        self._pixels = np.empty((raster.height, raster.width, raster.channels), raster.dtype)
        self._have = 0

    def write(self, rows: Rows) -> None:
        self._pixels[self._have : self._have + len(rows)] = rows
        self._have += len(rows)

    def close(self) -> None:
        image = to_pillow(from_rows(self._pixels))
        options = pillow_options(self._kind, self._encoding)
        if self._kind == "GIF":
            from subpixel.media.animation import to_palette

            image = to_palette(image)
        options |= beside(self._kind, self._metadata)
        self._file.write(encoded(image, self._kind, options, self._path, self._notices))


def pillow_options(kind: str, encoding: Encoding) -> dict[str, Any]:
    """What Pillow's encoder of that kind is told about compression."""
    quality = encoding.quality or _QUALITY.get(kind)
    if kind == "JPEG":
        return {"quality": quality, "subsampling": encoding.chroma, "optimize": True}
    if kind == "WEBP":
        return {"quality": quality, "method": 2, "lossless": encoding.lossless}
    if kind == "AVIF":
        return {"quality": quality, "subsampling": encoding.chroma, "speed": 7}
    return {"compress_level": 6 if encoding.compression is None else encoding.compression} if kind == "PNG" else {}


def beside(kind: str, metadata: Metadata) -> dict[str, Any]:
    """What Pillow's encoder of that kind is told about the rest of a file."""
    options: dict[str, Any] = {}
    if kind == "GIF":
        return options
    if metadata.icc:
        options["icc_profile"] = metadata.icc
    if metadata.exif:
        options["exif"] = b"Exif\0\0" + metadata.exif
    if kind == "PNG":
        from PIL.PngImagePlugin import PngInfo

        options["pnginfo"] = PngInfo()
        for key, text in metadata.texts:
            options["pnginfo"].add_text(key, text)
        if metadata.xmp:
            options["pnginfo"].add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", "replace"))
    elif metadata.xmp:
        options["xmp"] = metadata.xmp
    if kind == "JPEG" and (extra := segments_of_jpegs_alone(metadata)):
        options["extra"] = extra
    if metadata.dpi and kind in ("JPEG", "PNG"):
        options["dpi"] = metadata.dpi
    return options


def encoded(image: Any, kind: str, options: dict[str, Any], path: Path, notices: list[str]) -> bytes:
    """A file's bytes by Pillow; metadata that does not fit (a JPEG's segment ends at 64 KB) is left out.

    Raises:
        OutputError: Pillow refuses the picture itself.
    """
    image.info.clear()  # what it says is in the options
    names = {"exif": "EXIF data", "xmp": "XMP", "icc_profile": "colour profile", "extra": "IPTC data or comment"}
    extra = [name for name in names if name in options]
    while True:
        content = BytesIO()
        try:
            image.save(content, kind, **options)
            return content.getvalue()
        except InputError:
            raise
        except (ValueError, RuntimeError, OSError) as error:
            if not extra:
                raise OutputError(f"{path} cannot be written as {kind}: {error}") from error
            left_out = max(extra, key=lambda name: len(options[name]))
            extra.remove(left_out)
            del options[left_out]
            notices.append(f"{path}: its {names[left_out]} does not fit into {kind} and is left out")
