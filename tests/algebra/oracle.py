"""Every layer straight from its definition, in plain loops over samples and taps.

What `subpixel.algebra` is held against, and itself held against PyTorch and onnxruntime (test_oracle.py). It
knows nothing of the package. Arrays are `B C *L` of integers; weights keep PyTorch's layouts; pads are
(start, end) pairs per axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod

import numpy as np

Array = np.ndarray
Ints = Sequence[int]
Pads = Sequence[tuple[int, int]]
ALL = slice(None)


def convolution(
    x: Array, weight: Array, bias: Array | None, stride: Ints, pads: Pads, dilation: Ints, groups: int = 1
) -> Array:
    """y[o, j] = bias[o] + Σ_{c,k} w[o, c, k] · x[c, s·j + d·k - p], x zero outside."""
    O, C, *K = weight.shape  # C maps per group
    size = [
        max(0, (L + p + q - d * (k - 1) - 1) // s + 1)
        for L, (p, q), d, k, s in zip(x.shape[2:], pads, dilation, K, stride, strict=True)
    ]
    y = _fresh(x, O, size, bias)
    for j in np.ndindex(*size):
        for k in np.ndindex(*K):
            i = tuple(s * j_ + d * k_ - p for s, j_, d, k_, (p, _) in zip(stride, j, dilation, k, pads, strict=True))
            if _inside(i, x.shape[2:]):
                for maps, read in zip(
                    np.split(np.arange(O), groups), np.split(np.arange(C * groups), groups), strict=True
                ):
                    y[(ALL, maps, *j)] += x[(ALL, read, *i)] @ weight[(maps, ALL, *k)].T
    return y


def transposed_convolution(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Ints,
    pads: Pads,
    output_padding: Ints,
    dilation: Ints,
    groups: int = 1,
) -> Array:
    """y[o, s·i + d·k - p] += x[c, i] · w[c, o, k]; output padding lengthens the end, padding crops."""
    C, O, *K = weight.shape  # O maps per group
    size = [
        max(0, s * (L - 1) + d * (k - 1) + 1 + a - p - q)
        for L, (p, q), d, k, s, a in zip(x.shape[2:], pads, dilation, K, stride, output_padding, strict=True)
    ]
    y = _fresh(x, O * groups, size, bias)
    for i in np.ndindex(*x.shape[2:]):
        for k in np.ndindex(*K):
            j = tuple(s * i_ + d * k_ - p for s, i_, d, k_, (p, _) in zip(stride, i, dilation, k, pads, strict=True))
            if _inside(j, size):
                for maps, read in zip(
                    np.split(np.arange(O * groups), groups), np.split(np.arange(C), groups), strict=True
                ):
                    y[(ALL, maps, *j)] += x[(ALL, read, *i)] @ weight[(read, ALL, *k)]
    return y


def pad(x: Array, pads: Pads, mode: str = "zero") -> Array:
    """Samples added at both ends, zeros or the edge sample, or cropped where negative."""
    size = [max(0, L + p + q) for L, (p, q) in zip(x.shape[2:], pads, strict=True)]
    y = _fresh(x, x.shape[1], size)
    for j in np.ndindex(*size):
        i = tuple(j_ - p for j_, (p, _) in zip(j, pads, strict=True))
        if mode == "edge":
            i = tuple(min(max(i_, 0), L - 1) for i_, L in zip(i, x.shape[2:], strict=True))
        if _inside(i, x.shape[2:]):
            y[(ALL, ALL, *j)] = x[(ALL, ALL, *i)]
    return y


def zero_insertion(x: Array, factor: Ints, tail: Ints) -> Array:
    """s-1 zeros between samples and `tail` at the end."""
    y = _fresh(x, x.shape[1], [s * (L - 1) + 1 + t for L, s, t in zip(x.shape[2:], factor, tail, strict=True)])
    y[(ALL, ALL, *(slice(0, s * (L - 1) + 1, s) for L, s in zip(x.shape[2:], factor, strict=True)))] = x
    return y


def sum_pool(x: Array, kernel_size: Ints, stride: Ints, pads: Pads) -> Array:
    """Average pooling times the number of samples, so that integers stay integers."""
    weight = np.ones((x.shape[1], 1, *kernel_size), dtype=np.int64)
    return convolution(x, weight, None, stride, pads, (1,) * len(stride), groups=x.shape[1])


def affine(x: Array, scale: Array, shift: Array) -> Array:
    """y[c] = scale[c] · x[c] + shift[c]."""
    return np.stack([x[:, c] * scale[c] + shift[c] for c in range(len(scale))], axis=1)


# --- periodic shuffling ----------------------------------------------------------------------------------------


def shuffle(x: Array, factor: Ints, order: str) -> Array:
    """PS: y[o, s·n + φ] = x[c, n], c = o·P + φ (CRD) or φ·O + o (DCR), phases with the last axis fastest."""
    O = x.shape[1] // prod(factor)
    y = _fresh(x, O, [s * L for s, L in zip(factor, x.shape[2:], strict=True)])
    for o, (number, phase) in _maps_and_phases(O, factor):
        c = o * prod(factor) + number if order == "crd" else number * O + o
        y[(ALL, o, *(slice(f, None, s) for f, s in zip(phase, factor, strict=True)))] = x[:, c]
    return y


def unshuffle(x: Array, factor: Ints, order: str) -> Array:
    """PS⁻¹ of x, its tail filled with zeros up to whole cells."""
    C = x.shape[1]
    full = pad(x, [(0, -L % s) for L, s in zip(x.shape[2:], factor, strict=True)])
    y = _fresh(x, C * prod(factor), [L // s for L, s in zip(full.shape[2:], factor, strict=True)])
    for c, (number, phase) in _maps_and_phases(C, factor):
        o = c * prod(factor) + number if order == "crd" else number * C + c
        y[:, o] = full[(ALL, c, *(slice(f, None, s) for f, s in zip(phase, factor, strict=True)))]
    return y


def _maps_and_phases(maps: int, factor: Ints) -> list[tuple[int, tuple[int, tuple[int, ...]]]]:
    return [(o, pair) for o in range(maps) for pair in enumerate(np.ndindex(*factor))]


# --- interpolation: along each axis a matrix, sample j of the output from the samples of the input -----------------


def resize(x: Array, matrices: Sequence[list[list[Fraction]]], unit: int = 1) -> Array:
    """The matrices applied along the spatial axes, each multiplied by `unit`, which must make them whole."""
    for axis, rows in enumerate(matrices, start=2):
        assert all((w * unit).denominator == 1 for row in rows for w in row)
        matrix = np.array([[int(w * unit) for w in row] for row in rows], dtype=np.int64).reshape(len(rows), -1)
        x = np.moveaxis(np.tensordot(x, matrix, axes=(axis, 1)), -1, axis)
    return x


def source(j: int, s: int, coordinate: str) -> Fraction:
    """Where output sample j lies on the input: ONNX Resize's coordinate modes, scale s.

    Scale 1 leaves an axis alone, as in onnxruntime.
    """
    if coordinate == "asymmetric" or s == 1:
        return Fraction(j, s)
    if coordinate == "tf_half_pixel_for_nn":
        return Fraction(2 * j + 1, 2 * s)
    if coordinate in ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel"):
        return Fraction(2 * j + 1, 2 * s) - Fraction(1, 2)
    raise ValueError(coordinate)


def nearest(L: int, s: int, coordinate: str, rounding: str) -> list[list[Fraction]]:
    """ONNX Resize, mode nearest."""
    half = Fraction(1, 2)
    rows = []
    for j in range(s * L):
        q = source(j, s, coordinate)
        down, rest = q.numerator // q.denominator, q - q.numerator // q.denominator
        up = rest > 0
        if rounding == "round_prefer_floor":
            up = rest > half
        elif rounding == "round_prefer_ceil":
            up = rest >= half
        elif rounding == "floor":
            up = False
        rows.append(_row(L, {down + up: Fraction(1)}))
    return rows


def linear(L: int, s: int, coordinate: str) -> list[list[Fraction]]:
    """Two taps at the fractional position, edge samples repeated."""
    rows = []
    for j in range(s * L):
        q = source(j, s, coordinate)
        n = q.numerator // q.denominator
        rows.append(_row(L, {n: 1 - (q - n), n + 1: q - n}))
    return rows


def align_corners(L: int, size: int) -> list[list[Fraction]]:
    """Linear with the corners aligned, to any size: no shift-covariant kernel, still weights that sum to one."""
    rows = []
    for j in range(size):
        q = Fraction(j * (L - 1), size - 1)
        n = q.numerator // q.denominator
        rows.append(_row(L, {n: 1 - (q - n), n + 1: q - n}))
    return rows


def cubic(L: int, s: int, coordinate: str, a: Fraction) -> list[list[Fraction]]:
    """Keys' four taps, edge samples repeated."""

    def keys(t: Fraction) -> Fraction:
        t = abs(t)
        if t <= 1:
            return (a + 2) * t**3 - (a + 3) * t**2 + 1
        return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else Fraction(0)

    rows = []
    for j in range(s * L):
        q = source(j, s, coordinate)
        n = q.numerator // q.denominator
        rows.append(_row(L, {m: keys(q - m) for m in range(n - 1, n + 3)}))
    return rows


def _row(L: int, weights: dict[int, Fraction]) -> list[Fraction]:
    """Weights by sample, samples beyond the border taken from the edge."""
    row = [Fraction(0)] * L
    for m, w in weights.items():
        row[min(max(m, 0), L - 1)] += w
    return row


# --- the layers that only plans use --------------------------------------------------------------------------------


def phase_bias(x: Array, bias: Array) -> Array:
    """A bias tile repeated over the output from its first sample."""
    y = x.copy()
    for j in np.ndindex(*x.shape[2:]):
        y[(ALL, ALL, *j)] += bias[(ALL, *(j_ % U for j_, U in zip(j, bias.shape[1:], strict=True)))]
    return y


def overlap_add(x: Array, kernel_size: Ints, stride: Ints, pads: Pads) -> Array:
    """col2im: y[o, s·i + k - p] += x[o·ΠK + k, i]."""
    O = x.shape[1] // prod(kernel_size)
    size = [s * (L - 1) + k - p - q for L, s, k, (p, q) in zip(x.shape[2:], stride, kernel_size, pads, strict=True)]
    y = _fresh(x, O, [max(0, n) for n in size])
    for o, (number, k) in _maps_and_phases(O, kernel_size):
        for i in np.ndindex(*x.shape[2:]):
            j = tuple(s * i_ + k_ - p for s, i_, k_, (p, _) in zip(stride, i, k, pads, strict=True))
            if _inside(j, y.shape[2:]):
                y[(ALL, o, *j)] += x[(ALL, o * prod(kernel_size) + number, *i)]
    return y


def shifted_sum(x: Array, kernel_size: Ints, low: Ints, grow: Ints) -> Array:
    """y[o, n] = Σ_k x[o·ΠK + k, n + low + k], x zero outside."""
    O = x.shape[1] // prod(kernel_size)
    y = _fresh(x, O, [max(0, L + g) for L, g in zip(x.shape[2:], grow, strict=True)])
    for o, (number, k) in _maps_and_phases(O, kernel_size):
        for n in np.ndindex(*y.shape[2:]):
            i = tuple(n_ + a + k_ for n_, a, k_ in zip(n, low, k, strict=True))
            if _inside(i, x.shape[2:]):
                y[(ALL, o, *n)] += x[(ALL, o * prod(kernel_size) + number, *i)]
    return y


def _fresh(x: Array, maps: int, size: Ints, bias: Array | None = None) -> Array:
    y = np.zeros((x.shape[0], maps, *size), dtype=np.int64)
    return y if bias is None else y + np.asarray(bias).reshape(-1, *(1,) * len(size))


def _inside(i: Ints, size: Ints) -> bool:
    return all(0 <= i_ < L for i_, L in zip(i, size, strict=True))
