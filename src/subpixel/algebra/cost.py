"""`cost`: what a plan costs, in exact integers, and what was counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from math import prod

import numpy as np

from subpixel.algebra import layers
from subpixel.algebra.arrays import Array, as_numpy
from subpixel.algebra.cells import as_cells
from subpixel.algebra.compose import compose
from subpixel.algebra.lift import lift
from subpixel.algebra.lower import Plan
from subpixel.algebra.op import Op
from subpixel.algebra.reduce import support


@dataclass(frozen=True)
class Cost:
    """For one input of a given size.

    parameters: weights and biases stored. macs: multiplications of a sample by a weight. activations: samples
    written by all layers together. bytes: samples read and written by each layer and its parameters, at
    `itemsize` bytes each. receptive_field: input samples that one output sample can see, per axis.
    """

    parameters: int
    macs: int
    activations: int
    bytes: int
    receptive_field: tuple[int, ...]
    counts_padding: bool
    counts_zero_taps: bool


def cost(
    plan: Plan | Sequence[layers.Layer],
    size: tuple[int, ...],
    *,
    counts_padding: bool = True,
    counts_zero_taps: bool = True,
    itemsize: int = 4,
) -> Cost:
    """Cost of running the layers on one input of `size`.

    A multiplication with a padded zero counts only with `counts_padding`, one with a weight that is zero (a
    kernel filled up to a common shape) only with `counts_zero_taps`. Zeros that a `ZeroInsertion` wrote are
    samples like any other: that is its price.

    Raises:
        ValueError: nothing is left of the input on the way.
    """
    chain = plan.layers if isinstance(plan, Plan) else tuple(plan)
    parameters = macs = activations = traffic = 0
    whole = None
    for layer in chain:
        op = lift(layer)
        whole = as_cells(op) if whole is None else as_cells(compose(op, whole.interior).interior)
        out = op.output_size(size)
        if min(out) < 1:
            raise ValueError(f"a {type(layer).__name__} leaves nothing of an input of size {size}.")
        stored = sum(int(np.prod(array.shape)) for array in _arrays(layer))
        read, written = op.maps[0] * prod(size), op.maps[1] * prod(out)
        parameters += stored
        macs += _macs(layer, size, out, counts_padding, counts_zero_taps)
        activations += written
        traffic += read + written + stored
        size = out
    assert whole is not None
    return Cost(
        parameters=parameters,
        macs=macs,
        activations=activations,
        bytes=traffic * itemsize,
        receptive_field=receptive_field(whole.interior),
        counts_padding=counts_padding,
        counts_zero_taps=counts_zero_taps,
    )


def receptive_field(op: Op) -> tuple[int, ...]:
    """Input samples between the first and last that one output sample reads, the widest phase per axis."""
    spans = []
    for axis in range(op.dim):
        phase, tap = support(op, axis)
        spans.append(max((int(np.ptp(tap[phase == p])) + 1 for p in set(phase.tolist())), default=0))
    return tuple(spans)


@singledispatch
def _macs(layer: object, size: layers.Ints, out: layers.Ints, padding: bool, zeros: bool) -> int:
    return 0  # copies and sums


@_macs.register
def _(layer: layers.Convolution, size: layers.Ints, out: layers.Ints, padding: bool, zeros: bool) -> int:
    counts = []
    for i, K in enumerate(layer.weight.shape[2:]):
        read = layer.stride[i] * np.arange(out[i]) - layer.pads[i][0]
        read = read[None, :] + layer.dilation[i] * np.arange(K)[:, None]
        counts.append(((read >= 0) & (read < size[i])).sum(1) if not padding else np.full(K, out[i]))
    return _weighted(layer.weight, counts, zeros)


@_macs.register
def _(layer: layers.TransposedConvolution, size: layers.Ints, out: layers.Ints, padding: bool, zeros: bool) -> int:
    counts = []
    for i, K in enumerate(layer.weight.shape[2:]):
        lands = layer.stride[i] * np.arange(size[i]) - layer.pads[i][0]
        lands = lands[None, :] + layer.dilation[i] * np.arange(K)[:, None]
        counts.append(((lands >= 0) & (lands < out[i])).sum(1) if not padding else np.full(K, size[i]))
    return _weighted(layer.weight, counts, zeros)


@_macs.register
def _(layer: layers.PhaseConvolutions, size: layers.Ints, out: layers.Ints, padding: bool, zeros: bool) -> int:
    sites = tuple(f // U for f, U in zip(out, layer.factor, strict=True))
    return sum(_macs(c, size, sites, padding, zeros) for c in layer.convolutions if c is not None)


@_macs.register
def _(layer: layers.Resize, size: layers.Ints, out: layers.Ints, padding: bool, zeros: bool) -> int:
    if layer.mode == "nearest":
        return 0
    phases = [np.count_nonzero(_rows(layer, i), axis=1) for i in range(len(size))]
    return layer.maps * prod(int(p.sum()) * n for p, n in zip(phases, size, strict=True))


@_macs.register
def _(layer: layers.AveragePool, size: layers.Ints, out: layers.Ints, padding: bool, zeros: bool) -> int:
    return layer.maps * prod(out) * prod(layer.kernel_size)


@_macs.register
def _(layer: layers.Affine, size: layers.Ints, out: layers.Ints, padding: bool, zeros: bool) -> int:
    return int(layer.scale.shape[0]) * prod(out)


def _rows(layer: layers.Resize, axis: int) -> Array:
    """The interpolation kernel of one axis. Shape: `U K`."""
    one = replace(layer, maps=1, factor=(layer.factor[axis],), offset=None)
    return lift(one).kernel.reshape(layer.factor[axis], -1)


def _weighted(weight: Array, counts: list[Array], zeros: bool) -> int:
    """Σ over taps of (weights there) × (times used)."""
    d = len(counts)
    values = as_numpy(weight)
    per_tap = (
        np.full(values.shape[2:], values.shape[0] * values.shape[1]) if zeros else np.count_nonzero(values, (0, 1))
    )
    times: Array = np.ones((1,) * d, dtype=object)  # Python integers: exact at any size
    for i, count in enumerate(counts):
        shape = [1] * d
        shape[i] = -1
        times = times * np.array([int(c) for c in count], dtype=object).reshape(shape)
    return int((per_tap.astype(object) * times).sum())


def _arrays(layer: layers.Layer) -> list[Array]:
    if isinstance(layer, layers.PhaseConvolutions):
        return [layer.bias, *(c.weight for c in layer.convolutions if c is not None)]
    found = (getattr(layer, name, None) for name in ("weight", "bias", "scale", "shift"))
    return [array for array in found if array is not None]
