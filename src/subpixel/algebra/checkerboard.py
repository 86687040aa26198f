"""The checkerboard index (A14): how unevenly a layer answers a flat input."""

from __future__ import annotations

import numpy as np

from subpixel.algebra.arrays import as_numpy
from subpixel.algebra.op import Op


def checkerboard_index(op: Op) -> float:
    """The largest difference between two phases of one output map, over all flat inputs with values in [-1, 1].

    Where x[c] is constant, phase φ of map o answers bias[o, φ] + Σ_c S[o, φ, c]·x[c] with S = Σ_k kernel. So

        index = max over o, φ, φ' of  |bias[o, φ] - bias[o, φ']| + Σ_c |S[o, φ, c] - S[o, φ', c]|

    in units of the output. It is 0 iff flat inputs give no checkerboard away from the border (A14).
    """
    d = op.dim
    C, O = op.maps
    flat = as_numpy(op.kernel).astype(np.float64).sum(axis=tuple(range(2 + d, 2 + 2 * d))).reshape(O, -1, C)
    bias = as_numpy(op.bias).astype(np.float64).reshape(O, -1)
    worst = 0.0
    for phase in range(1, flat.shape[1]):
        spread = np.abs(flat[:, :phase] - flat[:, phase : phase + 1]).sum(axis=2)
        worst = max(worst, float((spread + np.abs(bias[:, :phase] - bias[:, phase : phase + 1])).max()))
    return worst
