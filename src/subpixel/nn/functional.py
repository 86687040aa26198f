"""How each form computes, given its geometry and its weight. x is `B C *L`, or `C *L` without a batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import EllipsisType

import torch.nn.functional as F
from torch import Tensor

from subpixel.algebra.forms import LRForm, SubpixelForm, TransposedForm
from subpixel.algebra.layers import Pads
from subpixel.nn.shuffle import periodic_shuffle

_CONVOLUTION = (F.conv1d, F.conv2d, F.conv3d)
_TRANSPOSED = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)


def transposed_convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None, form: TransposedForm, groups: int = 1
) -> Tensor:
    """torch's transposed convolution, uncropped, then the crop. Shape: weight `C O/g *K`, bias `O` or `O *s`."""
    y = _TRANSPOSED[len(form.scale) - 1](x, weight, None, form.scale, 0, 0, groups, form.dilation)
    return add_bias(pad(y, tuple((-p, -e) for p, e in form.crop)), bias, form.scale)


def subpixel_convolution(x: Tensor, weight: Tensor, bias: Tensor | None, form: SubpixelForm, groups: int = 1) -> Tensor:
    """Zeros between the samples, then an ordinary convolution (A1). Shape: weight `O C/g *K`, bias `O` or `O *s`."""
    tied = bias if bias is not None and bias.ndim == 1 else None
    y = _convolve(insert_zeros(x, form.scale), weight, tied, form.pads, form.dilation, groups)
    return y if tied is not None else add_bias(y, bias, form.scale)


def lr_convolution(x: Tensor, weight: Tensor, bias: Tensor | None, form: LRForm, groups: int = 1) -> Tensor:
    """Convolution on the LR lattice, periodic shuffling, crop (A2). Shape: weight `O·Πs C/g *M`, bias `O·Πs`."""
    y = _convolve(x, weight, bias, form.pads, form.dilation, groups)
    y = periodic_shuffle(y, form.scale, form.order)
    return pad(y, tuple((-b, -e) for b, e in form.crop))


def insert_zeros(x: Tensor, scale: Sequence[int]) -> Tensor:
    """y[s·i] = x[i], zeros between. Shape: `… *L` to `… *(s·(L - 1) + 1)`."""
    d = len(scale)
    size = [s * (L - 1) + 1 for s, L in zip(scale, x.shape[-d:], strict=True)]
    y = x.new_zeros(*x.shape[:-d], *size)
    y[_last_axes(slice(None, None, s) for s in scale)] = x
    return y


def pad(x: Tensor, sides: Pads) -> Tensor:
    """Zeros at the (start, end) of the last axes; where negative, samples cut off."""
    if any(side > 0 for pair in sides for side in pair):
        x = F.pad(x, [max(0, side) for pair in reversed(sides) for side in pair])
    if any(side < 0 for pair in sides for side in pair):
        # after the zeros: what is cut may reach into them
        size = x.shape[-len(sides) :]
        x = x[_last_axes(slice(max(0, -a), L - max(0, -b)) for (a, b), L in zip(sides, size, strict=True))]
    return x


def add_bias(y: Tensor, bias: Tensor | None, scale: Sequence[int]) -> Tensor:
    """A bias per map, `O`, or per map and phase j mod s of the output, `O *s`."""
    if bias is None:
        return y
    if bias.ndim == 1:
        return y + bias.reshape(-1, *(1,) * len(scale))
    size = y.shape[-len(scale) :]
    tile = bias.repeat(1, *(-(-L // s) for L, s in zip(size, scale, strict=True)))
    return y + tile[_last_axes(slice(0, L) for L in size)]


def _last_axes(slices: Iterable[slice]) -> tuple[EllipsisType | slice, ...]:
    return (..., *slices)


def _convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None, pads: Pads, dilation: Sequence[int], groups: int
) -> Tensor:
    padding: Sequence[int] = [a for a, _ in pads]
    if any(a != b or a < 0 for a, b in pads):
        x, padding = pad(x, pads), [0] * len(pads)
    return _CONVOLUTION[len(pads) - 1](x, weight, bias, 1, padding, dilation, groups)
