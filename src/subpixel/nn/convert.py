"""From one form of a layer to another, parameters and geometry, without loss.

A converted layer remembers the geometries that it came from (`origins`), so that converting back gives the layer
itself: K not divisible by s returns as it was. If training has since filled a tap that the old geometry has no
place for, the general geometry with all taps is taken instead: the function always stays the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from subpixel.algebra.forms import (
    Form,
    LRForm,
    SubpixelForm,
    TransposedForm,
    convert,
    lr_form,
    subpixel_form,
    transposed_form,
)

if TYPE_CHECKING:
    from subpixel.nn.lr import LRConv
    from subpixel.nn.transposed import ConvTranspose
    from subpixel.nn.zero_insertion import SubpixelConv


Built = TypeVar("Built", bound="Convertible")


class Convertible(nn.Module):
    """What the three forms share: a geometry, and the way to the other two."""

    in_channels: int
    out_channels: int
    groups: int
    weight: Tensor
    bias: Tensor | None
    phase_bias: bool
    origins: tuple[Form, ...] = ()

    @property
    def geometry(self) -> Form:
        """Everything but the parameters and the maps."""
        raise NotImplementedError

    def to_transposed(self) -> ConvTranspose:
        """The same function as a transposed convolution, with parameters of its own.

        An LR convolution of M taps becomes K = s·M taps (A5), or the kernel it came from. What torch's
        `padding` and `output_padding` cannot say goes into `crop`.
        """
        from subpixel.nn.transposed import build

        return _finish(self, *_in_form(self, TransposedForm, transposed_form(self.geometry)), build)

    def to_subpixel(self) -> SubpixelConv:
        """The same function as zero insertion and an ordinary convolution (A1), with parameters of its own."""
        from subpixel.nn.zero_insertion import build

        return _finish(self, *_in_form(self, SubpixelForm, subpixel_form(self.geometry)), build)

    def to_lr(self, aligned: bool = False) -> LRConv:
        """The same function as an LR convolution and periodic shuffling (A2), with parameters of its own.

        Taps that the kernel does not have (K not divisible by s, K < s, dilation) are zeros in the LR kernel;
        training may fill them. `aligned` forbids a crop at the start, at the price of more taps (A3).
        """
        from subpixel.nn.lr import build

        if aligned:
            target = lr_form(self.geometry, aligned=True)
            return _finish(self, target, convert(self.weight.detach(), self.geometry, target, self.groups), build)
        return _finish(self, *_in_form(self, LRForm, lr_form(self.geometry)), build)


def check_input(layer: Convertible, x: Tensor) -> None:
    """Raise ValueError unless `x` has the layer's maps and axes and is large enough to leave any output."""
    d = len(layer.geometry.scale)
    if x.ndim not in (d + 1, d + 2) or x.shape[-d - 1] != layer.in_channels:
        raise ValueError(
            f"`input` has shape {tuple(x.shape)}; "
            f"this layer takes ([batch,] {layer.in_channels} maps, {d} spatial axes)."
        )
    size = tuple(x.shape[-d:])
    if min(size) < 1 or min(layer.geometry.output_size(size)) < 1:
        raise ValueError(
            f"`input` of spatial size {size} leaves an output of {layer.geometry.output_size(size)}: "
            "give a larger input, or cut less off."
        )


def _in_form(layer: Convertible, kind: type[Form], general: Form) -> tuple[Form, Tensor]:
    """The geometry of `kind` to convert to, and the weight in it."""
    weight, source = layer.weight.detach(), layer.geometry
    if isinstance(source, kind):
        return source, weight.clone()
    for origin in layer.origins:
        # the transposed and the sub-pixel form hold the same taps
        if kind is TransposedForm and not isinstance(origin, LRForm):
            origin = transposed_form(origin)
        elif kind is SubpixelForm and not isinstance(origin, LRForm):
            origin = subpixel_form(origin)
        if isinstance(origin, kind) and not weight.is_meta:
            try:
                return origin, convert(weight, source, origin, layer.groups)
            except ValueError:  # it has no place for what the weights have become
                break
    return general, convert(weight, source, general, layer.groups)


def _finish(layer: Convertible, target: Form, weight: Tensor, build: Callable[..., Built]) -> Built:
    bias = None if layer.bias is None else _bias_in_form(layer, target)
    new = build(target, layer.in_channels, layer.out_channels, layer.groups, bias is not None, layer.phase_bias)
    new.weight = nn.Parameter(weight.contiguous(), requires_grad=layer.weight.requires_grad)
    if bias is not None and layer.bias is not None:
        new.bias = nn.Parameter(bias, requires_grad=layer.bias.requires_grad)
    source = layer.geometry
    new.origins = (source, *(f for f in layer.origins if type(f) is not type(source)))
    return new.train(layer.training)


def _bias_in_form(layer: Convertible, target: Form) -> Tensor:
    assert layer.bias is not None
    bias, source = layer.bias.detach().clone(), layer.geometry
    if not layer.phase_bias:
        return bias
    if isinstance(source, LRForm):
        back = np.argsort(source.bias_index(layer.out_channels))
        bias = bias[torch.as_tensor(back, device=bias.device)].reshape(layer.out_channels, *source.scale)
    if isinstance(target, LRForm):
        index = torch.as_tensor(target.bias_index(layer.out_channels), device=bias.device)
        bias = bias.reshape(-1)[index]
    return bias
