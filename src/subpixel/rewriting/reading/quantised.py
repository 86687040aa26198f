"""Numbers behind DequantizeLinear: read as the numbers that they stand for, with the grid that they were stored on.

A spelling that only moves taps about keeps every weight, so it can be stored on the same grid: exact. One that adds
taps up, or scales them, leaves the grid in general, and is refused by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from subpixel.rewriting.graph.view import View
from subpixel.rewriting.refusal import Refusal


@dataclass(frozen=True, eq=False)
class Grid:
    """Numbers (q - zero)·scale with q of an integer type; `scale` is one number, or one per output map.

    Attributes:
        type: of q. scale: float32, shape () or (maps,).
    """

    type: np.dtype[Any]
    scale: NDArray[np.float32]
    zero: int

    def stored(self, numbers: NDArray[Any], axis: int) -> tuple[NDArray[Any], NDArray[np.float32]] | None:
        """The integers that stand for `numbers`, and their scales; None where the grid has no such numbers.

        Each map of the scale may stand for several maps of the numbers in a row, or by turns: the phases of a shuffle.
        """
        wanted = numbers.astype(np.float32)
        for scale in self._scales(numbers.shape[axis]):
            wide = scale if not scale.ndim else scale.reshape(-1, *(1,) * (numbers.ndim - 1 - axis))
            q = np.rint(wanted.astype(np.float64) / wide.astype(np.float64)) + self.zero
            info = np.iinfo(self.type)
            if q.min() < info.min or q.max() > info.max:
                continue
            if np.array_equal((q - self.zero).astype(np.float32) * wide, wanted):
                return q.astype(self.type), scale
        return None

    def _scales(self, maps: int) -> list[NDArray[np.float32]]:
        """Scales for another number of maps: those of all phases of a map are one, in a row or by turns."""
        if not self.scale.ndim:
            return [self.scale]
        have = len(self.scale)
        if maps % have == 0:
            return [np.repeat(self.scale, maps // have), np.tile(self.scale, maps // have)]
        if have % maps:
            return []
        rows, turns = self.scale.reshape(maps, -1), self.scale.reshape(-1, maps).T
        return [table[:, 0].copy() for table in (rows, turns) if (table == table[:, :1]).all()]


@dataclass(frozen=True)
class Stored:
    """The grids of a layer's weight and bias; the bias may be plain numbers."""

    weight: Grid
    bias: Grid | None


def dequantised(view: View, name: str, axis: int, what: str) -> tuple[NDArray[np.float64], Grid]:
    """The numbers of a constant behind DequantizeLinear, and their grid. `axis` is that of the output maps.

    Raises:
        Refusal: computed, blocked, or with a scale for something else than the output maps.
    """
    node = view.producers[name]
    a = {x.name: helper.get_attribute_value(x) for x in node.attribute}
    q, scale = view.constant(node.input[0]), view.constant(node.input[1])
    zero = view.constant(node.input[2]) if len(node.input) > 2 and node.input[2] else np.zeros(1, np.int32)
    if q is None or scale is None or zero is None:
        raise Refusal(f"its quantised {what} {name!r} is computed, not constant", "QDQ")
    if a.get("block_size") or q.dtype.kind not in "iu" or scale.dtype != np.float32:
        raise Refusal(f"its quantised {what} is stored in blocks, or as {q.dtype} with {scale.dtype} scales", "QDQ")
    if len(np.unique(zero)) != 1:
        raise Refusal(f"its quantised {what} has several zero points", "QDQ")
    grid = Grid(q.dtype, scale.reshape(()) if scale.size == 1 else scale.reshape(-1), int(zero.reshape(-1)[0]))
    if grid.scale.ndim and (int(a.get("axis", 1)) % q.ndim != axis or len(grid.scale) != q.shape[axis]):
        raise Refusal(f"its quantised {what} has scales for something else than its output maps", "QDQ")
    wide = grid.scale if not grid.scale.ndim else grid.scale.reshape(-1, *(1,) * (q.ndim - 1 - axis))
    numbers = (q.astype(np.int64) - grid.zero).astype(np.float32) * wide
    return numbers.astype(np.float64), grid
