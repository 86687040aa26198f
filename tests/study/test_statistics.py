"""Means, intervals and tests on planted data."""

import numpy as np
import pytest

from subpixel.study.statistics import interval, sign_flip_p


def test_an_interval_by_hand():
    made = interval([1.0, 2.0, 3.0])
    assert made.mean == 2.0
    assert made.count == 3
    assert made.low == pytest.approx(2 - 4.303 / 3**0.5)  # t for two degrees of freedom, s = 1
    assert made.high == pytest.approx(2 + 4.303 / 3**0.5)
    assert interval([5.0]).low is None
    with pytest.raises(ValueError, match="empty"):
        interval([])


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    inside = [(made := interval(list(rng.normal(7, 2, 4)))).low <= 7 <= made.high for _ in range(2000)]
    assert 0.935 < np.mean(inside) < 0.965


def test_sign_flips_by_hand():
    assert sign_flip_p([1.0, 1.0, 1.0]) == 2 / 8
    assert sign_flip_p([1.0, -1.0]) == 1.0
    assert sign_flip_p([3.0, 1.0]) == 2 / 4
    assert sign_flip_p([0.0, 0.0, 0.0]) == 1.0
    assert sign_flip_p([0.1] * 19) == 2 / 2**19
    with pytest.raises(ValueError, match="empty"):
        sign_flip_p([])


def test_drawn_flips_are_near_the_exact_ones():
    rng = np.random.default_rng(1)
    d = list(rng.normal(0.3, 1, 20))
    exact = sign_flip_p(d)
    assert sign_flip_p([*d, 0.0]) == pytest.approx(exact, abs=0.01)  # a zero changes nothing, but is one too many


def test_without_a_difference_small_p_are_rare():
    rng = np.random.default_rng(2)
    p = np.array([sign_flip_p(list(rng.normal(0, 1, 10))) for _ in range(400)])
    assert 0.02 < (p < 0.05).mean() < 0.09
