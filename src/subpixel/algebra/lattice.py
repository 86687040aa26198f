"""The same layer seen from another lattice: another phase origin (`shift`) or a coarser grid (`block`)."""

from __future__ import annotations

import numpy as np

from subpixel.algebra.arrays import NOTHING, Array, gather, permute, reshape
from subpixel.algebra.op import Op, output_length


def shift(op: Op, c: tuple[int, ...]) -> Op:
    """The op with its output moved c samples to the right, so that cropping c at the start gives it back (A3).

    y'[j + c] = y[j]: phase φ' of the result is phase (φ' - c) mod U, reading D·⌊(φ' - c)/U⌋ further. The choice
    of c in [0, U) decides how many taps the low-resolution convolution needs.

    Raises:
        ValueError: `c` is not one integer ≥ 0 per axis.
    """
    if len(c) != op.dim or any(x < 0 for x in c):
        raise ValueError(f"`c` (={c}) needs one integer ≥ 0 for each of the {op.dim} axes.")
    kernel, bias, low, lengths = op.kernel, op.bias, list(op.low), list(op.lengths)
    for axis, (crop, U, D) in enumerate(zip(c, op.up, op.down, strict=True)):
        site, phase = np.divmod(np.arange(U) - crop, U)
        kernel, low[axis] = _regroup(kernel, op.dim, axis, phase, D * site, low[axis])
        bias = gather(bias, 1 + axis, phase)
        lengths[axis] = tuple(f + crop for f in op.lengths[axis])
    return Op(kernel, bias, op.down, tuple(low), tuple(lengths), op.outside)


def block(op: Op, r: tuple[int, ...]) -> Op:
    """The same layer on a lattice r times coarser: U·r phases, stride D·r (A9, lifting).

    Phase U·t + φ is phase φ of the t-th of r sites, reading D·t further. Shape: `O *U C *K` to
    `O *(U·r) C *(K + D·(r - 1))`.

    Raises:
        ValueError: `r` is not one integer ≥ 1 per axis.
    """
    if len(r) != op.dim or any(x < 1 for x in r):
        raise ValueError(f"`r` (={r}) needs one integer ≥ 1 for each of the {op.dim} axes.")
    kernel, bias, low, lengths = op.kernel, op.bias, list(op.low), list(op.lengths)
    for axis, (times, U, D) in enumerate(zip(r, op.up, op.down, strict=True)):
        site, phase = np.divmod(np.arange(U * times), U)
        kernel, low[axis] = _regroup(kernel, op.dim, axis, phase, D * site, low[axis])
        bias = gather(bias, 1 + axis, phase)
        lengths[axis] = tuple(output_length(L, U, D, op.lengths[axis]) for L in range(D * times))
    down = tuple(D * times for D, times in zip(op.down, r, strict=True))
    return Op(kernel, bias, down, tuple(low), tuple(lengths), op.outside)


def _regroup(kernel: Array, d: int, axis: int, phase: np.ndarray, further: np.ndarray, low: int) -> tuple[Array, int]:
    """New phases along `axis`: each is an old `phase` whose taps read `further` along. Returns kernel, low."""
    U, K = kernel.shape[1 + axis], kernel.shape[2 + d + axis]
    start = int(further.min())
    width = K + int(further.max()) - start
    k = np.arange(width) - (further - start)[:, None]
    index = np.where((k >= 0) & (k < K), phase[:, None] * K + k, NOTHING)  # Φ K'
    # bring the phase and tap axes together, look both up at once, put them back
    rest = [j for j in range(2 + 2 * d) if j not in (1 + axis, 2 + d + axis)]
    flat = permute(kernel, [*rest, 1 + axis, 2 + d + axis])
    flat = reshape(flat, (*flat.shape[:-2], U * K))
    looked = gather(flat, -1, index)
    back = [0] * (2 + 2 * d)
    for at, j in enumerate([*rest, 1 + axis, 2 + d + axis]):
        back[j] = at
    return permute(looked, back), low + start
