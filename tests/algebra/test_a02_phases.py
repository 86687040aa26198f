"""A2: a transposed convolution is an LR convolution with s maps per map and ⌈(d(K-1)+1)/s⌉ taps, shuffled."""

from __future__ import annotations

from itertools import product
from math import gcd

import numpy as np

from algebra.running import run, run_plan
from exactness.pairs import integers
from subpixel.algebra import Convolution, apply, lift, transposed_convolution
from subpixel.algebra.lower import spell

GEOMETRIES = list(product((1, 2, 3, 5), (1, 2, 3, 4, 6), (0, 1, 3), (1, 2, 3, 4)))  # K s p d


def live_taps(K: int, s: int, p: int, d: int) -> dict[int, list[int]]:
    """The taps of each phase, as offsets on the LR lattice, read off the kernel."""
    op = lift(transposed_convolution(np.ones((1, 1, K), dtype=int), stride=s, padding=p, dilation=d))
    return {phase: [op.low[0] + int(t) for t in np.flatnonzero(op.kernel[0, phase, 0])] for phase in range(s)}


def test_a02_phases() -> None:
    """The plan of one LR convolution and one PS, run by the oracle, is the transposed convolution."""
    for K, s, p, d in GEOMETRIES:
        rng = np.random.default_rng(K)
        weight = 2 * integers(rng, (2, 3, K)) + 1  # odd: no tap is zero
        layer = transposed_convolution(weight, integers(rng, (3,)), s, p, s // 2, dilation=d)
        op = lift(layer)
        for order in ("crd", "dcr"):
            plan = spell(op, "shuffle", order)
            for L in (1, 4):
                x = integers(rng, (2, 2, L))
                if op.output_size((L,))[0]:
                    np.testing.assert_array_equal(run_plan(plan, op, x), run(layer, x))
            (convolution,) = (z for z in plan.layers if isinstance(z, Convolution))
            assert convolution.weight.shape[0] == 3 * s
            extent = convolution.dilation[0] * (convolution.weight.shape[2] - 1) + 1
            assert extent == -(-(d * (K - 1) + 1) // s)


def test_a02_taps_of_a_phase() -> None:
    """Tap k has phase J mod s at site -⌊J/s⌋, J = dk - p: phases with g ∤ φ + p have none, the others every d/g."""
    for K, s, p, d in GEOMETRIES:
        g = gcd(s, d)
        taps = live_taps(K, s, p, d)
        assert sum(map(len, taps.values())) == K
        for phase, offsets in taps.items():
            assert offsets == sorted(-((d * k - p) // s) for k in range(K) if (d * k - p) % s == phase)
            assert not offsets or (phase + p) % g == 0
            assert set(np.diff(offsets)) <= {d // g}


def test_a02_kernel_shorter_than_stride_leaves_phases_that_are_bias_only() -> None:
    assert live_taps(2, 5, 1, 1) == {0: [0], 1: [], 2: [], 3: [], 4: [1]}
    layer = transposed_convolution(np.ones((1, 1, 2), dtype=int), np.array([7]), 5)
    np.testing.assert_array_equal(apply(lift(layer), np.array([[[3]]])), [[[10, 10]]])
    layer = transposed_convolution(np.ones((1, 1, 2), dtype=int), np.array([7]), 5, output_padding=4)
    np.testing.assert_array_equal(apply(lift(layer), np.array([[[3]]])), [[[10, 10, 7, 7, 7, 7]]])


def test_a02_when_one_dilated_convolution_serves_all_phases() -> None:
    """All taps lie on one progression of step d/g iff d | s, or s | d, or a single site holds them all."""
    for K, s, p, d in product(range(1, 8), range(1, 9), range(4), range(1, 9)):
        offsets = {n for taps in live_taps(K, s, p, d).values() for n in taps}
        one = len({n % (d // gcd(s, d)) for n in offsets}) == 1
        assert one == (s % d == 0 or d % s == 0 or len(offsets) == 1), (K, s, p, d)
