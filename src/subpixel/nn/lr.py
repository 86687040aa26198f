"""LR convolution: all multiplications on the low-resolution lattice, then periodic shuffling (ESPCN's layer)."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from subpixel.algebra.forms import LRForm
from subpixel.algebra.layers import Order
from subpixel.nn.arguments import Sides, Size, maps, per_axis, sides
from subpixel.nn.convert import Convertible, check_input
from subpixel.nn.functional import lr_convolution
from subpixel.nn.icnr import icnr_
from subpixel.nn.initial import fill_as_convolution


class LRConv(Convertible):
    """Convolution to O·Πs maps, periodic shuffling by s, crop; `padding`, `dilation` count LR samples, `crop` HR.

    With the default bias and no crop this is `torch.nn.Conv*d(in_channels, out_channels·Πs, …)` followed by
    `PeriodicShuffle(scale, order)`: same parameters, same initial values under the same seed.

    Args:
        scale: s, the factor per axis.
        padding: zeros around the LR input; an integer, one per axis, or (start, end) pairs (negative: cut off).
        phase_bias: a bias of its own for each of the Πs maps of a phase, as a plain convolution has; False ties
            them to one bias per output map, as a transposed convolution has.
        order: how the O·Πs maps count; "crd" as torch's PixelShuffle, "dcr" as TensorFlow (groups = 1 only).
        crop: HR samples cut off after the shuffle; an integer, one per axis, or (start, end) pairs.

    Shape:
        weight `(O·Πs) C/g *M`; bias `(O·Πs)`, or `O` where tied. Input `B C *L` or `C *L`; output length
        s·(L + padding - dilation·(M - 1)) - crop per axis.

    Raises:
        ValueError: an argument is out of range; the message names it.
    """

    dim: ClassVar[int]
    bias: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        scale: Size,
        padding: Sides = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        phase_bias: bool = True,
        order: Order = "crd",
        crop: Sides = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        d = self.dim
        maps(in_channels, out_channels, groups)
        self._geometry = LRForm(
            kernel_size=per_axis("kernel_size", kernel_size, d, 1),
            scale=per_axis("scale", scale, d, 1),
            pads=sides("padding", padding, d),
            dilation=per_axis("dilation", dilation, d, 1),
            crop=sides("crop", crop, d),
            order=order,
        )
        if order == "dcr" and groups > 1:
            raise ValueError(f"`order` (='dcr') needs `groups` = 1 (got {groups}): groups would mix phases.")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.phase_bias = phase_bias
        phases = prod(self.scale)
        shape = (out_channels * phases, in_channels // groups, *self.kernel_size)
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        entries = out_channels * phases if phase_bias else out_channels
        values = nn.Parameter(torch.empty(entries, device=device, dtype=dtype)) if bias else None
        self.register_parameter("bias", values)
        self.reset_parameters()

    @classmethod
    def from_convolution(
        cls, convolution: nn.Conv1d | nn.Conv2d | nn.Conv3d, scale: Size, order: Order = "crd"
    ) -> Self:
        """The pair `convolution`, periodic shuffle by `scale` as one layer that shares the convolution's parameters.

        Raises:
            ValueError: the convolution has a stride or a padding mode, or its maps do not divide into phases.
        """
        factor = per_axis("scale", scale, cls.dim, 1)
        if len(convolution.kernel_size) != cls.dim:
            raise ValueError(f"{cls.__name__} takes a convolution on {cls.dim} axes, not {type(convolution).__name__}.")
        if any(s != 1 for s in convolution.stride) or convolution.padding_mode != "zeros":
            raise ValueError(
                f"the convolution has stride {convolution.stride} and padding_mode {convolution.padding_mode!r}; "
                "an LR convolution has stride 1 and pads with zeros."
            )
        if convolution.out_channels % prod(factor):
            raise ValueError(
                f"the convolution's {convolution.out_channels} maps must be a multiple of {prod(factor)}, "
                f"the phases of `scale` (={factor})."
            )
        pads: Sides = 0  # "valid"
        if convolution.padding == "same":  # torch puts the odd sample at the end
            reach = [d * (k - 1) for d, k in zip(convolution.dilation, convolution.kernel_size, strict=True)]
            pads = tuple((n // 2, n - n // 2) for n in reach)
        elif not isinstance(convolution.padding, str):
            pads = convolution.padding
        layer = cls(
            convolution.in_channels,
            convolution.out_channels // prod(factor),
            convolution.kernel_size,
            factor,
            pads,
            convolution.dilation,
            convolution.groups,
            bias=convolution.bias is not None,
            order=order,
            device="meta",
        )
        layer.weight, layer.bias = convolution.weight, convolution.bias
        return layer.train(convolution.training)

    def reset_parameters(self) -> None:
        """Values as torch's convolutions draw them."""
        fill_as_convolution(self.weight, self.bias)

    def icnr_(self, initializer: Callable[[Tensor], object] = nn.init.kaiming_normal_) -> Self:
        """ICNR in place: the layer now is nearest-neighbour upscaling of one LR convolution (A13, see `icnr_`)."""
        icnr_(self.weight, self.scale, initializer, self.order, self.bias if self.phase_bias else None)
        return self

    @property
    def geometry(self) -> LRForm:
        """Everything but the parameters and the maps."""
        return self._geometry

    @property
    def kernel_size(self) -> tuple[int, ...]:
        """M, taps per axis on the LR lattice."""
        return self._geometry.kernel_size

    @property
    def scale(self) -> tuple[int, ...]:
        """s, the factor per axis."""
        return self._geometry.scale

    @property
    def padding(self) -> tuple[tuple[int, int], ...]:
        """Zeros around the LR input, (start, end) per axis."""
        return self._geometry.pads

    @property
    def dilation(self) -> tuple[int, ...]:
        """Distance of the taps on the LR lattice."""
        return self._geometry.dilation

    @property
    def crop(self) -> tuple[tuple[int, int], ...]:
        """HR samples cut off after the shuffle, (start, end) per axis."""
        return self._geometry.crop

    @property
    def order(self) -> Order:
        """How the O·Πs maps count."""
        return self._geometry.order

    def forward(self, input: Tensor) -> Tensor:
        """Shape: `B C *L` to `B O *f(L)`."""
        check_input(self, input)
        bias = self.bias
        if bias is not None and not self.phase_bias:
            phases = prod(self.scale)
            bias = bias.repeat_interleave(phases) if self.order == "crd" else bias.repeat(phases)
        return lr_convolution(input, self.weight, bias, self._geometry, self.groups)

    def extra_repr(self) -> str:
        more = "" if self.phase_bias else ", phase_bias=False"
        more += "" if self.order == "crd" else f", order={self.order!r}"
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, scale={self.scale}, "
            f"padding={self.padding}, dilation={self.dilation}, groups={self.groups}, "
            f"bias={self.bias is not None}, crop={self.crop}{more}"
        )


class LRConv1d(LRConv):
    """`LRConv` on one axis."""

    dim = 1


class LRConv2d(LRConv):
    """`LRConv` on two axes: ESPCN's layer, `torch.nn.Conv2d` and `torch.nn.PixelShuffle` in one."""

    dim = 2


class LRConv3d(LRConv):
    """`LRConv` on three axes."""

    dim = 3


def build(form: LRForm, in_channels: int, out_channels: int, groups: int, bias: bool, phase_bias: bool) -> LRConv:
    """A layer of this geometry, its parameters still to be set (on the meta device)."""
    return (LRConv1d, LRConv2d, LRConv3d)[len(form.scale) - 1](
        in_channels,
        out_channels,
        form.kernel_size,
        form.scale,
        form.pads,
        form.dilation,
        groups,
        bias,
        phase_bias,
        form.order,
        form.crop,
        device="meta",
    )
