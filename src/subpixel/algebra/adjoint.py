"""`adjoint`: the transposed linear map. A transposed convolution is the adjoint of a convolution, by name and fact."""

from __future__ import annotations

import numpy as np

from subpixel.algebra.arrays import NOTHING, gather, permute, reshape, zeros_like
from subpixel.algebra.op import Op, output_length
from subpixel.algebra.reduce import reads_outside


def adjoint(op: Op, size: tuple[int, ...]) -> Op:
    """The op with ⟨op(x), y⟩ = ⟨x, adjoint(y)⟩ for all x of `size`; the bias is left out.

    Tap k of phase φ reads x at D·n + low + k = D·(n + t) + ψ, so the adjoint has D phases ψ, stride U, and reads
    y at φ - U·t. `size` settles which of the inputs that share an output length is meant (what output_padding
    does for a transposed convolution).

    Raises:
        ValueError: the op continues x by its edge, whose adjoint adds up at the border and has no such form.
    """
    if op.outside == "edge" and reads_outside(op):
        raise ValueError("the adjoint of an edge-continued layer adds up at the border: it is not an Op.")
    d = op.dim
    array, low, lengths = op.kernel, [], []
    array = permute(array, [1 + d, 0, *(j for i in range(d) for j in (1 + i, 2 + d + i))])  # c o (φ k)…
    array = reshape(array, (*array.shape[:2], *(U * K for U, K in zip(op.up, op.taps, strict=True))))
    for i in range(d):
        U, D, K = op.up[i], op.down[i], op.taps[i]
        psi = np.arange(D)[:, None]
        t_low, t_high = op.low[i] // D, (op.low[i] + K - 1) // D
        read = np.arange(-U * t_high, U - U * t_low)[None, :]  # φ - U·t over all φ and t
        phase = read % U
        k = D * ((phase - read) // U) + psi - op.low[i]
        array = gather(array, 2 + 2 * i, np.where((k >= 0) & (k < K), phase * K + k, NOTHING))
        low.append(-U * t_high)
        y = output_length(size[i], U, D, op.lengths[i])
        lengths.append(tuple(size[i] + (rho - y) * D // U for rho in range(U)))
    phases, taps = [2 + 2 * i for i in range(d)], [3 + 2 * i for i in range(d)]
    kernel = permute(array, [0, *phases, 1, *taps])
    return Op(kernel, zeros_like(kernel, tuple(kernel.shape[: 1 + d])), op.up, tuple(low), tuple(lengths))
