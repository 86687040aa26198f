"""The examples of Shi et al. 2016, arXiv 1609.07009, number for number, and the layers of the systems it names."""

from __future__ import annotations

import numpy as np
import pytest

from algebra import oracle
from algebra.running import run, run_plan
from exactness.pairs import integers
from subpixel.algebra import (
    Convolution,
    PeriodicShuffle,
    TransposedConvolution,
    ZeroInsertion,
    apply,
    compose_all,
    convolution,
    lift,
    same,
    transposed_convolution,
)
from subpixel.algebra.lower import lower, spell

F = np.array([[[1, 2, 3, 4]]])


def test_figure_2_a_convolution_takes_8_to_5() -> None:
    """x of size 8, f = [1 2 3 4], stride 2, zero padding 2."""
    x = np.arange(1, 9).reshape(1, 1, 8)
    y = apply(lift(convolution(F, stride=2, padding=2)), x)
    padded = [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0]
    assert y.tolist() == [[[sum(f * padded[2 * n + k] for k, f in enumerate((1, 2, 3, 4))) for n in range(5)]]]


def test_figure_3a_the_transposed_one_takes_5_to_12_cropped_to_8() -> None:
    """The convolution's matrix, transposed; 2 + 2 samples of 12 are cropped."""
    x = np.arange(1, 6).reshape(1, 1, 5)
    full = apply(lift(transposed_convolution(F, stride=2)), x)
    assert full.shape[2] == 12
    cropped = apply(lift(transposed_convolution(F, stride=2, padding=2)), x)
    np.testing.assert_array_equal(cropped, full[..., 2:-2])
    unit = np.eye(8, dtype=int)[:, None]
    matrix = apply(lift(convolution(F, stride=2, padding=2)), unit)[:, 0]  # 8 5: its transpose
    np.testing.assert_array_equal(cropped[0, 0], matrix @ x[0, 0])


def test_figure_3b_zeros_between_the_pixels_and_the_filter_reversed() -> None:
    """[1 2 3 4] against [4 3 2 1]: reversed the two are the same function, as given they are not."""
    deconvolution = lift(transposed_convolution(F, stride=2, padding=2))
    zeros = ZeroInsertion(1, (2,), (0,))
    reverse, given = (compose_all([lift(zeros), lift(convolution(w, padding=1))]) for w in (F[..., ::-1], F))
    assert same(reverse, deconvolution)
    assert not same(given, deconvolution)
    x = np.arange(1, 6).reshape(1, 1, 5)
    np.testing.assert_array_equal(run([zeros, convolution(F[..., ::-1], padding=1)], x), apply(deconvolution, x))


def test_a_kernel_1_1_4_4_is_4_1_2_2() -> None:
    """The weights that are activated together make the four maps; the split is a rearrangement, and back."""
    w = np.arange(1, 17).reshape(1, 1, 4, 4)
    plan = spell(lift(transposed_convolution(w, stride=2)), "shuffle")
    kernel, shuffle = plan.layers
    assert isinstance(kernel, Convolution)
    assert kernel.weight.shape == (4, 1, 2, 2)
    assert shuffle == PeriodicShuffle(1, (2, 2))
    flipped = w[0, 0, ::-1, ::-1]
    for phase, maps in enumerate(kernel.weight[:, 0]):
        dy, dx = divmod(phase, 2)
        np.testing.assert_array_equal(maps, flipped[1 - dy :: 2, 1 - dx :: 2])
    (back,) = spell(lift(plan), "transposed").layers
    assert isinstance(back, TransposedConvolution)
    np.testing.assert_array_equal(back.weight, w)


@pytest.mark.parametrize("r", [2, 3, 4])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_kernel_o_i_kr_kr_is_o_r2_i_k_k(r: int, k: int) -> None:
    """In as many dimensions as wanted: here the note's two, o = 2, i = 3."""
    rng = np.random.default_rng(r)
    w = 2 * integers(rng, (3, 2, k * r, k * r)) + 1
    op = lift(transposed_convolution(w, integers(rng, (2,)), r))
    plan = spell(op, "shuffle")
    kernel = plan.layers[0]
    assert isinstance(kernel, Convolution)
    assert kernel.weight.shape == (2 * r * r, 3, k, k)
    assert sorted(kernel.weight.reshape(-1)) == sorted(w.reshape(-1))
    assert same(lift(plan), op)
    (back,) = spell(lift(plan), "transposed").layers
    assert isinstance(back, TransposedConvolution)
    np.testing.assert_array_equal(back.weight, w)


SYSTEMS = {
    "FSRCNN x2": (5, 1, 9, 2, 4, 1),
    "FSRCNN x3": (5, 1, 9, 3, 4, 2),
    "FSRCNN x4": (5, 1, 9, 4, 4, 3),
    "DCGAN": (6, 3, 5, 2, 2, 1),
    "FlowNet": (4, 3, 4, 2, 1, 0),
    "Johnson": (4, 2, 3, 2, 1, 1),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_layers_of_the_systems_named(name: str) -> None:
    """In, out, k, s, p, output padding: s times the size, and every spelling exact down to one pixel."""
    C, O, k, s, p, a = SYSTEMS[name]
    rng = np.random.default_rng(0)
    layer = transposed_convolution(integers(rng, (C, O, k, k)), integers(rng, (O,)), s, p, a)
    op = lift(layer)
    plans = lower(op)
    assert {plan.spelling for plan in plans} >= {"shuffle", "phases", "transposed", "zero insertion", "overlap-add"}
    for size in ((1, 1), (2, 3)):
        assert op.output_size(size) == (s * size[0], s * size[1])
        x = integers(rng, (1, C, *size))
        y = oracle.transposed_convolution(x, layer.weight, layer.bias, (s, s), [(p, p)] * 2, (a, a), (1, 1))
        for plan in plans:
            np.testing.assert_array_equal(run_plan(plan, op, x), y, err_msg=plan.spelling)
    for plan in plans:
        assert same(lift(plan), op)
