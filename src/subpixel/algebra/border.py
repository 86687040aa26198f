"""Border cells in normal form, so that two layers with cells compare like any two ops (see `reduce`).

Every border site first gets a cell that reads samples of x alone: what it reads outside is left out or folded
onto the edge, and phases beyond the output's end weigh nothing. That much is determined by the function. The
lattice is then made as fine as the function allows, x is continued the way that leaves the fewest border
sites (by zeros where both ways do), and equal cells are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import gcd
from typing import TypeVar

import numpy as np
from array_api_compat import array_namespace, device

from subpixel.algebra.arrays import NOTHING, Array, as_numpy, equal, gather
from subpixel.algebra.cells import Cells, Places, long_lengths
from subpixel.algebra.op import Outside, output_length, site_count

T = TypeVar("T")
Part = tuple[Array, Array]
"""One cell along one axis: kernel and bias."""
Row = tuple[int, int, range]
"""How many sites there are along an axis, for which input length, and which of them are meant."""
Differing = list[list[tuple[int, int, int] | None]]
"""For every site of every row (its cell, itself, the input's length); None where it computes what the interior does."""


def normal_border(cells: Cells) -> Cells:
    """The same function, its border spelled in the one way. Cells for one size keep their lattice."""
    if any(
        gcd(U, D) > 1 and place.size is None for U, D, place in zip(cells.up, cells.down, cells.places, strict=True)
    ):
        for axis in range(cells.dim):
            cells = spell_out(cells, axis)
        for axis in range(cells.dim):
            cells = _refine(cells, axis)
    wide, rows = cells, []
    for axis in range(cells.dim):
        wide, its_rows = _widen(wide, axis)
        rows.append(its_rows)
    zero = [_differing(wide, rows, axis, "zero") for axis in range(cells.dim)]
    fewest, edge = _count(zero), []
    for axis in range(cells.dim):
        edge.append(_differing(wide, rows, axis, "edge"))
        if _count(edge) > fewest:
            return _continued(wide, cells.outside, zero, "zero")
    normal = _continued(wide, cells.outside, edge, "edge")
    if _count(edge) == fewest:
        normal = min(_continued(wide, cells.outside, zero, "zero"), normal, key=lambda c: sum(c.count))
    return normal


def spell_out(cells: Cells, axis: int) -> Cells:
    """A cell of its own for every site of `axis` that reads outside x or is cropped, and for those that had one."""
    place = cells.places[axis]
    wide, rows = _widen(cells, axis)
    parts = _Parts()
    parts.add(_slice(wide, axis, place.interior))
    lists = [
        tuple(parts.add(_seen(wide, axis, _cell(place, N, count, L), N, L, cells.outside)) for N in sites)
        for count, L, sites in rows
    ]
    return parts.on(wide, axis, _places(place, lists))


def _widen(cells: Cells, axis: int) -> tuple[Cells, list[Row]]:
    """The sites of `axis` to spell out, and the cells with room for the taps that are folded onto an edge."""
    rows = _rows(cells, axis, *_reach(cells, axis))
    # they may read further in than any tap did
    low, high = cells.low[axis], cells.low[axis] + cells.taps[axis]
    for _, L, sites in rows:
        for N in sites:
            target = _targets(cells, axis, N, L)
            low = min(low, int((target - cells.down[axis] * N).min(initial=low)))
            high = max(high, int((target - cells.down[axis] * N).max(initial=high - 1)) + 1)
    return widen_taps(cells, axis, low, high), rows


def _reach(cells: Cells, axis: int) -> tuple[int, list[int]]:
    """How many sites to spell out at the start, and at the end for every residue of L mod D."""
    place, D, U, low, K = cells.places[axis], cells.down[axis], cells.up[axis], cells.low[axis], cells.taps[axis]
    before = max(len(place.first), site_count(-low, D) if K else 0)
    after = []
    for L, (row, f) in enumerate(zip(place.last, cells.lengths[axis], strict=True)):
        # both ends move alike with L, so that counting may start from a length of L = residue
        reads_past = site_count(L - low - K + 1, D) if K else site_count(f, U)
        after.append(max(len(row), site_count(f, U) - min(reads_past, f // U)))
    return before, after


def _rows(cells: Cells, axis: int, before: int, after: Sequence[int]) -> list[Row]:
    """The sites at the border: at the start, and at the end for every residue of a long L.

    For cells of one size: all sites at once.
    """
    place, D, U, table = cells.places[axis], cells.down[axis], cells.up[axis], cells.lengths[axis]
    if place.size is not None:
        count = site_count(output_length(place.size, U, D, table), U)
        return [(count, place.size, range(count))]
    long = long_lengths(cells, axis, border=before + max(after))
    counts = [site_count(output_length(L, U, D, table), U) for L in long]
    ends = [(n, L, range(n - a, n)) for n, L, a in zip(counts, long, after, strict=True)]
    return [(counts[0], long[0], range(before)), *ends]


def _cell(place: Places, N: int, count: int, L: int) -> int:
    """The cell of site N of `count`."""
    last = place.last[L % len(place.last)]
    named = dict(enumerate(place.first)) | {count - len(last) + i: q for i, q in enumerate(last)}
    return named.get(N, place.interior)


def _places(like: Places, lists: Sequence[tuple[int, ...]]) -> Places:
    """The cells of the sites in `_rows`, in places."""
    first, *last = lists
    return Places(first, tuple(last) if like.size is None else like.last, 0, like.size, like.least)


# --- a single site -------------------------------------------------------------------------------------------------


def _targets(cells: Cells, axis: int, N: int, L: int) -> Array:
    """The samples that the taps of site N read, those outside x moved to its edge."""
    return np.clip(cells.down[axis] * N + cells.low[axis] + np.arange(cells.taps[axis]), 0, L - 1)


def _seen(cells: Cells, axis: int, cell: int, N: int, L: int, outside: Outside) -> Part:
    """Kernel and bias of a cell as site N of an input of length L sees them. Shapes: one cell along `axis`."""
    kernel, bias = _slice(cells, axis, cell)
    D, U, K, low = cells.down[axis], cells.up[axis], cells.taps[axis], cells.low[axis]
    read = D * N + low + np.arange(K)
    target = _targets(cells, axis, N, L)
    if (target != read).any():
        kept = np.full(K, True) if outside == "edge" else target == read
        move = ((target - D * N - low)[:, None] == np.arange(K)) & kept[:, None]  # tap to tap
        kernel = _along(kernel, 2 * cells.dim + 2 + axis, move)
    live = U * N + np.arange(U) < output_length(L, U, D, cells.lengths[axis])
    if not live.all():
        phases = np.where(live, np.arange(U), NOTHING)
        kernel, bias = (gather(array, cells.dim + 1 + axis, phases) for array in (kernel, bias))
    return kernel, bias


def _along(kernel: Array, axis: int, matrix: Array) -> Array:
    """Σ_k kernel[… k …] · matrix[k, k']."""
    xp = array_namespace(kernel)
    matrix = xp.asarray(matrix, dtype=kernel.dtype, device=device(kernel))
    return xp.moveaxis(xp.matmul(xp.moveaxis(kernel, axis, -1), matrix), -1, axis)


def _slice(cells: Cells, axis: int, cell: int) -> Part:
    index = np.array([cell])
    return gather(cells.kernel, axis, index), gather(cells.bias, axis, index)


def _set(values: tuple[T, ...], axis: int, value: T) -> tuple[T, ...]:
    return (*values[:axis], value, *values[axis + 1 :])


class _Parts:
    """The cells of one axis as they are found, equal ones once."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.numbers: dict[bytes, int] = {}

    def add(self, part: Part) -> int:
        """The number of the cell."""
        # equal bytes for equal numbers: adding 0 makes a negative zero positive
        key = b"".join((as_numpy(array) + 0).tobytes() for array in part)
        if key not in self.numbers:
            self.numbers[key] = len(self.parts)
            self.parts.append(part)
        return self.numbers[key]

    def on(self, cells: Cells, axis: int, place: Places) -> Cells:
        """`cells` with these along `axis`."""
        xp = array_namespace(cells.kernel)
        kernel, bias = (xp.concat([part[i] for part in self.parts], axis=axis) for i in range(2))
        return replace(cells, kernel=kernel, bias=bias, places=_set(cells.places, axis, place))


def widen_taps(cells: Cells, axis: int, low: int, high: int) -> Cells:
    """The same cells with their taps along `axis` spelled from `low` up to `high`, new ones zero."""
    k = np.arange(low, high) - cells.low[axis]
    index = np.where((k >= 0) & (k < cells.taps[axis]), k, NOTHING)
    kernel = gather(cells.kernel, 2 * cells.dim + 2 + axis, index)
    return replace(cells, kernel=kernel, low=_set(cells.low, axis, low))


# --- the lattice ---------------------------------------------------------------------------------------------------


def _refine(cells: Cells, axis: int) -> Cells:
    """The finest lattice along `axis`, for cells that are spelled out."""
    if cells.places[axis].size is not None:
        return cells
    common = gcd(cells.up[axis], cells.down[axis])
    for r in range(common, 1, -1):
        if common % r == 0:
            finer = _split_sites(cells, axis, r)
            if finer is not None:
                return finer
    return cells


def _split_sites(cells: Cells, axis: int, r: int) -> Cells | None:
    """Each site as r sites of a lattice r times finer, or None where the function does not repeat on it."""
    U, D, place = cells.up[axis] // r, cells.down[axis] // r, cells.places[axis]
    table = cells.lengths[axis][:D]
    if any(f != output_length(rho, U, D, table) for rho, f in enumerate(cells.lengths[axis])):
        return None
    # sub-site t reads D·t further on the coarse lattice, so its taps start D·t earlier on the fine one
    low, high = cells.low[axis] - D * (r - 1), cells.low[axis] + cells.taps[axis]
    wide = widen_taps(cells, axis, low, high + D * (r - 1))
    parts = _Parts()
    fine: dict[int, list[int]] = {}
    for q in dict.fromkeys([place.interior, *range(cells.count[axis])]):
        kernel, bias = _slice(wide, axis, q)
        fine[q] = []
        for t in range(r):
            phases, taps = U * t + np.arange(U), D * t + np.arange(high - low)
            kernel_t = gather(gather(kernel, cells.dim + 1 + axis, phases), 2 * cells.dim + 2 + axis, taps)
            fine[q].append(parts.add((kernel_t, gather(bias, cells.dim + 1 + axis, phases))))
    if set(fine[place.interior]) != {0}:
        return None
    first = [q for cell in place.first for q in fine[cell]]
    last: list[tuple[int, ...] | None] = [None] * D
    for L, row_ in enumerate(place.last):
        beyond = r * site_count(cells.lengths[axis][L], cells.up[axis]) - site_count(cells.lengths[axis][L], U)
        sites = [q for cell in row_ for q in fine[cell]]
        sites = sites[: len(sites) - beyond]
        while sites and sites[0] == 0:
            sites.pop(0)
        if last[L % D] not in (None, tuple(sites)):
            return None
        last[L % D] = tuple(sites)
    finer = replace(wide, down=_set(cells.down, axis, D), lengths=_set(cells.lengths, axis, table))
    return parts.on(finer, axis, Places(tuple(first), tuple(row or () for row in last), 0, least=place.least))


# --- which sites differ from the interior ---------------------------------------------------------------------------


def _differing(cells: Cells, rows: list[list[Row]], axis: int, outside: Outside) -> Differing:
    """Which of the sites in `rows` of `axis` compute what the interior would not, x continued as `outside`.

    Those at the inner end of a border that compute the same are left out.
    """
    place = cells.places[axis]
    lists: Differing = []
    for count, L, sites in rows[axis]:
        lists.append([])
        for N in sites:
            q = _cell(place, N, count, L)
            own = _seen(cells, axis, q, N, L, cells.outside)
            interior = _seen(cells, axis, place.interior, N, L, outside)
            lists[-1].append((q, N, L) if _differ(cells, axis, own, interior) else None)
    if place.size is None:
        while lists[0] and lists[0][-1] is None:
            lists[0].pop()
        for kept in lists[1:]:
            while kept and kept[0] is None:
                kept.pop(0)
    return lists


def _differ(cells: Cells, axis: int, own: Part, interior: Part) -> bool:
    """Are two cells of `axis` different anywhere, as the sites of the other axes see them?"""
    if all(equal(a, b) for a, b in zip(own, interior, strict=True)):
        return False
    kernel, bias = (as_numpy(a) - as_numpy(b) for a, b in zip(own, interior, strict=True))
    inner = tuple(slice(None) if i == axis else place.interior for i, place in enumerate(cells.places))
    if all(place.size is None for place in cells.places) and (kernel[inner].any() or bias[inner].any()):
        return True
    # only cells of other borders differ: what is left of the difference once these do not read outside either?
    alone = Places(last=((),) * cells.down[axis])
    left = replace(cells, kernel=kernel, bias=bias, places=_set(cells.places, axis, alone))
    for other in range(cells.dim):
        if other != axis:
            left = spell_out(left, other)
    return bool(left.kernel.any() or left.bias.any())


def _count(differing: list[Differing]) -> int:
    """Border sites over all axes."""
    return sum(len(kept) for lists in differing for kept in lists)


def _continued(cells: Cells, was: Outside, differing: list[Differing], outside: Outside) -> Cells:
    """The cells with x continued as `outside`, their border the sites that differ then. `was`: how it is now."""
    for axis, lists in enumerate(differing):
        place, parts = cells.places[axis], _Parts()
        interior = _slice(cells, axis, place.interior)
        if place.size is None:
            parts.add(interior)
        named = [
            tuple(parts.add(_seen(cells, axis, *site, was) if site else interior) for site in kept) for kept in lists
        ]
        cells = parts.on(cells, axis, _places(place, named))
    if outside == was:
        return cells
    cells = replace(cells, outside=outside)
    return replace(cells, places=tuple(_inside(cells, axis) for axis in range(cells.dim)))


def _inside(cells: Cells, axis: int) -> Places:
    """The places of `axis`, for lengths at which border sites read x alone: elsewhere it is continued otherwise now.

    A cell from one border, met by an input so short that it reaches beyond the other, would read what it must not.
    """
    place, D, U, low = cells.places[axis], cells.down[axis], cells.up[axis], cells.low[axis]
    if place.size is not None:
        return place
    used = [
        np.unique(np.nonzero(as_numpy(_slice(cells, axis, q)[0]))[2 * cells.dim + 2 + axis])
        for q in range(cells.count[axis])
    ]

    def reads_inside(L: int) -> bool:
        count = site_count(output_length(L, U, D, cells.lengths[axis]), U)
        last = place.last[L % D]
        if len(place.first) + len(last) > count:
            return False
        named = dict([*enumerate(place.first), *enumerate(last, start=count - len(last))])
        for N in range(count):
            q = named.get(N, place.interior)
            reads = D * N + low + used[q]
            outside = (reads < 0).any(), (reads >= L).any()
            # the interior's own sites were held against the new continuation, at one end at a time
            if all(outside) if q == place.interior else any(outside):
                return False
        return True

    least = long_lengths(cells, axis, border=len(place.first) + max(map(len, place.last)))[-1]
    while least > place.least and reads_inside(least - 1):
        least -= 1
    return replace(place, least=least)
