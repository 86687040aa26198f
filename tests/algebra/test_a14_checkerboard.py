"""A14: on a flat input, pair (o, c) answers Σ_k kernel[o, φ, c, k] in phase φ, plus bias[o, φ]."""

from __future__ import annotations

import numpy as np
import pytest

from algebra.running import run
from exactness.pairs import integers
from subpixel.algebra import PeriodicShuffle, Resize, compose, convolution, lift, reduce, transposed_convolution
from subpixel.algebra.checkerboard import checkerboard_index
from subpixel.algebra.op import Op

LAYERS = {
    "k3 s2": [transposed_convolution(np.ones((2, 3, 3), dtype=int), np.arange(3), 2, 1)],
    "bilinear k3 s2": [transposed_convolution(np.array([1, 2, 1]).reshape(1, 1, 3), None, 2, 1)],
    "k4 s2": [transposed_convolution(np.ones((2, 3, 4), dtype=int), np.arange(3), 2, 1)],
    "k5 s3 d2": [transposed_convolution(np.arange(30).reshape(2, 3, 5), None, 3, 2, dilation=2)],
    "sub-pixel": [convolution(np.arange(36).reshape(6, 2, 3), np.arange(6), padding=1), PeriodicShuffle(2, (3,))],
    "resize convolution": [
        Resize(2, (2,), "nearest"),
        convolution(np.arange(18).reshape(3, 2, 3), np.arange(3), padding=1),
    ],
}


def op_of(name: str) -> Op:
    first, *rest = (lift(layer) for layer in LAYERS[name])
    op = reduce(compose(rest[0], first)) if rest else first
    assert isinstance(op, Op)
    return op


@pytest.mark.parametrize("name", LAYERS)
def test_a14_checkerboard(name: str) -> None:
    """Away from the border, one map of ones at a time."""
    op = op_of(name)
    (C, O), U = op.maps, op.up[0]
    answer = op.kernel.sum(axis=-1)  # o φ c
    for c in range(C):
        x = np.zeros((1, C, 12), dtype=int)
        x[:, c] = 5
        y = run(LAYERS[name], x)[0, :, 4 * U : 8 * U]
        np.testing.assert_array_equal(y, np.tile(5 * answer[:, :, c] + op.bias, 4))
        assert y.shape[0] == O


@pytest.mark.parametrize(
    ("name", "even"),
    [("k3 s2", False), ("k4 s2", True), ("k5 s3 d2", False), ("sub-pixel", False), ("resize convolution", True)],
)
def test_a14_no_checkerboard_iff_the_answers_do_not_depend_on_the_phase(name: str, even: bool) -> None:
    """Flat inputs of every level and mixture stay flat, or some do not."""
    op, rng = op_of(name), np.random.default_rng(0)
    answer = op.kernel.sum(axis=-1)
    tied = bool((answer == answer[:, :1]).all() and (op.bias == op.bias[:, :1]).all())
    levels = [np.broadcast_to(integers(rng, (1, op.maps[0], 1)), (1, op.maps[0], 12)) for _ in range(8)]
    inner = [run(LAYERS[name], x)[0, :, 4 * op.up[0] : 8 * op.up[0]] for x in levels]
    flat = all((y == y[:, :1]).all() for y in inner)
    assert flat == tied == even == (checkerboard_index(op) == 0)
