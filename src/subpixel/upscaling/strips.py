"""A picture enlarged strip by strip: only some rows of it, and of the result, are in memory at a time.

A tile's result is that of the whole picture, bit for bit: it overlaps its neighbours by all that it depends on
(the network's receptive field, bicubic interpolation's reach, that of the colours under transparency), and only
true picture borders are padded.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.media.alpha import FILL_REACH, fill_transparent, limit_to_surroundings
from subpixel.media.formats.raster import Raster, Rows
from subpixel.media.image import RowReader
from subpixel.media.resample import StripResizer
from subpixel.media.tiles import Tile, along, balanced
from subpixel.upscaling.upscaler import Upscaler

_CUBIC_HALO = 3  # LR pixels that bicubic interpolation of colour and alpha looks at, rounded up


@dataclass(frozen=True)
class Grid:
    """The tiles of a picture: every one of `rows` with every one of `columns`."""

    rows: list[Tile]
    columns: list[Tile]

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)


def grid(raster: Raster, upscaler: Upscaler, window: tuple[int, int] | None = None) -> Grid:
    """How a picture is cut; `window`: the largest tile (rows, columns), where the upscaler's own is too large."""
    side, halo = upscaler.tile
    halo = max(halo, _CUBIC_HALO) + (FILL_REACH if raster.has_alpha else 0)
    sides = [max(length, 2 * halo + 1) for length in window or (side, side)]
    rows, columns = (
        along(length, balanced(length, largest, halo), halo)
        for length, largest in zip((raster.height, raster.width), sides, strict=True)
    )
    return Grid(rows, columns)


def enlarged(
    source: RowReader,
    upscaler: Upscaler,
    *,
    size: tuple[int, int] | None = None,
    window: tuple[int, int] | None = None,
    advance: Callable[[int], object] = lambda pixels: None,
) -> Iterator[Rows]:
    """The enlarged picture's rows [n, W', C], of the source's kind: channels and bits.

    Args:
        source: at its first row.
        size: width and height, where not what the upscaler makes: then it is resized, antialiased.
        window: as in `grid`.
        advance: called after each tile, with how many of the source's pixels are done by it.
    """
    raster, r = source.raster, upscaler.scale
    tiles, have = grid(raster, upscaler, window), _Window(source)
    wide, high = r * raster.width, r * raster.height
    resizer = None if size in (None, (wide, high)) else StripResizer((high, wide), (size or (0, 0))[::-1])
    white = (1 << raster.bits) - 1
    for rows in tiles.rows:
        area = have.rows(rows.start, rows.stop)
        shape = ((rows.last - rows.first) * r, wide, raster.channels)
        strip: NDArray[Any] = np.empty(shape, raster.dtype if resizer is None else np.float32)
        for columns in tiles.columns:
            kept = rows.kept(r), columns.kept(r)
            for channel, plane in enumerate(_planes(area[:, columns.start : columns.stop], white, upscaler)):
                target = strip[:, columns.target(r), channel]
                target[...] = plane[kept] if resizer else _rounded(plane[kept], white)
            advance((rows.last - rows.first) * (columns.last - columns.first))
        if resizer is None:
            yield strip
        elif len(resized := resizer.feed(strip)):
            yield _rounded(resized, white)


def _planes(tile: Rows, white: int, upscaler: Upscaler) -> Iterator[NDArray[np.float32]]:
    """A tile's enlarged channels, float32 in 0..255 and beyond.

    Grey stays grey; alpha goes through the network as a grey picture does, and the colours under it are filled
    in first.
    """
    has_alpha, is_grey = tile.shape[2] in (2, 4), tile.shape[2] < 3
    colours: NDArray[Any] = tile[..., :1] if is_grey else tile[..., :3]
    if has_alpha:
        colours = fill_transparent(colours, tile[..., -1])
    values = _floats(colours, white)
    if is_grey:
        yield upscaler.upscale_grey(values[..., 0])
    else:
        large = upscaler.upscale_rgb(values)
        yield from (large[..., channel] for channel in range(3))
        del large
    if has_alpha:
        small = _floats(tile[..., -1], white)
        if (small == small.flat[0]).all():  # what its surroundings hold it to
            yield np.full([upscaler.scale * side for side in small.shape], small.flat[0], np.float32)
        else:
            yield limit_to_surroundings(upscaler.upscale_grey(small), small, upscaler.scale)


class _Window:
    """Rows of a source; those before the last asked for are forgotten."""

    def __init__(self, source: RowReader) -> None:
        self._source, self._first = source, 0
        raster = source.raster
        self._held: Rows = np.empty((0, raster.width, raster.channels), raster.dtype)

    def rows(self, start: int, stop: int) -> Rows:
        """Rows start .. stop; neither may go back."""
        self._held, self._first = self._held[start - self._first :], start
        missing = stop - start - len(self._held)
        if missing > 0:
            self._held = np.concatenate([self._held, self._source.read(missing)])
        return self._held[: stop - start]


def _floats(pixels: NDArray[Any], white: int) -> NDArray[np.float32]:
    """Pixels as float32 in 0..255."""
    values = pixels.astype(np.float32)
    return values if white == 255 else values * np.float32(255 / white)


def _rounded(values: NDArray[np.float32], white: int) -> NDArray[Any]:
    """Float32 in 0..255 as the whole numbers 0..white."""
    scaled = values if white == 255 else values * np.float32(white / 255)
    return np.rint(np.clip(scaled, 0, white)).astype(np.uint8 if white == 255 else np.uint16)
