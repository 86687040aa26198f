"""A9: conv_HR ∘ PS = PS ∘ conv_LR: any HR layer is an LR layer with s² times the maps, for any padding."""

from __future__ import annotations

from itertools import product
from math import ceil

import numpy as np
import pytest

from algebra.running import run
from exactness.pairs import integers
from subpixel.algebra import Convolution, Op, PeriodicShuffle, block, compose, convolution, lift, reduce, same
from subpixel.algebra.lower import spell


def lifted(conv: Convolution, s: int) -> tuple[Convolution, Op]:
    """conv_LR, read off the composition, and the composition itself."""
    C, d = conv.weight.shape[1], conv.weight.ndim - 2
    op = reduce(compose(lift(conv), lift(PeriodicShuffle(C, (s,) * d))))
    assert isinstance(op, Op)
    return next(z for z in spell(op, "shuffle", crop=(0,) * d).layers if isinstance(z, Convolution)), op


def test_a09_lifting() -> None:
    """Taps ⌊-p/s⌋ … ⌊(s-1+d(K-1)-p)/s⌋, one kernel, border included."""
    for K, s, p, d in product((1, 2, 3, 5), (1, 2, 3), (0, 1, 4), (1, 2)):
        rng = np.random.default_rng(K)
        conv = convolution(2 * integers(rng, (3, 2, K)) + 1, integers(rng, (3,)), padding=p, dilation=d)
        low, op = lifted(conv, s)
        assert low.weight.shape[:2] == (3 * s, 2 * s)
        first, last = -p // s, (s - 1 + d * (K - 1) - p) // s
        assert (op.low[0], op.taps[0]) == (first, last - first + 1)
        x = integers(rng, (2, 2 * s, 3))
        high = run([PeriodicShuffle(2, (s,)), conv], x)
        np.testing.assert_array_equal(run([low, PeriodicShuffle(3, (s,))], x)[..., : high.shape[2]], high)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a09_any_stride(stride: int) -> None:
    rng = np.random.default_rng(stride)
    conv = convolution(integers(rng, (3, 2, 3, 3)), integers(rng, (3,)), stride, [(1, 0), 2])
    low, op = lifted(conv, 2)
    up = tuple(op.up)
    x = integers(rng, (1, 8, 3, 4))
    high = run([PeriodicShuffle(2, (2, 2)), conv], x)
    lr = run([low, PeriodicShuffle(3, up)], x)
    np.testing.assert_array_equal(lr[..., : high.shape[2], : high.shape[3]], high)


def test_a09_lifting_is_block_before_shuffle() -> None:
    """The HR layer seen s times coarser, its phases of input told apart by PS⁻¹."""
    conv = lift(convolution(np.array([[[1, 2, 3]]]), padding=1))
    _, op = lifted(convolution(np.array([[[1, 2, 3]]]), padding=1), 2)
    coarse = block(conv, (2,))
    assert same(coarse, conv)
    # tap low + k of the coarse op is phase (low + k) mod 2 of LR site (low + k) div 2
    for phase, (k, weight) in product(range(2), enumerate(coarse.kernel[0].transpose(1, 0, 2)[0].T)):
        site, psi = divmod(coarse.low[0] + k, 2)
        assert op.kernel[0, phase, psi, site - op.low[0]] == weight[phase]


@pytest.mark.parametrize("r", [2, 3, 4])
def test_a09_kernel_of_an_odd_filter_stays_odd(r: int) -> None:
    """Half padding: 2⌈((k-1)/2)/r⌉ + 1 taps; a 3×3 network stays 3×3."""
    for k in (1, 3, 5, 7, 9):
        low, _ = lifted(convolution(np.arange(1, k + 1)[None, None], padding=k // 2), r)
        assert low.weight.shape[2] == 2 * ceil((k - 1) / 2 / r) + 1


@pytest.mark.parametrize(("s", "ratio"), [(2, 4), (3, 9), (4, 16)])
def test_a09_dense_macs_of_3x3(s: int, ratio: int) -> None:
    conv = convolution(np.arange(1, 10).reshape(1, 1, 3, 3), padding=1)
    low, _ = lifted(conv, s)
    assert low.weight.size == ratio * conv.weight.size * s * s  # per LR pixel
