"""Lengths: Dumoulin & Visin's relationships under their numbers, and MatConvNet's `vl_nnconvt`."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from algebra.running import run
from exactness.pairs import integers
from subpixel.algebra import AveragePool, convolution, lift, same, transposed_convolution
from subpixel.algebra.geometry import (
    RELATIONSHIPS,
    Geometry,
    convolution_length,
    from_matconvnet,
    transposed_length,
    transposed_of,
)

GEOMETRIES = [
    Geometry(i, k, s, p, a, d)
    for i, k, s, p, a, d in product(range(1, 8), range(1, 5), range(1, 5), range(4), range(4), range(1, 4))
]


def length(number: int, g: Geometry) -> int:
    """What the layer gives: lifted, and for lengths that exist run by the oracle."""
    x, w = np.ones((1, 1, g.i), dtype=int), np.ones((1, 1, g.k), dtype=int)
    if number == 7:
        layer = AveragePool(1, (g.k,), (g.s,), ((0, 0),))
        return lift(layer).output_size((g.i,))[0]
    if number in range(8, 15):
        layer = transposed_convolution(w, None, g.s, g.p, g.a, dilation=g.d)
    else:
        layer = convolution(w, None, g.s, g.p, g.d)
    made = lift(layer).output_size((g.i,))[0]
    assert run(layer, x).shape[2] == made
    return made


@pytest.mark.parametrize("number", range(1, 16))
def test_relationship(number: int) -> None:
    """Every small geometry for which relationship `number` is stated has the length that it states."""
    relationship = RELATIONSHIPS[number]
    met = 0
    for g in GEOMETRIES:
        if relationship.holds(g) and (g.a == 0 or number == 14):
            stated = relationship.length(g)
            assert length(number, g) == max(0, stated), (number, g)
            met += stated > 0
    assert met >= 14


def test_the_general_lengths_contain_all_others() -> None:
    for number, relationship in RELATIONSHIPS.items():
        for g in GEOMETRIES:
            if relationship.holds(g) and (g.a == 0 or number == 14):
                if number in range(8, 15):
                    assert relationship.length(g) == transposed_length(g.i, g.k, g.s, g.p, g.a, g.d)
                else:
                    assert relationship.length(g) == convolution_length(g.i, g.k, g.s, g.p, g.d)


def test_relationships_8_to_11_are_convolutions_with_another_padding() -> None:
    """Stride 1: k' = k, p' = k - p - 1, and the same function with the kernel flipped."""
    for k, p in product((1, 2, 3, 4), (0, 1, 2, 3)):
        p_, a = transposed_of(9, k, 1, p)
        assert a == 0
        if p <= k - 1:
            w = np.arange(1, k + 1).reshape(1, 1, k)
            assert same(lift(transposed_convolution(w, padding=p)), lift(convolution(w[..., ::-1], padding=p_)))


def test_relationships_12_to_14_go_back_to_the_convolution_s_input() -> None:
    """i → o by a convolution, o → i by the transposed one with a = (i + 2p - k) mod s; a = 0 where s divides."""
    for i, k, s, p in product(range(1, 12), range(1, 5), range(1, 5), range(3)):
        o = convolution_length(i, k, s, p)
        if o >= 1:
            _, a = transposed_of(i, k, s, p)
            assert (a == 0) == ((i + 2 * p - k) % s == 0)
            assert RELATIONSHIPS[14].length(Geometry(o, k, s, p, a)) == i
            if a == 0:
                assert RELATIONSHIPS[13].length(Geometry(o, k, s, p)) == i
            if a == p == 0:
                assert RELATIONSHIPS[12].length(Geometry(o, k, s)) == i


def test_relationship_15_is_6_with_the_dilated_kernel() -> None:
    for g in GEOMETRIES:
        wide = Geometry(g.i, g.k + (g.k - 1) * (g.d - 1), g.s, g.p)
        assert RELATIONSHIPS[15].length(g) == RELATIONSHIPS[6].length(wide)


# --- MatConvNet ----------------------------------------------------------------------------------------------------


def vl_nnconvt(
    X: np.ndarray, F: np.ndarray, upsample: tuple[int, int], crop: tuple[int, ...], groups: int
) -> np.ndarray:
    """By its documentation: X `H W D N`, F `FH FW K FD`, group g reads its D/g maps and writes its K."""
    H, W, D, N = X.shape
    FH, FW, K, FD = F.shape
    assert FD == D
    full = np.zeros((upsample[0] * (H - 1) + FH, upsample[1] * (W - 1) + FW, K * groups, N), dtype=int)
    for i, j, d, k, u, v in product(range(H), range(W), range(D), range(K), range(FH), range(FW)):
        g = d // (D // groups)
        full[upsample[0] * i + u, upsample[1] * j + v, g * K + k] += X[i, j, d] * F[u, v, k, d]
    top, bottom, left, right = crop
    return full[top : full.shape[0] - bottom, left : full.shape[1] - right]


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("upsample", [(1, 1), (2, 2), (3, 1), (2, 3)])
@pytest.mark.parametrize("crop", [(0, 0, 0, 0), (1, 1, 1, 1), (1, 0, 0, 2), (2, 1, 0, 1)])
@pytest.mark.parametrize("size", [(1, 1), (1, 3), (4, 2)])
def test_vl_nnconvt(groups: int, upsample: tuple[int, int], crop: tuple[int, ...], size: tuple[int, int]) -> None:
    rng = np.random.default_rng(groups)
    X, F, B = integers(rng, (*size, 6, 2)), integers(rng, (4, 4, 2, 6)), integers(rng, (2 * groups,))
    Y = vl_nnconvt(X, F, upsample, crop, groups) + B.reshape(1, 1, -1, 1)
    layer = from_matconvnet(F, B, upsample, crop, groups)
    assert lift(layer).output_size(size) == Y.shape[:2]
    assert Y.shape[0] == upsample[0] * (size[0] - 1) + 4 - crop[0] - crop[1]
    np.testing.assert_array_equal(run(layer, X.transpose(3, 2, 0, 1)), Y.transpose(3, 2, 0, 1))


def test_vl_nnconvt_scalars_serve_both_axes() -> None:
    F = np.ones((3, 5, 2, 4), dtype=int)
    one, both = from_matconvnet(F, None, 2, 1), from_matconvnet(F, None, (2, 2), (1, 1, 1, 1))
    assert lift(one) == lift(both)
    assert one.bias is None
