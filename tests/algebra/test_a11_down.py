"""A11: a convolution with stride s is a stride-1 convolution over PS⁻¹(x); rates multiply and cancel."""

from __future__ import annotations

from itertools import product
from math import gcd

import numpy as np
import pytest

from algebra.running import run, run_plan
from exactness.pairs import integers
from subpixel.algebra import (
    Convolution,
    Op,
    PeriodicShuffle,
    Resize,
    TransposedConvolution,
    compose,
    convolution,
    lift,
    reduce,
    same,
    transposed_convolution,
)
from subpixel.algebra.lower import spell


def test_a11_down() -> None:
    """Any length: the tail is zero-filled, and at most one sample too many is cropped."""
    for K, s, p, q, d in product((1, 2, 3, 4), (2, 3, 4), (0, 1, 3), (0, 2), (1, 2)):
        rng = np.random.default_rng(K)
        conv = convolution(2 * integers(rng, (3, 2, K)) + 1, integers(rng, (3,)), s, [(p, q)], d)
        op = lift(conv)
        plan = spell(op, "unshuffle")
        (low,) = (z for z in plan.layers if isinstance(z, Convolution))
        assert low.stride == (1,)
        first, last = -p // s, (d * (K - 1) - p) // s
        assert low.weight.shape[:2] == (3, 2 * s)
        assert low.dilation[0] * (low.weight.shape[2] - 1) + 1 >= last - first + 1 or K == 1
        for L in range(1, 2 * s + 2):
            x = integers(rng, (1, 2, L))
            if op.output_size((L,))[0]:
                np.testing.assert_array_equal(run_plan(plan, op, x), run(conv, x))
                excess = run(plan.layers, x).shape[2] - op.output_size((L,))[0]
                assert excess in (0, 1), (K, s, p, q, d, L)


@pytest.mark.parametrize(("s", "t"), [(2, 2), (4, 2), (2, 4), (6, 4), (3, 2)])
def test_a11_up_then_down(s: int, t: int) -> None:
    """Up s, then stride t: U = s/g, D = t/g with g = gcd(s, t); t = s needs no shuffle."""
    rng = np.random.default_rng(0)
    up = transposed_convolution(integers(rng, (2, 2, 5)), integers(rng, (2,)), s, 1)
    down = convolution(integers(rng, (3, 2, 3)), integers(rng, (3,)), t)
    whole = compose(lift(down), lift(up))
    g = gcd(s, t)
    assert (whole.up, whole.down) == ((s // g,), (t // g,))
    x = integers(rng, (1, 2, 7))
    np.testing.assert_array_equal(whole.apply(x), run([up, down], x))


def test_a11_stride_that_undoes_the_upsampling_is_one_lr_convolution() -> None:
    """Stride 2 after nearest ×2: a plain convolution at LR."""
    rng = np.random.default_rng(0)
    layers = [Resize(2, (2,), "nearest"), convolution(integers(rng, (3, 2, 4)), integers(rng, (3,)), 2, [(1, 1)])]
    op = reduce(compose(lift(layers[1]), lift(layers[0])))
    assert isinstance(op, Op)
    assert (op.up, op.down) == ((1,), (1,))
    x = integers(rng, (1, 2, 4))
    plan = spell(op, "shuffle")
    assert [type(layer) for layer in plan.layers] == [Convolution]
    np.testing.assert_array_equal(run_plan(plan, op, x), run(layers, x))


def maps_of(op: Op) -> np.ndarray:
    """Which input map feeds (output map, phase) of a shuffle."""
    return op.kernel.reshape(-1, op.maps[0]).argmax(axis=1)


@pytest.mark.parametrize("order", ["crd", "dcr"])
@pytest.mark.parametrize(("a", "b"), [((2,), (3,)), ((2, 2), (2, 2)), ((3, 1), (2, 2))])
def test_a11_shuffle_after_shuffle_is_one_shuffle_of_permuted_maps(
    order: str, a: tuple[int, ...], b: tuple[int, ...]
) -> None:
    """PS_a ∘ PS_b = PS_ab ∘ permutation; the permutation is none for DCR in one dimension alone."""
    O, P_a = 2, int(np.prod(a))
    both = tuple(x * y for x, y in zip(a, b, strict=True))
    two = reduce(compose(lift(PeriodicShuffle(O, a, order)), lift(PeriodicShuffle(O * P_a, b, order))))
    one = lift(PeriodicShuffle(O, both, order))
    assert isinstance(two, Op)
    permutation = np.eye(one.maps[0], dtype=int)[maps_of(two)[np.argsort(maps_of(one))]]
    permute = lift(convolution(permutation.reshape(*permutation.shape, *(1,) * len(a))))
    assert same(compose(one, permute), two)
    assert same(one, two) == (order == "dcr" and len(a) == 1)


def test_a11_a_transposed_convolution_after_a_transposed_convolution_is_one() -> None:
    rng = np.random.default_rng(0)
    layers = [
        transposed_convolution(integers(rng, (2, 3, 3)), None, 2),
        transposed_convolution(integers(rng, (3, 1, 2)), None, 3),
    ]
    op = reduce(compose(lift(layers[1]), lift(layers[0])))
    assert isinstance(op, Op)
    plan = spell(op, "transposed")
    assert [type(layer) for layer in plan.layers] == [TransposedConvolution]
    assert plan.layers[0].stride == (6,)
    assert plan.layers[0].weight.shape[2] == 3 * (3 - 1) + 2
    x = integers(rng, (1, 2, 3))
    np.testing.assert_array_equal(run_plan(plan, op, x), run(layers, x))
