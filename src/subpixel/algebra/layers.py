"""The field's layers as frozen values: what a reader finds in a graph and a writer puts into one.

Everything is per axis. Weights keep PyTorch's layouts. `pads` are (start, end) pairs; padding of a
transposed convolution crops its output, as everywhere in the field. Illegal layers cannot be built.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

from subpixel.algebra.arrays import Array

Ints = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]
Order = Literal["crd", "dcr"]


@dataclass(frozen=True, eq=False)
class Convolution:
    """Ordinary convolution (cross-correlation) with zero padding.

    Shape: weight `O C/g *K`, bias `O` or None.
    """

    weight: Array
    bias: Array | None
    stride: Ints
    pads: Pads
    dilation: Ints
    groups: int = 1

    def __post_init__(self) -> None:
        _check_filter(self, self.weight.shape[0], "output maps (weight axis 0)")
        if any(p < 0 for pair in self.pads for p in pair):
            raise ValueError(f"`pads` (={self.pads}) of a convolution must not be negative: crop with `Pad`.")


@dataclass(frozen=True, eq=False)
class TransposedConvolution:
    """Transposed convolution (deconvolution, fractionally strided convolution): y[s·i + d·k - p] += x[i]·w[k].

    Shape: weight `C O/g *K`, bias `O` or None. Pads may be negative (the output is extended); `output_padding`
    lengthens the output at its end, by any amount ≥ 0.
    """

    weight: Array
    bias: Array | None
    stride: Ints
    pads: Pads
    output_padding: Ints
    dilation: Ints
    groups: int = 1

    def __post_init__(self) -> None:
        _check_filter(self, self.weight.shape[0], "input maps (weight axis 0)")
        if len(self.output_padding) != len(self.stride) or any(a < 0 for a in self.output_padding):
            raise ValueError(f"`output_padding` (={self.output_padding}) needs one integer ≥ 0 per axis.")


@dataclass(frozen=True)
class Resize:
    """Interpolation by an integer factor s per axis, the same kernel on every map, x continued by its edge.

    `nearest` reads x[⌊(j + offset)/s⌋] (A6; `offset` from `geometry.nearest_offset`); `linear` and `cubic`
    sample at (j + 1/2)/s - 1/2 (half pixel) or j/s (asymmetric). `cubic_a` is Keys' parameter (PyTorch and
    ONNX -0.75, MATLAB -0.5).
    """

    maps: int
    factor: Ints
    mode: Literal["nearest", "linear", "cubic"]
    coordinate: Literal["half_pixel", "asymmetric"] = "half_pixel"
    offset: Ints | None = None
    cubic_a: float = -0.75

    def __post_init__(self) -> None:
        _check_maps_and(self.maps, "factor", self.factor)
        if self.mode not in ("nearest", "linear", "cubic"):
            raise ValueError(f"`mode` (={self.mode!r}) must be 'nearest', 'linear' or 'cubic'.")
        if self.coordinate not in ("half_pixel", "asymmetric"):
            raise ValueError(
                f"`coordinate` (={self.coordinate!r}) must be 'half_pixel' or 'asymmetric': "
                "align_corners has no shift-covariant kernel."
            )
        if self.offset is not None and (self.mode != "nearest" or len(self.offset) != len(self.factor)):
            raise ValueError(f"`offset` (={self.offset}) belongs to nearest, one integer per axis.")


@dataclass(frozen=True)
class PeriodicShuffle:
    """PS (depth to space, pixel shuffle): factor ΠU maps become one map of phases (ESPCN, eq. 4).

    `maps` counts the output maps. Orders (A4): crd `(o φ)`, PyTorch and ONNX's CRD; dcr `(φ o)`, TensorFlow and
    ONNX's default. Phases of several axes count with the last axis fastest.
    """

    maps: int
    factor: Ints
    order: Order = "crd"

    def __post_init__(self) -> None:
        _check_shuffle(self.maps, self.factor, self.order)


@dataclass(frozen=True)
class PeriodicUnshuffle:
    """PS⁻¹ (space to depth, pixel unshuffle). `maps` counts the input maps; a short tail is filled with zeros."""

    maps: int
    factor: Ints
    order: Order = "crd"

    def __post_init__(self) -> None:
        _check_shuffle(self.maps, self.factor, self.order)


@dataclass(frozen=True)
class ZeroInsertion:
    """s-1 zeros between samples, and `tail` more at the end: y[s·i] = x[i], s·(L-1) + 1 + tail samples."""

    maps: int
    factor: Ints
    tail: Ints

    def __post_init__(self) -> None:
        _check_maps_and(self.maps, "factor", self.factor)
        if len(self.tail) != len(self.factor) or any(t < 0 for t in self.tail):
            raise ValueError(f"`tail` (={self.tail}) needs one integer ≥ 0 per axis.")


@dataclass(frozen=True)
class Pad:
    """Samples added at both ends (zeros or the edge sample), or cropped where negative."""

    maps: int
    pads: Pads
    mode: Literal["zero", "edge"] = "zero"

    def __post_init__(self) -> None:
        if self.maps < 1:
            raise ValueError(f"`maps` (={self.maps}) must be at least 1.")
        if self.mode not in ("zero", "edge"):
            raise ValueError(f"`mode` (={self.mode!r}) must be 'zero' or 'edge'.")


@dataclass(frozen=True)
class AveragePool:
    """Mean over K samples every s, zeros of the padding counted in (count_include_pad)."""

    maps: int
    kernel_size: Ints
    stride: Ints
    pads: Pads

    def __post_init__(self) -> None:
        _check_maps_and(self.maps, "kernel_size", self.kernel_size)
        _check_maps_and(self.maps, "stride", self.stride)
        _check_alike(self, "stride", "pads")
        if any(p < 0 for pair in self.pads for p in pair):
            raise ValueError(f"`pads` (={self.pads}) of a pooling must not be negative.")


@dataclass(frozen=True, eq=False)
class Affine:
    """y = scale·x + shift per map: BatchNorm in inference, a Mul or Add by constants. Shape: both `C`."""

    scale: Array
    shift: Array
    dim: int

    def __post_init__(self) -> None:
        if self.scale.ndim != 1 or tuple(self.shift.shape) != tuple(self.scale.shape) or self.dim < 1:
            raise ValueError("`scale` and `shift` need the same shape (maps,), and `dim` at least 1.")


@dataclass(frozen=True, eq=False)
class PhaseBias:
    """A bias that repeats with period U over the output: what is left of a bias that differs by phase (A5).

    Shape: bias `O *U`.
    """

    bias: Array


@dataclass(frozen=True, eq=False)
class PhaseConvolutions:
    """One convolution per phase, their results interleaved: phase φ (last axis fastest) is convolution φ.

    A phase may be None with only its bias to give; `maps` are (C, O), `bias` is `O *U` and the convolutions
    carry none. The convolutions' outputs are cut to equal sizes.
    """

    convolutions: tuple[Convolution | None, ...]
    bias: Array
    maps: tuple[int, int]
    factor: Ints

    def __post_init__(self) -> None:
        if len(self.convolutions) != prod(self.factor):
            raise ValueError(f"{len(self.convolutions)} convolutions given for {prod(self.factor)} phases.")


@dataclass(frozen=True)
class OverlapAdd:
    """Columns added up where they overlap (col2im): y[o, s·i + k - p] += x[(o k), i]."""

    maps: int
    kernel_size: Ints
    stride: Ints
    pads: Pads

    def __post_init__(self) -> None:
        _check_maps_and(self.maps, "kernel_size", self.kernel_size)
        _check_maps_and(self.maps, "stride", self.stride)
        _check_alike(self, "stride", "pads")


@dataclass(frozen=True)
class ShiftedSum:
    """Maps of taps added up, each shifted by its tap: y[o, n] = Σ_k x[(o k), n + low + k], `size + grow` sites."""

    maps: int
    kernel_size: Ints
    low: Ints
    grow: Ints

    def __post_init__(self) -> None:
        _check_maps_and(self.maps, "kernel_size", self.kernel_size)
        _check_alike(self, "low", "grow")


Layer = (
    Convolution
    | TransposedConvolution
    | Resize
    | PeriodicShuffle
    | PeriodicUnshuffle
    | ZeroInsertion
    | Pad
    | AveragePool
    | Affine
    | PhaseBias
    | PhaseConvolutions
    | OverlapAdd
    | ShiftedSum
)


def convolution(
    weight: Array,
    bias: Array | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int | tuple[int, int]] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Convolution:
    """`Convolution` with PyTorch's defaults: one integer serves all axes; a padding may be a (start, end) pair."""
    d = weight.ndim - 2
    return Convolution(weight, bias, per_axis(stride, d), pairs(padding, d), per_axis(dilation, d), groups)


def transposed_convolution(
    weight: Array,
    bias: Array | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int | tuple[int, int]] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> TransposedConvolution:
    """`TransposedConvolution` with PyTorch's defaults and argument order."""
    d = weight.ndim - 2
    return TransposedConvolution(
        weight,
        bias,
        per_axis(stride, d),
        pairs(padding, d),
        per_axis(output_padding, d),
        per_axis(dilation, d),
        groups,
    )


def per_axis(value: int | Sequence[int], d: int) -> Ints:
    """One integer per axis."""
    return (value,) * d if isinstance(value, int) else tuple(value)


def pairs(value: int | Sequence[int | tuple[int, int]], d: int) -> Pads:
    """One (start, end) pair per axis."""
    each = (value,) * d if isinstance(value, int) else tuple(value)
    return tuple((p, p) if isinstance(p, int) else p for p in each)


def _check_filter(layer: Convolution | TransposedConvolution, first_axis: int, name: str) -> None:
    d = layer.weight.ndim - 2
    for field in ("stride", "dilation"):
        value = getattr(layer, field)
        if len(value) != d or any(v < 1 for v in value):
            raise ValueError(f"`{field}` (={value}) needs {d} integers ≥ 1, one per axis of the weight.")
    if len(layer.pads) != d:
        raise ValueError(f"`pads` (={layer.pads}) needs {d} (start, end) pairs, one per axis of the weight.")
    if layer.groups < 1 or first_axis % layer.groups:
        raise ValueError(f"`groups` (={layer.groups}) must divide the {name}, {first_axis}.")
    maps_out = layer.weight.shape[0] if isinstance(layer, Convolution) else layer.weight.shape[1] * layer.groups
    if layer.bias is not None and tuple(layer.bias.shape) != (maps_out,):
        raise ValueError(f"`bias` has shape {tuple(layer.bias.shape)}; this weight needs ({maps_out},).")


def _check_maps_and(maps: int, name: str, value: Ints) -> None:
    if maps < 1:
        raise ValueError(f"`maps` (={maps}) must be at least 1.")
    if not value or any(v < 1 for v in value):
        raise ValueError(f"`{name}` (={value}) needs one integer ≥ 1 per axis.")


def _check_alike(layer: AveragePool | OverlapAdd | ShiftedSum, *names: str) -> None:
    d = len(layer.kernel_size)
    for name in names:
        value = getattr(layer, name)
        if len(value) != d:
            raise ValueError(f"`{name}` (={value}) needs {d} entries, one per axis of `kernel_size`.")


def _check_shuffle(maps: int, factor: Ints, order: Order) -> None:
    _check_maps_and(maps, "factor", factor)
    if order not in ("crd", "dcr"):
        raise ValueError(f"`order` (={order!r}) must be 'crd' (channel, phase) or 'dcr' (phase, channel).")
