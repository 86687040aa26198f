"""`shift`, `block`, `adjoint`, `add`, `split`: what each promises."""

from __future__ import annotations

import numpy as np
import pytest

from exactness.pairs import KINDS, draw, integers
from subpixel.algebra import (
    Op,
    Pad,
    add,
    adjoint,
    apply,
    block,
    compose,
    convolution,
    lift,
    reduce,
    same,
    shift,
    split,
    transposed_convolution,
)
from subpixel.algebra.reduce import reads_outside

CASES = [(kind, dim) for kind in KINDS for dim in (1, 2)]


@pytest.mark.parametrize(("kind", "dim"), CASES)
def test_shift_moves_the_output_and_a_crop_brings_it_back(kind: str, dim: int) -> None:
    rng = np.random.default_rng(dim)
    for _ in range(4):
        op = draw(rng, kind, 2, dim).op
        c = tuple(int(n) for n in rng.integers(0, 5, dim))
        moved = shift(op, c)
        assert moved.up == op.up
        x = integers(rng, (1, 2, *rng.integers(1, 6, dim)))
        if min(op.output_size(x.shape[2:])):
            np.testing.assert_array_equal(apply(moved, x)[(..., *(slice(n, None) for n in c))], apply(op, x))
        crop = lift(Pad(op.maps[1], tuple((-n, 0) for n in c)))
        assert same(compose(crop, moved), op)


@pytest.mark.parametrize(("kind", "dim"), CASES)
def test_block_is_the_same_function_on_a_coarser_lattice(kind: str, dim: int) -> None:
    rng = np.random.default_rng(dim)
    for _ in range(4):
        op = draw(rng, kind, 2, dim).op
        r = tuple(int(n) for n in rng.integers(1, 4, dim))
        coarse = block(op, r)
        assert coarse.up == tuple(U * n for U, n in zip(op.up, r, strict=True))
        assert coarse.down == tuple(D * n for D, n in zip(op.down, r, strict=True))
        for _ in range(3):
            x = integers(rng, (1, 2, *rng.integers(1, 6, dim)))
            np.testing.assert_array_equal(apply(coarse, x), apply(op, x))
        assert same(coarse, op)


# --- adjoint ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "dim"), [(kind, dim) for kind, dim in CASES if kind not in ("linear", "cubic")])
def test_adjoint(kind: str, dim: int) -> None:
    """⟨op(x), y⟩ = ⟨x, adjoint(y)⟩, bias left out, for the very size."""
    rng = np.random.default_rng(dim)
    for _ in range(12):
        op = draw(rng, kind, 2, dim).op
        size = tuple(int(n) for n in rng.integers(1, 7, dim))
        out = op.output_size(size)
        if min(out) < 1:
            continue
        if op.outside == "edge" and reads_outside(op):
            with pytest.raises(ValueError, match="adjoint of an edge-continued layer adds up at the border"):
                adjoint(op, size)
            continue
        if rng.random() < 0.5:
            op = block(op, tuple(int(n) for n in rng.integers(1, 4, dim)))
        back = adjoint(op, size)
        x, y = integers(rng, (1, op.maps[0], *size)), integers(rng, (1, op.maps[1], *out))
        linear_part = apply(op, x) - apply(op, x * 0)
        assert back.output_size(out) == size
        assert (linear_part * y).sum() == (x * apply(back, y)).sum()


def test_the_adjoint_of_a_convolution_is_the_transposed_convolution() -> None:
    """By name and in fact: same weight, same stride, padding and dilation; output_padding settles the length."""
    rng = np.random.default_rng(0)
    w = 2 * integers(rng, (3, 2, 3, 4)) + 1
    conv = lift(convolution(w, None, (2, 3), [(1, 0), (2, 1)], (1, 2)))
    for size in ((4, 7), (5, 8), (7, 9)):
        out = conv.output_size(size)
        full = [
            s * (n - 1) + d * (k - 1) + 1 - p - q
            for s, n, d, k, (p, q) in zip((2, 3), out, (1, 2), (3, 4), ((1, 0), (2, 1)), strict=True)
        ]
        a = tuple(L - n for L, n in zip(size, full, strict=True))
        transposed = lift(transposed_convolution(w, None, (2, 3), [(1, 0), (2, 1)], a, dilation=(1, 2)))
        assert same(adjoint(conv, size), transposed)


@pytest.mark.parametrize("kind", ["convolution", "transposed convolution", "shuffle", "unshuffle", "zero insertion"])
def test_the_adjoint_of_the_adjoint_is_the_layer(kind: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        op = draw(rng, kind, 2, 1).op
        size = (op.down[0] * 6,)
        back = adjoint(op, size)
        twice = apply(adjoint(back, op.output_size(size)), x := integers(rng, (1, 2, *size)))
        np.testing.assert_array_equal(twice, apply(op, x) - apply(op, x * 0))


# --- sums and parts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [1, 2])
def test_add_is_the_sum(dim: int) -> None:
    """Unequal taps, strides of one rate on unequal lattices, biases."""
    rng = np.random.default_rng(dim)
    for K, p in ((1, 0), (3, 1), (5, 2)):
        a = lift(convolution(integers(rng, (3, 2, *(K,) * dim)), integers(rng, (3,)), padding=p))
        b = block(lift(convolution(integers(rng, (3, 2, *(3,) * dim)), integers(rng, (3,)), padding=1)), (2,) * dim)
        for size in ((1,) * dim, (4, 3)[:dim]):
            x = integers(rng, (1, 2, *size))
            np.testing.assert_array_equal(apply(add(a, b), x), apply(a, x) + apply(b, x))
        assert same(add(a, b), add(b, a))


def test_add_joins_zero_padding_with_an_edge_that_is_not_read() -> None:
    rng = np.random.default_rng(0)
    edge = lift(Pad(2, ((0, 0),), "edge"))
    conv = lift(convolution(integers(rng, (2, 2, 3)), padding=1))
    both = add(edge, conv)
    assert both.outside == "zero"
    x = integers(rng, (1, 2, 3))
    np.testing.assert_array_equal(apply(both, x), x + apply(conv, x))


@pytest.mark.parametrize(("kind", "dim"), [("convolution", 2), ("transposed convolution", 1), ("unshuffle", 2)])
def test_split_reads_a_concatenation(kind: str, dim: int) -> None:
    rng = np.random.default_rng(0)
    op = draw(rng, kind, 3, dim).op
    x = integers(rng, (2, 3, *(5, 4)[:dim]))
    for maps in (1, 2):
        first, second = split(op, maps)
        np.testing.assert_array_equal(apply(first, x[:, :maps]) + apply(second, x[:, maps:]), apply(op, x))


def test_split_then_add_over_the_same_input() -> None:
    """conv(concat(x, x)) = (first + second)(x)."""
    rng = np.random.default_rng(0)
    op = lift(convolution(integers(rng, (2, 4, 3)), integers(rng, (2,)), padding=1))
    whole = reduce(add(*split(op, 2)))
    assert isinstance(whole, Op)
    x = integers(rng, (1, 2, 5))
    np.testing.assert_array_equal(apply(whole, x), apply(op, np.concatenate([x, x], axis=1)))
