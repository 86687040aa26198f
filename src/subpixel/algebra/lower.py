"""`lower(op) → plans`: every way to spell one op in the layers that runtimes offer.

A plan is a chain of layers and a crop. `lift(plan)` brings it back into the one form, so a spelling is proved
by `same(lift(plan), op)`. What cannot be spelled a certain way raises ValueError with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from math import gcd, prod

import numpy as np
from array_api_compat import array_namespace

from subpixel.algebra import layers
from subpixel.algebra.arrays import NOTHING, Array, as_numpy, equal, gather, permute, reshape
from subpixel.algebra.cells import Cells, as_cells
from subpixel.algebra.compose import compose
from subpixel.algebra.lattice import block, shift
from subpixel.algebra.layers import Ints, Order, Pads
from subpixel.algebra.lift import lift
from subpixel.algebra.op import Lengths, Op
from subpixel.algebra.parallel import widen
from subpixel.algebra.reduce import any_along, reads_outside, reduce, support, trim


@dataclass(frozen=True, eq=False)
class Plan:
    """Layers to run in order; then `crop` samples are cut at the start and what exceeds `lengths` at the end.

    `lengths` is the table of the op that the plan spells, f(L) for the plan's own input length L.
    """

    spelling: str
    layers: tuple[layers.Layer, ...]
    crop: Ints
    lengths: tuple[Lengths, ...]


@lift.register
def _(plan: Plan) -> Op:
    whole = reduce(lift(plan.layers[0]))
    for layer in plan.layers[1:]:
        whole = reduce(compose(lift(layer), whole))
    maps = as_cells(whole).interior.maps[1]
    whole = reduce(compose(lift(layers.Pad(maps, tuple((-c, 0) for c in plan.crop))), whole))
    if isinstance(whole, Cells) and whole.down == tuple(map(len, plan.lengths)):
        whole = reduce(whole.cut(plan.lengths))  # what is cut off may be all that a border cell was for
    if not isinstance(whole, Op):
        raise ValueError(f"the layers of this {plan.spelling!r} plan have border cells: it is no single op.")
    whole = block(whole, tuple(len(table) // D for table, D in zip(plan.lengths, whole.down, strict=True)))
    if any(
        f > g for want, have in zip(plan.lengths, whole.lengths, strict=True) for f, g in zip(want, have, strict=True)
    ):
        raise ValueError(f"the layers of this {plan.spelling!r} plan give fewer samples than it promises.")
    return replace(whole, lengths=plan.lengths)


def lower(op: Op, order: Order = "crd") -> list[Plan]:
    """Every spelling that exists for `op`; PS in `order`. LR convolutions come with the crop that needs fewest taps."""
    plans = []
    for spelling in SPELLINGS:
        try:
            plans.append(spell(op, spelling, order))
        except ValueError:
            continue
    return plans


def spell(op: Op, spelling: str, order: Order = "crd", crop: Ints | None = None) -> Plan:
    """One spelling of `op`: a key of `SPELLINGS`.

    `crop` moves the phase origin (A3, see `shift`): None takes `minimal_crop` where it matters, 0 keeps it.

    Raises:
        ValueError: no such spelling, or the op cannot be spelled that way (the message says why).
    """
    if spelling not in SPELLINGS:
        raise ValueError(f"`spelling` (={spelling!r}) must be one of {', '.join(SPELLINGS)}.")
    pad, inner = pad_first(op)
    if spelling in ("transposed", "zero insertion", "overlap-add"):
        crop = (0,) * op.dim  # no phases to move: a tap lands where it lands
    elif crop is None:
        crop = minimal_crop(inner)
    inner = trim(as_cells(shift(inner, crop))).interior
    if 0 in inner.taps:  # nothing but bias: runtimes still want a tap
        high = tuple(a + max(1, K) for a, K in zip(inner.low, inner.taps, strict=True))
        inner = widen(inner, inner.low, high)
    return Plan(spelling, (*pad, *SPELLINGS[spelling](inner, order)), crop, op.lengths)


# --- choices ---------------------------------------------------------------------------------------------------


def minimal_crop(op: Op) -> Ints:
    """The smallest c per axis whose `shift` leaves the LR convolution the fewest taps (A3)."""
    crops = []
    for axis, (U, D) in enumerate(zip(op.up, op.down, strict=True)):
        phase, tap = support(op, axis)
        spans = []
        for c in range(U):
            read = tap - D * ((phase + c) // U)
            spans.append(int(read.max() - read.min()) if read.size else 0)
        crops.append(spans.index(min(spans)))
    return tuple(crops)


def find_groups(weight: Array) -> int:
    """The most groups for which a dense weight `A B …` is block-diagonal."""
    A, B = weight.shape[:2]
    used = (as_numpy(weight) != 0).any(axis=tuple(range(2, weight.ndim)))
    for g in range(gcd(A, B), 1, -1):
        if gcd(A, B) % g == 0:
            rows, columns = np.arange(A) // (A // g), np.arange(B) // (B // g)
            if not (used & (rows[:, None] != columns)).any():
                return g
    return 1


def take_groups(weight: Array, groups: int) -> Array:
    """The diagonal blocks of a block-diagonal weight: `A B …` to `A B/g …`."""
    A, B = weight.shape[:2]
    rows = reshape(weight, (groups, A // groups, B, *weight.shape[2:]))
    blocks = [gather(rows[g], 1, np.arange(B // groups) + g * (B // groups)) for g in range(groups)]
    return array_namespace(weight).concat(blocks, axis=0)


def take_dilation(weight: Array) -> tuple[Array, Ints]:
    """Taps that sit at multiples of d from the first, kept alone. Returns the weight `A B *K'` and d per axis."""
    dilation = []
    for axis in range(2, weight.ndim):
        at = np.flatnonzero(any_along(weight, axis))
        d = int(np.gcd.reduce(np.append(at, weight.shape[axis] - 1)))
        dilation.append(max(1, d))
        weight = gather(weight, axis, np.arange(0, weight.shape[axis], max(1, d)))
    return weight, tuple(dilation)


def pad_first(op: Op) -> tuple[tuple[layers.Pad, ...], Op]:
    """An op that continues x by its edge as an edge `Pad` and an op that does not."""
    if op.outside == "zero" or not reads_outside(op):
        return (), replace(op, outside="zero")
    pads, lengths = [], []
    for axis, (U, D, table) in enumerate(zip(op.up, op.down, op.lengths, strict=True)):
        start = -(-max(0, -op.low[axis]) // D) * D  # whole strides keep L mod D simple
        reach = max(D * (-(-t // U) - 1) - r + op.low[axis] + op.taps[axis] for r, t in enumerate(table))
        end = -(-max(0, reach) // D) * D
        pads.append((start, end))
        lengths.append(tuple(t - U * (start + end) // D for t in table))
    low = tuple(a + start for a, (start, _) in zip(op.low, pads, strict=True))
    return (layers.Pad(op.maps[0], tuple(pads), "edge"),), replace(op, low=low, lengths=tuple(lengths), outside="zero")


# --- spellings ---------------------------------------------------------------------------------------------------


def _shuffle(op: Op, order: Order) -> tuple[layers.Layer, ...]:
    """LR convolution, then periodic shuffling: `O *U C *K` read as `(O *U) C *K` or `(*U O) C *K` (A2, A4)."""
    return (*_strided(op, order), *_periodic(op, order))


def _unshuffle(op: Op, order: Order) -> tuple[layers.Layer, ...]:
    """PS⁻¹ first, so that the convolution has stride 1 (A11): tap low + k = D·q + ψ reads site q of phase ψ."""
    if prod(op.down) == 1:
        raise ValueError("stride 1 already: there is nothing to unshuffle.")
    d, kernel, low = op.dim, op.kernel, []
    for axis, D in enumerate(op.down):
        first, last = op.low[axis] // D, (op.low[axis] + op.taps[axis] - 1) // D
        k = D * np.arange(first, last + 1)[:, None] + np.arange(D) - op.low[axis]  # q ψ
        kernel = gather(kernel, 2 + d + 2 * axis, np.where((k >= 0) & (k < op.taps[axis]), k, NOTHING))
        low.append(first)
    q, psi = [2 + d + 2 * i for i in range(d)], [3 + d + 2 * i for i in range(d)]
    kernel = permute(kernel, [*range(1 + d), 1 + d, *psi, *q])  # O *U C *ψ *q
    C = op.maps[0] * prod(op.down)
    kernel = reshape(kernel, (*kernel.shape[: 1 + d], C, *kernel.shape[2 + 2 * d :]))
    # the unshuffled input has ⌈L/D⌉ sites; the most that any residue asks for is computed, the crop does the rest
    grow = [
        max(U * (-(-t // U)) - U * (r > 0) for r, t in enumerate(table))
        for U, table in zip(op.up, op.lengths, strict=True)
    ]
    inner = Op(kernel, op.bias, (1,) * d, tuple(low), tuple((g,) for g in grow))
    return (
        layers.PeriodicUnshuffle(op.maps[0], op.down, "crd"),
        *_strided(inner, order),
        *_periodic(op, order),
    )


def _phases(op: Op, order: Order) -> tuple[layers.Layer, ...]:
    """One convolution per phase, each with its own taps, interleaved."""
    if prod(op.up) == 1:
        raise ValueError("a single phase: this is the plain convolution.")
    convolutions: list[layers.Convolution | None] = []
    for phase in product(*(range(U) for U in op.up)):
        index = (slice(None), *(slice(f, f + 1) for f in phase))
        lengths = tuple(tuple(-(-t // U) for t in table) for U, table in zip(op.up, op.lengths, strict=True))
        one = trim(as_cells(replace(op, kernel=op.kernel[index], bias=op.bias[index] * 0, lengths=lengths))).interior
        if 0 in one.taps:
            convolutions.append(None)
            continue
        # a convolution cannot crop its input: taps that are zero stand in
        low = tuple(min(0, a) for a in one.low)
        need = [max(D * (t - 1) - r for r, t in enumerate(table)) for D, table in zip(op.down, lengths, strict=True)]
        high = tuple(max(a + K, -n) for a, K, n in zip(one.low, one.taps, need, strict=True))
        (layer,) = _strided(widen(one, low, high), order)
        assert isinstance(layer, layers.Convolution)
        convolutions.append(replace(layer, bias=None))
    if all(c is None for c in convolutions):
        raise ValueError("every phase is bias only: there is nothing to convolve.")
    return (layers.PhaseConvolutions(tuple(convolutions), op.bias, op.maps, op.up),)


def _transposed(op: Op, order: Order) -> tuple[layers.Layer, ...]:
    """Transposed convolution of K·U taps (A5): tap k of phase φ lands J = φ - U·(low + k) samples after U·i."""
    if prod(op.down) > 1:
        raise ValueError(f"a transposed convolution has no stride of its own (down={op.down}).")
    d, weight = op.dim, op.kernel
    weight = permute(weight, [1 + d, 0, *(j for i in range(d) for j in (1 + i, 2 + d + i))])
    weight = reshape(weight, (*weight.shape[:2], *(U * K for U, K in zip(op.up, op.taps, strict=True))))
    start, end = [], []
    for i, (U, K) in enumerate(zip(op.up, op.taps, strict=True)):
        J = np.arange(U * K) - U * (op.low[i] + K - 1)
        table = (J % U) * K - J // U - op.low[i]
        used = np.flatnonzero(
            (as_numpy(gather(weight, 2 + i, table)) != 0).any(axis=tuple(j for j in range(2 + d) if j != 2 + i))
        )
        a, b = (int(used[0]), int(used[-1]) + 1) if used.size else (0, 1)
        weight = gather(weight, 2 + i, table[a:b])
        start.append(-int(J[a]))
        end.append(int(J[b - 1]) + 1 - U - op.lengths[i][0])  # what the full output has too much
    # a padding is a crop; where samples are missing instead, zeros around x or output_padding make them
    before = [-(-max(0, -p) // U) for p, U in zip(start, op.up, strict=True)]
    after = [-(-max(0, -e - U + 1) // U) for e, U in zip(end, op.up, strict=True)]
    pads = tuple((p + U * b, max(0, e + U * a)) for p, e, U, b, a in zip(start, end, op.up, before, after, strict=True))
    output_padding = tuple(max(0, -e - U * a) for e, U, a in zip(end, op.up, after, strict=True))
    zeros = _zero_pad(op.maps[0], tuple(zip(before, after, strict=True)))
    groups = find_groups(weight)
    weight, dilation = take_dilation(take_groups(weight, groups))
    tied = all(equal(op.bias[(slice(None), *phase)], op.bias[(slice(None), *(0,) * d)]) for phase in np.ndindex(*op.up))
    bias = op.bias[(slice(None), *(0,) * d)] if tied else None
    layer = layers.TransposedConvolution(weight, bias, op.up, pads, output_padding, dilation, groups)
    return (*zeros, layer, *(() if tied else (layers.PhaseBias(op.bias),)))


def _zero_insertion(op: Op, order: Order) -> tuple[layers.Layer, ...]:
    """Zeros between the samples, then an ordinary convolution with the flipped kernel (A1)."""
    out: list[layers.Layer] = []
    for layer in _transposed(op, order):
        if isinstance(layer, layers.TransposedConvolution):
            out += _stretch(layer)
        else:
            out.append(layer)
    return tuple(out)


def _stretch(layer: layers.TransposedConvolution) -> list[layers.Layer]:
    weight, g = layer.weight, layer.groups
    C, O = weight.shape[0], weight.shape[1] * g
    d = weight.ndim - 2
    for axis in range(2, weight.ndim):
        weight = gather(weight, axis, np.arange(weight.shape[axis])[::-1].copy())
    weight = reshape(weight, (g, C // g, O // g, *weight.shape[2:]))
    weight = reshape(permute(weight, [0, 2, 1, *range(3, 3 + d)]), (O, C // g, *weight.shape[3:]))
    reach = [D * (K - 1) for D, K in zip(layer.dilation, weight.shape[2:], strict=True)]
    pads = tuple((r - p, r - q + a) for r, (p, q), a in zip(reach, layer.pads, layer.output_padding, strict=True))
    crop, kept = _zero_pad_where_negative(C, pads)
    return [
        layers.ZeroInsertion(C, layer.stride, (0,) * d),
        *crop,
        layers.Convolution(weight, layer.bias, (1,) * d, kept, layer.dilation, g),
    ]


def _overlap_add(op: Op, order: Order) -> tuple[layers.Layer, ...]:
    """One matrix product to O·K columns per sample, added up where they overlap (col2im)."""
    *before, layer = (x for x in _transposed(replace(op, bias=op.bias * 0), order))
    assert isinstance(layer, layers.TransposedConvolution)
    dense = lift(replace(layer, stride=(1,) * op.dim, output_padding=(0,) * op.dim, pads=((0, 0),) * op.dim))
    kernel = reshape(dense.kernel, (*dense.maps[::-1], *dense.taps))  # O C *K, taps from last to first
    for axis in range(2, kernel.ndim):
        kernel = gather(kernel, axis, np.arange(kernel.shape[axis])[::-1].copy())
    O, C = kernel.shape[:2]
    K = tuple(kernel.shape[2:])
    columns = reshape(permute(kernel, [0, *range(2, 2 + op.dim), 1]), (O * prod(K), C, *(1,) * op.dim))
    ones, none = (1,) * op.dim, ((0, 0),) * op.dim
    pads = tuple((p, q - a) for (p, q), a in zip(layer.pads, layer.output_padding, strict=True))
    return (
        *before,
        layers.Convolution(columns, None, ones, none, ones),
        layers.OverlapAdd(O, K, layer.stride, pads),
        layers.PhaseBias(op.bias),
    )


def _shifted_sum(op: Op, order: Order) -> tuple[layers.Layer, ...]:
    """A 1×1 convolution to one map per tap, the maps added up shifted, then shuffled."""
    if prod(op.down) > 1:
        raise ValueError(f"a shifted sum has stride 1 (down={op.down}): unshuffle first.")
    d, O = op.dim, op.maps[1] * prod(op.up)
    kernel = reshape(op.kernel, (O, op.maps[0], *op.taps)) if order == "crd" else _maps_first(op, order)
    columns = reshape(permute(kernel, [0, *range(2, 2 + d), 1]), (O * prod(op.taps), op.maps[0], *(1,) * d))
    ones = (1,) * d
    grow = tuple(-(-table[0] // U) for U, table in zip(op.up, op.lengths, strict=True))
    return (
        layers.Convolution(columns, None, ones, ((0, 0),) * d, ones),
        layers.ShiftedSum(O, op.taps, op.low, grow),
        *_periodic(op, order),
        layers.PhaseBias(op.bias),
    )


SPELLINGS: dict[str, Callable[[Op, Order], tuple[layers.Layer, ...]]] = {
    "shuffle": _shuffle,
    "unshuffle": _unshuffle,
    "phases": _phases,
    "transposed": _transposed,
    "zero insertion": _zero_insertion,
    "overlap-add": _overlap_add,
    "shifted sum": _shifted_sum,
}


# --- pieces ------------------------------------------------------------------------------------------------------


def _strided(op: Op, order: Order) -> tuple[layers.Layer, ...]:
    """The convolution on the LR lattice with stride D and O·ΠU maps, padded for the longest residue."""
    weight = _maps_first(op, order)
    pads = []
    for U, D, K, low, table in zip(op.up, op.down, op.taps, op.low, op.lengths, strict=True):
        pads.append((-low, max(D * (-(-t // U) - 1) - r + low + K for r, t in enumerate(table))))
    crop, kept = _zero_pad_where_negative(op.maps[0], tuple(pads))
    bias = op.bias if order == "crd" else permute(op.bias, [*range(1, 1 + op.dim), 0])
    groups = find_groups(weight) if order == "crd" or prod(op.up) == 1 else 1  # A4
    weight, dilation = take_dilation(take_groups(weight, groups))
    conv = layers.Convolution(weight, reshape(bias, (-1,)), op.down, kept, dilation, groups)
    return (*crop, conv)


def _maps_first(op: Op, order: Order) -> Array:
    d = op.dim
    kernel = op.kernel if order == "crd" else permute(op.kernel, [*range(1, 1 + d), 0, *range(1 + d, 2 + 2 * d)])
    return reshape(kernel, (op.maps[1] * prod(op.up), op.maps[0], *op.taps))


def _periodic(op: Op, order: Order) -> tuple[layers.Layer, ...]:
    return (layers.PeriodicShuffle(op.maps[1], op.up, order),) if prod(op.up) > 1 else ()


def _zero_pad(maps: int, pads: Pads) -> tuple[layers.Layer, ...]:
    return (layers.Pad(maps, pads),) if any(p for pair in pads for p in pair) else ()


def _zero_pad_where_negative(maps: int, pads: Pads) -> tuple[tuple[layers.Layer, ...], Pads]:
    """A convolution pads but does not crop: axes that need a crop get all of their padding from a `Pad` before."""
    negative = tuple(min(pair) < 0 for pair in pads)
    before = tuple(pair if n else (0, 0) for pair, n in zip(pads, negative, strict=True))
    return _zero_pad(maps, before), tuple((0, 0) if n else pair for pair, n in zip(pads, negative, strict=True))
