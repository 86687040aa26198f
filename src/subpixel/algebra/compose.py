"""`compose(second, first) → Cells`: two layers as one, exact to the last border sample.

With g = gcd(U_A, D_B) the whole B∘A has U = U_B·U_A/g phases and stride D = D_A·D_B/g. `junction` says, axis by
axis, which of A's samples every tap of B reads; here the kernels meet, one matrix product for each phase and cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce as fold
from math import prod

import numpy as np
from array_api_compat import array_namespace

from subpixel.algebra.arrays import Array, Index, common, gather, permute, reshape
from subpixel.algebra.cells import Cells, as_cells
from subpixel.algebra.junction import Junction
from subpixel.algebra.op import Op
from subpixel.algebra.reduce import name_outside

LARGEST = 1 << 29  # numbers that meet in one product: 4 GB of float64


def compose(second: Op, first: Op | Cells, size: tuple[int, ...] | None = None) -> Cells:
    """`second` after `first`, borders included.

    Without `size` the result holds for all inputs long enough to keep the two borders apart (`Cells.sites`
    refuses shorter ones); with `size` for inputs of exactly that size, however small.

    Shape: kernel `*Q O *U C *K`, U = U_B·U_A/g and D = D_A·D_B/g with g = gcd(U_A, D_B) per axis.
    Cost: one matrix product per phase; a weight of K_B·K_A taps per cell.

    Raises:
        ValueError: the maps or axes do not meet, nothing is left of `size`, or it takes more than `LARGEST` numbers.
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
    axes = [Junction(second, first, i) for i in range(second.dim)]
    cells = [axis.cells(None if size is None else size[i]) for i, axis in enumerate(axes)]
    tables = [axis.tables(routes) for axis, (_, routes) in zip(axes, cells, strict=True)]
    phases = [axis.phase_of_second for axis in axes]
    numbers = first.interior.maps[0] * first.interior.maps[1] * prod(tap.size for _, _, tap in tables)
    if numbers > LARGEST:
        raise ValueError(f"composing them takes {numbers:,} numbers at once, more than {LARGEST:,}.")
    kernel, bias = _contract(second, first, phases, [site for _, site, _ in tables], [tap for _, _, tap in tables])
    return Cells(
        kernel=kernel,
        bias=bias,
        down=tuple(axis.down for axis in axes),
        low=tuple(low for low, _, _ in tables),
        lengths=tuple(axis.lengths for axis in axes),
        outside=first.outside,
        places=tuple(places for places, _ in cells),
    )


def compose_all(ops: Sequence[Op], size: tuple[int, ...] | None = None) -> Cells:
    """A chain of ops in the order in which they run.

    Raises:
        ValueError: no op is given, or `compose` refuses one.
    """
    if not ops:
        raise ValueError("`ops` is empty: composing needs at least one.")
    return fold(lambda whole, op: compose(op, whole, size), ops[1:], as_cells(name_outside(ops[0])))


def _contract(
    second: Op, first: Cells, phases: list[Index], sites: list[Index], taps: list[Index]
) -> tuple[Array, Array]:
    """kernel[Q, o, Φ, c, K] = Σ_{b,k} B[o, φ_B, b, k] · A[cell, b, φ_A, c, K - shift], and the bias alike.

    `phases`, `sites` and `taps` are the tables of `Junction`, one per axis.
    """
    d = second.dim
    kernel_B, kernel_A, bias_B, bias_A = common(second.kernel, first.kernel, second.bias, first.bias)
    xp = array_namespace(kernel_B)
    O, C = kernel_B.shape[0], kernel_A.shape[2 * d + 1]
    b = kernel_A.shape[d]

    # A: *Q b *U c *K  →  b c (Q U K)…  →  b c [Q Φ k K]…  →  *Q *Φ (b *k) (c *K)
    order = [d, 2 * d + 1, *(j for i in range(d) for j in (i, d + 1 + i, 2 * d + 2 + i))]
    A = reshape(permute(kernel_A, order), (b, C, *(_axis_size(first, i) for i in range(d))))
    for i, tap in enumerate(taps):
        A = gather(A, 2 + 4 * i, tap)
    Q, P, k, K = ([2 + 4 * i + j for i in range(d)] for j in range(4))
    sizes = [[A.shape[j] for j in group] for group in (Q, P, k, K)]
    rows, columns = b * int(np.prod(sizes[2])), C * int(np.prod(sizes[3]))
    A = reshape(permute(A, [*Q, *P, 0, *k, 1, *K]), (*sizes[0], *sizes[1], rows, columns))

    # A's bias: *Q b *U  →  b [Q Φ k]…  →  *Q *Φ (b *k) 1
    order = [d, *(j for i in range(d) for j in (i, d + 1 + i))]
    a = reshape(permute(bias_A, order), (b, *(first.count[i] * first.up[i] for i in range(d))))
    for i, site in enumerate(sites):
        a = gather(a, 1 + 3 * i, site)
    Qa, Pa, ka = ([1 + 3 * i + j for i in range(d)] for j in range(3))
    a = reshape(permute(a, [*Qa, *Pa, 0, *ka]), (*sizes[0], *sizes[1], rows, 1))

    # B: o *U b *k  →  *Φ o (b *k)
    B, bias = kernel_B, bias_B
    for i, phase in enumerate(phases):
        B = gather(B, 1 + i, phase)
        bias = gather(bias, 1 + i, phase)
    B = reshape(permute(B, [*range(1, 1 + d), 0, *range(1 + d, 2 + 2 * d)]), (*(1,) * d, *sizes[1], O, rows))

    kernel = reshape(xp.matmul(B, A), (*sizes[0], *sizes[1], O, C, *sizes[3]))
    kernel = permute(kernel, [*range(d), 2 * d, *range(d, 2 * d), *range(2 * d + 1, 3 * d + 2)])
    through = reshape(xp.matmul(B, a), (*sizes[0], *sizes[1], O))
    return kernel, permute(through, [*range(d), 2 * d, *range(d, 2 * d)]) + bias


def _axis_size(first: Cells, i: int) -> int:
    """Cells × phases × taps along one axis."""
    return first.count[i] * first.up[i] * first.taps[i]
