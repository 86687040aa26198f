"""The checkerboard index of a layer (A14), and the layer as the algebra's `Op`."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from subpixel.algebra import checkerboard
from subpixel.algebra.layers import TransposedConvolution
from subpixel.algebra.lift import lift
from subpixel.algebra.op import Op
from subpixel.nn.convert import Convertible
from subpixel.nn.transposed import CLASSES, TORCH_CLASSES

Layer = Convertible | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d


def checkerboard_index(layer: Layer | Op) -> float:
    """The largest ripple that flat inputs in [-1, 1] leave in one output map, away from the border (A14).

    0 iff there is no checkerboard; units of the output. See `subpixel.algebra.checkerboard` for the formula.

    Raises:
        TypeError: not one of our layers, torch's transposed convolutions, or an `Op`.
    """
    return checkerboard.checkerboard_index(layer if isinstance(layer, Op) else to_op(layer))


def to_op(layer: Layer) -> Op:
    """The layer in the algebra's one form, kernel and bias as detached float64 tensors on the CPU.

    Raises:
        TypeError: not one of our layers or torch's transposed convolutions.
    """
    if isinstance(layer, TORCH_CLASSES) and not isinstance(layer, Convertible):
        layer = CLASSES[len(layer.kernel_size) - 1].from_torch(layer)
    if not isinstance(layer, Convertible):
        raise TypeError(f"{type(layer).__name__} is none of the three forms, nor torch's transposed convolution.")
    layer = layer.to_transposed()
    form = layer.geometry
    op = lift(
        TransposedConvolution(
            weight=layer.weight.detach().double().cpu(),
            bias=None,
            stride=form.scale,
            pads=form.crop,
            output_padding=(0,) * len(form.scale),
            dilation=form.dilation,
            groups=layer.groups,
        )
    )
    if layer.bias is None:
        return op
    bias = layer.bias.detach().double().cpu()
    return replace(op, bias=bias.reshape(bias.shape + (1,) * (op.bias.ndim - bias.ndim)).expand_as(op.bias))
