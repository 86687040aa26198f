"""Any HR network is an LR network with r² times the maps: built by law A9 and compared by equality, on integers."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from subpixel.algebra import Convolution as Layer
from subpixel.algebra import (
    Op,
    PeriodicShuffle,
    Resize,
    ZeroInsertion,
    apply,
    compose,
    convolution,
    lift,
    reduce,
    spell,
)
from subpixel.algebra.cells import as_cells

Upsampling = Literal["nearest", "bicubic", "zero-insertion"]
UPSAMPLINGS: tuple[Upsampling, ...] = ("nearest", "bicubic", "zero-insertion")
Integers = NDArray[np.int64]

EXACT_BELOW = 2**62
"""Sums of 64-bit integers are exact below; larger ones would wrap, and equality would mean less."""


def upsampling(kind: Upsampling, r: int) -> Op:
    """One map enlarged r times, in integers: bicubic's weights (Keys 1981, a = -1/2) times a common denominator."""
    if kind == "nearest":
        op = lift(Resize(1, (r, r), "nearest"))
    elif kind == "zero-insertion":
        op = lift(ZeroInsertion(1, (r, r), (r - 1, r - 1)))
    else:
        op = lift(Resize(1, (r, r), "cubic", cubic_a=-0.5))
        op = replace(op, kernel=op.kernel * denominator(r) ** 2)
    kernel = np.rint(np.asarray(op.kernel, np.float64))
    if np.abs(kernel - np.asarray(op.kernel, np.float64)).max() > 1e-6:
        raise ValueError(f"the kernel of {kind} by `r` (={r}) has no integer multiple of that size")
    return replace(op, kernel=kernel.astype(np.int64), bias=np.zeros(op.bias.shape, np.int64))


def denominator(r: int) -> int:
    """Of bicubic's weights by a whole factor r: positions are halves of 1/r, and Keys' cubic has a half before it."""
    return 2 * (2 * r) ** 3


def lifted(r: int, up: Op, weights: Sequence[tuple[Integers, Integers]]) -> tuple[list[Op], int]:
    """The LR network of "enlarge, then convolve at HR": one op a layer, each an LR convolution; then one shuffle by r.

    Args:
        r: the factor of `up`.
        up: enlarges one map.
        weights: weight `O C K K` and bias `O` of each HR layer, K odd, zero padding (K - 1)/2.

    Returns:
        The ops, and into how many cells the first layer's border falls. Where that is more than one, the enlargement
        stays a convolution of its own before the first layer's.
    """
    convolutions = [lift(convolution(w, b, padding=w.shape[-1] // 2)) for w, b in weights]
    first = as_cells(reduce(compose(convolutions[0], up)))
    ops = [first.interior] if first.is_single else [up, _behind_shuffle(convolutions[0], r)]
    ops += [_behind_shuffle(op, r) for op in convolutions[1:]]
    return [_at_lr(op) for op in ops], prod(first.count)


def _behind_shuffle(op: Op, r: int) -> Op:
    """The layer after a shuffle, from the maps before it (A9)."""
    whole = reduce(compose(op, lift(PeriodicShuffle(op.maps[0], (r, r)))))
    if not isinstance(whole, Op):
        raise ValueError("a convolution behind a shuffle is one layer, says law A9; this one has border cells")
    return whole


def _at_lr(op: Op) -> Op:
    """An op with phases as the LR convolution before its shuffle, edge padding folded in."""
    *before, shuffle = spell(op, "shuffle", crop=(0, 0)).layers
    assert isinstance(shuffle, PeriodicShuffle)
    if op.outside == "edge":
        (layer,) = [layer for layer in before if isinstance(layer, Layer)]
        plain = replace(lift(replace(layer, pads=((0, 0), (0, 0)))), low=op.low, lengths=((0,), (0,)))
        return replace(plain, outside="edge")
    whole = reduce(compose(lift(before[1]), lift(before[0]))) if len(before) > 1 else lift(before[0])
    assert isinstance(whole, Op)
    return whole


def run_at_hr(up: Op, weights: Sequence[tuple[Integers, Integers]], x: Integers) -> Integers:
    """Enlarge, then convolve at HR, ReLU between: x `1 1 H W`."""
    y = apply(up, x)
    for index, (weight, bias) in enumerate(weights):
        y = apply(lift(convolution(weight, bias, padding=weight.shape[-1] // 2)), np.maximum(y, 0) if index else y)
    return np.asarray(y)


def run_at_lr(ops: Sequence[Op], layers: int, r: int, x: Integers) -> Integers:
    """The lifted network: LR convolutions, ReLU before each of the HR network's but the first, one shuffle."""
    y = x
    for index, op in enumerate(ops):
        y = apply(op, np.maximum(y, 0) if index > len(ops) - layers else y)
    return np.asarray(apply(lift(PeriodicShuffle(y.shape[1] // r**2, (r, r))), y))


def random_network(
    rng: np.random.Generator, maps: Sequence[int], kernels: Sequence[int]
) -> list[tuple[Integers, Integers]]:
    """Weights and biases from -3 to 3, none of them all zero."""
    return [
        (rng.integers(-3, 4, (O, C, K, K)), rng.integers(-3, 4, O))
        for C, O, K in zip(maps[:-1], maps[1:], kernels, strict=True)
    ]


def check_one(scale: int, kind: Upsampling, seed: int) -> dict[str, Any]:
    """Draw an HR network, lift it, and count the values in which the two differ; see docs/study/README.md."""
    rng = np.random.default_rng([scale, UPSAMPLINGS.index(kind), seed])
    depth = int(rng.integers(1, 5))
    maps = [1, *(int(n) for n in rng.integers(1, 4, depth - 1)), 1]
    kernels = [int(k) for k in rng.choice((1, 3, 5), depth)]
    size = [int(n) for n in rng.integers(4, 10, 2)]
    up, weights = upsampling(kind, scale), random_network(rng, maps, kernels)
    ops, cells = lifted(scale, up, weights)
    x = rng.integers(-9, 10, (1, 1, *size))
    bound = 9.0 * np.abs(up.kernel).sum(axis=(-1, -2)).max()
    for weight, bias in weights:
        bound = bound * np.abs(weight).sum(axis=(1, 2, 3)).max() + np.abs(bias).max()
    if bound >= EXACT_BELOW:
        raise ValueError(f"values up to {bound:.0e} are no exact 64-bit integers: draw a smaller network")
    at_hr, at_lr = run_at_hr(up, weights, x), run_at_lr(ops, depth, scale, x)
    if at_hr.shape != at_lr.shape:
        raise ValueError(f"the HR network gives {at_hr.shape}, the lifted one {at_lr.shape}")
    macs = sum(scale**2 * w.size for w, _ in weights)
    return {
        "kind": "lifting",
        "scale": scale,
        "seed": seed,
        "upsampling": kind,
        "kernels": kernels,
        "maps": maps,
        "lr_maps": [ops[0].maps[0], *(op.maps[1] for op in ops)],
        "lr_kernels": [max(op.taps) for op in ops],
        "size": size,
        "values": int(at_hr.size),
        "differing": int((at_hr != at_lr).sum()),
        "macs_ratio": round(sum(op.kernel.size for op in ops) / macs, 3),
        "border_cells": cells,
    }


def all_checks(scales: Sequence[int], each: int) -> list[tuple[int, Upsampling, int]]:
    """(scale, upsampling, seed) of every network to draw."""
    return list(product(scales, UPSAMPLINGS, range(each)))
