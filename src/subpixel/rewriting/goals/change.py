"""A site changed: the best form of a goal that can be written and proved, and its entry in the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod

from onnx import ModelProto, NodeProto, TensorProto

from subpixel.algebra import Cells, Convolution, Op
from subpixel.rewriting.choice import macs
from subpixel.rewriting.entry import Entry, entry
from subpixel.rewriting.graph.edit import names_in
from subpixel.rewriting.graph.inference import infer, types_of
from subpixel.rewriting.graph.sketch import sketch
from subpixel.rewriting.graph.view import Input, View, standalone
from subpixel.rewriting.moves.commute import Swap
from subpixel.rewriting.proof.prove import Proof, prove
from subpixel.rewriting.reading.chains import find_chains, has, read_all
from subpixel.rewriting.reading.cuts import like
from subpixel.rewriting.reading.reading import Reading
from subpixel.rewriting.reading.sites import Site
from subpixel.rewriting.refusal import Refusal
from subpixel.rewriting.writing.build import Built, build, joined
from subpixel.rewriting.writing.forms import Form, forms

NOBODY_READS = Refusal("nobody reads its result")
NOTHING_FOLLOWS = "no convolution follows with nothing but linear work between"


def nothing_follows(view: View, readings: Mapping[str, Reading], node: NodeProto) -> Refusal:
    """Why an upsampling stays that no chain takes further; it names what comes before the next convolution."""
    output = node.output[0]
    while view.used_once(output):
        reader = view.consumers[output][0]
        after = readings.get(reader.output[0]) if reader.output else None
        if after is None or after.source != output:
            what = f"{reader.op_type} {reader.name or reader.output[0]} reads it"
            return Refusal(f"{NOTHING_FOLLOWS}: {what}", "A10")
        if has(after, Convolution):
            break
        output = after.output
    if not view.is_read(output):
        return NOBODY_READS
    if not view.consumers.get(output):
        return Refusal(f"{NOTHING_FOLLOWS}: it is what the graph gives", "A10")
    return Refusal(NOTHING_FOLLOWS, "A10")


@dataclass(frozen=True)
class Wish:
    """What the caller asked for; `inputs` are whole shapes where the model leaves sizes open.

    `smallest` are such shapes that the result must take; `least` the shapes of this model's values for these.
    `runtime` is what the result is for, as far as that is known.
    """

    goal: str
    growth: float | None
    inputs: dict[str, Sequence[int]] | None = None
    shapes: macs.Shapes = field(default_factory=dict)
    smallest: dict[str, Sequence[int]] | None = None
    least: macs.Shapes = field(default_factory=dict)
    runtime: str = "onnxruntime"

    def knowing(self, model: ModelProto) -> Wish:
        """The wish with the shapes of this model's values, as far as they follow."""
        least = macs.shapes_of(model, self.smallest) if self.smallest else {}
        return replace(self, shapes=macs.shapes_of(model, self.inputs), least=least)


def change(view: View, site: Site, wish: Wish, taken: set[str]) -> tuple[Built, Proof, int]:
    """The site in the best form of the goal, proved; and how many weights it had.

    Raises:
        Refusal: there is none; the reason is that of the best form.
    """
    if site.refusal is not None:
        raise site.refusal
    whole = joined(view, site)
    before = weights_of(view, site)
    first: Refusal | None = None
    for picked in combinations(site, choices(view, site, wish, whole)):
        own = set(taken)
        try:
            built = build(view, site, picked, own, before, wish.growth)
            proof = proved(view, site, built, picked, wish)
        except Refusal as refusal:
            first = first or refusal
            continue
        taken |= own
        return built, proof, before
    raise first or Refusal("no spelling fits")


def proved(view: View, site: Site, built: Built, picked: list[Form], wish: Wish) -> Proof:
    """Show that what was built computes what the site does, at the smallest inputs that the caller asks for, too.

    OpenVINO's Slice clamps, and a convolution of too little leaves what its buffer held: where inputs may be too short
    for border cells, a result for it would be wrong in silence.

    Raises:
        Refusal: it does not, or not there.
    """
    proof = prove(view, site, built, partial(again, wish=wish, picked=picked), partial(same_site, site=site))
    if not proof.smallest and not proof.filled:
        return proof
    # Stated by the model itself, not by the caller for this once: there are no other inputs.
    if not wish.inputs and all(view.size(name) is not None for name in site.sources):
        return replace(proof, smallest=None)
    if proof.filled:
        needed = "×".join(map(str, proof.filled))
        if not wish.smallest:
            what = f"of less than {needed} samples a layer leaves nothing, and what onnxruntime makes of nothing"
            raise Refusal(f"{what} would be another result: promise longer inputs with `smallest`", "A12")
        _refuse_shorter(site, wish, proof.filled, f"it needs {needed} samples, or a layer leaves nothing")
    if proof.smallest:
        what = f"its border cells need {'×'.join(map(str, proof.smallest))} samples"
        if wish.smallest:
            _refuse_shorter(site, wish, proof.smallest, what)
        elif wish.runtime == "openvino":
            why = (
                "OpenVINO does not refuse shorter inputs: state the sizes in the model, or promise them with `smallest`"
            )
            raise Refusal(f"{what}, and {why}", "A12")
    return proof


def _refuse_shorter(site: Site, wish: Wish, needed: tuple[int, ...], what: str) -> None:
    """Where the shortest inputs that the result must take leave less than `needed` samples here.

    Raises:
        Refusal: they do, or what they leave is not known.
    """
    source = next(term.sources[0] for term in site.terms if not term.keep)
    shape = wish.least.get(source)
    if shape is None:
        raise Refusal(f"{what}, and how many `smallest` leaves here is not known")
    if any(n < need for n, need in zip(shape[2:], needed, strict=True)):
        raise Refusal(f"{what}, and `smallest` leaves {'×'.join(map(str, shape[2:]))} here", "A12")


def choices(view: View, site: Site, wish: Wish, whole: list[Op | Cells]) -> list[list[Form]]:
    """For each term that is rewritten, its forms."""
    rewritten = [term for term in site.terms if not term.keep]
    return [forms(layer, t.layers, wish.goal, view.opset) for t, layer in zip(rewritten, whole, strict=True)]


def combinations(site: Site, found: list[list[Form]]) -> list[list[Form]]:
    """A form for each term, the cheapest together first."""
    if site.law != "A15":
        return [[c[min(at, len(c) - 1)] for c in found] for at in range(max(len(c) for c in found))]
    # all must meet on one lattice, or adding before the shuffle is not possible
    tables = [{form.lattice: form for form in reversed(forms) if form.lattice is not None} for forms in found]
    met = [[table[key] for table in tables] for key in tables[0] if all(key in table for table in tables)]
    if not met:
        raise Refusal("its terms meet on no common low-resolution lattice", "A15")
    return sorted(met, key=lambda picked: sum(form.macs for form in picked))


def again(view: View, site: Site, wish: Wish, picked: list[Form]) -> Built:
    """The same site with other weights, in the same forms; other weights may order the forms differently."""
    found = []
    for candidates, form in zip(choices(view, site, wish, joined(view, site)), picked, strict=True):
        found.append(next((c for c in candidates if c.name == form.name), candidates[0]))
    return build(view, site, found, names_in(view))


def same_site(view: View, site: Site) -> list[Site]:
    """The site, found in a graph of its own."""
    return like(view, site, find_chains(view, read_all(view)[0]))


def weights_of(view: View, site: Site) -> int:
    """How many numbers the site stores, quantised ones among them."""
    names = {name for node in site.nodes for name in node.input if name}
    names |= {view.producers[name].input[0] for name in names if view.is_quantised(name)}
    values = [value for name in names if (value := view.constant(name)) is not None]
    return sum(value.size for value in values if value.dtype.kind == "f" or value.dtype.itemsize < 8)


def _shapes_after(view: View, site: Site, built: Built, wish: Wish) -> macs.Shapes:
    """Shapes of what was written, where those of the sources are known."""
    inputs: list[Input] = []
    for name in site.sources:
        shape = wish.shapes.get(name)
        if shape is None:
            return {}
        inputs.append((name, view.dtype(name) or TensorProto.FLOAT, list(shape)))
    types = types_of(infer(standalone(built.nodes, inputs, site.output, built.weights, view.opset)).graph)
    stated = {name: [n for n in dims if isinstance(n, int)] for name, (_, dims) in types.items() if dims is not None}
    return {name: tuple(dims) for name, dims in stated.items() if len(dims) == len(types[name][1] or ())}


def entry_of(view: View, site: Site, built: Built, proof: Proof, before: int, wish: Wish) -> Entry:
    return entry(
        site.node,
        law=site.law,
        form="; ".join(form.name for form in built.forms) + (", added before the shuffle" if built.together else ""),
        max_error=proof.max_error,
        proof={
            "normal_form": proof.by_normal_form,
            "sizes": proof.sizes,
            "bit_equal_on_integers": proof.exact,
        },
        macs_before=macs.before(site, wish.shapes),
        macs_after=macs.after(site, built.forms, wish.shapes),
        weights_before=before,
        weights_after=sum(a.size for a in built.weights.values() if a.dtype.kind == "f" or a.dtype.itemsize < 8),
        smallest=list(proof.smallest) if proof.smallest else None,
        before=sketch(site.nodes, view.constant, wish.shapes),
        after=sketch(built.nodes, built.weights.get, _shapes_after(view, site, built, wish)),
    )


def commuted(view: View, resize: NodeProto, conv: NodeProto, swapped: Swap, wish: Wish) -> Entry:
    """The entry of a 1×1 convolution that moved before a resize."""
    constant = dict(swapped.weights).get
    layer = swapped.layer
    macs_before, macs_after = (
        None if shape is None else shape[0] * int(layer.weight.size) * prod(shape[2:])
        for shape in (wish.shapes.get(resize.output[0]), wish.shapes.get(resize.input[0]))
    )
    weights = int(layer.weight.size) + (0 if layer.bias is None else int(layer.bias.size))
    return entry(
        resize,
        law="A7",
        macs_before=macs_before,
        macs_after=macs_after,
        weights_before=weights,
        weights_after=weights,
        form="1×1 convolution first",
        max_error=swapped.error,
        proof={"normal_form": False, "sizes": swapped.sizes, "bit_equal_on_integers": False},
        before=sketch([resize, conv], view.constant, wish.shapes),
        after=sketch(swapped.nodes, lambda name: view.constant(name) if constant(name) is None else constant(name)),
    )
