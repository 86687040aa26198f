"""`lower`: every spelling lifts back to the op, and run by the oracle gives its samples."""

from __future__ import annotations

import numpy as np
import pytest

from algebra.running import run_plan
from exactness.pairs import KINDS, Rng, draw, integers
from subpixel.algebra import (
    Convolution,
    Op,
    Pad,
    PeriodicShuffle,
    PhaseBias,
    TransposedConvolution,
    apply,
    compose,
    convolution,
    lift,
    reduce,
    same,
    transposed_convolution,
)
from subpixel.algebra.lower import SPELLINGS, lower, minimal_crop, spell


def draw_op(rng: Rng, dim: int) -> Op:
    """A layer, or two that merge into one op."""
    while True:
        first = draw(rng, str(rng.choice(KINDS)), int(rng.integers(1, 3)), dim).op
        second = draw(rng, str(rng.choice(KINDS)), first.maps[1], dim).op
        whole = reduce(compose(second, first)) if rng.random() < 0.5 else first
        if isinstance(whole, Op) and whole.kernel.size < 20000 and np.prod(whole.taps):
            return whole


@pytest.mark.parametrize("order", ["crd", "dcr"])
@pytest.mark.parametrize("seed", range(25))
def test_lower(seed: int, order: str) -> None:
    """All sizes at once by `lift`, a few by the oracle."""
    rng = np.random.default_rng(seed)
    op = draw_op(rng, 1 + seed % 3)
    plans = lower(op, order)  # type: ignore[arg-type]
    assert {"shuffle"} <= {plan.spelling for plan in plans} <= set(SPELLINGS)
    sizes = [tuple(rng.integers(1, 6, op.dim)) for _ in range(8)]
    sizes = [size for size in sizes if min(op.output_size(size)) > 0][:2]
    for plan in plans:
        assert same(lift(plan), op), plan
        for size in sizes:
            x = integers(rng, (1, op.maps[0], *size))
            np.testing.assert_array_equal(run_plan(plan, op, x), apply(op, x), err_msg=repr(plan))


def test_every_spelling_is_met() -> None:
    rng = np.random.default_rng(0)
    up = lift(transposed_convolution(integers(rng, (2, 3, 5)), integers(rng, (3,)), 3, 2))
    down = lift(convolution(integers(rng, (2, 3, 5)), integers(rng, (2,)), 3, 2))
    assert {plan.spelling for plan in lower(up)} == set(SPELLINGS) - {"unshuffle"}
    assert {plan.spelling for plan in lower(down)} == {"shuffle", "unshuffle"}


@pytest.mark.parametrize(("K", "s", "p"), [(9, 3, 4), (4, 2, 1), (5, 2, 2)])
def test_any_crop_is_exact(K: int, s: int, p: int) -> None:
    rng = np.random.default_rng(0)
    op = lift(transposed_convolution(integers(rng, (2, 3, K)), integers(rng, (3,)), s, p))
    x = integers(rng, (1, 2, 4))
    for spelling in ("shuffle", "phases", "shifted sum"):
        for c in range(s):
            plan = spell(op, spelling, crop=(c,))
            assert plan.crop == (c,)
            assert same(lift(plan), op)
            np.testing.assert_array_equal(run_plan(plan, op, x), apply(op, x))


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("pads", [(1, 0), (2, 1), (4, 5)])
def test_an_edge_is_padded_first(stride: int, pads: tuple[int, int]) -> None:
    """Whatever the stride and however L lies to it: an edge `Pad`, then an op that reads nothing outside."""
    rng = np.random.default_rng(0)
    conv = convolution(integers(rng, (2, 2, 3)), integers(rng, (2,)), stride)
    op = reduce(compose(lift(conv), lift(Pad(2, (pads,), "edge"))))
    assert isinstance(op, Op)
    for plan in lower(op):
        assert isinstance(plan.layers[0], Pad)
        assert same(lift(plan), op)
        for L in range(1, 7):
            x = integers(rng, (1, 2, L))
            if op.output_size((L,))[0]:
                np.testing.assert_array_equal(run_plan(plan, op, x), apply(op, x))


def test_a_transposed_convolution_comes_back_as_it_was() -> None:
    """Weight, stride, padding, dilation and groups, from the op alone."""
    rng = np.random.default_rng(0)
    weight = 2 * integers(rng, (4, 3, 3, 4)) + 1
    for groups in (1, 2):
        layer = transposed_convolution(
            weight, integers(rng, (3 * groups,)), (3, 2), [(2, 1), 1], (0, 0), groups, (2, 1)
        )
        (back,) = spell(lift(layer), "transposed").layers
        assert isinstance(back, TransposedConvolution)
        assert (back.stride, back.dilation, back.groups) == (layer.stride, layer.dilation, groups)
        assert (back.pads, back.output_padding) == (layer.pads, layer.output_padding)
        np.testing.assert_array_equal(back.weight, layer.weight)
        np.testing.assert_array_equal(back.bias, layer.bias)


def test_a_grouped_dilated_strided_convolution_comes_back_as_it_was() -> None:
    rng = np.random.default_rng(0)
    layer = convolution(2 * integers(rng, (6, 2, 3)) + 1, integers(rng, (6,)), 2, [(3, 2)], 3, 3)
    (back,) = spell(lift(layer), "shuffle").layers
    assert isinstance(back, Convolution)
    assert (back.stride, back.dilation, back.groups) == ((2,), (3,), 3)
    np.testing.assert_array_equal(back.weight, layer.weight)


def test_a_bias_that_differs_by_phase_is_a_tile_after_a_transposed_convolution() -> None:
    rng = np.random.default_rng(0)
    chain = [convolution(integers(rng, (4, 2, 3)), np.array([1, 2, 3, 4]), padding=1), PeriodicShuffle(2, (2,))]
    op = reduce(compose(lift(chain[1]), lift(chain[0])))
    assert isinstance(op, Op)
    kernel, tile = spell(op, "transposed").layers
    assert isinstance(kernel, TransposedConvolution)
    assert kernel.bias is None
    assert isinstance(tile, PhaseBias)
    np.testing.assert_array_equal(tile.bias, [[1, 2], [3, 4]])


def test_the_fewest_taps_decide_the_crop() -> None:
    op = lift(transposed_convolution(np.ones((1, 1, 9, 4), dtype=int), None, (3, 2), (4, 1)))
    assert minimal_crop(op) == (1, 1)
    assert spell(op, "shuffle").layers[0].weight.shape == (6, 1, 3, 2)
    assert spell(op, "shuffle", crop=(0, 0)).layers[0].weight.shape == (6, 1, 4, 3)
