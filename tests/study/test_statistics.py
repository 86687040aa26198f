"""Means, intervals and tests on planted data."""

import numpy as np
import pytest

from subpixel.study.statistics import interval, median_interval, sign_flip_p


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


@pytest.mark.parametrize(("n", "k"), [(6, 1), (7, 1), (9, 2), (25, 8), (50, 18), (100, 40)])
def test_the_interval_of_a_median_has_the_ranks_of_the_tables(n, k):
    """The published ranks, and as many below the median as above it."""
    values = np.random.default_rng(n).permutation(n).tolist()
    assert median_interval(values) == (k - 1, n - k)


def test_the_interval_of_a_median_encloses_it_as_often_as_it_says():
    drawn = np.random.default_rng(5).exponential(size=(2000, 25))
    within = [low <= np.log(2) <= high for low, high in map(median_interval, drawn)]
    assert 0.945 < np.mean(within) < 0.97
    with pytest.raises(ValueError, match="needs 6 at least"):
        median_interval([1.0] * 5)
