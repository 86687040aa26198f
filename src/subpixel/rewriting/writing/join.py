"""`join`: a chain of layers as one op or as cells, in float64, without ever spelling out what every map repeats.

A resize of C maps is one small kernel C times, a shuffle C times the same permutation. Composed densely they would be
kernels of zeros, so the layer after them is composed with a single map instead, once per (o, c) pair: the same sums.
A shuffle after a layer only names its maps anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import gcd, prod

import numpy as np

from subpixel.algebra import Cells, Layer, Op, Plan, layers, lift
from subpixel.algebra.arrays import NOTHING, Array, gather
from subpixel.algebra.cells import as_cells
from subpixel.algebra.compose import compose
from subpixel.algebra.op import output_length
from subpixel.algebra.reduce import reduce
from subpixel.rewriting.refusal import Refusal

_PER_MAP = (layers.Resize, layers.Pad, layers.ZeroInsertion, layers.AveragePool)
_REPEATED = (*_PER_MAP, layers.PeriodicShuffle)
_LARGEST = 1 << 27  # kernel entries of a composed layer: 1 GB of float64
_LARGEST_BORDER = 1 << 24  # the same by the estimate of `_guard`, where there is a border: some four seconds of a core


def join(chain: Sequence[Layer], size: tuple[int, ...] | None = None) -> Op | Cells:
    """The chain as one layer, in normal form.

    Raises:
        Refusal: the layers do not fit each other, or the result would be too large to write out.
    """
    for layer in chain:
        if isinstance(layer, layers.Resize) and 4 ** len(layer.factor) * prod(layer.factor) > _LARGEST:
            factors = "×".join(map(str, layer.factor))
            raise Refusal(f"its factors {factors} would make kernels of more than {_LARGEST:,} entries", "cap")
    rest = list(chain)
    per_map: list[Layer] = []
    while len(rest) > 1 and isinstance(first := rest[0], _REPEATED):
        if isinstance(first, layers.PeriodicShuffle) and per_map:
            break  # it would mix what the layers before it made of each map
        per_map.append(replace(first, maps=1))
        rest.pop(0)
    try:
        if isinstance(rest[0], layers.PeriodicShuffle) and not per_map:
            whole: Op | Cells = reduce(_lifted(rest.pop(0)))
        elif len(per_map) == 1 and isinstance(chain[0], layers.PeriodicShuffle):
            whole = reduce(before_shuffle(_lifted(rest.pop(0)), chain[0]))
        elif per_map:
            head, first = _lifted(rest.pop(0)), per_map[0]
            one: Op | Cells = lift(first)
            for layer in per_map[1:]:
                one = reduce(compose(lift(layer), one, size))
            _guard(head, one)
            order = first.order if isinstance(first, layers.PeriodicShuffle) else "crd"
            whole = reduce(over_one_map(head, one, size, order))
        else:
            whole = reduce(_lifted(rest.pop(0)))
        for layer in rest:
            if isinstance(layer, layers.PeriodicShuffle):
                whole = reduce(shuffled(whole, layer))
                continue
            if isinstance(layer, _PER_MAP):
                whole = reduce(on_each_map(layer, whole, size))
                continue
            op = _lifted(layer)
            _guard(op, whole)
            whole = reduce(compose(op, whole, size))
    except ValueError as error:
        raise Refusal(f"its layers do not compose: {error}", "A12") from error
    return whole


def shuffled(layer: Op | Cells, ps: layers.PeriodicShuffle) -> Cells:
    """PS after a layer: its maps become phases, kernels move and nothing is added up.

    Shape: kernel `*Q (o ψ) *U C *K` or `*Q (ψ o) *U C *K` to `*Q o *(U ψ) C *K`.

    Raises:
        ValueError: the layer gives another number of maps.
    """
    cells = as_cells(layer)
    d, s, O = cells.dim, ps.factor, ps.maps
    if cells.interior.maps[1] != O * prod(s) or len(s) != d:
        raise ValueError(
            f"the layer gives {cells.interior.maps[1]} maps; the shuffle takes {O * prod(s)} on {len(s)} axes."
        )

    def moved(array: Array) -> Array:
        Q, U, rest = array.shape[:d], array.shape[d + 1 : 2 * d + 1], array.shape[2 * d + 1 :]
        crd = ps.order == "crd"
        split = np.asarray(array).reshape(*Q, *((O, *s) if crd else (*s, O)), *U, *rest)
        o, psi, u = (d, d + 1, 2 * d + 1) if crd else (2 * d, d, 2 * d + 1)
        phases = [j for i in range(d) for j in (u + i, psi + i)]
        order = [*range(d), o, *phases, *range(3 * d + 1, split.ndim)]
        finer = [n * f for n, f in zip(U, s, strict=True)]
        return np.ascontiguousarray(split.transpose(order)).reshape(*Q, O, *finer, *rest)

    lengths = tuple(tuple(f * t for t in table) for f, table in zip(s, cells.lengths, strict=True))
    return replace(cells, kernel=moved(cells.kernel), bias=moved(cells.bias), lengths=lengths)


def before_shuffle(second: Op, ps: layers.PeriodicShuffle) -> Op:
    """`second` after PS (A9): D·n + low + k = s·q + ψ, so every tap is tap q of phase ψ. Nothing is added up.

    Shape: kernel `O *U c *k` to `O *(r U) (c ψ) *q` or `(ψ c)`, r = s / gcd(s, D) per axis.

    Raises:
        ValueError: the shuffle gives another number of maps.
    """
    d, s, (C, O) = second.dim, ps.factor, second.maps
    if ps.maps != C or len(s) != d:
        raise ValueError(f"the shuffle gives {ps.maps} maps on {len(s)} axes; the layer takes {C} on {d}.")
    assert second.outside == "zero", "no layer that is lifted alone continues a shuffle by its edge"
    kernel: Array = np.asarray(second.kernel)
    lows, downs, lengths, times = [], [], [], []
    for axis in range(d):
        D, table, f, low = second.down[axis], second.lengths[axis], s[axis], second.low[axis]
        r = f // gcd(f, D)
        first, last = low // f, (D * (r - 1) + low + max(second.taps[axis], 1) - 1) // f
        q = np.arange(first, last + 1)
        k = f * q + np.arange(f)[:, None] - D * np.arange(r)[:, None, None] - low  # r ψ q
        # o *U c *k → the tap's axis becomes r ψ q, each moved to where it belongs in the end
        kernel = gather(kernel, 2 + d + 3 * axis, np.where((k >= 0) & (k < second.taps[axis]), k, NOTHING))
        lows.append(first)
        downs.append(D * r // f)
        times.append(r)
        lengths.append(tuple(output_length(f * rho, second.up[axis], D, table) for rho in range(D * r // f)))
    # o *U c (r ψ q)…  →  o (r U)… (c ψ…) q…
    at = [2 + d + 3 * i for i in range(d)]
    crd = [1 + d, *(a + 1 for a in at)] if ps.order == "crd" else [*(a + 1 for a in at), 1 + d]
    order = [0, *(j for i, a in enumerate(at) for j in (a, 1 + i)), *crd, *(a + 2 for a in at)]
    U = [r * u for r, u in zip(times, second.up, strict=True)]
    Q = [kernel.shape[a + 2] for a in at]
    whole = np.ascontiguousarray(kernel.transpose(order)).reshape(O, *U, C * prod(s), *Q)
    bias = np.asarray(second.bias)
    for axis, r in enumerate(times):
        bias = np.concatenate([bias] * r, axis=1 + axis)
    return Op(whole, bias, tuple(downs), tuple(lows), tuple(lengths), "zero")


def over_one_map(
    second: Op, one: Op | Cells, size: tuple[int, ...] | None = None, order: layers.Order = "crd"
) -> Cells:
    """`second` after C copies of `one`, which gives one map of P and has no bias. Shape: as `compose`.

    The whole takes C·P maps, (c p) or (p c) by `order`.
    """
    d, (C, O) = second.dim, second.maps
    kernel = np.asarray(second.kernel)
    K, U = second.taps, second.up
    kernel = np.moveaxis(kernel, 1 + d, 1).reshape(O * C, *U, 1, *K)  # o c *U *K → (o c) *U 1 *K
    inner = compose(replace(second, kernel=kernel, bias=np.zeros((O * C, *U))), one, size)
    Q, up, taps, P = inner.count, inner.up, inner.taps, inner.interior.maps[0]
    whole: Array = inner.kernel.reshape(*Q, O, C, *up, P, *taps)
    whole = np.moveaxis(whole, d + 1, 2 * d + (1 if order == "crd" else 2))  # *Q o *U c p *K, or p c
    whole = np.ascontiguousarray(whole).reshape(*Q, O, *up, C * P, *taps)
    bias = np.asarray(second.bias)
    for axis, n in enumerate(up):
        bias = np.take(bias, np.arange(n) % U[axis], axis=1 + axis)
    return replace(inner, kernel=whole, bias=np.broadcast_to(bias, (*Q, *bias.shape)).copy())


def on_each_map(layer: Layer, first: Op | Cells, size: tuple[int, ...] | None = None) -> Op | Cells:
    """A layer that does the same to every map, after `first`: map by map, and the maps side by side again.

    Raises:
        ValueError: `first` gives another number of maps than the layer takes.
    """
    assert isinstance(layer, _PER_MAP)
    cells = as_cells(first)
    (_, O), d = cells.interior.maps, cells.dim
    if layer.maps != O:
        raise ValueError(f"{O} maps meet a {type(layer).__name__} of {layer.maps}.")
    one = lift(replace(layer, maps=1))
    one = replace(one, kernel=np.asarray(one.kernel, np.float64), bias=np.asarray(one.bias, np.float64))
    _guard(one, first, O)
    parts = []
    for o in range(O):
        alone = replace(cells, kernel=cells.kernel.take([o], d), bias=cells.bias.take([o], d))
        parts.append(compose(one, alone, size))
    kernel = np.concatenate([part.kernel for part in parts], axis=d)
    return replace(parts[0], kernel=kernel, bias=np.concatenate([part.bias for part in parts], axis=d))


def folded(chain: tuple[Layer, ...]) -> layers.Convolution:
    """A convolution with the scales and shifts after it folded in."""
    conv = chain[0]
    assert isinstance(conv, layers.Convolution)
    weight, bias = np.asarray(conv.weight), conv.bias
    for affine in chain[1:]:
        assert isinstance(affine, layers.Affine)
        weight = weight * affine.scale.reshape(-1, *(1,) * (weight.ndim - 1))
        bias = affine.shift + (0 if bias is None else bias * affine.scale)
    return layers.Convolution(weight, bias, conv.stride, conv.pads, conv.dilation, conv.groups)


def _lifted(layer: Layer | Plan) -> Op:
    if isinstance(layer, _PER_MAP):
        s = prod(getattr(layer, "factor", (1,)))
        if layer.maps**2 * s * s > _LARGEST:
            raise Refusal(f"a {type(layer).__name__} of {layer.maps} maps is too large to write out", "A12")
    op = lift(layer)
    return replace(op, kernel=np.asarray(op.kernel, np.float64), bias=np.asarray(op.bias, np.float64))


def _guard(second: Op, first: Op | Cells, maps: int | None = None) -> None:
    cells = as_cells(first)
    taps = prod(K + k for K, k in zip(second.taps, cells.taps, strict=True))
    count = (maps or second.maps[1]) * cells.interior.maps[0] * prod(second.up) * prod(cells.up) * taps
    if prod(cells.count) > 1:  # each cell of the border meets the next layer's own border: up to three an axis
        count *= 4 * prod(3 * n for n in cells.count)  # and composing them takes as much again, some times over
        if count > _LARGEST_BORDER:
            raise Refusal("its border has so many kernels that composing them would take too long", "A12")
    if count > _LARGEST:
        raise Refusal("the composed kernel would be too large to write out", "A12")
