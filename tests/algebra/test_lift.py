"""`lift` of every layer, applied, against the layer's definition in plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from algebra.running import run
from exactness.pairs import KINDS, draw, integers
from subpixel.algebra import (
    Convolution,
    OverlapAdd,
    PhaseBias,
    PhaseConvolutions,
    ShiftedSum,
    apply,
    convolution,
    lift,
    transposed_convolution,
)

MOST = {1: 9, 2: 5, 3: 3}


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_lift(kind: str, dim: int) -> None:
    """Random layers on random sizes down to one pixel: the same samples, as many as `output_size` says."""
    rng = np.random.default_rng(dim)
    for _ in range(15):
        drawn = draw(rng, kind, int(rng.integers(1, 4)), dim)
        x = integers(rng, (2, drawn.op.maps[0], *rng.integers(1, MOST[dim] + 1, dim)))
        y = drawn.run(x)
        assert y.shape[2:] == drawn.op.output_size(x.shape[2:])
        np.testing.assert_array_equal(apply(drawn.op, x), y, err_msg=repr(drawn.layer))


def test_groups_are_zero_blocks() -> None:
    rng = np.random.default_rng(0)
    for layer in (
        convolution(2 * integers(rng, (6, 2, 3)) + 1, groups=3),
        transposed_convolution(2 * integers(rng, (6, 2, 3)) + 1, groups=3),
    ):
        used = (lift(layer).kernel != 0).any(axis=(1, 3))  # O C
        np.testing.assert_array_equal(used, np.kron(np.eye(3, dtype=bool), np.ones((2, 2), dtype=bool)))


@pytest.mark.parametrize("dim", [1, 2])
def test_overlap_add(dim: int) -> None:
    rng = np.random.default_rng(0)
    for pads in ([(0, 0), (1, 2)], [(2, 0), (0, 1)]):
        layer = OverlapAdd(2, (3, 2)[:dim], (2, 3)[:dim], tuple(pads[:dim]))
        x = integers(rng, (1, 2 * (3, 6)[dim - 1], *(4, 3)[:dim]))
        np.testing.assert_array_equal(apply(lift(layer), x), run(layer, x))


def test_shifted_sum() -> None:
    rng = np.random.default_rng(0)
    layer = ShiftedSum(2, (3, 2), (-1, -2), (0, 3))
    x = integers(rng, (1, 12, 4, 3))
    np.testing.assert_array_equal(apply(lift(layer), x), run(layer, x))


def test_phase_bias() -> None:
    rng = np.random.default_rng(0)
    layer = PhaseBias(integers(rng, (2, 3, 2)))
    for size in ((1, 1), (4, 5), (6, 4)):
        x = integers(rng, (1, 2, *size))
        np.testing.assert_array_equal(apply(lift(layer), x), run(layer, x))


def test_phase_convolutions() -> None:
    """Unequal taps and paddings per phase, one phase of bias alone; the outputs are cut to equal sizes."""
    rng = np.random.default_rng(0)

    def one(K: int, start: int, end: int) -> Convolution:
        return convolution(integers(rng, (2, 3, K)), padding=[(start, end)])

    layer = PhaseConvolutions((one(3, 1, 1), None, one(2, 0, 3)), integers(rng, (2, 3)), (3, 2), (3,))
    for L in (1, 2, 6):
        x = integers(rng, (1, 3, L))
        np.testing.assert_array_equal(apply(lift(layer), x), run(layer, x))
