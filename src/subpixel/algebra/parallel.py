"""Layers side by side: sums of layers on one input (A15) and layers that read a concatenation (A8)."""

from __future__ import annotations

from dataclasses import replace
from math import lcm

import numpy as np

from subpixel.algebra.arrays import NOTHING, common, gather
from subpixel.algebra.lattice import block
from subpixel.algebra.op import Op
from subpixel.algebra.reduce import reads_outside


def add(a: Op, b: Op) -> Op:
    """The layer a(x) + b(x) on one lattice: a global skip costs nothing at HR (A15).

    Raises:
        ValueError: the two differ in maps, rate U/D, lengths, or in what they read beyond the border.
    """
    if a.dim != b.dim or a.maps != b.maps:
        raise ValueError(f"layers of {a.maps} and {b.maps} maps on {a.dim} and {b.dim} axes have no sum.")
    if any(U * D_ != U_ * D for U, D, U_, D_ in zip(a.up, a.down, b.up, b.down, strict=True)):
        raise ValueError(f"layers of rates {a.up}/{a.down} and {b.up}/{b.down} do not meet sample by sample.")
    down = [lcm(D, D_) for D, D_ in zip(a.down, b.down, strict=True)]
    a = block(a, tuple(D // D_ for D, D_ in zip(down, a.down, strict=True)))
    b = block(b, tuple(D // D_ for D, D_ in zip(down, b.down, strict=True)))
    if a.lengths != b.lengths:
        raise ValueError(f"layers of output lengths {a.lengths} and {b.lengths} have no sum: crop one first.")
    outside = {op.outside for op in (a, b) if reads_outside(op)}
    if len(outside) > 1:
        raise ValueError("one layer continues x by zeros, the other by its edge: their sum is no single op.")
    low = tuple(min(p, q) for p, q in zip(a.low, b.low, strict=True))
    high = tuple(max(p + K, q + J) for p, K, q, J in zip(a.low, a.taps, b.low, b.taps, strict=True))
    a, b = (widen(op, low, high) for op in (a, b))
    kernel_a, kernel_b, bias_a, bias_b = common(a.kernel, b.kernel, a.bias, b.bias)
    return Op(kernel_a + kernel_b, bias_a + bias_b, a.down, low, a.lengths, next(iter(outside), "zero"))


def split(op: Op, maps: int) -> tuple[Op, Op]:
    """op(concat(x, z)) = first(x) + second(z), x of `maps` maps; the bias goes to the first (A8).

    Raises:
        ValueError: `maps` does not leave maps on both sides.
    """
    C = op.maps[0]
    if not 0 < maps < C:
        raise ValueError(f"`maps` (={maps}) must lie between 1 and {C - 1}.")
    at = 1 + op.dim
    first = replace(op, kernel=gather(op.kernel, at, np.arange(maps)))
    second = replace(op, kernel=gather(op.kernel, at, np.arange(maps, C)), bias=op.bias * 0)
    return first, second


def widen(op: Op, low: tuple[int, ...], high: tuple[int, ...]) -> Op:
    """The same op with its taps spelled from `low` up to `high`, new ones zero."""
    kernel = op.kernel
    for axis, (a, b) in enumerate(zip(low, high, strict=True)):
        k = np.arange(a, b) - op.low[axis]
        kernel = gather(kernel, 2 + op.dim + axis, np.where((k >= 0) & (k < op.taps[axis]), k, NOTHING))
    return replace(op, kernel=kernel, low=low)
