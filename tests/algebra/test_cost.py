"""`cost`: exact integers, counted again by brute force and held against published figures."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np
import pytest

from subpixel.algebra import (
    Layer,
    PeriodicShuffle,
    Resize,
    ZeroInsertion,
    convolution,
    lift,
    transposed_convolution,
)
from subpixel.algebra.cost import cost
from subpixel.algebra.lower import spell


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, dtype=int)


def multiplications(size: tuple[int, ...], layer: Layer) -> tuple[int, int]:
    """(all, those by a sample of x) of a convolution, one by one."""
    total = inside = 0
    w = layer.weight
    (out,) = (lift(layer).output_size(size),)
    for j in product(*(range(n) for n in out)):
        for k in product(*(range(K) for K in w.shape[2:])):
            i = [
                s * a + d * b - p
                for s, a, d, b, (p, _) in zip(layer.stride, j, layer.dilation, k, layer.pads, strict=True)
            ]
            total += 1
            inside += all(0 <= a < L for a, L in zip(i, size, strict=True))
    per_tap = w.shape[0] * w.shape[1]
    return per_tap * total, per_tap * inside


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"), [(1, 1, 1, 1), (2, 2, 2, 2), ((1, 3), (0, 2), 1, 1)]
)
def test_convolution_is_counted_right(stride: int, padding: int, dilation: int, groups: int) -> None:
    layer = convolution(ones(4, 6 // groups, 3, 2), ones(4), stride, padding, dilation, groups)
    size = (7, 6)
    total, inside = multiplications(size, layer)
    assert cost([layer], size).macs == total
    assert cost([layer], size, counts_padding=False).macs == inside
    out = lift(layer).output_size(size)
    c = cost([layer], size)
    assert c.parameters == 4 * 6 // groups * 6 + 4
    assert c.activations == 4 * prod(out)
    assert c.bytes == 4 * (6 * 42 + 4 * prod(out) + c.parameters)


def test_transposed_convolution_is_counted_by_input_sample() -> None:
    layer = transposed_convolution(ones(3, 2, 4, 4), None, 2, 1)
    assert cost([layer], (5, 6)).macs == 3 * 2 * 16 * 30
    # of the 2L+2 samples a full output has, one is cropped at each end: it loses one tap of one sample
    assert cost([layer], (5, 6), counts_padding=False).macs == 3 * 2 * (4 * 5 - 2) * (4 * 6 - 2)


def test_zero_taps_are_counted_on_request() -> None:
    """FlowNet's 4×4 without its crop: 3×3 LR taps, of which 2×2 carry weight."""
    op = lift(transposed_convolution(ones(1, 1, 4, 4), None, 2, 1))
    aligned, cropped = spell(op, "shuffle", crop=(0, 0)), spell(op, "shuffle")
    assert cost(aligned, (10, 10)).macs == 4 * 9 * 100
    assert cost(aligned, (10, 10), counts_zero_taps=False).macs == 4 * 4 * 100
    assert cost(cropped, (10, 10)).macs == 4 * 4 * 11 * 11  # the crop computes a site more


def test_zero_insertion_pays_for_its_zeros() -> None:
    """The sub-pixel form multiplies s² times as often as the transposed one."""
    transposed = transposed_convolution(ones(1, 1, 3, 3), None, 2, 1, 1)
    chain = [ZeroInsertion(1, (2, 2), (1, 1)), convolution(ones(1, 1, 3, 3), padding=1)]
    assert cost(chain, (8, 8)).macs == 4 * cost([transposed], (8, 8)).macs


def espcn(scale: int, n: int = 64) -> list[Layer]:
    layers: list[Layer] = [
        convolution(ones(n, 1, 5, 5), ones(n), padding=2),
        convolution(ones(32, n, 3, 3), ones(32), padding=1),
        convolution(ones(scale**2, 32, 3, 3), ones(scale**2), padding=1),
        PeriodicShuffle(1, (scale, scale)),
    ]
    return layers


@pytest.mark.parametrize(("scale", "gmac"), [(2, 10.98), (3, 5.21), (4, 3.19)])
def test_espcn_at_1080p(scale: int, gmac: float) -> None:
    c = cost(espcn(scale), (1080 // scale, 1920 // scale))
    assert c.macs == pytest.approx(gmac * 1e9, rel=2e-3)
    assert c.parameters == 1600 + 64 + 18432 + 32 + 288 * scale**2 + scale**2
    assert c.receptive_field == (9, 9)


def test_the_note_s_counting() -> None:
    """An LR layer of rn maps costs what an HR layer of n maps does, and has r² times its weights."""
    n, k, r, size = 8, 3, 3, (10, 12)
    high = cost([convolution(ones(n, n, k, k), padding=1)], (r * size[0], r * size[1]))
    low = cost([convolution(ones(r * n, r * n, k, k), padding=1)], size)
    assert low.macs == high.macs
    assert low.parameters == r**2 * high.parameters
    assert r * low.activations == high.activations


def test_receptive_field_through_a_chain() -> None:
    assert cost([convolution(ones(1, 1, 3)), convolution(ones(1, 1, 5), dilation=2)], (20,)).receptive_field == (11,)
    assert cost([convolution(ones(1, 1, 3), stride=2), convolution(ones(1, 1, 3))], (20,)).receptive_field == (7,)
    # 9 HR samples after nearest ×3 lie on 3 or 4 LR ones
    assert cost([Resize(1, (3,), "nearest"), convolution(ones(1, 1, 9), padding=4)], (20,)).receptive_field == (4,)
