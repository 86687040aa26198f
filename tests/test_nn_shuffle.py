"""Periodic shuffling on any number of axes, in both orders, and its inverse (A4)."""

from itertools import product

import numpy as np
import pytest
import torch

from subpixel.algebra import apply, lift
from subpixel.algebra.layers import PeriodicShuffle as Layer
from subpixel.algebra.layers import PeriodicUnshuffle as InverseLayer
from subpixel.nn import PeriodicShuffle, PeriodicUnshuffle, periodic_shuffle, periodic_unshuffle

FACTORS = [(1,), (3,), (2, 2), (3, 3), (2, 3), (1, 4), (2, 2, 2), (2, 1, 3), (2, 1, 2, 3)]


def counted(*shape):
    return torch.arange(int(np.prod(shape))).reshape(shape)


@pytest.mark.parametrize("order", ["crd", "dcr"])
@pytest.mark.parametrize("factor", FACTORS, ids=str)
def test_by_the_formula_and_back(factor, order):
    """y[o, s·n + φ] = x[(o, φ), n], entry by entry."""
    O, size, P = 3, (2, 3, 1, 2)[: len(factor)], int(np.prod(factor))
    x = counted(2, O * P, *size)
    y = periodic_shuffle(x, factor, order)
    assert y.shape == (2, O, *(s * n for s, n in zip(factor, size, strict=True)))
    for o, n in product(range(O), product(*map(range, size))):
        for number, phase in enumerate(product(*map(range, factor))):
            at = tuple(s * i + f for s, i, f in zip(factor, n, phase, strict=True))
            source = o * P + number if order == "crd" else number * O + o
            assert torch.equal(y[(slice(None), o, *at)], x[(slice(None), source, *n)])
    assert torch.equal(periodic_unshuffle(y, factor, order), x)
    assert torch.equal(PeriodicUnshuffle(factor, order)(PeriodicShuffle(factor, order)(x)), x)


@pytest.mark.parametrize("order", ["crd", "dcr"])
@pytest.mark.parametrize("factor", [(3,), (2, 3), (2, 2)], ids=str)
def test_is_the_algebras_layer(factor, order):
    x = np.random.default_rng(0).integers(-9, 10, (2, 2 * int(np.prod(factor)), *(4, 3)[: len(factor)]))
    y = periodic_shuffle(torch.from_numpy(x), factor, order)
    assert np.array_equal(y.numpy(), apply(lift(Layer(2, factor, order)), x))
    assert np.array_equal(apply(lift(InverseLayer(2, factor, order)), y.numpy()), x)


def test_is_torchs_pixel_shuffle_and_the_orders_agree_on_one_map():
    x = counted(2, 12, 3, 4).double()
    assert torch.equal(periodic_shuffle(x, 2), torch.nn.functional.pixel_shuffle(x, 2))
    assert torch.equal(periodic_unshuffle(x[..., :2, :], 2), torch.nn.functional.pixel_unshuffle(x[..., :2, :], 2))
    one = x[:, :4]
    assert torch.equal(periodic_shuffle(one, 2, "crd"), periodic_shuffle(one, 2, "dcr"))
    assert not torch.equal(periodic_shuffle(x, 2, "crd"), periodic_shuffle(x, 2, "dcr"))


def test_espcn_equation_4():
    """PS(T)[x, y, c] = T[⌊x/r⌋, ⌊y/r⌋, C·r·mod(y, r) + C·mod(x, r) + c]: order dcr, x the second axis."""
    r, C = 3, 2
    T = counted(1, C * r * r, 2, 4)
    y = periodic_shuffle(T, r, "dcr")
    for row, column, c in product(range(2 * r), range(4 * r), range(C)):
        assert y[0, c, row, column] == T[0, C * r * (row % r) + C * (column % r) + c, row // r, column // r]


def test_an_integer_means_all_axes_after_the_maps():
    for d in (1, 2, 3):
        x = counted(2, 2**d, *(3,) * d)
        assert torch.equal(periodic_shuffle(x, 2), periodic_shuffle(x, (2,) * d))
        assert torch.equal(PeriodicShuffle(2)(x), periodic_shuffle(x, 2))
    alone = counted(4, 3, 5)
    assert torch.equal(periodic_shuffle(alone, (2, 2)), periodic_shuffle(alone[None], 2)[0])
    assert torch.equal(periodic_shuffle(alone[None, None], (2, 2)), periodic_shuffle(alone[None], 2)[None])
    assert periodic_shuffle(counted(0, 8, 3), 2).shape == (0, 4, 6)


def test_gradients_are_the_inverse():
    x = torch.rand(1, 12, 2, 3, dtype=torch.float64, requires_grad=True)
    v = torch.rand(1, 2, 4, 9, dtype=torch.float64)
    (periodic_shuffle(x, (2, 3), "dcr") * v).sum().backward()
    assert torch.equal(x.grad, periodic_unshuffle(v, (2, 3), "dcr"))


def test_repr():
    assert repr(PeriodicShuffle((2, 3), "dcr")) == "PeriodicShuffle(factor=(2, 3), order='dcr')"
    assert repr(PeriodicUnshuffle(2)) == "PeriodicUnshuffle(factor=2, order='crd')"


@pytest.mark.parametrize("function", [periodic_shuffle, periodic_unshuffle])
def test_wrong_arguments_are_named(function):
    x = counted(1, 4, 4, 4)
    with pytest.raises(ValueError, match=r"`order` \(='rgb'\) must be 'crd'"):
        function(x, 2, "rgb")
    for factor in (0, (2, 0), (2, 1.5), 1.5, (), "2"):
        with pytest.raises(ValueError, match=r"`factor` \(="):
            function(x, factor)
    with pytest.raises(ValueError, match=r"`x` has shape \(4, 4\); with `factor` \(=2\) it needs a batch"):
        function(x[0, 0], 2)
    with pytest.raises(ValueError, match=r"`x` has shape \(4, 4\); with `factor` \(=\(2, 2\)\) it needs maps and 2"):
        function(x[0, 0], (2, 2))


def test_sizes_that_do_not_divide():
    with pytest.raises(ValueError, match=r"`x` has 6 maps, which `factor` \(=\(2, 2\)\) needs to be a multiple of 4"):
        periodic_shuffle(counted(1, 6, 2, 2), 2)
    with pytest.raises(ValueError, match=r"`x` has spatial size \(2, 3\), which `factor` \(=\(2, 2\)\) must divide"):
        periodic_unshuffle(counted(1, 6, 2, 3), 2)
    for module in (PeriodicShuffle, PeriodicUnshuffle):
        with pytest.raises(ValueError, match=r"`factor` \(=0\)"):
            module(0)
