"""Transposed convolution, a drop-in for torch's, that can compute in any of the three forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, ClassVar, Literal, NamedTuple, Self, cast, get_args

import numpy as np
import torch
from torch import Tensor, nn

from subpixel.algebra.arrays import NOTHING
from subpixel.algebra.forms import LRForm, SubpixelForm, TransposedForm, lr_form, subpixel_form, tap_index
from subpixel.nn.arguments import Sides, per_axis, sides
from subpixel.nn.convert import Convertible
from subpixel.nn.functional import lr_convolution, subpixel_convolution, transposed_convolution

FormName = Literal["transposed", "subpixel", "lr"]


class _Table(NamedTuple):
    """Where each tap and each bias of another form comes from, as indices on the weight's device.

    Plain attributes, not buffers: `state_dict` and `to_empty` are not to know of them.
    """

    key: tuple[Any, ...]  # the geometry that this holds for: torch's attributes can be set at any time
    taps: Tensor
    shape: tuple[int, ...]
    phases: Tensor


class ConvTranspose(Convertible, nn.modules.conv._ConvTransposeNd):
    """torch.nn.ConvTranspose*d with a choice of how it computes. Everything of torch's is as torch has it.

    Args:
        form: "transposed", torch's own operator; "subpixel", zero insertion and an ordinary convolution (A1); "lr",
            an LR convolution and periodic shuffling (A2). Can be set at any time: parameters, state_dict and function
            stay the same. The kernel is rearranged in every forward pass and gradients reach the one `weight`;
            once trained, `to_lr()` does it for good.
        phase_bias: a bias of its own for each phase j mod s of the output, shape `O *s`.
        crop: samples cut off the output on top of `padding`, which is the same thing, or kept where negative; an
            integer, one per axis, or (start, end) pairs. It says what symmetric `padding` cannot.

    Shape:
        weight `C O/g *K`, bias `O`. Input `B C *L` or `C *L`; output length
        s·(L - 1) + d·(K - 1) + 1 - 2·padding + output_padding - crop per axis.

    Raises:
        ValueError: as torch's class, and for a `form` or `crop` that is none.
    """

    dim: ClassVar[int]
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Any  # torch types it `str | tuple`, for the sake of its convolutions
    output_padding: tuple[int, ...]
    dilation: tuple[int, ...]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] = 0,
        output_padding: int | tuple[int, ...] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | tuple[int, ...] = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        *,
        form: FormName = "transposed",
        phase_bias: bool = False,
        crop: Sides = 0,
    ) -> None:
        torch_class: Any = super()
        torch_class.__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            output_padding,
            groups,
            bias,
            dilation,
            padding_mode,
            device,
            dtype,
        )
        self.crop = sides("crop", crop, self.dim)
        self.phase_bias = phase_bias
        if phase_bias and self.bias is not None:
            phases = per_axis("stride", self.stride, self.dim, 1)
            tied = self.bias.detach()
            self.bias = nn.Parameter(tied.new_empty(*tied.shape, *phases))
            if not tied.is_meta:
                self.bias.data.copy_(_every_phase(tied, phases))
        self.form = form

    def reset_parameters(self) -> None:
        """As torch's; a phase bias starts the same in every phase."""
        if self.weight.is_meta:  # nothing to draw, and torch would load a compiler to find that out
            return
        torch_class: Any = super()
        torch_class.reset_parameters()
        if self.bias is not None and self.bias.ndim > 1:
            with torch.no_grad():
                self.bias.copy_(_every_phase(self.bias.flatten(1)[:, 0].clone(), self.stride))

    @classmethod
    def from_torch(cls, layer: nn.Module, form: FormName = "transposed") -> Self:
        """`layer`, a torch.nn.ConvTranspose*d of as many axes, as one of ours that shares its parameters.

        Raises:
            ValueError: it is another kind of layer.
        """
        if not isinstance(layer, TORCH_CLASSES[cls.dim - 1]) or isinstance(layer, Convertible):
            raise ValueError(f"{cls.__name__}.from_torch takes a torch.nn.{cls.__name__}, not {type(layer).__name__}.")
        new = cls(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,
            layer.stride,
            cast(tuple[int, ...], layer.padding),
            layer.output_padding,
            layer.groups,
            layer.bias is not None,
            layer.dilation,
            layer.padding_mode,
            device="meta",
        )
        new.weight, new.bias, new.form = layer.weight, layer.bias, form
        return new.train(layer.training)

    @property
    def form(self) -> FormName:
        """How forward computes: "transposed", "subpixel" or "lr"."""
        return self._form

    @form.setter
    def form(self, name: FormName) -> None:
        if name not in get_args(FormName):
            raise ValueError(f"`form` (={name!r}) must be one of {', '.join(map(repr, get_args(FormName)))}.")
        self._table = self._look_up(name)
        self._form = name

    @property
    def geometry(self) -> TransposedForm:
        """Everything but the parameters and the maps: `padding`, `output_padding` and `crop` as one crop."""
        return self._geometry(self.output_padding)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Shape: `B C *L` to `B O *f(L)`; `output_size` as in torch, after the crop."""
        torch_class: Any = super()
        if self._form == "transposed" and not self.phase_bias and not any(map(any, self.crop)):
            return cast(Tensor, torch_class.forward(input, output_size))
        extra = self._extra_length(input, output_size)
        if not self._is_sound(input, extra):
            return cast(Tensor, torch_class.forward(input, output_size))  # raises torch's own error
        source = self._geometry(extra)
        if self._form == "transposed":
            return transposed_convolution(input, self.weight, self.bias, source, self.groups)
        target = _SPELL[self._form](source)
        weight = target.weight_of(self._taps(source), self.groups)
        if isinstance(target, SubpixelForm):
            return subpixel_convolution(input, weight, self.bias, target, self.groups)
        bias = self.bias
        if bias is not None:
            every = bias if self.phase_bias else _every_phase(bias, source.scale)
            bias = every.reshape(-1).index_select(0, self._table.phases)
        return lr_convolution(input, weight, bias, target, self.groups)

    def extra_repr(self) -> str:
        torch_class: Any = super()
        more = "" if self._form == "transposed" else f", form={self._form!r}"
        more += ", phase_bias=True" if self.phase_bias else ""
        more += f", crop={self.crop}" if any(map(any, self.crop)) else ""
        return f"{torch_class.extra_repr()}{more}"

    # --- computing in another form ---

    def _geometry(self, extra: Sequence[int]) -> TransposedForm:
        crop = tuple((p + a, p - n + b) for p, n, (a, b) in zip(self.padding, extra, self.crop, strict=True))
        return TransposedForm(self.kernel_size, self.stride, crop, self.dilation)

    def _look_up(self, form: FormName) -> _Table:
        """The table for `form`, for torch's attributes as they are now."""
        key = (self.kernel_size, self.stride, self.padding, self.dilation, self.crop)
        device, nothing = self.weight.device, torch.empty(0, dtype=torch.long)
        if form == "transposed":
            return _Table(key, nothing, (), nothing)
        for name, least in (("kernel_size", 1), ("stride", 1), ("padding", 0), ("output_padding", 0), ("dilation", 1)):
            per_axis(name, getattr(self, name), self.dim, least)
        source = self.geometry
        target = _SPELL[form](source)
        index = tap_index(source, target)
        index = np.where(index == NOTHING, prod(self.kernel_size), index)
        phases = target.bias_index(self.out_channels) if isinstance(target, LRForm) else np.empty(0, np.intp)
        return _Table(
            key,
            torch.as_tensor(index, device=device),
            tuple(len(offsets) for offsets in target.offsets()),
            torch.as_tensor(phases, device=device),
        )

    def _taps(self, source: TransposedForm) -> Tensor:
        """The weight's taps where the other form has them: `O C/g *T`."""
        key = (self.kernel_size, self.stride, self.padding, self.dilation, self.crop)
        if self._table.key != key or self._table.taps.device != self.weight.device:
            self._table = self._look_up(self._form)
        taps = source.taps_of(self.weight, self.groups).flatten(2)
        taps = nn.functional.pad(taps, (0, 1))  # what NOTHING reads
        return taps.index_select(2, self._table.taps).reshape(*taps.shape[:2], *self._table.shape)

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        module: Any = super()
        module._apply(fn, recurse)
        self._table = self._look_up(self._form)  # the weight may have moved to another device
        return self

    def _extra_length(self, input: Tensor, output_size: Sequence[int] | None) -> Sequence[int]:
        """Output padding, from `output_size` where it is given."""
        if output_size is None:
            return self.output_padding
        uncropped = list(output_size)
        for axis, (a, b) in enumerate(self.crop, start=-self.dim):
            if len(uncropped) >= -axis:
                uncropped[axis] += a + b
        torch_class: Any = self  # typed for TorchScript: lists where tuples are meant
        extra: Sequence[int] = torch_class._output_padding(
            input, uncropped, self.stride, self.padding, self.kernel_size, self.dim, self.dilation
        )
        return extra

    def _is_sound(self, input: Tensor, extra: Sequence[int]) -> bool:
        """Would torch compute this? If not, the error is to be torch's."""
        if input.ndim not in (self.dim + 1, self.dim + 2) or min(input.shape[-self.dim :]) < 1:
            return False
        if min(self.padding) < 0 or min(extra) < 0 or min(self.stride) < 1:
            return False
        if any(n >= max(s, d) for n, s, d in zip(extra, self.stride, self.dilation, strict=True)):
            return False
        left = self._geometry(extra).output_size(input.shape[-self.dim :])
        if min(left) < 1 and any(map(any, self.crop)):
            raise ValueError(f"`crop` (={self.crop}) leaves an output of {left}: give a larger input, or crop less.")
        return min(left) >= 1


class ConvTranspose1d(ConvTranspose, nn.ConvTranspose1d):
    """`torch.nn.ConvTranspose1d` in any of the three forms, see `ConvTranspose`."""

    dim = 1


class ConvTranspose2d(ConvTranspose, nn.ConvTranspose2d):
    """`torch.nn.ConvTranspose2d` in any of the three forms, see `ConvTranspose`."""

    dim = 2


class ConvTranspose3d(ConvTranspose, nn.ConvTranspose3d):
    """`torch.nn.ConvTranspose3d` in any of the three forms, see `ConvTranspose`."""

    dim = 3


_SPELL: dict[str, Callable[[TransposedForm], SubpixelForm | LRForm]] = {"subpixel": subpixel_form, "lr": lr_form}
TORCH_CLASSES = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
CLASSES = (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)


def build(
    form: TransposedForm, in_channels: int, out_channels: int, groups: int, bias: bool, phase_bias: bool
) -> ConvTranspose:
    """A layer of this geometry, its parameters still to be set (on the meta device).

    The crop goes into `padding` and `output_padding` as far as torch's rules allow.
    """
    padding, output_padding, crop = [], [], []
    for (p, e), s, d in zip(form.crop, form.scale, form.dilation, strict=True):
        as_torch = p >= 0 and 0 <= p - e < max(s, d)
        both = p if as_torch else max(0, min(p, e))
        padding.append(both)
        output_padding.append(p - e if as_torch else 0)
        crop.append((0, 0) if as_torch else (p - both, e - both))
    return CLASSES[len(form.scale) - 1](
        in_channels,
        out_channels,
        form.kernel_size,
        form.scale,
        tuple(padding),
        tuple(output_padding),
        groups,
        bias,
        form.dilation,
        device="meta",
        phase_bias=phase_bias,
        crop=tuple(crop),
    )


def _every_phase(bias: Tensor, scale: Sequence[int]) -> Tensor:
    """`O -> O *s`, the same in every phase."""
    return bias.reshape(-1, *(1,) * len(scale)).expand(-1, *scale)
