"""Cuts a picture into overlapping tiles whose inner parts cover it exactly once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """Along one axis: read start .. stop, keep what belongs to first .. last."""

    start: int
    stop: int
    first: int
    last: int

    def kept(self, scale: int = 1) -> slice:
        """What to keep of the tile's own result, `scale` times as long as the tile."""
        return slice((self.first - self.start) * scale, (self.last - self.start) * scale)

    def target(self, scale: int = 1) -> slice:
        """Where that goes in the whole result."""
        return slice(self.first * scale, self.last * scale)


def along(length: int, window: int, halo: int) -> list[Tile]:
    """Tiles of one axis, each `window` long (or one that is the whole axis, where that is shorter).

    Every kept position is at least `halo` away from a tile's edge, but for the picture's own: there the network
    meets the true border and pads it as it always does. The last tile is moved back to end with the picture, so
    all are of one length.

    Raises:
        ValueError: the window is all halo.
    """
    if length <= window:
        return [Tile(0, length, 0, length)]
    if window <= 2 * halo:
        raise ValueError(f"`window` (={window}) must be more than twice `halo` (={halo})")
    tiles, first = [], 0
    while first < length:
        start = min(max(first - halo, 0), length - window)
        stop = start + window
        last = length if stop == length else stop - halo
        tiles.append(Tile(start, stop, first, last))
        first = last
    return tiles


def cut(size: Sequence[int], window: Sequence[int], halo: int) -> Iterator[tuple[Tile, Tile]]:
    """The tiles (rows, columns) of a picture, row by row; `size` and `window` are (height, width).

    A window that is all halo, as a graph of a fixed small size may want, overlaps by a quarter instead.
    """
    rows, columns = (
        along(length, side, halo if 2 * halo < side else side // 4) for length, side in zip(size, window, strict=True)
    )
    for row in rows:
        for column in columns:
            yield row, column


def balanced(length: int, largest: int, halo: int) -> int:
    """The smallest window that needs no more tiles along an axis than the largest does."""
    count = len(along(length, largest, halo))
    return length if count == 1 else -(-(length - 2 * halo) // count) + 2 * halo
