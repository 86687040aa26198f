"""A3: any phase origin c is exact, paid by a crop; it decides how many taps the LR convolution needs."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from algebra.running import run_plan
from exactness.pairs import integers
from subpixel.algebra import Pad, apply, compose, lift, reduce, same, shift, transposed_convolution
from subpixel.algebra.lower import minimal_crop, spell
from subpixel.algebra.op import Op


def layer_of(K: int, s: int, p: int, d: int = 1, a: int = 0) -> Op:
    rng = np.random.default_rng(K)
    ones = integers(rng, (2, 1, K)) * 2 + 1  # odd: no tap is zero
    return lift(transposed_convolution(ones, integers(rng, (1,)), s, p, a, dilation=d))


def taps_at(op: Op, c: int) -> int:
    moved = reduce(shift(op, (c,)))
    assert isinstance(moved, Op)
    return moved.taps[0]


def test_a03_alignment() -> None:
    """p' = p - c: taps -⌊(d(K-1)-p')/s⌋ … -⌊-p'/s⌋, N = ⌈(c + L_out)/s⌉ sites, sN - c - L_out cropped at the end."""
    for K, s, p, d in product((1, 2, 3, 4, 9), (1, 2, 3, 4), (0, 1, 4), (1, 2)):
        op = layer_of(K, s, p, d, a=s - 1)
        for c in range(s):
            moved = shift(op, (c,))
            assert same(compose(lift(Pad(1, ((-c, 0),))), moved), op)
            p_ = p - c
            low, high = -((d * (K - 1) - p_) // s), -(-p_ // s)
            least = reduce(moved)
            assert isinstance(least, Op)
            assert (least.low[0], least.taps[0]) == (low, high - low + 1)
            x = integers(np.random.default_rng(c), (1, 2, 3))
            L_out = op.output_size((3,))[0]
            if L_out:
                plan = spell(op, "shuffle", crop=(c,))
                np.testing.assert_array_equal(run_plan(plan, op, x), apply(op, x))
                N = -(-(c + L_out) // s)
                np.testing.assert_array_equal(apply(moved, x)[..., c : c + L_out], apply(op, x)[..., : s * N - c])


def test_a03_when_the_fewest_taps_suffice() -> None:
    """M = ⌈E/s⌉ taps, E = d(K-1)+1 the kernel's extent, iff (c - p) mod s ≤ sM - E; else M + 1."""
    for K, s, p, d in product(range(1, 10), range(1, 6), range(6), (1, 2, 3)):
        op, E = layer_of(K, s, p, d), d * (K - 1) + 1
        M = -(-E // s)
        for c in range(s):
            assert taps_at(op, c) == (M if (c - p) % s <= s * M - E else M + 1), (K, s, p, d, c)
        assert (minimal_crop(op)[0] - p) % s <= s * M - E


@pytest.mark.parametrize(
    ("name", "K", "s", "p", "crop", "taps", "taps_uncropped"),
    [
        ("k3 s2", 3, 2, 0, 0, 2, 2),
        ("k3 s2 p1, Johnson's", 3, 2, 1, 0, 2, 2),
        ("k5 s2 p2, DCGAN's", 5, 2, 2, 0, 3, 3),
        ("k9 s2 p4, FSRCNN ×2", 9, 2, 4, 0, 5, 5),
        ("k9 s3 p4, FSRCNN ×3", 9, 3, 4, 1, 3, 4),
        ("k9 s4 p4, FSRCNN ×4", 9, 4, 4, 0, 3, 3),
        ("k4 s2 p1, FlowNet's", 4, 2, 1, 1, 2, 3),
    ],
)
def test_a03_layers_of_the_field(name: str, K: int, s: int, p: int, crop: int, taps: int, taps_uncropped: int) -> None:
    op = layer_of(K, s, p)
    assert minimal_crop(op) == (crop,)
    assert (taps_at(op, crop), taps_at(op, 0)) == (taps, taps_uncropped)
