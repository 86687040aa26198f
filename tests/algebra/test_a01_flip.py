"""A1: a transposed convolution is the ordinary convolution with the flipped kernel over zero-inserted input."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from algebra import oracle
from algebra.running import run
from exactness.pairs import integers
from subpixel.algebra import (
    Pad,
    TransposedConvolution,
    ZeroInsertion,
    compose_all,
    convolution,
    lift,
    same,
    transposed_convolution,
)

GEOMETRIES = [g for g in product((1, 2, 3, 4), (1, 2, 3), (0, 1, 4), (0, 2), (1, 2, 3)) if g[4] == 1 or g[0] > 1]


def zeros_then_convolution(layer: TransposedConvolution) -> list:
    """The right-hand side of the law, in layers."""
    C, O, g = layer.weight.shape[0], layer.weight.shape[1], layer.groups
    flipped = np.flip(layer.weight, axis=tuple(range(2, layer.weight.ndim)))
    weight = np.concatenate([flipped[i * C // g : (i + 1) * C // g].swapaxes(0, 1) for i in range(g)])  # (g O) C/g *K
    reach = [d * (K - 1) for d, K in zip(layer.dilation, weight.shape[2:], strict=True)]
    pads = [(r - p, r - q + a) for r, (p, q), a in zip(reach, layer.pads, layer.output_padding, strict=True)]
    assert weight.shape[0] == O * g
    return [
        ZeroInsertion(C, layer.stride, (0,) * len(reach)),
        Pad(C, tuple(pads)),
        convolution(weight, layer.bias, dilation=layer.dilation, groups=g),
    ]


@pytest.mark.parametrize("K", [1, 2, 3, 4])
def test_a01_flip(K: int) -> None:
    """Every small 1-D geometry: as numbers by the oracle, and for all inputs at once as ops."""
    rng = np.random.default_rng(K)
    for _, s, p, a, d in (g for g in GEOMETRIES if g[0] == K):
        layer = transposed_convolution(integers(rng, (2, 3, K)), integers(rng, (3,)), s, [(p, p // 2)], a, dilation=d)
        for L in (1, 2, 5):
            x = integers(rng, (2, 2, L))
            y = run(layer, x)
            if y.shape[2]:
                np.testing.assert_array_equal(run(zeros_then_convolution(layer), x), y)
        assert same(lift(layer), compose_all([lift(z) for z in zeros_then_convolution(layer)])), (K, s, p, a, d)


def test_a01_flip_in_three_dimensions_with_groups() -> None:
    rng = np.random.default_rng(0)
    layer = transposed_convolution(
        integers(rng, (4, 3, 2, 3, 1)), integers(rng, (6,)), (2, 1, 3), [(0, 1), 1, (0, 0)], (1, 0, 2), 2, (2, 1, 1)
    )
    x = integers(rng, (1, 4, 2, 3, 2))
    np.testing.assert_array_equal(run(zeros_then_convolution(layer), x), run(layer, x))
    assert same(lift(layer), compose_all([lift(z) for z in zeros_then_convolution(layer)]))


@pytest.mark.parametrize(("K", "d", "p"), [(3, 1, 1), (4, 1, 0), (3, 2, 3), (2, 3, 3)])
def test_a01_stride_one_is_a_convolution(K: int, d: int, p: int) -> None:
    """s = 1, p ≤ d(K-1): the convolution with the flipped kernel and padding d(K-1) - p."""
    rng = np.random.default_rng(K)
    w, b = integers(rng, (2, 3, K, K)), integers(rng, (3,))
    flipped = np.flip(w, axis=(2, 3)).swapaxes(0, 1)
    assert same(
        lift(transposed_convolution(w, b, padding=p, dilation=d)),
        lift(convolution(flipped, b, padding=d * (K - 1) - p, dilation=d)),
    )


def test_a01_without_the_flip_is_another_function() -> None:
    w = np.array([[[1, 2, 3, 4]]])
    chain = [ZeroInsertion(1, (2,), (0,)), convolution(w, padding=3)]
    assert not same(lift(transposed_convolution(w, stride=2)), compose_all([lift(z) for z in chain]))
    assert oracle.transposed_convolution(np.array([[[1]]]), w, None, [2], [(0, 0)], [0], [1]).tolist() == [
        [[1, 2, 3, 4]]
    ]
