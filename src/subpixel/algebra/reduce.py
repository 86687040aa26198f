"""`reduce`: the normal form. Two layers are the same function iff their normal forms are equal.

The interior determines the kernel, so an op has one normal form once zero taps are trimmed, the lattice is
as fine as it can be, and "outside" is named only where it is read. Cells whose kernel differs from the
interior's on samples outside x alone are the interior.
"""

from __future__ import annotations

from dataclasses import replace
from math import gcd

import numpy as np

from subpixel.algebra.arrays import NOTHING, Array, as_numpy, equal, gather, zeros_like
from subpixel.algebra.cells import Cells, Places, as_cells
from subpixel.algebra.lattice import block
from subpixel.algebra.op import Op, output_length, site_count


def reduce(layer: Op | Cells) -> Op | Cells:
    """Normal form: redundant cells dropped, zero taps trimmed, U and D shrunk, `outside` only where it is read.

    An `Op` comes back whenever one kernel serves all sites (A12).
    """
    cells = drop_redundant_cells(as_cells(layer))
    if any(n > 1 for n in cells.count) or any(p.size is not None for p in cells.places):
        return trim(cells)
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
    """Does any output sample, at any long enough input, read x beyond its border with a weight that is not zero?"""
    for axis, (U, D, table) in enumerate(zip(op.up, op.down, op.lengths, strict=True)):
        phases, taps = support(op, axis)
        if not len(taps):
            continue
        for L in long_lengths(op, axis):
            length = output_length(L, U, D, table)
            sites = np.arange(site_count(max(0, length), U))[:, None]
            read = D * sites + op.low[axis] + taps
            valid = U * sites + phases < length
            if (valid & ((read < 0) | (read >= L))).any():
                return True
    return False


def long_lengths(layer: Op | Cells, axis: int, border: int = 0) -> range:
    """One length per residue mod D, at which no site sees both ends and `border` sites stand at each of them."""
    U, D, table, low = layer.up[axis], layer.down[axis], layer.lengths[axis], layer.low[axis]
    reach = max(abs(low), abs(low + layer.taps[axis])) // D + 1
    sites = 2 * (reach + border + 1) + max(0, -min(table)) // U + 1
    return range(D * sites, D * (sites + 1))


def drop_redundant_cells(cells: Cells) -> Cells:
    """Border cells that compute what the interior would there become the interior; unused ones go."""
    for axis in range(cells.dim):
        cells = _drop_on(cells, axis)
    return cells


def _drop_on(cells: Cells, axis: int) -> Cells:
    place, D, U = cells.places[axis], cells.down[axis], cells.up[axis]

    def folded(cell: int, N: int, L: int) -> tuple[Array, Array]:
        """The cell's kernel and bias as site N of an input of length L sees them: nothing reads outside.

        Phases beyond the output's end are cropped: they count as zero.
        """
        kernel = gather(cells.kernel, axis, np.array([cell]))
        bias = gather(cells.bias, axis, np.array([cell]))
        read = D * N + cells.low[axis] + np.arange(cells.taps[axis])
        if cells.outside == "edge":
            target, keep = np.clip(read, 0, L - 1), np.ones(read.shape, bool)
        else:
            target, keep = read, (read >= 0) & (read < L)
        live = U * N + np.arange(U) < output_length(L, U, D, cells.lengths[axis])
        at = 2 * cells.dim + 2 + axis
        kernel = _fold(_mask(kernel, cells.dim + 1 + axis, live), at, target, keep)
        return kernel, _mask(bias, cells.dim + 1 + axis, live)

    def is_interior(cell: int, N: int, L: int) -> bool:
        if cell == place.interior:
            return True
        (k, b), (k_, b_) = folded(cell, N, L), folded(place.interior, N, L)
        return equal(k, k_) and equal(b, b_)

    if place.size is not None:
        L = place.size
        sites = [place.interior if is_interior(q, N, L) else q for N, q in enumerate(place.first)]
        if all(q == place.interior for q in sites):
            return _keep(cells, axis, [place.interior], Places((0,) * len(sites), ((),) * D, 0, L))
        used = sorted(set(sites))
        new = Places(tuple(used.index(q) for q in sites), ((),) * D, 0, L)
        return _keep(cells, axis, used, new)
    long = long_lengths(cells, axis, border=len(place.first) + max(map(len, place.last)))
    first = [place.interior if is_interior(q, N, long[0]) else q for N, q in enumerate(place.first)]
    while first and first[-1] == place.interior:
        first.pop()
    last = []
    for L, row in zip(long, place.last, strict=True):
        count = site_count(output_length(L, U, D, cells.lengths[axis]), U)
        kept = [place.interior if is_interior(q, count - len(row) + i, L) else q for i, q in enumerate(row)]
        while kept and kept[0] == place.interior:
            kept.pop(0)
        last.append(kept)
    used = [place.interior, *sorted({q for row in (first, *last) for q in row} - {place.interior})]
    ends = tuple(tuple(used.index(q) for q in row) for row in last)
    new = Places(tuple(used.index(q) for q in first), ends, least=place.least)
    return _keep(cells, axis, used, new)


def _keep(cells: Cells, axis: int, used: list[int], place: Places) -> Cells:
    index = np.array(used)
    places = (*cells.places[:axis], place, *cells.places[axis + 1 :])
    return replace(
        cells,
        kernel=gather(cells.kernel, axis, index),
        bias=gather(cells.bias, axis, index),
        places=places,
    )


def _fold(kernel: Array, axis: int, target: np.ndarray, keep: np.ndarray) -> Array:
    """Taps added up by the sample `target` that they read, those not kept left out."""
    start, end = target.min(initial=0, where=keep), target.max(initial=0, where=keep) + 1
    out = zeros_like(kernel, (*kernel.shape[:axis], end - start, *kernel.shape[axis + 1 :]))
    for k in np.flatnonzero(keep):
        index = np.where(np.arange(start, end) == target[k], k, NOTHING)
        out = out + gather(kernel, axis, index)
    return out


def _mask(array: Array, axis: int, live: np.ndarray) -> Array:
    return gather(array, axis, np.where(live, np.arange(len(live)), NOTHING))


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
