"""Two random layers through `compose`, against running the one after the other.

`check_pair(rng)` is what scripts/check-exact runs by the ten thousand. Interpolation and pooling weights are
scaled to integers first, so that everything is integer and compares with equality.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from math import prod

import numpy as np

from algebra import oracle
from algebra.running import run
from subpixel.algebra import (
    Affine,
    AveragePool,
    Cells,
    Convolution,
    Layer,
    Op,
    Pad,
    PeriodicShuffle,
    PeriodicUnshuffle,
    Resize,
    TransposedConvolution,
    ZeroInsertion,
    apply,
    compose,
    lift,
    nearest_offset,
    reduce,
)
from subpixel.algebra.op import output_length, site_count

Array = np.ndarray
Rng = np.random.Generator

KINDS = (
    "convolution",
    "transposed convolution",
    "nearest",
    "linear",
    "cubic",
    "shuffle",
    "unshuffle",
    "average pool",
    "pad",
    "zero insertion",
    "affine",
)
OFTEN = np.array([3, 3, *[1] * 9])  # the layers with weights more often
COORDINATES = ("asymmetric", "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "tf_half_pixel_for_nn")
LONGEST = 120  # per axis
ROUNDINGS = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")


@dataclass(frozen=True)
class Drawn:
    """A layer, its op in integers, and how the oracle runs it."""

    kind: str
    layer: Layer
    op: Op
    run: Callable[[Array], Array]


@dataclass(frozen=True)
class Pair:
    """Two layers that fit and a small input, of which the second leaves something."""

    first: Drawn
    second: Drawn
    x: Array

    def __str__(self) -> str:
        with np.printoptions(threshold=10**6):
            return f"first {self.first.layer!r}\nsecond {self.second.layer!r}\ninput {self.x!r}"


def check_pair(rng: Rng) -> str | None:
    """Draw a pair and compose it. None where all is equal, else what was not and everything to reproduce it."""
    pair = draw_pair(rng)
    fault = compare(pair)
    return None if fault is None else f"{fault}\n{pair}"


def compare(pair: Pair) -> str | None:
    """What composing gets wrong about a pair, in words, or None.

    The small input is run through the composition for its size, and through the size-free one if that holds for
    it; else that one runs on the least larger input for which it does. All again in normal form.
    """
    first, second = pair.first.op, pair.second.op
    sized, free = compose(second, first, size=pair.x.shape[2:]), compose(second, first)
    whole = {
        "composed for the size": sized,
        "reduced for the size": reduce(sized),
        "composed": free,
        "reduced": reduce(free),
    }
    for name, layer in whole.items():
        fault = differs(pair, layer)
        if fault is not None:
            return f"{name}: {fault}"
    return None


def differs(pair: Pair, layer: Cells | Op) -> str | None:
    """How the layer is not the two of the pair, on the pair's input or the least larger one that it takes."""
    x = lengthen(pair.x, layer) if isinstance(layer, Cells) else pair.x
    if x is None:
        return f"no size from {pair.x.shape[2:]} to {LONGEST} is long enough"
    y = pair.second.run(pair.first.run(x))
    got = layer.apply(x) if isinstance(layer, Cells) else apply(layer, x)
    if got.shape != y.shape:
        return f"size {x.shape[2:]}: shape {got.shape}, not {y.shape}"
    if not np.array_equal(got, y):
        return f"size {x.shape[2:]}: {int((got != y).sum())} of {y.size} samples differ"
    return None


def lengthen(x: Array, cells: Cells) -> Array | None:
    """x, along each axis repeated up to the least size for which the cells hold."""
    for axis, place in enumerate(cells.places):
        at = 2 + axis
        while True:
            size = x.shape[at]
            sites = site_count(
                max(0, output_length(size, cells.up[axis], cells.down[axis], cells.lengths[axis])), cells.up[axis]
            )
            if place.holds(sites, size):
                break
            if size == LONGEST:
                return None
            x = np.concatenate([x, np.take(x, [size // 2], axis=at)], axis=at)
    return x


# --- drawing -------------------------------------------------------------------------------------------------------


def draw_pair(rng: Rng) -> Pair:
    """Two layers that fit and leave something of a small input."""
    while True:
        d = int(rng.choice([1, 2, 3], p=[0.6, 0.33, 0.07]))
        kinds = [str(kind) for kind in rng.choice(KINDS, 2, p=OFTEN / OFTEN.sum())]
        first = draw(rng, kinds[0], int(rng.integers(1, 4)), d)
        if first.op.maps[1] > 9:
            continue
        second = draw(rng, kinds[1], first.op.maps[1], d)
        size = _some(rng, 1, {1: 12, 2: 5, 3: 3}[d], d)
        middle = first.op.output_size(size)
        if second.op.maps[1] <= 9 and min(middle) >= 1 and min(second.op.output_size(middle)) >= 1:
            return Pair(first, second, integers(rng, (2, first.op.maps[0], *size)))


def integers(rng: Rng, shape: tuple[int, ...]) -> Array:
    """Small integers, few of them zero."""
    return rng.integers(-4, 5, shape)


def draw(rng: Rng, kind: str, C: int, d: int) -> Drawn:
    """A random layer of `kind` that takes C maps on d axes."""
    return DRAW[kind](rng, C, d)


def _some(rng: Rng, low: int, high: int, d: int) -> tuple[int, ...]:
    return tuple(int(n) for n in rng.integers(low, high + 1, d))


def _pairs(rng: Rng, low: int, high: int, d: int) -> tuple[tuple[int, int], ...]:
    return tuple((int(a), int(b)) for a, b in rng.integers(low, high + 1, (d, 2)))


def _divisor(rng: Rng, n: int) -> int:
    return int(rng.choice([g for g in range(1, n + 1) if n % g == 0]))


def _bias(rng: Rng, O: int) -> Array | None:
    return integers(rng, (O,)) if rng.random() < 0.5 else None


def convolution(rng: Rng, C: int, d: int) -> Drawn:
    g = _divisor(rng, C)
    O = g * int(rng.integers(1, 5))
    K, s, dilation = (
        _some(rng, 1, (4, 3, 2)[d - 1], d),
        _some(rng, 1, (4, 3, 2)[d - 1], d),
        _some(rng, 1, (3, 2, 2)[d - 1], d),
    )
    layer = Convolution(integers(rng, (O, C // g, *K)), _bias(rng, O), s, _pairs(rng, 0, 3, d), dilation, g)
    return Drawn("convolution", layer, lift(layer), partial(run, layer))


def transposed_convolution(rng: Rng, C: int, d: int) -> Drawn:
    g = _divisor(rng, C)
    O = int(rng.integers(1, 4))
    K, s, dilation = (
        _some(rng, 1, (5, 4, 2)[d - 1], d),
        _some(rng, 1, (4, 3, 2)[d - 1], d),
        _some(rng, 1, (3, 2, 2)[d - 1], d),
    )
    a, pads = _some(rng, 0, 2, d), _pairs(rng, 0, 3, d)
    layer = TransposedConvolution(integers(rng, (C, O, *K)), _bias(rng, O * g), s, pads, a, dilation, g)
    return Drawn("transposed convolution", layer, lift(layer), partial(run, layer))


def nearest(rng: Rng, C: int, d: int) -> Drawn:
    s = _some(rng, 1, (4, 3, 2)[d - 1], d)
    coordinate, rounding = str(rng.choice(COORDINATES)), str(rng.choice(ROUNDINGS))
    offset = tuple(nearest_offset(s_, coordinate, rounding) for s_ in s)
    layer = Resize(C, s, "nearest", offset=offset)

    def by_oracle(x: Array) -> Array:
        rows = [oracle.nearest(L, s_, coordinate, rounding) for L, s_ in zip(x.shape[2:], s, strict=True)]
        return oracle.resize(x, rows)

    return Drawn("nearest", layer, lift(layer), by_oracle)


def linear(rng: Rng, C: int, d: int) -> Drawn:
    s = _some(rng, 1, (4, 3, 2)[d - 1], d)
    layer = Resize(C, s, "linear", _coordinate(rng))
    unit = 24  # makes every t of s ≤ 4 whole

    def by_oracle(x: Array) -> Array:
        rows = [oracle.linear(L, s_, layer.coordinate) for L, s_ in zip(x.shape[2:], s, strict=True)]
        return oracle.resize(x, rows, unit)

    return Drawn("linear", layer, scaled(lift(layer), unit**d), by_oracle)


def cubic(rng: Rng, C: int, d: int) -> Drawn:
    s = _some(rng, 1, (4, 3, 2)[d - 1], d)
    a = Fraction(str(rng.choice(["-0.75", "-0.5"])))
    layer = Resize(C, s, "cubic", _coordinate(rng), cubic_a=float(a))
    unit = 4 * (24, 12, 4)[d - 1] ** 3  # t is a multiple of 1/(2s), the weights are cubics in t times 1/4

    def by_oracle(x: Array) -> Array:
        rows = [oracle.cubic(L, s_, layer.coordinate, a) for L, s_ in zip(x.shape[2:], s, strict=True)]
        return oracle.resize(x, rows, unit)

    return Drawn("cubic", layer, scaled(lift(layer), unit**d), by_oracle)


def shuffle(rng: Rng, C: int, d: int) -> Drawn:
    s = _some(rng, 1, 3, d)
    while C % prod(s):
        s = tuple(1 if rng.random() < 0.5 else s_ for s_ in s)
    layer = PeriodicShuffle(C // prod(s), s, _order(rng))
    return Drawn("shuffle", layer, lift(layer), partial(run, layer))


def unshuffle(rng: Rng, C: int, d: int) -> Drawn:
    s = _some(rng, 1, (3, 2, 2)[d - 1], d)
    layer = PeriodicUnshuffle(C, s, _order(rng))
    return Drawn("unshuffle", layer, lift(layer), partial(run, layer))


def average_pool(rng: Rng, C: int, d: int) -> Drawn:
    layer = AveragePool(C, _some(rng, 1, (4, 3, 2)[d - 1], d), _some(rng, 1, (4, 3, 2)[d - 1], d), _pairs(rng, 0, 2, d))
    unit = prod(layer.kernel_size)

    def by_oracle(x: Array) -> Array:
        return oracle.sum_pool(x, layer.kernel_size, layer.stride, layer.pads)

    return Drawn("average pool", layer, scaled(lift(layer), unit), by_oracle)


def pad(rng: Rng, C: int, d: int) -> Drawn:
    layer = Pad(C, _pairs(rng, -2, 3, d), "edge" if rng.random() < 0.5 else "zero")
    return Drawn("pad", layer, lift(layer), partial(run, layer))


def zero_insertion(rng: Rng, C: int, d: int) -> Drawn:
    layer = ZeroInsertion(C, _some(rng, 1, 3, d), _some(rng, 0, 2, d))
    return Drawn("zero insertion", layer, lift(layer), partial(run, layer))


def affine(rng: Rng, C: int, d: int) -> Drawn:
    layer = Affine(integers(rng, (C,)), integers(rng, (C,)), d)
    return Drawn("affine", layer, lift(layer), partial(run, layer))


DRAW: dict[str, Callable[[Rng, int, int], Drawn]] = dict(
    zip(
        KINDS,
        (
            convolution,
            transposed_convolution,
            nearest,
            linear,
            cubic,
            shuffle,
            unshuffle,
            average_pool,
            pad,
            zero_insertion,
            affine,
        ),
        strict=True,
    )
)


def scaled(op: Op, unit: int) -> Op:
    """The op times `unit`, which makes its weights whole numbers."""
    kernel = np.rint(np.asarray(op.kernel, dtype=np.float64) * unit)
    if np.abs(kernel - op.kernel * unit).max(initial=0) > 1e-3:
        raise ValueError(f"unit {unit} does not make the weights whole")
    return replace(op, kernel=kernel.astype(np.int64), bias=np.asarray(op.bias * unit, dtype=np.int64))


def _coordinate(rng: Rng) -> str:
    return str(rng.choice(["half_pixel", "asymmetric"]))


def _order(rng: Rng) -> str:
    return str(rng.choice(["crd", "dcr"]))
