"""Sub-pixel convolution, stride 1/s: zeros between the samples, then a convolution (the note, Fig. 3b)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from subpixel.algebra.forms import SubpixelForm
from subpixel.nn.arguments import Sides, Size, maps, per_axis, sides
from subpixel.nn.convert import Convertible, check_input
from subpixel.nn.functional import subpixel_convolution
from subpixel.nn.initial import fill_as_convolution


class SubpixelConv(Convertible):
    """Zero insertion and an ordinary convolution: the transposed convolution with its kernel flipped (A1).

    It multiplies zeros most of the time; it is here because it is the definition that reads most easily, and
    for devices that know nothing else.

    Args:
        scale: s, the factor per axis: s-1 zeros are put between two samples.
        padding: zeros around the zero-inserted input; an integer, one per axis, or (start, end) pairs
            (negative: cut off).
        phase_bias: a bias of its own for each phase j mod s of the output.

    Shape:
        weight `O C/g *K`, in convolution orientation; bias `O`, or `O *s` with `phase_bias`. Input `B C *L` or
        `C *L`; output length s·(L - 1) + 1 + padding - dilation·(K - 1) per axis.

    Raises:
        ValueError: an argument is out of range; the message names it.
    """

    dim: ClassVar[int]

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
        phase_bias: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        d = self.dim
        maps(in_channels, out_channels, groups)
        self._geometry = SubpixelForm(
            kernel_size=per_axis("kernel_size", kernel_size, d, 1),
            scale=per_axis("scale", scale, d, 1),
            pads=sides("padding", padding, d),
            dilation=per_axis("dilation", dilation, d, 1),
        )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.phase_bias = phase_bias
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        entries = (out_channels, *self.scale) if phase_bias else (out_channels,)
        values = nn.Parameter(torch.empty(entries, device=device, dtype=dtype)) if bias else None
        self.register_parameter("bias", values)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Values as torch's convolutions draw them; a phase bias starts the same in every phase."""
        fill_as_convolution(self.weight, self.bias)

    @property
    def geometry(self) -> SubpixelForm:
        """Everything but the parameters and the maps."""
        return self._geometry

    @property
    def kernel_size(self) -> tuple[int, ...]:
        """K, taps per axis on the HR lattice."""
        return self._geometry.kernel_size

    @property
    def scale(self) -> tuple[int, ...]:
        """s, the factor per axis."""
        return self._geometry.scale

    @property
    def padding(self) -> tuple[tuple[int, int], ...]:
        """Zeros around the zero-inserted input, (start, end) per axis."""
        return self._geometry.pads

    @property
    def dilation(self) -> tuple[int, ...]:
        """Distance of the taps on the HR lattice."""
        return self._geometry.dilation

    def forward(self, input: Tensor) -> Tensor:
        """Shape: `B C *L` to `B O *f(L)`."""
        check_input(self, input)
        return subpixel_convolution(input, self.weight, self.bias, self._geometry, self.groups)

    def extra_repr(self) -> str:
        more = ", phase_bias=True" if self.phase_bias else ""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, scale={self.scale}, "
            f"padding={self.padding}, dilation={self.dilation}, groups={self.groups}, "
            f"bias={self.bias is not None}{more}"
        )


class SubpixelConv1d(SubpixelConv):
    """`SubpixelConv` on one axis."""

    dim = 1


class SubpixelConv2d(SubpixelConv):
    """`SubpixelConv` on two axes."""

    dim = 2


class SubpixelConv3d(SubpixelConv):
    """`SubpixelConv` on three axes."""

    dim = 3


def build(
    form: SubpixelForm, in_channels: int, out_channels: int, groups: int, bias: bool, phase_bias: bool
) -> SubpixelConv:
    """A layer of this geometry, its parameters still to be set (on the meta device)."""
    return (SubpixelConv1d, SubpixelConv2d, SubpixelConv3d)[len(form.scale) - 1](
        in_channels,
        out_channels,
        form.kernel_size,
        form.scale,
        form.pads,
        form.dilation,
        groups,
        bias,
        phase_bias,
        device="meta",
    )
