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
from subpixel.rewriting.graph.inference import infer, types_of
from subpixel.rewriting.graph.view import Input, View, extract, standalone
from subpixel.rewriting.proof.compare import Comparison, Sizes, compare
from subpixel.rewriting.proof.sizes import (
    Lengths,
    dim_of,
    emptying_sizes,
    legal_lengths,
    shorter_sizes,
    trial_sizes,
)
from subpixel.rewriting.reading.chains import find_chains, read_all
from subpixel.rewriting.reading.sites import Site
from subpixel.rewriting.refusal import Refusal
from subpixel.rewriting.writing.build import Built, is_too_short
from subpixel.rewriting.writing.join import join
from subpixel.rewriting.writing.plans import shortest

Again = Callable[[View, Site], Built]
"""Builds a site of another graph in the same form."""


SHORTER = 64
"""Lengths per axis, below what border cells need, at which the rewritten site is held to refusing or being right."""


@dataclass(frozen=True)
class Proof:
    """What was shown: by the normal form or not, at how many sizes, the largest error on real weights.

    `smallest`: the shortest input that it takes, where the original takes shorter ones. `filled`: the shortest of which
    every layer leaves something, where the two give different numbers for shorter ones.
    """

    by_normal_form: bool
    sizes: int
    exact: bool
    max_error: float
    smallest: tuple[int, ...] | None = None
    filled: tuple[int, ...] | None = None


def prove(view: View, site: Site, built: Built, again: Again, find: Callable[[View], list[Site]]) -> Proof:
    """Show that `built` computes what the site does.

    Raises:
        Refusal: it does not, or the original does not run.
    """
    read_back = [_same_again(view, built, i) for i in range(len(built.layers))]
    sized = any(place.size is not None for cells, _ in _border(built) for place in cells.places)
    fixed = site.fixed or sized
    needs = {} if fixed else _needs(built)
    sizes = [_stated(view, site)] if fixed else trial_sizes(site, needs)
    terms = sum(_terms(layer) for layer in built.layers)

    def may_fail(size: Sizes) -> bool:
        """Shorter than the border cells need: refused at run time, never wrong."""
        return any(is_too_short(layer, size[source]) for layer, (source, _) in _border(built))

    before = extract(view, _inputs(view, site), site.output)
    error, _ = compare(before, _model(view, site, built), sizes[-2:], terms, False, may_fail)
    integers, original = _integer_copy(view, site, fixed)
    copies = find(original)
    if len(copies) != 1 or copies[0].output != site.output:
        raise Refusal("its copy with integer weights does not read like itself")
    after = _model(original, copies[0], again(original, copies[0]))
    comparison = Comparison(integers, after, terms, is_dyadic(site))
    _, count = comparison.over(sizes, may_fail)
    smallest = _smallest(site, needs, comparison) if needs else None
    filled = None if fixed else _filled(view, site, comparison)
    return Proof(all(read_back), count, comparison.exact, error, smallest, filled)


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


def _stated(view: View, site: Site) -> Sizes:
    """The size that the graph states.

    Raises:
        Refusal: it states none.
    """
    stated = {name: size for name in site.sources if (size := view.size(name)) is not None}
    if len(stated) < len(site.sources):
        raise Refusal("it holds for one size only, and that size is not known")
    return stated


def _needs(built: Built) -> dict[str, tuple[int, ...]]:
    """From which length on the border cells of each source are kept apart."""
    needs: dict[str, tuple[int, ...]] = {}
    for cells, (source, _) in _border(built):
        least = shortest(cells)
        needs[source] = tuple(map(max, least, needs.get(source, least)))
    return needs


def _smallest(site: Site, needs: dict[str, tuple[int, ...]], comparison: Comparison) -> tuple[int, ...] | None:
    """From which size on the rewritten site takes what the original does; None where it always does.

    Shorter inputs, along one axis each, it must refuse or get right. Of the source of the term that comes first.

    Raises:
        Refusal: it does neither.
    """
    source = next(term.sources[0] for term in site.terms if not term.keep)
    found, bounded = [], False
    for axis in range(dim_of(site)):
        least = next(legal[source] for legal in legal_lengths(site, axis) if _fit(legal, axis, needs))
        taken = True
        for number, (lengths, size) in enumerate(islice(shorter_sizes(site, axis, needs), SHORTER)):
            ran = comparison.at(size, number, may_fail=True) is not None
            taken = taken and ran
            least = lengths[source] if taken else least
            bounded = bounded or not ran
        found.append(least)
    return tuple(found) if bounded else None


def _filled(view: View, site: Site, comparison: Comparison) -> tuple[int, ...] | None:
    """From which size on every layer leaves something, where the two differ below; None where they do not.

    onnxruntime goes on from an empty tensor where padding follows; the joined layers from a negative length.
    """
    made = [view.producers.get(name) for name in site.sources]
    cropped = any(node is not None and node.op_type in ("Slice", "Pad") for node in made)
    try:
        for axis in range(dim_of(site)):
            for number, size in enumerate(islice(emptying_sizes(site, axis, cropped), SHORTER)):
                comparison.at(size, number, may_fail=True)
    except Refusal:
        source = next(term.sources[0] for term in site.terms if not term.keep)
        return tuple(next(legal_lengths(site, axis))[source] for axis in range(dim_of(site)))
    return None


def _fit(lengths: Lengths, axis: int, needs: dict[str, tuple[int, ...]]) -> bool:
    return all(lengths[name] >= least[axis] for name, least in needs.items())


def _all_layers(site: Site) -> Iterator[Any]:
    for term in site.terms:
        yield from term.layers


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
