"""A15: PS(x) + resize(z) = PS(x + LR convolution of z): a global skip costs nothing at HR."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from algebra import oracle
from algebra.running import run
from exactness.pairs import integers, scaled
from subpixel.algebra import (
    Op,
    PeriodicShuffle,
    Resize,
    add,
    apply,
    compose,
    convolution,
    lift,
    reduce,
    same,
)

UNIT = {"nearest": 1, "linear": 6, "cubic": 4 * 6**3}


def interpolate(x: np.ndarray, s: int, mode: str) -> np.ndarray:
    rows = {
        "nearest": lambda L: oracle.nearest(L, s, "asymmetric", "floor"),
        "linear": lambda L: oracle.linear(L, s, "half_pixel"),
        "cubic": lambda L: oracle.cubic(L, s, "half_pixel", Fraction(-3, 4)),
    }[mode]
    return oracle.resize(x, [rows(L) for L in x.shape[2:]], UNIT[mode])


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_a15_residual(mode: str) -> None:
    """The phases of the resize as maps of a convolution at LR, its edge repeated as the resize repeats it."""
    rng, s, O = np.random.default_rng(0), 3, 2
    resize = scaled(lift(Resize(O, (s, s), mode)), UNIT[mode] ** 2)
    phases_as_maps = Op(
        resize.kernel.reshape(O * s * s, 1, 1, O, *resize.taps),
        resize.bias.reshape(O * s * s, 1, 1),
        (1, 1),
        resize.low,
        ((0,), (0,)),
        "edge",
    )
    shuffle = PeriodicShuffle(O, (s, s))
    for size in ((1, 1), (1, 4), (3, 2)):
        x, z = integers(rng, (1, O * s * s, *size)), integers(rng, (1, O, *size))
        at_hr = run(shuffle, x) + interpolate(z, s, mode)
        np.testing.assert_array_equal(run(shuffle, x + apply(phases_as_maps, z)), at_hr)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_a15_two_layers_on_one_input_are_their_sum(mode: str) -> None:
    """A sub-pixel layer that reads x alone plus the enlarged x: one op."""
    rng, s = np.random.default_rng(0), 3
    body = [convolution(integers(rng, (2 * s, 2, 1)), integers(rng, (2 * s,))), PeriodicShuffle(2, (s,))]
    op = reduce(compose(lift(body[1]), lift(body[0])))
    skip = scaled(lift(Resize(2, (s,), mode)), UNIT[mode])
    assert isinstance(op, Op)
    for L in (1, 2, 5):
        x = integers(rng, (1, 2, L))
        np.testing.assert_array_equal(apply(add(op, skip), x), run(body, x) + interpolate(x, s, mode))
    assert same(add(op, skip), add(skip, op))


@pytest.mark.parametrize("s", [2, 3, 4])
def test_a15_reflection_after_nearest_is_the_edge(s: int) -> None:
    """Reflect padding of up to s-1 samples stays within the first pixel's copies; s samples do not."""
    y = run(Resize(1, (s,), "nearest"), np.array([[[5, 7, 9]]]))
    for p in range(s):
        np.testing.assert_array_equal(
            np.pad(y, [(0, 0), (0, 0), (p, p)], mode="reflect"), oracle.pad(y, [(p, p)], "edge")
        )
    reflected = np.pad(y, [(0, 0), (0, 0), (s, s)], mode="reflect")
    assert not np.array_equal(reflected, oracle.pad(y, [(s, s)], "edge"))


@pytest.mark.parametrize("s", [1, 2, 3])
def test_a15_pooling_undoes_nearest(s: int) -> None:
    """Average or maximum over the s copies of a pixel."""
    x = integers(np.random.default_rng(s), (1, 2, 3, 2))
    y = run(Resize(2, (s, s), "nearest"), x)
    blocks = y.reshape(1, 2, 3, s, 2, s)
    np.testing.assert_array_equal(blocks.max(axis=(3, 5)), x)
    np.testing.assert_array_equal(oracle.sum_pool(y, (s, s), (s, s), [(0, 0)] * 2), s * s * x)


def test_a15_average_pooling_after_nearest_is_the_identity_as_an_op() -> None:
    pool = convolution(np.ones((1, 1, 3), dtype=int), None, 3)
    identity = lift(convolution(np.full((1, 1, 1), 3)))
    assert same(compose(lift(pool), lift(Resize(1, (3,), "nearest"))), identity)
