"""A7: linear and cubic interpolation are ops with a fixed kernel and edge border; they merge like any other."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from algebra import oracle
from algebra.running import run
from exactness.pairs import integers, scaled
from subpixel.algebra import Op, Resize, apply, compose, convolution, lift, reduce, same, shift
from subpixel.algebra.lower import minimal_crop

MODES = list(product(("linear", "cubic"), ("half_pixel", "asymmetric")))


def unit_of(mode: str, s: int) -> int:
    """What makes the weights whole: t is a multiple of 1/(2s), cubic's weights cubics in t times 1/4."""
    return 2 * s if mode == "linear" else 4 * (2 * s) ** 3


def interpolation(maps: int, s: int, dim: int, mode: str, coordinate: str) -> Op:
    """The op in integers: unit_of(mode, s) per axis times the interpolation."""
    return scaled(lift(Resize(maps, (s,) * dim, mode, coordinate)), unit_of(mode, s) ** dim)


def interpolate(x: np.ndarray, s: int, mode: str, coordinate: str) -> np.ndarray:
    """The same by the oracle."""
    if mode == "linear":
        rows = [oracle.linear(L, s, coordinate) for L in x.shape[2:]]
    else:
        rows = [oracle.cubic(L, s, coordinate, Fraction(-3, 4)) for L in x.shape[2:]]
    return oracle.resize(x, rows, unit_of(mode, s))


@pytest.mark.parametrize(("mode", "coordinate"), MODES)
@pytest.mark.parametrize("s", [1, 2, 3, 4, 5])
def test_a07_linear_cubic(mode: str, coordinate: str, s: int) -> None:
    rng = np.random.default_rng(s)
    for size in ((1, 3), (2, 1), (4, 5)):
        x = integers(rng, (1, 2, *size))
        ours = apply(interpolation(2, s, 2, mode, coordinate), x)
        np.testing.assert_array_equal(ours, interpolate(x, s, mode, coordinate))


@pytest.mark.parametrize(("mode", "coordinate"), MODES)
@pytest.mark.parametrize(("s", "K"), [(2, 3), (3, 3), (2, 5), (4, 2)])
def test_a07_merges_with_the_convolution_after_it(mode: str, coordinate: str, s: int, K: int) -> None:
    """Everywhere with border cells; with the interior kernel alone exactly on pb ≤ j < sL + pb - K + 1."""
    rng = np.random.default_rng(K)
    up = interpolation(1, s, 1, mode, coordinate)
    pb = K // 2
    conv = convolution(integers(rng, (2, 1, K)) * 2 + 1, integers(rng, (2,)), padding=[(pb, K - 1 - pb)])
    whole = compose(lift(conv), up)
    L = 12
    x = integers(rng, (1, 1, L)) + 9  # no sample zero: padding shows
    y = run(conv, interpolate(x, s, mode, coordinate))
    np.testing.assert_array_equal(whole.apply(x), y)
    np.testing.assert_array_equal(reduce(whole).apply(x), y)
    alike = (apply(whole.interior, x) == y).all(axis=(0, 1))
    np.testing.assert_array_equal(np.flatnonzero(alike), np.arange(pb, s * L + pb - K + 1))


@pytest.mark.parametrize(("mode", "coordinate"), MODES)
def test_a07_taps_after_the_merge(mode: str, coordinate: str) -> None:
    """⌈(K + E - 1)/s⌉ LR taps, E the extent of the interpolation as a transposed convolution."""
    reach = 2 if mode == "linear" else 4
    for K, s in product((1, 2, 3, 5, 9), (2, 3, 4, 5)):
        E = reach * s - (coordinate == "asymmetric" or s % 2 == 1)
        conv = lift(convolution(np.arange(1, K + 1)[None, None], padding=K // 2))
        op = compose(conv, interpolation(1, s, 1, mode, coordinate)).interior
        assert reduce(shift(op, minimal_crop(op))).taps == (-(-(K + E - 1) // s),), (K, s)


@pytest.mark.parametrize(
    ("mode", "K", "ratios"),
    [
        ("linear", 3, (9 / 9, 9 / 9, 9 / 9)),
        ("linear", 5, (16 / 25, 9 / 25, 9 / 25)),
        ("linear", 9, (36 / 81, 25 / 81, 16 / 81)),
        ("cubic", 3, (25 / 9, 25 / 9, 25 / 9)),
        ("cubic", 5, (36 / 25, 25 / 25, 25 / 25)),
        ("cubic", 9, (64 / 81, 49 / 81, 36 / 81)),
    ],
)
def test_a07_macs(mode: str, K: int, ratios: tuple[float, ...]) -> None:
    """MACs of the merged K×K convolution relative to the HR one, for s = 2, 3, 4 (docs/algebra.md's table)."""
    for s, ratio in zip((2, 3, 4), ratios, strict=True):
        conv = lift(convolution(np.arange(1, K + 1)[None, None], padding=K // 2))
        op = compose(conv, interpolation(1, s, 1, mode, "half_pixel")).interior
        taps = reduce(shift(op, minimal_crop(op))).taps[0]
        assert (taps / K) ** 2 == pytest.approx(ratio)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_a07_a_pointwise_convolution_commutes_with_resize(mode: str) -> None:
    """Weights that sum to one carry the bias through. As ops for all inputs, in floats that are exact (s = 2)."""
    rng = np.random.default_rng(0)
    w, b = integers(rng, (3, 2, 1, 1)).astype(float), integers(rng, (3,)).astype(float)
    conv, before, after = lift(convolution(w, b)), *(lift(Resize(C, (2, 4), mode)) for C in (2, 3))
    assert same(compose(conv, before), compose(after, conv))


@pytest.mark.parametrize("size", [(5, 7), (3, 2)])
def test_a07_even_where_resize_has_no_kernel(size: tuple[int, int]) -> None:
    """align_corners and fractional factors: 1×1 convolution before or after, the same samples."""
    rng = np.random.default_rng(0)
    w, b, x = integers(rng, (3, 2, 1, 1)), integers(rng, (3,)), integers(rng, (1, 2, 3, 4))
    rows = [oracle.align_corners(L, n) for L, n in zip(x.shape[2:], size, strict=True)]
    unit = int(np.prod([n - 1 for n in size]))
    after = oracle.convolution(oracle.resize(x, rows, unit), w, b * unit**2, (1, 1), [(0, 0)] * 2, (1, 1))
    before = oracle.resize(oracle.convolution(x, w, b, (1, 1), [(0, 0)] * 2, (1, 1)), rows, unit)
    np.testing.assert_array_equal(before, after)
