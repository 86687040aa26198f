"""Layers as PyTorch calls: what a program runs, one after the other. `weights` are (weight, bias) pairs by number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from subpixel.algebra import layers
from subpixel.algebra.layers import Ints, Pads
from subpixel.nn.functional import add_bias, pad
from subpixel.nn.shuffle import periodic_shuffle, periodic_unshuffle

Weights = Sequence[tuple[Tensor, Tensor | None]]
_CONVOLUTION = (F.conv1d, F.conv2d, F.conv3d)
_TRANSPOSED = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
LINEAR = ("linear", "bilinear", "trilinear")


def last_axes(x: Tensor, slices: Sequence[slice]) -> Tensor:
    """A window of the last axes."""
    window: tuple[Any, ...] = (..., *slices)
    return x[window]


class Step(Protocol):
    """One call. Shape: `B C *L` to `B O *L'`."""

    def __call__(self, x: Tensor, weights: Weights) -> Tensor:
        """Run it."""
        ...


@dataclass(frozen=True)
class Convolve:
    """Ordinary convolution with weight number `at`."""

    at: int
    stride: Ints
    pads: Pads
    dilation: Ints
    groups: int

    def __call__(self, x: Tensor, weights: Weights) -> Tensor:
        weight, bias = weights[self.at]
        padding = [start for start, _ in self.pads]
        if any(a != b for a, b in self.pads):
            x, padding = pad(x, self.pads), [0] * len(padding)
        return _CONVOLUTION[len(padding) - 1](x, weight, bias, self.stride, padding, self.dilation, self.groups)


@dataclass(frozen=True)
class ConvolveTransposed:
    """Transposed convolution; what torch's `padding` and `output_padding` cannot say is cropped or added afterwards."""

    at: int
    stride: Ints
    pads: Pads
    output_padding: Ints
    dilation: Ints
    groups: int

    def __call__(self, x: Tensor, weights: Weights) -> Tensor:
        weight, bias = weights[self.at]
        padding, extra, crop = [], [], []
        geometry = zip(self.pads, self.output_padding, self.stride, self.dilation, strict=True)
        for (start, end), more, s, d in geometry:
            end -= more
            as_torch = start >= 0 and 0 <= start - end < max(s, d)
            both = start if as_torch else max(0, min(start, end))
            padding.append(both)
            extra.append(start - end if as_torch else 0)
            crop.append((0, 0) if as_torch else (both - start, both - end))
        lengthened = any(side > 0 for pair in crop for side in pair)
        call = _TRANSPOSED[len(padding) - 1]
        y = call(x, weight, None if lengthened else bias, self.stride, padding, extra, self.groups, self.dilation)
        return add_bias(pad(y, tuple(crop)), bias if lengthened else None, self.stride)


@dataclass(frozen=True)
class Shuffle:
    """Periodic shuffling."""

    factor: Ints
    order: layers.Order

    def __call__(self, x: Tensor, weights: Weights) -> Tensor:
        return periodic_shuffle(x, self.factor, self.order)


@dataclass(frozen=True)
class Unshuffle:
    """PS⁻¹, a short tail filled with zeros."""

    factor: Ints
    order: layers.Order

    def __call__(self, x: Tensor, weights: Weights) -> Tensor:
        size = x.shape[-len(self.factor) :]
        x = pad(x, tuple((0, -L % s) for L, s in zip(size, self.factor, strict=True)))
        return periodic_unshuffle(x, self.factor, self.order)


@dataclass(frozen=True)
class Border:
    """Samples added at both ends (zeros, or the edge sample), or cropped where negative."""

    pads: Pads
    edge: bool

    def __call__(self, x: Tensor, weights: Weights) -> Tensor:
        if self.edge:
            more = [max(0, side) for pair in reversed(self.pads) for side in pair]
            x = F.pad(x, more, mode="replicate") if any(more) else x
            return pad(x, tuple((min(0, a), min(0, b)) for a, b in self.pads))
        return pad(x, self.pads)


@dataclass(frozen=True)
class Interpolate:
    """Resize by whole factors."""

    factor: Ints
    mode: str

    def __call__(self, x: Tensor, weights: Weights) -> Tensor:
        mode = {"linear": LINEAR[len(self.factor) - 1], "cubic": "bicubic"}.get(self.mode, "nearest-exact")
        return F.interpolate(x, scale_factor=[float(s) for s in self.factor], mode=mode)


@dataclass(frozen=True)
class AddPhaseBias:
    """A bias that differs by phase of the output: number `at` holds it as its bias, `O·ΠU`."""

    at: int
    up: Ints

    def __call__(self, x: Tensor, weights: Weights) -> Tensor:
        _, bias = weights[self.at]
        return x if bias is None else add_bias(x, bias.reshape(-1, *self.up), self.up)


@dataclass(frozen=True)
class Phases:
    """One convolution per phase, cut to equal sizes and interleaved."""

    convolutions: tuple[Convolve, ...]
    factor: Ints
    cuts: tuple[Pads, ...]

    def __call__(self, x: Tensor, weights: Weights) -> Tensor:
        pieces = [pad(conv(x, weights), cut) for conv, cut in zip(self.convolutions, self.cuts, strict=True)]
        return periodic_shuffle(torch.cat(pieces, 1), self.factor, "dcr")


@dataclass(frozen=True)
class AddOverlapping:
    """Columns added up where they overlap (col2im), one or two axes."""

    kernel_size: Ints
    stride: Ints
    pads: Pads

    def __call__(self, x: Tensor, weights: Weights) -> Tensor:
        flat = len(self.kernel_size) == 1
        one = (1,) if flat else ()
        K, s, size = (*one, *self.kernel_size), (*one, *self.stride), (*one, *x.shape[2:])
        full = tuple(a * (L - 1) + b for a, L, b in zip(s, size, K, strict=True))
        y = F.fold(x.flatten(2), full, K, stride=s)
        y = y.squeeze(2) if flat else y
        return pad(y, tuple((-a, -b) for a, b in self.pads))


@dataclass(frozen=True)
class Cut:
    """One convolution of the border parts: a window of x, zeros around it, weight number `at`."""

    windows: tuple[tuple[int, int | None], ...]
    convolution: Convolve

    def __call__(self, x: Tensor, weights: Weights) -> Tensor:
        return self.convolution(last_axes(x, [slice(a, b) for a, b in self.windows]), weights)


@dataclass(frozen=True)
class Joined:
    """Border parts, keyed by where they stand per axis, joined on the low-resolution lattice."""

    parts: tuple[tuple[tuple[int, ...], Cut], ...]

    def __call__(self, x: Tensor, weights: Weights) -> Tensor:
        pieces = {key: part(x, weights) for key, part in self.parts}
        for axis in reversed(range(len(next(iter(pieces))))):
            rows: dict[tuple[int, ...], list[Tensor]] = {}
            for key, piece in pieces.items():
                rows.setdefault(key[:axis], []).append(piece)
            pieces = {key: torch.cat(row, 2 + axis) if len(row) > 1 else row[0] for key, row in rows.items()}
        return pieces[()]
