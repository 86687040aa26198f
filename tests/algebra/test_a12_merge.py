"""A12: layers with nothing between them merge; with one kernel exactly when the second's zeros are the first's too."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from algebra.running import run
from exactness.pairs import integers
from subpixel.algebra import Cells, Op, apply, compose, convolution, lift, reduce


def merged(K1: int, p1: tuple[int, int], bias: bool, K2: int, p2: tuple[int, int]) -> tuple[list, Op | Cells]:
    """Two 1-D convolutions with odd weights, so that nothing cancels by accident."""
    rng = np.random.default_rng(K1 + 10 * K2)
    odd = [2 * integers(rng, shape) + 1 for shape in ((2, 1, K1), (1, 2, K2), (2,))]
    odd[1][:, 1] *= 16  # two maps of different magnitude cannot cancel either
    layers = [convolution(odd[0], odd[2] if bias else None, padding=[p1]), convolution(odd[1], padding=[p2])]
    return layers, reduce(compose(lift(layers[1]), lift(layers[0])))


def test_a12_merge() -> None:
    """One kernel iff, on each side, the second has no padding, or the first no bias and p₁ ≥ K₁ - 1 there."""
    for K1, K2, bias in product((1, 2, 3), (1, 3), (False, True)):
        for p1, p2 in product(product((0, 1, 2), repeat=2), product((0, 1), repeat=2)):
            layers, whole = merged(K1, p1, bias, K2, p2)
            one = all(b == 0 or (not bias and a >= K1 - 1) for a, b in zip(p1, p2, strict=True))
            assert isinstance(whole, Op) == one, (K1, p1, bias, K2, p2)
            for L in (2, 9):
                x = integers(np.random.default_rng(L), (1, 1, L))
                if L + sum(p1) >= K1 and L + sum(p1) - K1 + 1 + sum(p2) >= K2:
                    if isinstance(whole, Op):
                        np.testing.assert_array_equal(apply(whole, x), run(layers, x))
                    else:
                        sized = compose(lift(layers[1]), lift(layers[0]), size=(L,))
                        np.testing.assert_array_equal(sized.apply(x), run(layers, x))


def test_a12_three_taps_after_three_have_three_cells_per_axis() -> None:
    _, whole = merged(3, (1, 1), True, 3, (1, 1))
    assert isinstance(whole, Cells)
    assert whole.count == (3,)
    assert (len(whole.places[0].first), len(whole.places[0].last[0])) == (1, 1)


def test_a12_dropping_the_border_cell_is_noticed() -> None:
    """The mutant that compilers ship: one merged kernel with p₁ + p₂, border included."""
    layers, whole = merged(3, (1, 1), False, 3, (1, 1))
    x = np.arange(1, 8).reshape(1, 1, 7)
    mutant = apply(whole.interior, x)
    y = run(layers, x)
    np.testing.assert_array_equal(mutant[..., 1:-1], y[..., 1:-1])
    assert (mutant[..., [0, -1]] != y[..., [0, -1]]).all()


def test_a12_a_bias_before_zero_padding_is_a_constant_map() -> None:
    """B(A₀(x) + b) = B(A₀(x)) + B₀(b·1), the second term without x; or a channel of ones that A reads b from."""
    rng = np.random.default_rng(0)
    w1, b1, w2, b2 = (integers(rng, shape) for shape in ((2, 3, 1, 1), (2,), (4, 2, 3, 3), (4,)))
    first, second = convolution(w1, b1), convolution(w2, b2, padding=1)
    assert isinstance(reduce(compose(lift(second), lift(first))), Cells)
    without = reduce(compose(lift(second), lift(convolution(w1))))
    assert isinstance(without, Op)
    x = integers(rng, (1, 3, 4, 5))
    y = run([first, second], x)
    ones = np.ones((1, 1, 4, 5), dtype=int)
    tile = run([convolution(b1.reshape(2, 1, 1, 1)), convolution(w2, padding=1)], ones)
    np.testing.assert_array_equal(apply(without, x) + tile, y)
    with_ones = convolution(np.concatenate([w1, b1.reshape(2, 1, 1, 1)], axis=1))
    one = reduce(compose(lift(second), lift(with_ones)))
    assert isinstance(one, Op)
    np.testing.assert_array_equal(apply(one, np.concatenate([x, ones], axis=1)), y)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_a12_a_strided_first_layer_needs_less_padding_at_the_start(stride: int, dilation: int) -> None:
    """Sample -1 of its output reads up to d(K-1) - p - s: nothing of x iff p ≥ d(K-1) - s + 1.

    At the end iff p ≥ d(K-1).
    """
    for K, p, end in product((1, 2, 3), range(7), (False, True)):
        rng = np.random.default_rng(K)
        pads = (0, p) if end else (p, 0)
        first = convolution(2 * integers(rng, (1, 1, K)) + 1, None, stride, [pads], dilation)
        second = convolution(np.array([[[1, 2]]]), padding=[(0, 1) if end else (1, 0)])
        whole = reduce(compose(lift(second), lift(first)))
        needs = dilation * (K - 1) if end else dilation * (K - 1) - stride + 1
        assert isinstance(whole, Op) == (p >= needs), (K, p, end)
