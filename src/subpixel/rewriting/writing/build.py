"""A site as new nodes: its terms joined, spelled in the chosen form, written, added up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from subpixel.algebra import Cells, Op
from subpixel.rewriting.graph.view import View
from subpixel.rewriting.reading.sites import Site, Term
from subpixel.rewriting.refusal import Refusal
from subpixel.rewriting.writing.forms import Form
from subpixel.rewriting.writing.join import folded, join
from subpixel.rewriting.writing.plans import shortest, write_together
from subpixel.rewriting.writing.writer import Writer

FREE = 1 << 18
"""Sites whose weights stay below this count (1 MB) may grow freely."""
_TYPES: dict[int, type[np.floating[Any]]] = {
    TensorProto.FLOAT: np.float32,
    TensorProto.FLOAT16: np.float16,
    TensorProto.DOUBLE: np.float64,
}


@dataclass(frozen=True, eq=False)
class Built:
    """What replaces a site.

    Attributes:
        layers: what each rewritten term computes, in normal form, before rounding.
        forms: the form chosen for each of them.
        ends: source and end of each of them.
        together: terms are added up before one shuffle, so that they share an end.
    """

    nodes: list[NodeProto]
    weights: dict[str, NDArray[Any]]
    layers: list[Op | Cells]
    forms: list[Form]
    ends: list[tuple[str, str]]
    dtype: np.dtype[Any]
    together: bool = False


def joined(view: View, site: Site) -> list[Op | Cells]:
    """The terms of a site that are rewritten, each as one layer."""
    return [_joined(view, site, term) for term in site.terms if not term.keep]


def build(
    view: View, site: Site, picked: list[Form], taken: set[str], before: int = 0, growth: float | None = None
) -> Built:
    """Write the site in the picked forms.

    Raises:
        Refusal: ONNX has no node for a part of it, or rounding to the graph's type would change it.
    """
    dtype = dtype_of(view, site)
    dims = [dim for name in site.sources for dim in (view.dims(name) or ())[2:]]
    symbols = any(isinstance(dim, str) and not dim.startswith("unk__") for dim in dims)  # those are inference's own
    writer = Writer(view.opset, dtype, taken, site.output, symbols, stored=site.stored)
    for form in picked:
        _refuse_rounding(form.layer, dtype)
    if site.law == "A15":
        y = _write_added(writer, view, site, picked)
        ends = [(term.sources[0], y) for term in site.terms]
    else:
        y, ends = _write_terms(writer, view, site, picked)
    _rename(writer, y, site.output)
    ends = [(source, site.output if end == y else end) for source, end in ends]
    if growth is not None:
        _refuse_growth(writer, before, growth)
    layers = [form.layer for form in picked]
    return Built(writer.nodes, writer.weights, layers, picked, ends, dtype, together=site.law == "A15")


def _write_terms(writer: Writer, view: View, site: Site, picked: list[Form]) -> tuple[str, list[tuple[str, str]]]:
    """Each term in its form, then added up, or side by side. Returns the end, and the source and end of each term."""
    ends, parts, at = [], [], iter(picked)
    for term in site.terms:
        if term.keep:
            parts.append(_write_kept(writer, term))
            continue
        y = next(at).write(writer, term.sources[0], view.size(term.sources[0]))
        ends.append((term.sources[0], y))
        parts.append(y)
    if site.side_by_side and len(parts) > 1:
        return writer.add("Concat", parts, axis=1), ends
    y = parts[0]
    for other in parts[1:]:
        y = writer.add("Add", [y, other])
    return y, ends


def _write_added(writer: Writer, view: View, site: Site, picked: list[Form]) -> str:
    """All terms added up on the low-resolution lattice, before one shuffle (A15)."""
    for form in picked:
        # a single sample would be broadcast at high resolution, a single site is not the same at low
        if _may_give_one(form.layer):
            raise Refusal("one of its terms may give a single sample, which the addition repeats", "A15")
    sources = [term.sources[0] for term in site.terms]
    plans = [form.plan for form in picked if form.plan is not None]
    return write_together(writer, plans, sources, [view.size(name) for name in sources])


def _may_give_one(layer: Op | Cells) -> bool:
    """Is there an input length that leaves one sample? Lengths grow with the input's."""
    size = (1,) * layer.dim
    while True:
        lengths = layer.output_size(size)
        if 1 in lengths:
            return True
        if all(n > 1 for n in lengths):
            return False
        size = tuple(L + (n < 1) for L, n in zip(size, lengths, strict=True))


def dtype_of(view: View, site: Site) -> np.dtype[Any]:
    """The numpy type of the site's values.

    Raises:
        Refusal: a type that is not rewritten.
    """
    kind = view.dtype(site.sources[0]) or view.dtype(site.output) or TensorProto.FLOAT
    if kind not in _TYPES:
        raise Refusal(f"its values are of type {helper.tensor_dtype_to_string(kind)}")
    return np.dtype(_TYPES[kind])


def _joined(view: View, site: Site, term: Term) -> Op | Cells:
    size = view.size(term.sources[0])
    whole = join(term.layers)
    if size is not None and isinstance(whole, Cells) and is_too_short(whole, size):
        return join(term.layers, size)
    return whole


def is_too_short(cells: Cells, size: tuple[int, ...]) -> bool:
    """Does an input of this size leave nothing between the border cells?"""
    if any(place.size is not None for place in cells.places):
        return any(place.size != L for place, L in zip(cells.places, size, strict=True))
    return any(least > L for L, least in zip(size, shortest(cells), strict=True))


def _write_kept(writer: Writer, term: Term) -> str:
    x = writer.add("Concat", term.sources, axis=1) if len(term.sources) > 1 else term.sources[0]
    return str(writer.layer(folded(term.layers), x))


def _refuse_growth(writer: Writer, before: int, growth: float) -> None:
    after = sum(array.size for array in writer.weights.values() if array.dtype.kind == "f")
    if after > FREE and after > growth * before:
        raise Refusal(f"its weights would grow from {before} to {after} numbers, beyond the cap of {growth:g}×", "cap")


def _refuse_rounding(layer: Op | Cells, dtype: np.dtype[Any]) -> None:
    if dtype == np.float16:
        kernel, bias = np.asarray(layer.kernel), np.asarray(layer.bias)
        if (kernel.astype(dtype) != kernel).any() or (bias.astype(dtype) != bias).any():
            raise Refusal("its composed weights are no float16 numbers: rounding would change what it computes")


def _rename(writer: Writer, old: str, new: str) -> None:
    """The last value takes the name that the rest of the graph reads."""
    for node in writer.nodes:
        if old in node.output:
            node.output[list(node.output).index(old)] = new
            return
    writer.nodes.append(helper.make_node("Identity", [old], [new], name=writer.fresh("Identity_node")))
