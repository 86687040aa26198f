"""Plans and cells as nodes: the layers of a spelling, or one convolution per border cell joined before one shuffle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce as fold
from itertools import product

import numpy as np

from subpixel.algebra import Cells, Layer, Plan, layers, lift
from subpixel.algebra.arrays import Array
from subpixel.algebra.op import output_length, site_count
from subpixel.algebra.reduce import any_along
from subpixel.rewriting.refusal import Refusal
from subpixel.rewriting.writing.writer import Writer


def write_plan(writer: Writer, plan: Plan, x: str, size: tuple[int, ...] | None) -> str:
    """The plan's layers over `x`, and its crop. Returns the output's name.

    Raises:
        Refusal: a layer has no node, or what is to be cut depends on the input's length, which is not known.
    """
    y = x
    for layer in plan.layers:
        y = writer.layer(layer, y)
    return writer.crop(y, _cuts(plan, size))


def write_together(writer: Writer, plans: list[Plan], xs: list[str], sizes: list[tuple[int, ...] | None]) -> str:
    """Plans that end in the same shuffle, added up before it (A15).

    Raises:
        Refusal: they give different numbers of sites.
    """
    cuts = [_cuts(plan, size) for plan, size in zip(plans, sizes, strict=True)]
    if any(cut != cuts[0] for cut in cuts):
        raise Refusal("its terms do not meet site by site", "A15")
    y = ""
    for plan, x in zip(plans, xs, strict=True):
        z = x
        for layer in plan.layers[:-1]:
            z = writer.layer(layer, z)
        y = writer.add("Add", [y, z]) if y else z
    return writer.crop(writer.layer(plans[0].layers[-1], y), cuts[0])


def _cuts(plan: Plan, size: tuple[int, ...] | None) -> list[tuple[int, int]]:
    """Samples to cut at both ends: what the layers give beyond what the plan promises."""
    cuts = []
    for axis, (start, table) in enumerate(zip(plan.crop, plan.lengths, strict=True)):
        D = len(table)
        up = _rate(plan, axis, D)
        if size is None or D == 1:
            first = D * (64 + max(abs(t) for t in table))  # long enough for every layer to leave something
            lengths = range(first, first + D)
        else:
            lengths = range(size[axis], size[axis] + 1)
        excess = {made(plan.layers, axis, L) - start - output_length(L, up, D, table) for L in lengths}
        if len(excess) > 1:
            raise Refusal("what it gives too much at the end depends on the input's length, which is not known", "A11")
        (end,) = excess
        if end < 0:
            raise Refusal(f"this spelling gives {-end} samples too few along axis {axis}", "A3")
        cuts.append((start, end))
    return cuts


def _rate(plan: Plan, axis: int, D: int) -> int:
    """U: samples that D more input samples make."""
    long = D * 64 * max(1, *(abs(t) + 1 for t in plan.lengths[axis]))
    return made(plan.layers, axis, long + D) - made(plan.layers, axis, long)


def made(chain: tuple[Layer, ...], axis: int, L: int) -> int:
    """Samples along `axis` after the layers, for an input of L."""
    return fold(lambda n, layer: _length(layer, axis, n), chain, L)


def _length(layer: Layer, axis: int, L: int) -> int:
    """Output length of one layer, from its geometry alone: lifted with a single weight that is zero."""
    if isinstance(layer, layers.PhaseConvolutions):
        each = (c for c in layer.convolutions if c is not None)
        return layer.factor[axis] * min(_length(c, axis, L) for c in each)
    if isinstance(layer, layers.Convolution | layers.TransposedConvolution):
        weight = np.broadcast_to(np.zeros(1), (1, 1, *layer.weight.shape[2:]))
        layer = replace(layer, weight=weight, bias=None, groups=1)
    elif isinstance(layer, layers.Affine | layers.PhaseBias):
        return L
    else:
        layer = replace(layer, maps=1)
    op = lift(layer)
    return output_length(L, op.up[axis], op.down[axis], op.lengths[axis])


# --- cells -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Stretch:
    """Neighbouring sites of one axis that one convolution computes.

    Attributes:
        cell: their cell.
        window: what is read, first and last + 1 sample; negative ones count from the end, None is the end.
        pads: zeros to put around what is read.
        taps: the cell's taps that are used, first and last + 1.
        fold: for a single site, which sample of the window each of these taps reads, -1 outside x.
    """

    cell: int
    window: tuple[int, int | None]
    pads: tuple[int, int]
    taps: tuple[int, int]
    fold: tuple[int, ...] | None = None


def write_cells(writer: Writer, cells: Cells, x: str) -> str:
    """One convolution per cell, joined on the low-resolution lattice, then one shuffle and one crop.

    Raises:
        Refusal: the lattice has a stride (cells would differ by the input's length), or too many cells.
    """
    if writer.opset == 10 and writer.symbols:
        raise Refusal(
            "opset 10 infers wrong shapes for a Slice where sizes are symbols: convert the model to opset 11 first"
        )
    parts = {part.key: _write_part(writer, cells, part, x) for part in border_parts(cells)}
    for axis in reversed(range(cells.dim)):
        joined: dict[tuple[int, ...], list[str]] = {}
        for key, name in parts.items():
            joined.setdefault(key[:axis], []).append(name)
        parts = {k: writer.add("Concat", v, axis=2 + axis) if len(v) > 1 else v[0] for k, v in joined.items()}
    y = parts[()]
    if any(U > 1 for U in cells.up):
        y = writer.layer(layers.PeriodicShuffle(cells.interior.maps[1], cells.up, _order(writer, cells)), y)
    # U·⌈f/U⌉ samples stand there
    cut = []
    for axis, U in enumerate(cells.up):
        cut.append((0, -cells.lengths[axis][0] % U))
    return writer.crop(y, cut)


@dataclass(frozen=True, eq=False)
class Part:
    """What one convolution computes of cells: `key` says where its result stands, per axis.

    Shape: kernel `O *U C *K`, taps that read the same sample added up; bias `O *U`.
    """

    key: tuple[int, ...]
    kernel: Array
    bias: Array
    windows: tuple[tuple[int, int | None], ...]
    pads: tuple[tuple[int, int], ...]


def border_parts(cells: Cells) -> list[Part]:
    """The convolutions that make up cells, last axis fastest.

    Raises:
        Refusal: the lattice has a stride (cells would differ by the input's length), or too many cells.
    """
    if any(D != 1 for D in cells.down):
        raise Refusal("its border cells stand on a lattice with a stride", "A11")
    if 0 in cells.taps:  # nothing but bias: runtimes still want a tap
        shape = [max(n, 1) if i > 2 * cells.dim + 1 else n for i, n in enumerate(cells.kernel.shape)]
        cells = replace(cells, kernel=np.zeros(shape))
    along = [_stretches(cells, axis) for axis in range(cells.dim)]
    count = int(np.prod([len(s) for s in along]))
    if count > 125:
        raise Refusal(f"its border has {count} cells: too many convolutions", "A12")
    keys = product(*(range(len(s)) for s in along))
    return [_part(cells, key, [s[i] for s, i in zip(along, key, strict=True)]) for key in keys]


def _part(cells: Cells, key: tuple[int, ...], stretches: list[_Stretch]) -> Part:
    kernel: Array = cells.kernel[tuple(s.cell for s in stretches)]
    for axis, s in enumerate(stretches):
        kernel = np.take(kernel, np.arange(*s.taps), 2 + cells.dim + axis)
        if s.fold is not None:
            kernel = _folded(kernel, 2 + cells.dim + axis, s.fold)
    bias = cells.bias[tuple(s.cell for s in stretches)]
    return Part(key, kernel, bias, tuple(s.window for s in stretches), tuple(s.pads for s in stretches))


def _order(writer: Writer, cells: Cells) -> layers.Order:
    return "crd" if writer.opset >= 11 else "dcr"


def _stretches(cells: Cells, axis: int) -> list[_Stretch]:
    place, low = cells.places[axis], cells.low[axis]
    U, table = cells.up[axis], cells.lengths[axis]
    if place.size is not None:
        return [_single(cells, axis, q, N, place.size) for N, q in enumerate(place.first)]
    before, after, grow = _border(cells, axis)
    a, b = _used(cells, axis, place.interior)
    # long enough to keep the two borders apart
    long = max(place.least, before + after + 2 * (abs(low) + cells.taps[axis] + abs(table[0]) + 1))
    count = site_count(output_length(long, U, 1, table), U)
    named = place.at(count, long)
    # the interior's first site is `before`, its last L + grow - after - 1
    start, end = before + low + a, grow - after - 1 + low + b
    window = (max(0, start), None if end >= 0 else end)
    return [
        *(_single(cells, axis, named[N], N, long) for N in range(before)),
        _Stretch(place.interior, window, (max(0, -start), max(0, end)), (a, b)),
        *(_single(cells, axis, named[N], N, long, from_end=True) for N in range(count - after, count)),
    ]


def _border(cells: Cells, axis: int) -> tuple[int, int, int]:
    """Sites written one by one at the start and at the end, and how many more sites there are than samples."""
    place, low = cells.places[axis], cells.low[axis]
    before, after = len(place.first), len(place.last[0])
    a, b = _used(cells, axis, place.interior)
    grow = -(-cells.lengths[axis][0] // cells.up[axis])
    if cells.outside == "edge":  # sites that read beyond an edge are written one by one
        before, after = max(before, -(low + a)), max(after, low + b - 1 + grow)
    return before, after, grow


def shortest(cells: Cells) -> tuple[int, ...]:
    """The shortest input per axis that leaves a site between the borders; shorter ones onnxruntime refuses."""
    sizes = []
    for axis, place in enumerate(cells.places):
        if place.size is not None:
            sizes.append(place.size)
            continue
        before, after, grow = _border(cells, axis)
        windows = [s.window for s in _stretches(cells, axis) if s.fold is not None]
        reach = max((-start if start < 0 else end or 0 for start, end in windows), default=1)
        sizes.append(max(1, place.least, before + after + 1 - grow, reach))
    return tuple(sizes)


def _used(cells: Cells, axis: int, cell: int) -> tuple[int, int]:
    """The first and last + 1 tap along `axis` that carry weight in a cell of that axis; at least one."""
    used = np.flatnonzero(any_along(np.take(cells.kernel, [cell], axis), 2 * cells.dim + 2 + axis))
    return (int(used[0]), int(used[-1]) + 1) if used.size else (0, 1)


def _single(cells: Cells, axis: int, cell: int, N: int, L: int, from_end: bool = False) -> _Stretch:
    """One site of an input of length L as a convolution of its own over the samples that it reads."""
    first, end = _used(cells, axis, cell)
    read = N + cells.low[axis] + np.arange(first, end)
    inside = (read >= 0) & (read < L)
    if cells.outside == "edge":
        read, inside = np.clip(read, 0, L - 1), np.ones_like(inside)
    kept = read[inside]
    a, b = (int(kept.min()), int(kept.max()) + 1) if kept.size else (L - 1, L) if from_end else (0, 1)
    table = tuple(int(r) - a if i else -1 for r, i in zip(read, inside, strict=True))
    window = (a - L, b - L if b < L else None) if from_end else (a, b)
    return _Stretch(cell, window, (0, 0), (first, end), table)


def _write_part(writer: Writer, cells: Cells, part: Part, x: str) -> str:
    kernel, bias, d = part.kernel, part.bias, cells.dim
    # zeros come before the Slice that cuts the other end: a Slice of too little gives nothing, and zeros after it
    # would make samples of nothing where onnxruntime should refuse
    cut = [window != (0, None) for window in part.windows]
    first = tuple(pair if c else (0, 0) for pair, c in zip(part.pads, cut, strict=True))
    pads = tuple((0, 0) if c else pair for pair, c in zip(part.pads, cut, strict=True))
    if any(p for pair in first for p in pair):
        x = writer.layer(layers.Pad(cells.interior.maps[0], first), x)
    axes = [2 + i for i, c in enumerate(cut) if c]
    if axes:
        starts = [part.windows[a - 2][0] for a in axes]
        ends = [part.windows[a - 2][1] for a in axes]
        x = writer.slice(x, axes, starts, [np.iinfo(np.int64).max if e is None else e for e in ends])
    C, O = cells.interior.maps
    order = _order(writer, cells)
    if order == "dcr":
        kernel = np.moveaxis(kernel, 0, d)
        bias = np.moveaxis(bias, 0, d)
    weight = kernel.reshape(O * int(np.prod(cells.up)), C, *kernel.shape[2 + d :])
    ones = (1,) * d
    return str(writer.layer(layers.Convolution(weight, bias.reshape(-1), ones, pads, ones), x))


def _folded(kernel: Array, axis: int, table: tuple[int, ...]) -> Array:
    """Taps added up by the sample that they read."""
    width = max(max(table) + 1, 1)
    out = np.zeros((width, *np.delete(kernel.shape, axis)), kernel.dtype)
    for k, target in enumerate(table):
        if target >= 0:
            out[target] += np.take(kernel, k, axis)
    return np.moveaxis(out, 0, axis)
