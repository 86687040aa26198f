"""Layers and plans, run by the oracle: what a runtime would compute."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from algebra import oracle
from subpixel.algebra import (
    Affine,
    Convolution,
    Layer,
    Op,
    OverlapAdd,
    Pad,
    PeriodicShuffle,
    PeriodicUnshuffle,
    PhaseBias,
    PhaseConvolutions,
    Resize,
    ShiftedSum,
    TransposedConvolution,
    ZeroInsertion,
)
from subpixel.algebra.lower import Plan

Array = np.ndarray


def run(layers: Layer | Sequence[Layer], x: Array) -> Array:
    """The layers in order. Linear and cubic interpolation and pooling are left to the caller, who knows the unit."""
    for layer in layers if isinstance(layers, Sequence) else (layers,):
        x = _run(layer, x)
    return x


def run_plan(plan: Plan, op: Op, x: Array) -> Array:
    """The plan's layers, then its crops: `crop` samples at the start and what exceeds the op's length at the end."""
    y = run(plan.layers, x)
    size = op.output_size(x.shape[2:])
    return y[(..., *(slice(c, c + f) for c, f in zip(plan.crop, size, strict=True)))]


def _run(layer: Layer, x: Array) -> Array:
    fields = tuple(vars(layer).values())
    match layer:
        case Convolution():
            return oracle.convolution(x, *fields)
        case TransposedConvolution():
            return oracle.transposed_convolution(x, *fields)
        case PeriodicShuffle():
            return oracle.shuffle(x, layer.factor, layer.order)
        case PeriodicUnshuffle():
            return oracle.unshuffle(x, layer.factor, layer.order)
        case ZeroInsertion():
            return oracle.zero_insertion(x, layer.factor, layer.tail)
        case Pad():
            return oracle.pad(x, layer.pads, layer.mode)
        case Affine():
            return oracle.affine(x, layer.scale, layer.shift)
        case Resize(mode="nearest"):
            offset = layer.offset or (0,) * len(layer.factor)
            return oracle.resize(
                x, [_nearest(L, *sc) for L, *sc in zip(x.shape[2:], layer.factor, offset, strict=True)]
            )
        case PhaseBias():
            return oracle.phase_bias(x, layer.bias)
        case OverlapAdd():
            return oracle.overlap_add(x, *fields[1:])
        case ShiftedSum():
            return oracle.shifted_sum(x, *fields[1:])
        case PhaseConvolutions():
            return _phase_convolutions(layer, x)
    raise TypeError(layer)


def _nearest(L: int, s: int, c: int) -> list[list[Fraction]]:
    """x[clamp⌊(j + c)/s⌋]."""
    return [[Fraction(int(i == min(max((j + c) // s, 0), L - 1))) for i in range(L)] for j in range(s * L)]


def _phase_convolutions(layer: PhaseConvolutions, x: Array) -> Array:
    parts = [None if c is None else run(c, x) for c in layer.convolutions]
    size = [min(part.shape[2 + i] for part in parts if part is not None) for i in range(len(layer.factor))]
    y = np.zeros((x.shape[0], layer.maps[1], *(n * U for n, U in zip(size, layer.factor, strict=True))), dtype=np.int64)
    for phase, part in zip(np.ndindex(*layer.factor), parts, strict=True):
        if part is not None:
            at = (slice(f, None, U) for f, U in zip(phase, layer.factor, strict=True))
            y[(..., *at)] = part[(..., *(slice(0, n) for n in size))]
    return oracle.phase_bias(y, layer.bias)
