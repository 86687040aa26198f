"""`compose` and `compose_all` against running the layers one after the other, to the last border sample."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from algebra.running import run
from exactness.pairs import KINDS, Drawn, Rng, draw, integers, lengthen
from subpixel.algebra import (
    Cells,
    Layer,
    Op,
    Pad,
    Resize,
    apply,
    compose,
    compose_all,
    convolution,
    lift,
    reduce,
    transposed_convolution,
)


def ops(chain: list[Layer]) -> list[Op]:
    return [lift(layer) for layer in chain]


def draw_chain(rng: Rng, length: int) -> list[Drawn]:
    """1-D layers that fit, few maps; cubic seldom, so that its large integers do not pile up."""
    chain: list[Drawn] = []
    maps = int(rng.integers(1, 3))
    while len(chain) < length:
        kind = str(rng.choice(KINDS))
        drawn = draw(rng, kind, maps, 1)
        if drawn.op.maps[1] <= 6 and (kind != "cubic" or all(d.kind != "cubic" for d in chain)):
            chain.append(drawn)
            maps = drawn.op.maps[1]
    return chain


@pytest.mark.parametrize("seed", range(30))
def test_chains(seed: int) -> None:
    """Three to five layers at every length from one pixel on: for the length, for all lengths, in normal form."""
    rng = np.random.default_rng(seed)
    chain = draw_chain(rng, int(rng.integers(3, 6)))
    free = compose_all([drawn.op for drawn in chain])
    for L in range(1, 10):
        x = integers(rng, (1, chain[0].op.maps[0], L))
        y = x
        for drawn in chain:
            y = drawn.run(y) if y.shape[2] else y
        if y.shape[2] == 0:
            continue
        sized = compose_all([drawn.op for drawn in chain], size=(L,))
        np.testing.assert_array_equal(sized.apply(x), y)
        np.testing.assert_array_equal(reduce(sized).apply(x), y)
        for whole in (free, reduce(free)):
            if isinstance(whole, Op):
                np.testing.assert_array_equal(apply(whole, x), y)
            elif whole.places[0].holds(len(range(0, whole.output_size((L,))[0], whole.up[0])), L):
                np.testing.assert_array_equal(whole.apply(x), y)


def test_rates() -> None:
    """U = U_B·U_A/g and D = D_A·D_B/g, g = gcd(U_A, D_B), per axis."""
    up = lift(transposed_convolution(np.ones((1, 1, 3, 3), dtype=int), stride=(4, 3)))
    down = lift(convolution(np.ones((1, 1, 3, 3), dtype=int), stride=(6, 2)))
    whole = compose(down, up)
    assert (whole.up, whole.down) == ((2, 3), (3, 2))


def test_a_single_op_is_a_single_cell() -> None:
    op = lift(convolution(np.array([[[1, 2]]]), padding=1))
    assert compose_all([op]).interior == op
    assert compose_all([op]).is_single


def test_a_crop_longer_than_the_border_keeps_the_border_cells() -> None:
    """A hundred samples cut off: inputs at which anything is left are long, and their start is as it was."""
    chain = [convolution(np.array([[[1, 2, 3]]]), np.array([7])), convolution(np.array([[[4, 5, 6]]]), padding=1)]
    chain.append(Pad(1, ((0, -100),)))
    for whole in (compose_all(ops(chain)), reduce(compose_all(ops(chain)))):
        assert isinstance(whole, Cells)
        assert whole.count == (2,)
        x = np.arange(120).reshape(1, 1, 120) % 7
        np.testing.assert_array_equal(whole.apply(x), run(chain, x))


@pytest.mark.parametrize(("padding", "pads"), [((0, 2), (5, 0)), ((2, 0), (0, 5))])
def test_an_edge_pad_repeats_a_border_sample(padding: tuple[int, int], pads: tuple[int, int]) -> None:
    """Border cells at one end, the pad at the other: on two samples it repeats one of theirs. Refused, not wrong."""
    bias_then_padding = [
        convolution(np.array([[[2]]]), np.array([7])),
        convolution(np.array([[[1, 1, 1]]]), None, 1, [padding]),
    ]
    chain = [*bias_then_padding, Pad(1, (pads,), "edge")]
    free = compose_all(ops(chain))
    for L in range(1, 7):
        x = integers(np.random.default_rng(L), (1, 1, L))
        np.testing.assert_array_equal(compose_all(ops(chain), size=(L,)).apply(x), run(chain, x))
        if L > 2:
            np.testing.assert_array_equal(free.apply(x), run(chain, x))
        else:
            with pytest.raises(ValueError, match="too short"):
                free.apply(x)


def test_border_cells_are_found_on_a_length_that_crops_none_of_them() -> None:
    """A pad at the start and a crop at the end: on the shortest output the first site is cropped itself."""
    chain = [transposed_convolution(np.array([[[3]]]), np.array([-3]), 2, 1), Pad(1, ((2, -2),), "edge")]
    free = compose_all(ops(chain))
    for L in range(3, 9):
        x = np.arange(1, L + 1).reshape(1, 1, L)
        np.testing.assert_array_equal(free.apply(x), run(chain, x))


def test_what_is_cropped_makes_no_border_cell() -> None:
    """Of an odd number of samples in cells of two the last is not there, and what would be read for it is no border."""
    up = transposed_convolution(np.array([[[1, 2, 3]]]), np.array([4]), 2, 1)
    assert compose_all(ops([up, convolution(np.array([[[2]]]), np.array([7]))])).is_single


def test_cells_are_a_product_over_the_axes() -> None:
    """3×3 after 3×3 with bias: 3 cells per axis, their kernels all different."""
    chain = [
        convolution(np.arange(1, 10).reshape(1, 1, 3, 3), np.array([5]), padding=1),
        convolution(np.arange(9, 0, -1).reshape(1, 1, 3, 3), padding=1),
    ]
    whole = reduce(compose_all(ops(chain)))
    assert isinstance(whole, Cells)
    assert whole.count == (3, 3)
    kernels = {whole.kernel[i, j].tobytes() for i in range(3) for j in range(3)}
    assert len(kernels) == 9
    x = integers(np.random.default_rng(0), (2, 1, 4, 6))
    np.testing.assert_array_equal(whole.apply(x), run(chain, x))


def test_lengthen_stops_where_the_cells_hold() -> None:
    """The generator of pairs tests size-free composing on the shortest input that is not refused."""
    chain = [convolution(np.array([[[1]]]), np.array([1])), convolution(np.array([[[1, 2, 3, 4, 5]]]), padding=2)]
    whole = compose_all(ops(chain))
    x = lengthen(np.ones((1, 1, 1), dtype=int), whole)
    assert x is not None
    assert x.shape == (1, 1, 4)
    with pytest.raises(ValueError, match="too short"):
        whole.apply(x[..., :3])


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_composing_for_a_size_holds_on_one_pixel(mode: str) -> None:
    resize = Resize(1, (2, 2), mode)  # type: ignore[arg-type]
    chain = [resize, convolution(np.arange(25).reshape(1, 1, 5, 5), np.array([1]), padding=2)]
    whole = compose_all(ops(chain), size=(1, 1))
    x = np.array([[[[3]]]])
    np.testing.assert_array_equal(whole.apply(x), apply(ops(chain)[1], apply(ops(chain)[0], x)))


def test_what_would_not_fit_into_memory_is_refused_before_it_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two dilated transposed convolutions on one map, 29 x 29 border cells: 29 GB, found by random modules."""
    module = sys.modules["subpixel.algebra.compose"]
    wide = lift(transposed_convolution(np.ones((1, 1, 3, 3)), stride=2, padding=1, output_padding=1, dilation=3))
    first = lift(convolution(np.ones((1, 1, 3, 3)), padding=1))
    assert compose(wide, first).kernel.size > 100
    monkeypatch.setattr(module, "LARGEST", 100)
    with pytest.raises(ValueError, match="numbers at once, more than 100"):
        compose(wide, first)
