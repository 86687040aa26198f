"""The proof of a site: its nodes read back are the same function, and they run to the same numbers.

The nodes written are read again and lifted: their normal form must be that of the original, weights rounded
to the graph's type. That holds for all sizes at once, but reader and writer might share a mistake. So both
versions also run: with small integers for weights and input the results must be equal, bit for bit; with the
site's own weights they must agree within 2·n·u·(|w| * |x|), n terms and unit round-off u. Sizes go down to the
smallest at which the original runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper

from subpixel.algebra import Cells, Op, layers, same
from subpixel.algebra.cells import as_cells
from subpixel.rewriting.graph.view import Input, View, extract, infer, standalone, types_of
from subpixel.rewriting.proof.compare import Sizes, compare
from subpixel.rewriting.reading.chains import find_chains, read_all
from subpixel.rewriting.reading.sites import Site, takes
from subpixel.rewriting.refusal import Refusal
from subpixel.rewriting.writing.build import Built, is_too_short
from subpixel.rewriting.writing.join import join
from subpixel.rewriting.writing.plans import made

Again = Callable[[View, Site], Built]
"""Builds a site of another graph in the same form."""


@dataclass(frozen=True)
class Proof:
    """What was shown: by the normal form or not, at how many sizes, the largest error on real weights."""

    by_normal_form: bool
    sizes: int
    exact: bool
    max_error: float


def prove(view: View, site: Site, built: Built, again: Again, find: Callable[[View], list[Site]]) -> Proof:
    """Show that `built` computes what the site does.

    Raises:
        Refusal: it does not, or the original does not run.
    """
    read_back = [_same_again(view, built, i) for i in range(len(built.layers))]
    sized = any(place.size is not None for cells, _ in _border(built) for place in cells.places)
    sizes = [size for size in islice(_sizes(view, site, site.fixed or sized), 10) if is_legal(site, size)]
    terms = sum(_terms(layer) for layer in built.layers)

    def may_fail(size: Sizes) -> bool:
        """Shorter than the border cells need: refused at run time, never wrong."""
        return any(is_too_short(layer, size[source]) for layer, (source, _) in _border(built))

    before = extract(view, _inputs(view, site), site.output)
    error, _ = compare(before, _model(view, site, built), sizes[-2:], terms, False, may_fail)
    integers, original = _integer_copy(view, site, site.fixed or sized)
    copies = find(original)
    if len(copies) != 1 or copies[0].output != site.output:
        raise Refusal("its copy with integer weights does not read like itself")
    after = _model(original, copies[0], again(original, copies[0]))
    exact = is_dyadic(site)
    _, count = compare(integers, after, sizes, terms, exact, may_fail)
    return Proof(all(read_back), count, exact, error)


def _same_again(view: View, built: Built, i: int) -> bool:
    """Is the term, read back from the nodes written, the same function? False where it is no plain chain.

    Raises:
        Refusal: it is another function.
    """
    layer, (source, end) = built.layers[i], built.ends[i]
    if isinstance(layer, Cells) or built.forms[i].name.startswith(("one conv", "matrix")):
        return False
    kind = helper.np_dtype_to_tensor_dtype(built.dtype)
    shape = [None, layer.maps[0], *[None] * layer.dim]
    nodes = built.nodes if not built.together else _alone(built.nodes, source)
    model = standalone(nodes, [(source, kind, shape)], end, built.weights, view.opset)
    inner = View(infer(model).graph, view.opset, types_of(infer(model).graph))
    readings, _ = read_all(inner)
    chains = [c for c in find_chains(inner, readings) if c.source == source]
    if len(chains) != 1 or chains[0].output != end:
        return False  # a tiled bias, a sum
    rounded = replace(
        layer,
        kernel=np.asarray(layer.kernel).astype(built.dtype).astype(np.float64),
        bias=np.asarray(layer.bias).astype(built.dtype).astype(np.float64),
    )
    if not same(join(chains[0].layers), rounded):
        raise Refusal("read back, the nodes written are another function")
    return True


def _alone(nodes: Sequence[NodeProto], source: str) -> list[NodeProto]:
    """The nodes that read one source, an addition of what does and what does not being the first alone."""
    reached, kept = {source}, []
    for node in nodes:
        inputs = [name for name in node.input if name in reached]
        if not inputs:
            continue
        if node.op_type == "Add" and len(inputs) == 1:
            node = helper.make_node("Identity", inputs, node.output)
        kept.append(node)
        reached.update(node.output)
    return kept


# --- runs ----------------------------------------------------------------------------------------------------------


def _model(view: View, site: Site, built: Built) -> ModelProto:
    return standalone(built.nodes, _inputs(view, site), site.output, built.weights, view.opset)


def _inputs(view: View, site: Site) -> list[Input]:
    return [(name, view.dtype(name) or TensorProto.FLOAT, site.shape(view, name)) for name in site.sources]


def _border(built: Built) -> Iterator[tuple[Cells, tuple[str, str]]]:
    for layer, end in zip(built.layers, built.ends, strict=True):
        if isinstance(layer, Cells):
            yield layer, end


def _terms(layer: Op | Cells) -> int:
    cells = as_cells(layer)
    return 4 * (cells.interior.maps[0] * prod(cells.taps) + 8)


# --- sizes -----------------------------------------------------------------------------------------------------------


def _sizes(view: View, site: Site, sized: bool) -> Iterator[Sizes]:
    """The size that the graph states where the site holds for no other, else `trial_sizes`."""
    if not sized:
        yield from trial_sizes(site)
        return
    stated = {name: size for name in site.sources if (size := view.size(name)) is not None}
    if len(stated) < len(site.sources):
        raise Refusal("it holds for one size only, and that size is not known")
    yield stated


def trial_sizes(site: Site) -> Iterator[Sizes]:
    """Sizes of all sources that fit each other, small ones first, the axes unequal."""
    dim = takes(site.terms[0].layers[0])[1]
    fits = [list(islice(_lengths(site, axis), 9)) for axis in range(dim)]
    if not all(fits):
        raise Refusal("its terms meet at no size")
    for i in range(9):
        yield {name: tuple(f[(i + 3 * axis) % len(f)][name] for axis, f in enumerate(fits)) for name in site.sources}
    yield {name: tuple(f[-1][name] for f in fits) for name in site.sources}


def _all_layers(site: Site) -> Iterator[Any]:
    for term in site.terms:
        yield from term.layers


def is_legal(site: Site, size: Sizes) -> bool:
    """Does every layer leave something? Where one does not, runtimes round a negative length as they like."""
    return all(
        made(term.layers[: i + 1], axis, L) >= 1
        for term in site.terms
        for name in term.sources
        for axis, L in enumerate(size[name])
        for i in range(len(term.layers))
    )


def _lengths(site: Site, axis: int) -> Iterator[dict[str, int]]:
    """Lengths along an axis, short ones first: all terms' layers give the same length where they meet."""
    if len(site.terms) == 1:
        for L in (1, 2, 3, 4, 5, 6, 7, 9, 12):
            yield dict.fromkeys(site.sources, L)
        return
    for H in range(1, 200):
        found: dict[str, int] = {}
        for term in site.terms:
            n = next((n for n in range(1, H + 9) if made(term.meets, axis, n) == H), None)
            if n is None or any(found.get(name, n) != n for name in term.sources):
                break
            found.update(dict.fromkeys(term.sources, n))
        else:
            yield found


# --- the copy with integer weights -----------------------------------------------------------------------------------

_ROLES = {"Conv": (1, 2), "ConvTranspose": (1, 2), "BatchNormalization": (1, 2, 3, 4)}
_EITHER = ("Add", "Sub", "Mul", "Div")


def _integer_copy(view: View, site: Site, sized: bool) -> tuple[ModelProto, View]:
    """The site as a graph of its own whose weights are small integers, zero where the site's are."""
    rng = np.random.default_rng(1)
    constants: dict[str, NDArray[Any]] = {}
    for node in site.nodes:
        places = _ROLES.get(node.op_type, range(len(node.input)) if node.op_type in _EITHER else ())
        for place in places:
            name = node.input[place] if place < len(node.input) else ""
            value = view.constant(name) if name else None
            if place and view.is_quantised(name):  # plain integers instead: the grid is not what is in question
                q = view.constant(view.producers[name].input[0])
                value = None if q is None else q.astype(np.float32)
            if value is None or value.dtype.kind != "f":
                continue
            numbers = rng.integers(1, 4, value.shape) * rng.choice([-1, 1], value.shape) * (value != 0)
            if node.op_type == "Div" or (node.op_type == "BatchNormalization" and place == 4):
                numbers = np.ones(value.shape)
            constants.setdefault(node.input[place], numbers.astype(value.dtype))
    model = extract(view, _inputs(view, site), site.output, constants)
    for node in model.graph.node:
        if node.op_type == "BatchNormalization":
            kept = [a for a in node.attribute if a.name != "epsilon"]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute("epsilon", 0.0)])
    types = types_of(infer(model).graph)
    if sized:  # what the reader knew of sizes, it may know again
        types = {name: view.types.get(name, kind) for name, kind in types.items()}
    return model, View(model.graph, view.opset, types)


def is_dyadic(site: Site) -> bool:
    """Do all fixed kernels have power-of-two denominators, so that integers give exact results?"""
    for layer in _all_layers(site):
        if isinstance(layer, layers.Resize) and layer.mode != "nearest":
            if layer.mode == "cubic" or any(f & (f - 1) for f in layer.factor):
                return False
        elif isinstance(layer, layers.AveragePool) and any(k & (k - 1) for k in layer.kernel_size):
            return False
    return True
