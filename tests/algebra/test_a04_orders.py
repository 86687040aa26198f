"""A4: CRD and DCR differ by a permutation of maps, which folds into the weights of an ungrouped convolution."""

from __future__ import annotations

import numpy as np
import pytest

from algebra.running import run
from exactness.pairs import integers
from subpixel.algebra import PeriodicShuffle, PeriodicUnshuffle, compose, convolution, lift, same
from subpixel.algebra.lower import find_groups


def dcr_from_crd(maps: int, phases: int) -> np.ndarray:
    """Map φ·O + o of DCR is map o·P + φ of CRD."""
    return np.arange(maps * phases).reshape(maps, phases).T.reshape(-1)


@pytest.mark.parametrize("factor", [(3,), (2, 3), (2, 1, 2)])
def test_a04_orders(factor: tuple[int, ...]) -> None:
    """conv + PS crd = conv with its output maps permuted + PS dcr, weights and bias alike."""
    rng, O, d = np.random.default_rng(0), 2, len(factor)
    P = int(np.prod(factor))
    w, b = integers(rng, (O * P, 3, *(2,) * d)), integers(rng, (O * P,))
    order = dcr_from_crd(O, P)
    crd = [convolution(w, b, padding=1), PeriodicShuffle(O, factor, "crd")]
    dcr = [convolution(w[order], b[order], padding=1), PeriodicShuffle(O, factor, "dcr")]
    x = integers(rng, (2, 3, *(1, 2, 3)[:d]))
    np.testing.assert_array_equal(run(crd, x), run(dcr, x))
    first, second = ([lift(layer) for layer in chain] for chain in (crd, dcr))
    assert same(compose(first[1], first[0]), compose(second[1], second[0]))
    assert not same(compose(first[1], first[0]), compose(second[1], first[0]))


def test_a04_one_map_has_one_order() -> None:
    assert lift(PeriodicShuffle(1, (2, 2), "crd")) == lift(PeriodicShuffle(1, (2, 2), "dcr"))
    assert not same(lift(PeriodicShuffle(2, (2, 2), "crd")), lift(PeriodicShuffle(2, (2, 2), "dcr")))


def test_a04_the_permutation_breaks_groups() -> None:
    """Two groups of a map each: in the other order every group's maps lie apart, and the weight is dense."""
    rng, O, P = np.random.default_rng(0), 2, 4
    blocks = np.kron(np.eye(2, dtype=int), np.ones((4, 3), dtype=int))[..., None]  # 8 maps of 6, in 2 groups
    w = blocks * (integers(rng, (O * P, 6, 3)) * 2 + 1)
    assert find_groups(w) == 2
    assert find_groups(w[dcr_from_crd(O, P)]) == 1


@pytest.mark.parametrize("order", ["crd", "dcr"])
def test_a04_unshuffle_undoes_shuffle(order: str) -> None:
    shuffle, unshuffle = lift(PeriodicShuffle(3, (2, 3), order)), lift(PeriodicUnshuffle(3, (2, 3), order))
    identity = lift(convolution(np.eye(18, dtype=int)[..., None, None]))
    assert same(compose(unshuffle, shuffle), identity)
