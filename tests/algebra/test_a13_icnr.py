"""A13: PS(conv(x; W₀ and bias repeated over the phases)) = nearest(conv(x; W₀))."""

from __future__ import annotations

import numpy as np
import pytest

from algebra.running import run
from exactness.pairs import integers
from subpixel.algebra import PeriodicShuffle, Resize, compose, convolution, lift, same


@pytest.mark.parametrize("factor", [(3,), (2, 3), (2, 1, 2)])
@pytest.mark.parametrize("order", ["crd", "dcr"])
def test_a13_icnr(factor: tuple[int, ...], order: str) -> None:
    rng, d, P = np.random.default_rng(0), len(factor), int(np.prod(factor))
    w, b = integers(rng, (2, 3, *(3,) * d)), integers(rng, (2,))
    repeat = (lambda a: np.repeat(a, P, axis=0)) if order == "crd" else (lambda a: np.concatenate([a] * P))
    tied = [convolution(repeat(w), repeat(b), padding=1), PeriodicShuffle(2, factor, order)]
    nearest = [convolution(w, b, padding=1), Resize(2, factor, "nearest")]
    x = integers(rng, (1, 3, *(4, 1, 2)[:d]))
    np.testing.assert_array_equal(run(tied, x), run(nearest, x))
    one, other = (compose(lift(second), lift(first)) for first, second in (tied, nearest))
    assert same(one, other)


def test_a13_needs_the_bias_repeated_too() -> None:
    rng = np.random.default_rng(0)
    w, b = integers(rng, (1, 2, 3, 3)), np.arange(4)
    tied = [convolution(np.repeat(w, 4, axis=0), b, padding=1), PeriodicShuffle(1, (2, 2))]
    nearest = [convolution(w, b[:1], padding=1), Resize(1, (2, 2), "nearest")]
    one, other = (compose(lift(second), lift(first)) for first, second in (tied, nearest))
    assert not same(one, other)
