"""A10: functions of single samples commute with PS, per-channel parameters repeat over the phases."""

from __future__ import annotations

from fractions import Fraction
from math import prod

import numpy as np
import pytest

from algebra import oracle
from algebra.running import run
from exactness.pairs import integers
from subpixel.algebra import Affine, PeriodicShuffle, compose, lift, same

FACTORS = [(3,), (2, 3), (1, 2, 2)]


def phases_of(channel: np.ndarray, P: int, order: str) -> np.ndarray:
    """One number per HR map as one per LR map."""
    return np.repeat(channel, P) if order == "crd" else np.tile(channel, P)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("order", ["crd", "dcr"])
def test_a10_pointwise(factor: tuple[int, ...], order: str) -> None:
    """PReLU with a slope per channel, before or after."""
    rng, O, P = np.random.default_rng(0), 2, prod(factor)

    def prelu(x: np.ndarray, slope: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x, x * slope.reshape(-1, *(1,) * len(factor)))

    x, slope = integers(rng, (2, O * P, *(2, 3, 1)[: len(factor)])), integers(rng, (O,))
    high = prelu(oracle.shuffle(x, factor, order), slope)
    low = oracle.shuffle(prelu(x, phases_of(slope, P, order)), factor, order)
    np.testing.assert_array_equal(low, high)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("order", ["crd", "dcr"])
def test_a10_affine_functions_commute_as_ops(factor: tuple[int, ...], order: str) -> None:
    """BatchNorm in inference."""
    rng, O, d = np.random.default_rng(0), 2, len(factor)
    scale, shift, P = integers(rng, (O,)), integers(rng, (O,)), prod(factor)
    ps = lift(PeriodicShuffle(O, factor, order))
    high = lift(Affine(scale, shift, d))
    low = lift(Affine(phases_of(scale, P, order), phases_of(shift, P, order), d))
    assert same(compose(high, ps), compose(ps, low))
    other = {"crd": "dcr", "dcr": "crd"}[order]
    swapped = lift(Affine(phases_of(scale, P, other), phases_of(shift, P, other), d))
    assert not same(compose(high, ps), compose(ps, swapped))


def test_a10_instance_norm_is_group_norm_in_crd() -> None:
    """Both subtract the mean and divide by the deviation of the same samples; in DCR a group is not contiguous."""
    rng, O, P = np.random.default_rng(0), 3, 4

    def moments(groups: np.ndarray) -> list[tuple[Fraction, Fraction]]:
        """Mean and mean square of each row."""
        n = groups.shape[1]
        return [(Fraction(int(g.sum()), n), Fraction(int((g * g).sum()), n)) for g in groups]

    x = integers(rng, (1, O * P, 2, 3))
    group_norm = moments(x.reshape(O, -1))
    assert moments(run(PeriodicShuffle(O, (2, 2), "crd"), x).reshape(O, -1)) == group_norm
    assert moments(run(PeriodicShuffle(O, (2, 2), "dcr"), x).reshape(O, -1)) != group_norm
