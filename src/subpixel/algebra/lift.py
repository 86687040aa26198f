"""`lift(layer) → Op`: every layer of `layers` written in the one form. Two tables of taps do nearly all of it.

A convolution reads tap k at d·k - p. A transposed convolution's tap k lands J = d·k - p samples after s·i,
so it belongs to phase J mod s and reads -⌊J/s⌋ sites away (A2).
"""

from __future__ import annotations

from fractions import Fraction
from functools import singledispatch
from math import prod

import numpy as np
from array_api_compat import array_namespace, device

from subpixel.algebra import layers
from subpixel.algebra.arrays import NOTHING, Array, Index, gather, permute, reshape, zeros_like
from subpixel.algebra.interpolation import Rows, cubic_kernel, linear_kernel, nearest_kernel
from subpixel.algebra.op import Lengths, Op, Outside


@singledispatch
def lift(layer: object) -> Op:
    """The layer in the form of `Op`, exactly, borders and lengths included.

    Raises:
        TypeError: not a layer of `subpixel.algebra.layers`.
    """
    raise TypeError(f"{type(layer).__name__} is not a layer of subpixel.algebra.layers.")


# --- layers with weights ---------------------------------------------------------------------------------


@lift.register
def _(layer: layers.Convolution) -> Op:
    weight = dense_groups(layer.weight, layer.groups)  # O C *K
    K = tuple(weight.shape[2:])
    tables = [convolution_taps(k, d) for k, d in zip(K, layer.dilation, strict=True)]
    return Op(
        kernel=_place(weight, tables),
        bias=_tile(layer.bias, weight, (1,) * len(K)),
        down=layer.stride,
        low=tuple(-start for start, _ in layer.pads),
        lengths=tuple(
            strided_lengths(s, start + end - d * (k - 1) - 1)
            for k, s, d, (start, end) in zip(K, layer.stride, layer.dilation, layer.pads, strict=True)
        ),
    )


@lift.register
def _(layer: layers.TransposedConvolution) -> Op:
    weight = dense_groups(layer.weight, layer.groups)  # C O *K
    K = tuple(weight.shape[2:])
    placed = [
        transposed_taps(k, s, start, d)
        for k, s, (start, _), d in zip(K, layer.stride, layer.pads, layer.dilation, strict=True)
    ]
    flipped = permute(weight, [1, 0, *range(2, weight.ndim)])
    geometry = zip(K, layer.stride, layer.pads, layer.output_padding, layer.dilation, strict=True)
    return Op(
        kernel=_place(flipped, [table for table, _ in placed]),
        bias=_tile(layer.bias, weight, layer.stride, flipped.shape[0]),
        down=(1,) * len(K),
        low=tuple(low for _, low in placed),
        lengths=tuple((d * (k - 1) + 1 - s - start - end + a,) for k, s, (start, end), a, d in geometry),
    )


@lift.register
def _(layer: layers.Affine) -> Op:
    xp = array_namespace(layer.scale)
    C, ones = layer.scale.shape[0], (1,) * layer.dim
    eye = xp.asarray(np.eye(C, dtype=np.int8), dtype=layer.scale.dtype, device=device(layer.scale))
    return Op(
        kernel=reshape(eye * layer.scale, (C, *ones, C, *ones)),
        bias=reshape(layer.shift, (C, *ones)),
        down=ones,
        low=(0,) * layer.dim,
        lengths=((0,),) * layer.dim,
    )


@lift.register
def _(layer: layers.PhaseBias) -> Op:
    O, up = layer.bias.shape[0], tuple(layer.bias.shape[1:])
    keep = [np.eye(U, dtype=np.int64) for U in up]
    return _per_map(O, keep, up, (0,) * len(up), tuple(tuple(range(U)) for U in up), bias=layer.bias)


@lift.register
def _(layer: layers.PhaseConvolutions) -> Op:
    parts = [(phase, lift(conv)) for phase, conv in enumerate(layer.convolutions) if conv is not None]
    d, (C, O) = len(layer.factor), layer.maps
    if not parts:
        raise ValueError("a layer whose phases are all bias only has no convolution: use `PhaseBias`.")
    low = tuple(min(op.low[i] for _, op in parts) for i in range(d))
    high = tuple(max(op.low[i] + op.taps[i] for _, op in parts) for i in range(d))
    K = tuple(b - a for a, b in zip(low, high, strict=True))
    xp = array_namespace(parts[0][1].kernel)
    rows: list[Array] = [zeros_like(parts[0][1].kernel, (O, C, *K))] * prod(layer.factor)
    for phase, op in parts:
        taps = [np.arange(k) + low[i] - op.low[i] for i, k in enumerate(K)]
        tables = [np.where((t >= 0) & (t < n), t, NOTHING)[None] for t, n in zip(taps, op.taps, strict=True)]
        rows[phase] = reshape(_place(reshape(op.kernel, (O, C, *op.taps)), tables), (O, C, *K))
    kernel = permute(xp.stack(rows), [1, 0, 2, *range(3, 3 + d)])  # O (phases) C *K
    down = parts[0][1].down
    lengths = tuple(
        tuple(U * min(op.lengths[i][r] for _, op in parts) for r in range(down[i])) for i, U in enumerate(layer.factor)
    )
    return Op(reshape(kernel, (O, *layer.factor, C, *K)), layer.bias, down, low, lengths)


# --- layers without: the same small kernel on every map ----------------------------------------------------


@lift.register
def _(layer: layers.Resize) -> Op:
    rows: list[tuple[Rows, int]] = []
    for i, s in enumerate(layer.factor):
        if layer.mode == "nearest":
            rows.append(nearest_kernel(s, layer.offset[i] if layer.offset else 0))
        elif layer.mode == "linear":
            rows.append(linear_kernel(s, layer.coordinate))
        else:
            rows.append(cubic_kernel(s, layer.coordinate, layer.cubic_a))
    d = len(rows)
    return _per_map(
        layer.maps,
        [_numbers(weights) for weights, _ in rows],
        (1,) * d,
        tuple(low for _, low in rows),
        ((0,),) * d,
        outside="edge",
    )


@lift.register
def _(layer: layers.PeriodicShuffle) -> Op:
    P, d = prod(layer.factor), len(layer.factor)
    kernel = _shuffle_order(layer.maps, P, layer.order).reshape(layer.maps, *layer.factor, layer.maps * P, *(1,) * d)
    return Op(kernel, _no_bias(kernel, d), (1,) * d, (0,) * d, ((0,),) * d)


@lift.register
def _(layer: layers.PeriodicUnshuffle) -> Op:
    P, d = prod(layer.factor), len(layer.factor)
    order = _shuffle_order(layer.maps, P, layer.order)  # maps phases (maps·P)
    kernel = np.moveaxis(order, 2, 0).reshape(layer.maps * P, *(1,) * d, layer.maps, *layer.factor)
    lengths = tuple(tuple(int(r > 0) for r in range(s)) for s in layer.factor)
    return Op(kernel, _no_bias(kernel, d), layer.factor, (0,) * d, lengths)


@lift.register
def _(layer: layers.ZeroInsertion) -> Op:
    d = len(layer.factor)
    first = [np.eye(s, 1, dtype=np.int64) for s in layer.factor]
    lengths = tuple((1 - s + t,) for s, t in zip(layer.factor, layer.tail, strict=True))
    return _per_map(layer.maps, first, (1,) * d, (0,) * d, lengths)


@lift.register
def _(layer: layers.Pad) -> Op:
    d = len(layer.pads)
    one = [np.ones((1, 1), dtype=np.int64)] * d
    low = tuple(-start for start, _ in layer.pads)
    lengths = tuple((start + end,) for start, end in layer.pads)
    return _per_map(layer.maps, one, (1,) * d, low, lengths, outside=layer.mode)


@lift.register
def _(layer: layers.AveragePool) -> Op:
    mean = [_numbers([[Fraction(1, K)] * K]) for K in layer.kernel_size]
    low = tuple(-start for start, _ in layer.pads)
    lengths = tuple(
        strided_lengths(s, start + end - K)
        for K, s, (start, end) in zip(layer.kernel_size, layer.stride, layer.pads, strict=True)
    )
    return _per_map(layer.maps, mean, layer.stride, low, lengths)


@lift.register
def _(layer: layers.OverlapAdd) -> Op:
    d, K = len(layer.kernel_size), layer.kernel_size
    columns = np.eye(layer.maps * prod(K), dtype=np.int64).reshape(layer.maps * prod(K), layer.maps, *K)
    return lift(layers.TransposedConvolution(columns, None, layer.stride, layer.pads, (0,) * d, (1,) * d))


@lift.register
def _(layer: layers.ShiftedSum) -> Op:
    d, K, O = len(layer.kernel_size), layer.kernel_size, layer.maps
    columns = np.eye(O * prod(K), dtype=np.int64).reshape(O, prod(K), O, prod(K))
    kernel = np.einsum("akbl,kl->abkl", columns, np.eye(prod(K), dtype=np.int64))  # o o' k k
    kernel = kernel.reshape(O, *(1,) * d, O * prod(K), *K)
    return Op(kernel, _no_bias(kernel, d), (1,) * d, layer.low, tuple((g,) for g in layer.grow))


# --- tables of taps ----------------------------------------------------------------------------------------


def convolution_taps(K: int, d: int) -> Index:
    """Which weight sits at each offset of a dilated kernel. Shape: `1 d·(K-1)+1`."""
    offset = np.arange(d * (K - 1) + 1)
    return np.where(offset % d == 0, offset // d, NOTHING)[None]


def transposed_taps(K: int, s: int, p: int, d: int) -> tuple[Index, int]:
    """Which weight phase φ reads at site n + low + m: k = (φ - s·(low + m) + p)/d, where whole (A2).

    Shape: `s M`. Returns the table and low.
    """
    low = -((d * (K - 1) - p) // s)
    M = -(-p // s) - low + 1
    J = np.arange(s)[:, None] - s * (low + np.arange(M))[None, :]  # the tap that lands there: d·k - p = J
    k, rest = np.divmod(J + p, d)
    return np.where((rest == 0) & (k >= 0) & (k < K), k, NOTHING), low


def strided_lengths(s: int, excess: int) -> Lengths:
    """f(L) = ⌊(L + excess)/s⌋ + 1 as a table over L mod s (Dumoulin & Visin, relationship 6)."""
    return tuple((r + excess) // s + 1 for r in range(s))


def dense_groups(weight: Array, groups: int) -> Array:
    """Groups as zero blocks: `A B/g …` to `A B …`, block-diagonal."""
    if groups == 1:
        return weight
    xp = array_namespace(weight)
    A, b = weight.shape[0], weight.shape[1]
    blocks = []
    for g in range(groups):
        column = np.full(groups * b, NOTHING)
        column[g * b : (g + 1) * b] = np.arange(b)
        blocks.append(gather(weight[g * (A // groups) : (g + 1) * (A // groups)], 1, column))
    return xp.concat(blocks, axis=0)


# --- small pieces --------------------------------------------------------------------------------------------


def _place(weight: Array, tables: list[Index]) -> Array:
    """Weights to where the tables (`U M` per axis) put them: `O C *K` to `O *U C *M`."""
    d = len(tables)
    for axis, table in enumerate(tables):
        weight = gather(weight, 2 + 2 * axis, table)  # O C U₀ M₀ U₁ M₁ … K …
    phases, taps = [2 + 2 * i for i in range(d)], [3 + 2 * i for i in range(d)]
    return permute(weight, [0, *phases, 1, *taps])


def _tile(bias: Array | None, like: Array, up: tuple[int, ...], maps: int | None = None) -> Array:
    """A bias per map, the same in every phase: `O` to `O *U`."""
    O = maps if maps is not None else like.shape[0]
    zeros = zeros_like(like, (O, *up))
    return zeros if bias is None else zeros + reshape(bias, (O, *(1,) * len(up)))


def _per_map(
    maps: int,
    rows: list[np.ndarray],
    down: tuple[int, ...],
    low: tuple[int, ...],
    lengths: tuple[Lengths, ...],
    outside: Outside = "zero",
    bias: Array | None = None,
) -> Op:
    """The separable kernel ∏ rows[axis][φ, k] on every map. Shape of a row table: `U K`."""
    d = len(rows)
    kernel: np.ndarray = np.eye(maps, dtype=np.int64)
    for row in rows:
        kernel = np.multiply.outer(kernel, row)  # O C U₀ K₀ U₁ K₁ …
    kernel = kernel.transpose(0, *(2 + 2 * i for i in range(d)), 1, *(3 + 2 * i for i in range(d)))
    return Op(kernel, _no_bias(kernel, d) if bias is None else bias, down, low, lengths, outside)


def _no_bias(kernel: np.ndarray, d: int) -> np.ndarray:
    return np.zeros(kernel.shape[: 1 + d], kernel.dtype)


def _numbers(rows: Rows) -> np.ndarray:
    """Fractions as integers where they are, as float64 elsewhere."""
    whole = all(w.denominator == 1 for row in rows for w in row)
    return np.array([[int(w) if whole else float(w) for w in row] for row in rows])


def _shuffle_order(maps: int, P: int, order: str) -> np.ndarray:
    """Which input map of PS feeds (map, phase): a permutation as 0/1. Shape: `maps P (maps·P)`."""
    grid = np.arange(maps * P)
    c = grid.reshape(maps, P) if order == "crd" else grid.reshape(P, maps).T
    table: np.ndarray = (c[:, :, None] == grid).astype(np.int64)
    return table
