"""A8: conv(concat(x, z)) = conv_x(x) + conv_z(z), the bias once."""

from __future__ import annotations

import numpy as np
import pytest

from algebra.running import run
from exactness.pairs import integers
from subpixel.algebra import Resize, apply, compose, convolution, lift, reduce, same, split, transposed_convolution
from subpixel.algebra.op import Op


@pytest.mark.parametrize("maps", [1, 2, 4])
def test_a08_concat(maps: int) -> None:
    rng = np.random.default_rng(maps)
    for layer in (
        convolution(integers(rng, (3, 5, 3, 2)), integers(rng, (3,)), (2, 1), 1),
        transposed_convolution(integers(rng, (5, 3, 4, 3)), integers(rng, (3,)), 2, 1),
    ):
        first, second = split(lift(layer), maps)
        x = integers(rng, (2, 5, 4, 3))
        y = apply(first, x[:, :maps]) + apply(second, x[:, maps:])
        np.testing.assert_array_equal(y, run(layer, x))
        assert not second.bias.any()


def test_a08_the_upsampled_half_moves_to_low_resolution() -> None:
    """conv(concat(nearest(x), skip)): a U-Net's neck. The half that was upsampled is one LR op on its own."""
    rng = np.random.default_rng(0)
    conv = convolution(integers(rng, (2, 3 + 2, 3, 3)), integers(rng, (2,)), padding=1)
    up = Resize(3, (2, 2), "nearest")
    x, skip = integers(rng, (1, 3, 3, 2)), integers(rng, (1, 2, 6, 4))
    given = run(conv, np.concatenate([run(up, x), skip], axis=1))
    first, second = split(lift(conv), 3)
    low = reduce(compose(first, lift(up)))
    assert isinstance(low, Op)
    np.testing.assert_array_equal(apply(low, x) + apply(second, skip), given)


def test_a08_groups_that_end_at_the_boundary_give_a_concat() -> None:
    """Each part then feeds output maps of its own; a straddling group leaves maps that both parts feed."""
    rng = np.random.default_rng(0)
    conv = convolution(2 * integers(rng, (6, 2, 3)) + 1, integers(rng, (6,)), padding=1, groups=3)
    first, second = split(lift(conv), 4)  # two of three groups
    alone = lift(convolution(conv.weight[:4], conv.bias[:4], padding=1, groups=2))
    assert same(Op(first.kernel[:4], first.bias[:4], first.down, first.low, first.lengths), alone)
    assert not first.kernel[4:].any()
    assert not second.kernel[:4].any()
    straddling, _ = split(lift(conv), 3)
    assert straddling.kernel[2:4].any()
    assert split(lift(conv), 3)[1].kernel[2:4].any()
