"""Means with confidence intervals, and paired tests over seeds and over pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, sqrt

import numpy as np

# Student's t at 97.5 % for 1 to 30 degrees of freedom, as printed in every table; beyond, the normal's is near enough.
_T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
_NORMAL = 1.960
EXACT_UP_TO = 20
"""Pictures up to which every one of the 2ⁿ sign flips is counted; beyond, 100,000 drawn ones."""
DRAWN = 100_000


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its 95 % confidence interval; the ends are None for a single value."""

    mean: float
    low: float | None
    high: float | None
    count: int


def interval(values: Sequence[float]) -> Interval:
    """Student's t interval of a mean: mean ± t·s/√n.

    Raises:
        ValueError: no value is given.
    """
    n = len(values)
    if not n:
        raise ValueError("`values` is empty: a mean needs one at least")
    mean = sum(values) / n
    if n == 1:
        return Interval(mean, None, None, 1)
    t = _T[n - 2] if n - 2 < len(_T) else _NORMAL
    spread = t * sqrt(sum((value - mean) ** 2 for value in values) / (n - 1) / n)
    return Interval(mean, mean - spread, mean + spread, n)


LEAST_FOR_A_MEDIAN = 6
"""Of five values even the least and the largest enclose the median in 94 % of cases only."""


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """Ends of a confidence interval of a median, of 95 % or more whatever the distribution: the k-th least and the
    k-th largest value, with the largest k of which 2·P(B < k) ≤ 5 %, B ~ Binomial(n, 1/2). Takes values as independent.

    Source: Conover 1999, "Practical Nonparametric Statistics", § 3.2.

    Raises:
        ValueError: there are fewer than six.
    """
    n = len(values)
    if n < LEAST_FOR_A_MEDIAN:
        raise ValueError(f"`values` are {n}: an interval of a median needs {LEAST_FOR_A_MEDIAN} at least")
    k, below = 0, comb(n, 0)
    while 2 * below <= 0.05 * 2**n:
        k += 1
        below += comb(n, k)
    ordered = sorted(values)
    return ordered[k - 1], ordered[n - k]


def sign_flip_p(differences: Sequence[float]) -> float:
    """Two-sided p-value of Fisher's paired randomisation test: how many of the 2ⁿ ways to give the differences
    signs have a sum as far from zero as theirs. Exact for up to 20; beyond, estimated from 100,000 drawn ways.

    Source: Fisher 1935, "The Design of Experiments", § 21.

    Raises:
        ValueError: no difference is given.
    """
    d = np.asarray(differences, np.float64)
    if not d.size:
        raise ValueError("`differences` is empty: a test needs one at least")
    observed = abs(d.sum()) * (1 - 1e-12)  # sums in another order may round otherwise
    if d.size <= EXACT_UP_TO:
        sums = np.zeros(1)
        for value in d:
            sums = np.concatenate([sums + value, sums - value])
        return float((np.abs(sums) >= observed).mean())
    signs = np.random.default_rng(0).choice((-1.0, 1.0), size=(DRAWN, d.size))
    # The observed way is one of them: a p-value of zero cannot be had by drawing.
    return float((1 + (np.abs(signs @ d) >= observed).sum()) / (1 + DRAWN))
