"""A bound on the process's memory: how large the tiles and strips may be that keep it."""

import re
import sys
from contextlib import suppress
from pathlib import Path

from subpixel.errors import InputError, UsageError
from subpixel.media.formats.raster import Raster
from subpixel.media.image import Header, RowReader, read_by_rows
from subpixel.upscaling.strips import grid
from subpixel.upscaling.upscaler import Upscaler

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZES = (1472, 1024, 768, 640, 512, 448, 384, 320, 256, 224, 192, 160, 128, 112, 96, 80, 64, 48, 32)
_RESERVE = 40 << 20  # libraries that are loaded on the way, and the decoder's and encoder's own
_SLACK = 1.5  # allocators and runtimes keep more than the sizes of what they hold
_LEAST = 64 << 20
_UNPACKED = 9  # bytes a pixel: Pillow's four, ours, and a moment of both


def parse_memory(text: str) -> int:
    """Bytes of "512M", "1G", "1.5GiB".

    Raises:
        UsageError: another form, or less than any picture takes.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if not found:
        raise UsageError(f"memory {text!r} is no amount: give one such as 512M or 2G")
    amount = int(float(found[1]) * _UNITS[found[2].upper()])
    if amount < _LEAST:
        raise UsageError(f"memory {text} is less than the program itself takes: give 256M or more")
    return amount


def resident() -> int:
    """Bytes of this process that are in memory now."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) << 10
    with suppress(ImportError):
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most << 10
    return 150 << 20  # Windows: what the libraries take


def window_within(
    limit: int, source: RowReader, upscaler: Upscaler, size: tuple[int, int], *, at_once: bool, name: str
) -> tuple[int, int]:
    """The largest tile (rows, columns) that keeps the process within the limit.

    Args:
        limit: bytes; what is in memory already counts.
        source: at its first row.
        size: width and height of the result.
        at_once: the result's format is encoded from the whole of it.
        name: of the picture, for errors.

    Raises:
        InputError: the limit is too small, with about what would do.
    """
    raster = source.raster
    left = limit - resident() - _RESERVE
    result = Raster(*size, raster.channels, raster.bits)
    whole = 0
    if not source.in_pieces:
        whole += 3 * raster.row_bytes * raster.height
    if at_once:
        whole += 4 * result.row_bytes * result.height
    resized = size != (upscaler.scale * raster.width, upscaler.scale * raster.height)
    least = 0.0
    for rows in _SIZES:
        for columns in (side for side in _SIZES if side >= rows):
            needed = whole + _needed((rows, columns), raster, result, upscaler, resized=resized)
            if needed <= left:
                return rows, columns
            least = min(least or needed, needed)
    short = (limit - left + least) / (1 << 20)
    reason = ""
    if not source.in_pieces:
        reason = "it is stored in passes, interlaced or progressive, and cannot be read in strips; "
    elif at_once:
        reason = "the result's format cannot be written in strips; "
    raise InputError(
        f"{name}: {reason}its {raster.width}×{raster.height} pixels to {size[0]}×{size[1]} need --memory "
        f"{int(short / 64 + 1) * 64}M or so: "
        + ("save it as a plain PNG or TIFF, or write one" if reason else "allow that, or cut it into parts")
    )


def check_unpacked(limit: int, header: Header, name: str) -> None:
    """Refuse, before anything is decoded, a picture that its format's decoder unpacks as a whole beyond the limit.

    Raises:
        InputError: it would be.
    """
    width, height = header.size
    needed = resident() + _RESERVE + _UNPACKED * width * height
    if not read_by_rows(header) and needed > limit:
        raise InputError(
            f"{name}: {header.kind} is unpacked as a whole, and {width}×{height} pixels take --memory "
            f"{needed >> 20}M or so: allow that, or save it as PNG or TIFF"
        )


def check_frames(limit: int, result: Raster, count: int, name: str) -> None:
    """Refuse an animation whose enlarged frames, which are encoded together, exceed the limit.

    Raises:
        InputError: they do.
    """
    needed = resident() + _RESERVE + int(_SLACK * 4 * result.width * result.height * count)
    if needed > limit:
        raise InputError(
            f"{name}: its {count} frames of {result.width}×{result.height} are encoded together, which takes --memory "
            f"{needed >> 20}M or so: allow that, or take a smaller scale"
        )


def _needed(window: tuple[int, int], raster: Raster, result: Raster, upscaler: Upscaler, *, resized: bool) -> float:
    """Bytes for tiles of that size: the network's, the tile's planes, and the strips of the source and the result."""
    tiles = grid(raster, upscaler, window)
    rows, columns = tiles.rows[0].stop - tiles.rows[0].start, tiles.columns[0].stop - tiles.columns[0].start
    pixels, r = rows * columns, upscaler.scale
    tile = pixels * (upscaler.bytes_per_pixel + 40 + raster.channels * (16 + 14 * r * r))
    if raster.has_alpha:
        tile += pixels * 8 * 4 * (raster.channels + 1)
    strip = 3 * rows * raster.row_bytes
    large = r * rows * r * raster.width * raster.channels
    strip += large * (4 * 3 if resized else 3 * raster.bits // 8)
    if resized:
        strip += 12 * 2 * rows * r * result.width * result.channels
    return _SLACK * (tile + strip)
