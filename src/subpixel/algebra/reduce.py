"""`reduce`: the normal form. Two layers are the same function iff their normal forms are equal.

The interior determines the kernel, so an op has one normal form once zero taps are trimmed, the lattice is
as fine as it can be, and "outside" is named only where it is read. Border cells are brought into theirs by
`border`. Only cells composed for one size, which keep their lattice, may differ in form and not in function.
"""

from __future__ import annotations

from dataclasses import replace
from math import gcd

import numpy as np

from subpixel.algebra.arrays import Array, as_numpy, gather
from subpixel.algebra.border import normal_border
from subpixel.algebra.cells import Cells, as_cells, long_lengths
from subpixel.algebra.lattice import block
from subpixel.algebra.op import Op, output_length, site_count


def reduce(layer: Op | Cells) -> Op | Cells:
    """Normal form: zero taps trimmed, U and D shrunk, cells only where sites differ, `outside` only where it is read.

    An `Op` comes back whenever one kernel serves all sites (A12).
    """
    cells = as_cells(layer)
    if not cells.is_single:
        cells = trim(normal_border(cells))
    if not cells.is_single:
        return cells
    op = trim(cells).interior
    for axis in range(op.dim):
        op = _shrink(op, axis)
    return name_outside(op)


def name_outside(op: Op) -> Op:
    """The op with `outside` as zero unless it reads an edge: nearest with c = 0 meets zero padding exactly (A6)."""
    return op if op.outside == "zero" or reads_outside(op) else replace(op, outside="zero")


def same(a: Op | Cells, b: Op | Cells) -> bool:
    """Do the two compute the same function, for all sizes and weights as they are?"""
    return bool(reduce(a) == reduce(b))


def trim(cells: Cells) -> Cells:
    """Taps that are zero in every cell, phase and map, cut off at both ends of each axis."""
    kernel, low = cells.kernel, list(cells.low)
    for axis in range(cells.dim):
        at = 2 * cells.dim + 2 + axis
        used = np.flatnonzero(any_along(kernel, at))
        first, end = (int(used[0]), int(used[-1]) + 1) if used.size else (0, 0)
        kernel = gather(kernel, at, np.arange(first, end))
        low[axis] = low[axis] + first if used.size else 0
    return replace(cells, kernel=kernel, low=tuple(low))


def reads_outside(op: Op) -> bool:
    """Does it matter how x continues beyond its border, at any long enough input?

    Only where weights of samples outside do not sum to zero: taps of 1 and -1 that lie outside together read
    nothing, be it zeros or the edge twice.
    """
    values = as_numpy(op.kernel)
    for axis, (U, D, K, low) in enumerate(zip(op.up, op.down, op.taps, op.low, strict=True)):
        weights = np.moveaxis(values, (1 + axis, 2 + op.dim + axis), (0, 1))
        before, after = _sums_matter(weights), _sums_matter(weights[:, ::-1])  # of the first, the last c taps
        phase = np.arange(U)[:, None]
        for L in long_lengths(op, axis):
            length = output_length(L, U, D, op.lengths[axis])
            read = D * np.arange(site_count(max(0, length), U)) + low
            shown = phase + U * np.arange(len(read)) < length
            outside = before[:, np.clip(-read, 0, K)] | after[:, np.clip(read + K - L, 0, K)]
            if (shown & outside).any():
                return True
    return False


def _sums_matter(weights: np.ndarray) -> np.ndarray:
    """Is the sum of the first c taps other than zero, anywhere? Shape: `U K …` to `U (K+1)`, over c."""
    sums = np.cumsum(weights, axis=1)
    somewhere = (sums != 0).any(axis=tuple(range(2, sums.ndim)))
    return np.concatenate([np.zeros((len(weights), 1), bool), somewhere], axis=1)


def _shrink(op: Op, axis: int) -> Op:
    """The finest lattice: U and D divided by r wherever the op is `block` of a smaller one."""
    common = gcd(op.up[axis], op.down[axis])
    for r in range(common, 1, -1):
        if common % r == 0:
            smaller = _divide(op, axis, r)
            if smaller is not None:
                return smaller
    return op


def _divide(op: Op, axis: int, r: int) -> Op | None:
    U, D = op.up[axis] // r, op.down[axis] // r
    table = op.lengths[axis][:D]
    if any(f != U * (rho // D) + table[rho % D] for rho, f in enumerate(op.lengths[axis])):
        return None
    keep = np.arange(U)
    small = Op(
        gather(op.kernel, 1 + axis, keep),
        gather(op.bias, 1 + axis, keep),
        (*op.down[:axis], D, *op.down[axis + 1 :]),
        op.low,
        (*op.lengths[:axis], table, *op.lengths[axis + 1 :]),
        op.outside,
    )
    small = trim(as_cells(small)).interior
    back = trim(as_cells(block(small, tuple(r if i == axis else 1 for i in range(op.dim))))).interior
    return small if back == op else None


def any_along(array: Array, axis: int) -> np.ndarray:
    """Which entries along `axis` hold anything but zeros."""
    values = as_numpy(array) != 0
    return np.asarray(values.any(axis=tuple(j for j in range(values.ndim) if j != axis)))


def support(op: Op, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """(phase, tap) pairs along `axis` that carry any weight."""
    values = as_numpy(op.kernel) != 0
    others = tuple(j for j in range(values.ndim) if j not in (1 + axis, 2 + op.dim + axis))
    phases, taps = np.nonzero(values.any(axis=others))
    return phases, taps
