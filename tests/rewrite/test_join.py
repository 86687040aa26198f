"""`join` against composing densely: the same normal form, and no more memory than the result needs."""

from __future__ import annotations

import tracemalloc
from functools import reduce as fold

import numpy as np
import pytest

from subpixel.algebra import (
    AveragePool,
    Convolution,
    Layer,
    Pad,
    PeriodicShuffle,
    PeriodicUnshuffle,
    Resize,
    TransposedConvolution,
    ZeroInsertion,
    compose,
    lift,
    reduce,
    same,
)
from subpixel.rewriting.refusal import Refusal
from subpixel.rewriting.writing.join import join


def whole(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(-3, 4, shape).astype(float)


def chains(seed: int) -> list[list[Layer]]:
    """Chains in which a shuffle stands first, last and in the middle, on one or two axes, in both orders."""
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 3))
    s, K = (tuple(int(n) for n in rng.integers(1, 4, d)) for _ in range(2))
    C, O = int(rng.integers(1, 3)), int(rng.integers(1, 4))
    pads = tuple((int(rng.integers(0, 2)), int(rng.integers(0, 2))) for _ in range(d))
    ones = (1,) * d
    P, stride = int(np.prod(s)), tuple(int(n) for n in rng.integers(1, 3, d))
    order = "crd" if rng.integers(2) else "dcr"
    ps = PeriodicShuffle(C, s, order)  # type: ignore[arg-type]
    after = Convolution(whole(rng, O, C, *K), whole(rng, O), ones, pads, ones)
    dilation = tuple(int(n) for n in rng.integers(1, 3, d))
    strided = Convolution(whole(rng, O, C, *K), whole(rng, O), stride, pads, dilation)
    before = Convolution(whole(rng, C * P, 2, *K), whole(rng, C * P), ones, pads, ones)
    up = TransposedConvolution(whole(rng, 2, C * P, *K), whole(rng, C * P), stride, ((0, 0),) * d, (0,) * d, ones)
    return [
        [ps],
        [ps, after],
        [before, ps],
        [before, ps, after],
        [Resize(2, s, "linear"), before, ps],
        [up, ps],
        [up, ps, after],
        [ps, PeriodicUnshuffle(C, s, order)],  # type: ignore[arg-type]
        [ps, Pad(C, ((1, 0),) * d), after],
        [ps, strided],
    ]


@pytest.mark.parametrize("seed", range(25))
def test_the_same_as_composing_densely(seed: int) -> None:
    for chain in chains(seed):
        dense = fold(lambda whole, layer: reduce(compose(lift(layer), whole)), chain[1:], reduce(lift(chain[0])))
        assert same(join(chain), dense), chain


def test_a_shuffle_that_does_not_fit_is_refused() -> None:
    before = Convolution(np.ones((6, 2, 1)), None, (1,), ((0, 0),), (1,))
    with pytest.raises(Refusal, match="the layer gives 6 maps"):
        join([before, PeriodicShuffle(4, (2,))])


def test_memory_is_that_of_the_result() -> None:
    """A shuffle of 256 maps before a convolution: composed densely it took twelve times its result."""
    rng = np.random.default_rng(0)
    chain = [
        PeriodicShuffle(64, (2, 2)),
        Convolution(whole(rng, 64, 64, 3, 3), None, (1, 1), ((1, 1), (1, 1)), (1, 1)),
    ]
    tracemalloc.start()
    layer = join(chain)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * layer.kernel.nbytes


@pytest.mark.parametrize("seed", range(12))
def test_a_layer_that_does_the_same_to_every_map_in_the_middle(seed: int) -> None:
    """Interpolation, padding, pooling and zero insertion between layers that mix maps, biases and borders included."""
    rng = np.random.default_rng(seed)
    s = tuple(int(n) for n in rng.choice([1, 2, 4], 2))  # thirds would round differently
    middle: list[Layer] = [
        Resize(5, s, "linear" if seed % 2 else "nearest"),
        Pad(5, ((1, 0), (2, 1)), "zero" if seed % 3 else "edge"),
        AveragePool(5, (2, 1), (2, 1), ((0, 0), (0, 0))),
        ZeroInsertion(5, (2, 1), (1, 0)),
    ]
    first = TransposedConvolution(whole(rng, 2, 5, 3, 2), whole(rng, 5), (2, 1), ((1, 0), (0, 0)), (0, 0), (1, 1), 1)
    last = Convolution(whole(rng, 3, 5, 2, 3), whole(rng, 3), (1, 1), ((1, 1), (0, 2)), (1, 1), 1)
    for layer in middle:
        chain: list[Layer] = [first, layer, last]
        for size in (None, (3, 4)):
            dense = fold(lambda a, b, size=size: reduce(compose(lift(b), a, size)), chain[1:], lift(first))
            assert same(join(chain, size), dense), layer


@pytest.mark.parametrize("factor", [(2, 1), (4, 4)])
def test_many_kernels_of_a_border_are_refused_before_they_are_composed(factor: tuple[int, int]) -> None:
    """24 maps through a transposed convolution, an edge and an interpolation: ×4 gigabytes, ×2 still half a minute."""
    rng = np.random.default_rng(0)
    first = TransposedConvolution(whole(rng, 8, 24, 5, 5), whole(rng, 24), (3, 3), ((1, 1), (1, 1)), (0, 0), (2, 2), 1)
    last = Convolution(whole(rng, 2, 24, 3, 3), None, (1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    tracemalloc.start()
    with pytest.raises(Refusal, match="would take too long"):
        join([first, Pad(24, ((1, 1), (1, 1)), "edge"), Resize(24, factor, "linear"), last])
    assert tracemalloc.get_traced_memory()[1] < 1 << 29
    tracemalloc.stop()
