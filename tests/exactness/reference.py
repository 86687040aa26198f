"""The three forms written out from their definitions, with as little in common with the package as possible.

Everything is float64 holding small integers, so results are exact and compare with equality.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
import torch.nn.functional as F

CONVOLUTION = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def window(x, starts, sizes):
    """`sizes` samples of x from `starts`, zeros where there are none."""
    d = len(starts)
    far = max(0, *(-a for a in starts), *(a + n - m for a, n, m in zip(starts, sizes, x.shape[-d:], strict=True)))
    x = F.pad(x, [far, far] * d)
    return x[(..., *(slice(far + a, far + a + n) for a, n in zip(starts, sizes, strict=True)))]


def convolve(x, weight, bias, pads, dilation, groups):
    """torch's convolution with too much padding on all sides, then the samples that are meant."""
    d, far = len(pads), max(0, *(side for pair in pads for side in pair))
    if min(n + 2 * far - e * (k - 1) for n, e, k in zip(x.shape[-d:], dilation, weight.shape[2:], strict=True)) < 1:
        far += max(e * k for e, k in zip(dilation, weight.shape[2:], strict=True))
    y = CONVOLUTION[d](x, weight, bias, 1, far, dilation, groups)
    size = [
        n + a + b - e * (k - 1) for n, (a, b), e, k in zip(x.shape[-d:], pads, dilation, weight.shape[2:], strict=True)
    ]
    return y[(..., *(slice(far - a, far - a + n) for (a, _), n in zip(pads, size, strict=True)))]


def with_bias(y, bias, scale):
    """Sample j of map o gets bias[o], or bias[o, j mod s]."""
    if bias is None:
        return y
    if bias.ndim == 1:
        return y + bias.reshape(-1, *[1] * len(scale))
    index = torch.meshgrid(
        *(torch.arange(n) % s for n, s in zip(y.shape[-len(scale) :], scale, strict=True)), indexing="ij"
    )
    return y + bias[(slice(None), *index)]


def transposed(x, weight, bias, stride, padding, output_padding, groups, dilation, crop):
    """torch's own function; where there is a crop, the window on its full output; a bias per phase by indexing."""
    d = len(stride)
    if not any(map(any, crop)):
        y = TRANSPOSED[d](x, weight, None, stride, padding, output_padding, groups, dilation)
        return with_bias(y, bias, stride)
    y = TRANSPOSED[d](x, weight, None, stride, 0, 0, groups, dilation)
    size = [n - 2 * p + m - a - b for n, p, m, (a, b) in zip(y.shape[-d:], padding, output_padding, crop, strict=True)]
    return with_bias(window(y, [p + a for p, (a, _) in zip(padding, crop, strict=True)], size), bias, stride)


def subpixel(x, weight, bias, scale, pads, groups, dilation):
    """Zeros between, then torch's convolution."""
    d = len(scale)
    spread = torch.zeros(
        *x.shape[:-d], *(s * (n - 1) + 1 for s, n in zip(scale, x.shape[-d:], strict=True)), dtype=x.dtype
    )
    spread[(..., *(slice(None, None, s) for s in scale))] = x
    return with_bias(convolve(spread, weight, None, pads, dilation, groups), bias, scale)


def lr(x, weight, bias, scale, pads, groups, dilation, crop, order):
    """torch's convolution, then phase by phase to where it belongs. A bias has all maps."""
    d, P = len(scale), int(np.prod(scale))
    O = weight.shape[0] // P
    y = convolve(x, weight, bias, pads, dilation, groups)
    large = torch.zeros(
        *x.shape[: -d - 1], O, *(s * n for s, n in zip(scale, y.shape[-d:], strict=True)), dtype=x.dtype
    )
    for number, phase in enumerate(product(*map(range, scale))):
        maps = slice(number, None, P) if order == "crd" else slice(number * O, (number + 1) * O)
        from_maps = y[(..., maps, *(slice(None),) * d)]
        large[(..., *(slice(f, None, s) for f, s in zip(phase, scale, strict=True)))] = from_maps
    cut = (slice(a, n - b) for (a, b), n in zip(crop, large.shape[-d:], strict=True))
    return large[(..., *cut)]


def adjoint_of_transposed(v, weight, stride, padding, groups, dilation, crop, size):
    """The ordinary convolution with the same weight, of which `transposed` is the adjoint, for inputs of `size`."""
    reach = [s * (n - 1) + e * (k - 1) + 1 for s, n, e, k in zip(stride, size, dilation, weight.shape[2:], strict=True)]
    full = window(v, [-p - a for p, (a, _) in zip(padding, crop, strict=True)], reach)
    return CONVOLUTION[len(stride)](full, weight, None, stride, 0, dilation, groups)
