"""`compose(second, first) → Cells`: two layers as one, exact to the last border sample.

With g = gcd(U_A, D_B) the whole B∘A has U = U_B·U_A/g phases and stride D = D_A·D_B/g. Output sample
j = U·N + Φ is B's sample φ_B of B's site n = (U_A/g)·N + n'; its tap k reads A's output at m = D_B·n + low_B + k,
which is A's sample φ_A of A's site m div U_A. What lies outside A's output is B's to say: nothing, or A's edge.

So along each axis composing is a table, the *route* (Φ, k) → (A's cell, A's site, φ_A) or nothing, and sites N
with the same route form a cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce as fold
from math import gcd

import numpy as np
from array_api_compat import array_namespace

from subpixel.algebra.arrays import NOTHING, Array, Index, common, gather, permute, reshape
from subpixel.algebra.cells import Cells, Places, as_cells
from subpixel.algebra.op import Op, output_length, site_count
from subpixel.algebra.reduce import name_outside

# cell of A, site of A relative to the composed site, phase of A; None where nothing is read
Step = tuple[int, int, int] | None
Route = tuple[Step, ...]  # over (Φ, k), k fastest


def compose(second: Op, first: Op | Cells, size: tuple[int, ...] | None = None) -> Cells:
    """`second` after `first`, borders included.

    Without `size` the result holds for all inputs long enough to keep the two borders apart (`Cells.sites`
    refuses shorter ones); with `size` for inputs of exactly that size, however small.

    Shape: kernel `*Q O *U C *K`, U = U_B·U_A/g and D = D_A·D_B/g with g = gcd(U_A, D_B) per axis.
    Cost: one matrix product per phase; a weight of K_B·K_A taps per cell.

    Raises:
        ValueError: the maps or axes do not meet, or nothing is left of `size`.
    """
    if isinstance(first, Op):
        first = name_outside(first)
    first = as_cells(first)
    if second.dim != first.dim or second.maps[0] != first.interior.maps[1]:
        raise ValueError(
            f"the first layer gives {first.interior.maps[1]} maps on {first.dim} axes; "
            f"the second takes {second.maps[0]} on {second.dim}."
        )
    if size is not None and len(size) != second.dim:
        raise ValueError(f"`size` (={size}) needs {second.dim} lengths, one per axis.")
    held = tuple(p.size for p in first.places)
    if any(held) and size != held:
        raise ValueError(f"the first layer was composed for `size` {held}, not {size}: compose both for one.")
    axes = [_axis(second, first, i, None if size is None else size[i]) for i in range(second.dim)]
    kernel, bias = _contract(second, first, axes)
    return Cells(
        kernel=kernel,
        bias=bias,
        down=tuple(axis.down for axis in axes),
        low=tuple(axis.low for axis in axes),
        lengths=tuple(axis.lengths for axis in axes),
        outside=first.outside,
        places=tuple(axis.places for axis in axes),
    )


def compose_all(ops: Sequence[Op], size: tuple[int, ...] | None = None) -> Cells:
    """A chain of ops in the order in which they run.

    Raises:
        ValueError: no op is given, or `compose` refuses one.
    """
    if not ops:
        raise ValueError("`ops` is empty: composing needs at least one.")
    return fold(lambda whole, op: compose(op, whole, size), ops[1:], as_cells(name_outside(ops[0])))


@dataclass(frozen=True)
class _Axis:
    """Everything that composing needs to know of one axis."""

    down: int
    low: int
    lengths: tuple[int, ...]
    places: Places
    phase_of_second: Index  # U: Φ → φ_B
    site: Index  # Q U K_B: A's (cell, phase), flat, or NOTHING
    tap: Index  # Q U K_B K: A's (cell, phase, tap), flat, or NOTHING


def _axis(second: Op, first: Cells, i: int, size: int | None) -> _Axis:
    U_A, D_A, K_A = first.up[i], first.down[i], first.taps[i]
    U_B, D_B, K_B = second.up[i], second.down[i], second.taps[i]
    g = gcd(U_A, D_B)
    U, D = U_B * U_A // g, D_A * D_B // g

    def middle(L: int) -> int:  # length of A's output
        return output_length(L, U_A, D_A, first.lengths[i])

    def length(L: int) -> int:
        return output_length(middle(L), U_B, D_B, second.lengths[i])

    lengths = tuple(length(L) for L in range(D))
    n, phase_of_second = np.divmod(np.arange(U), U_B)  # B's site within the composed site, B's phase
    reads = D_B * n[:, None] + second.low[i] + np.arange(K_B)  # U K_B: m - U_A·(D_B/g)·N
    places_A = first.places[i]
    interior: Route = tuple((places_A.interior, int(m // U_A), int(m % U_A)) for m in reads.reshape(-1))

    def routes(L: int, sites: Iterable[int]) -> list[Route]:
        """The routes of `sites`, for an input of length L."""
        count_A, count = middle(L), length(L)
        cell_A = places_A.at(site_count(count_A, U_A), L)
        rows = []
        for N in sites:
            start = N * (D_B // g)
            m = reads + U_A * start
            outside = (m < 0) | (m >= count_A)
            if second.outside == "edge":
                m, outside = np.clip(m, 0, count_A - 1), np.zeros_like(outside)
            # samples beyond the output's end are cropped: whatever is easiest stands there
            cropped = (U * N + np.arange(U) >= count)[:, None] & np.ones_like(outside)
            row: list[Step] = []
            for at, (m_, out, crop) in enumerate(
                zip(m.reshape(-1), outside.reshape(-1), cropped.reshape(-1), strict=True)
            ):
                if crop:
                    row.append(interior[at])
                elif out:
                    row.append(None)
                else:
                    row.append((cell_A[m_ // U_A], int(m_ // U_A) - start, int(m_ % U_A)))
            rows.append(tuple(row))
        return rows

    def holds(L: int) -> bool:
        """Has A an output, its borders apart, and (where B repeats them) its end samples in no border but their own?"""
        sites_A = site_count(middle(L), U_A)
        if sites_A < 1 or not places_A.holds(sites_A, L):
            return False
        return second.outside == "zero" or sites_A > max(len(places_A.first), len(places_A.last[L % D_A]))

    def inside(L: int) -> tuple[int, int]:
        """The sites from which on, and up to which, only A's interior is read and nothing is cropped."""
        last_A = len(places_A.last[L % D_A])
        end_A = min(middle(L), U_A * (site_count(middle(L), U_A) - last_A))
        step = U_A * (D_B // g)
        first = site_count(U_A * len(places_A.first) - int(reads.min(initial=0)), step)
        end = (end_A - 1 - int(reads.max(initial=0))) // step + 1
        return max(first, 0), min(end, length(L) // U)

    cells: dict[Route, int] = {interior: 0}
    if size is None:
        long = D
        while not all(holds(L) and inside(L)[0] <= inside(L)[1] for L in range(long, long + D)):
            long += D
        least = long
        while least > 1 and holds(least - 1):
            least -= 1
        first_rows = _until(interior, routes(long, range(inside(long)[0])))
        last_rows = []
        for L in range(long, long + D):
            rows = routes(L, range(inside(L)[1], site_count(length(L), U)))
            last_rows.append(_until(interior, rows[::-1])[::-1])
        for row in (*first_rows, *(row for rows in last_rows for row in rows)):
            cells.setdefault(row, len(cells))
        first_cells = tuple(cells[row] for row in first_rows)
        places = Places(first_cells, tuple(tuple(cells[row] for row in rows) for rows in last_rows), least=least)
    else:
        if length(size) < 1 or middle(size) < 1:
            raise ValueError(f"an input of length {size} leaves nothing of the output along axis {i}.")
        rows = routes(size, range(site_count(length(size), U)))
        for row in rows:
            cells.setdefault(row, len(cells))
        places = Places(tuple(cells[row] for row in rows), ((),) * D, size=size)

    # tap index of the whole: D_A·q + low_A + k_A - low, where q is A's site relative to (D_B/g)·N
    q = [step[1] for route in cells for step in route if step is not None] or [0]
    low = D_A * min(q) + first.low[i]
    K = D_A * (max(q) - min(q)) + K_A
    shape = (len(cells), U, K_B)
    site = np.full(shape, NOTHING).reshape(-1)
    shift = np.zeros_like(site)
    for at, step in enumerate(step for route in cells for step in route):
        if step is not None:
            cell, q_, phase = step
            site[at] = cell * U_A + phase
            shift[at] = D_A * (q_ - min(q))
    k_A = np.arange(K) - shift[:, None]
    tap = np.where((site[:, None] != NOTHING) & (k_A >= 0) & (k_A < K_A), site[:, None] * K_A + k_A, NOTHING)
    return _Axis(D, low, lengths, places, phase_of_second, site.reshape(shape), tap.reshape(*shape, K))


def _until(interior: Route, rows: list[Route]) -> list[Route]:
    """The border routes without the interior's own at their inner end."""
    while rows and rows[-1] == interior:
        rows = rows[:-1]
    return rows


def _contract(second: Op, first: Cells, axes: list[_Axis]) -> tuple[Array, Array]:
    """kernel[Q, o, Φ, c, K] = Σ_{b,k} B[o, φ_B, b, k] · A[cell, b, φ_A, c, K - shift], and the bias alike."""
    d = second.dim
    kernel_B, kernel_A, bias_B, bias_A = common(second.kernel, first.kernel, second.bias, first.bias)
    xp = array_namespace(kernel_B)
    O, C = kernel_B.shape[0], kernel_A.shape[2 * d + 1]
    b = kernel_A.shape[d]

    # A: *Q b *U c *K  →  b c (Q U K)…  →  b c [Q Φ k K]…  →  *Q *Φ (b *k) (c *K)
    order = [d, 2 * d + 1, *(j for i in range(d) for j in (i, d + 1 + i, 2 * d + 2 + i))]
    A = reshape(permute(kernel_A, order), (b, C, *(_axis_size(first, i) for i in range(d))))
    for i, axis in enumerate(axes):
        A = gather(A, 2 + 4 * i, axis.tap)
    Q, P, k, K = ([2 + 4 * i + j for i in range(d)] for j in range(4))
    sizes = [[A.shape[j] for j in group] for group in (Q, P, k, K)]
    rows, columns = b * int(np.prod(sizes[2])), C * int(np.prod(sizes[3]))
    A = reshape(permute(A, [*Q, *P, 0, *k, 1, *K]), (*sizes[0], *sizes[1], rows, columns))

    # A's bias: *Q b *U  →  b [Q Φ k]…  →  *Q *Φ (b *k) 1
    order = [d, *(j for i in range(d) for j in (i, d + 1 + i))]
    a = reshape(permute(bias_A, order), (b, *(first.count[i] * first.up[i] for i in range(d))))
    for i, axis in enumerate(axes):
        a = gather(a, 1 + 3 * i, axis.site)
    Qa, Pa, ka = ([1 + 3 * i + j for i in range(d)] for j in range(3))
    a = reshape(permute(a, [*Qa, *Pa, 0, *ka]), (*sizes[0], *sizes[1], rows, 1))

    # B: o *U b *k  →  *Φ o (b *k)
    B, bias = kernel_B, bias_B
    for i, axis in enumerate(axes):
        B = gather(B, 1 + i, axis.phase_of_second)
        bias = gather(bias, 1 + i, axis.phase_of_second)
    B = reshape(permute(B, [*range(1, 1 + d), 0, *range(1 + d, 2 + 2 * d)]), (*(1,) * d, *sizes[1], O, rows))

    kernel = reshape(xp.matmul(B, A), (*sizes[0], *sizes[1], O, C, *sizes[3]))
    kernel = permute(kernel, [*range(d), 2 * d, *range(d, 2 * d), *range(2 * d + 1, 3 * d + 2)])
    through = reshape(xp.matmul(B, a), (*sizes[0], *sizes[1], O))
    return kernel, permute(through, [*range(d), 2 * d, *range(d, 2 * d)]) + bias


def _axis_size(first: Cells, i: int) -> int:
    """Cells × phases × taps along one axis."""
    return first.count[i] * first.up[i] * first.taps[i]
