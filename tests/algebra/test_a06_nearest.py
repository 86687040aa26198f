"""A6: nearest ×s is x[clamp⌊(j + c)/s⌋], and merges with the convolution after it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from algebra import oracle
from algebra.running import run, run_plan
from exactness.pairs import COORDINATES, ROUNDINGS, integers
from subpixel.algebra import Cells, Op, Resize, apply, compose, convolution, lift, nearest_offset, reduce, shift
from subpixel.algebra.lower import minimal_crop, spell


@pytest.mark.parametrize("coordinate", COORDINATES)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_a06_nearest(coordinate: str, rounding: str) -> None:
    """One offset c per mode, clamps included, against ONNX's formula in fractions."""
    for s, L in product(range(1, 9), (1, 2, 3)):
        rng = np.random.default_rng(s)
        resize = Resize(2, (s,), "nearest", offset=(nearest_offset(s, coordinate, rounding),))
        x = integers(rng, (1, 2, L))
        np.testing.assert_array_equal(
            apply(lift(resize), x), oracle.resize(x, [oracle.nearest(L, s, coordinate, rounding)])
        )


@pytest.mark.parametrize("offset", [-1, 0, 1, 2, 3])
def test_a06_taps_on_one_pixel_add_up(offset: int) -> None:
    """K taps after ×s are ⌈(K + s - 1)/s⌉ LR taps: the merge is a transposed convolution of K + s - 1 taps."""
    rng = np.random.default_rng(0)
    for K, s in product((1, 2, 3, 5, 9), (1, 2, 3, 4)):
        layers = [
            Resize(2, (s,), "nearest", offset=(offset,)),
            convolution(2 * integers(rng, (3, 2, K)) + 1, padding=K // 2),
        ]
        whole = compose(lift(layers[1]), lift(layers[0])).interior
        assert reduce(shift(whole, minimal_crop(whole))).taps == (-(-(K + s - 1) // s),)


def test_a06_macs_of_a_3x3_after_twice() -> None:
    """Per LR pixel, input and output map: 36 as given, 16 with the better phase origin, 36 aligned."""
    weight = np.arange(1, 10).reshape(1, 1, 3, 3)
    op = reduce(compose(lift(convolution(weight, padding=1)), lift(Resize(1, (2, 2), "nearest"))))
    assert isinstance(op, Op)
    given = 9 * 2 * 2
    cropped, aligned = (spell(op, "shuffle", crop=crop).layers[0].weight.size for crop in (None, (0, 0)))
    assert (given, cropped, aligned) == (36, 16, 36)
    assert minimal_crop(op) == (1, 1)


@pytest.mark.parametrize("K", [1, 2, 3, 5])
@pytest.mark.parametrize("s", [2, 3])
def test_a06_without_offset_zero_padding_stays_exact_with_one_kernel(K: int, s: int) -> None:
    """c = 0 never reads the edge, so a zero beside the HR picture is nearest of a zero beside the LR one."""
    rng = np.random.default_rng(K)
    layers = [
        Resize(2, (s, s), "nearest"),
        convolution(integers(rng, (1, 2, K, K)), integers(rng, (1,)), padding=K // 2),
    ]
    assert compose(lift(layers[1]), lift(layers[0])).outside == "zero"
    op = reduce(compose(lift(layers[1]), lift(layers[0])))
    assert isinstance(op, Op)
    assert op.outside == "zero"
    plan = spell(op, "shuffle")
    for size in ((1, 1), (2, 3)):
        x = integers(rng, (1, 2, *size))
        if min(op.output_size(size)):
            np.testing.assert_array_equal(run_plan(plan, op, x), run(layers, x))


@pytest.mark.parametrize("offset", [-1, 1, 2])
def test_a06_with_an_offset_zero_padding_has_border_cells(offset: int) -> None:
    rng = np.random.default_rng(0)
    layers = [Resize(1, (2,), "nearest", offset=(offset,)), convolution(np.array([[[1, 2, 4]]]), padding=1)]
    whole = reduce(compose(lift(layers[1]), lift(layers[0])))
    assert isinstance(whole, Cells)
    x = integers(rng, (1, 1, 5))
    np.testing.assert_array_equal(whole.apply(x), run(layers, x))
    assert not np.array_equal(apply(whole.interior, x), run(layers, x))
