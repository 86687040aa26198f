"""`rewrite`: a model in, a model of the same function out, and a report of what was done and what was not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from onnx import GraphProto, ModelProto, NodeProto

from subpixel.algebra import Cells, Op
from subpixel.errors import InputError, UsageError
from subpixel.rewriting.choice import macs
from subpixel.rewriting.choice.clock import Clock, RuntimeClock
from subpixel.rewriting.choice.fastest import FORMS, Alternative, choose, print_of
from subpixel.rewriting.choice.fastest import Form as FastForm
from subpixel.rewriting.choice.neighbourhood import input_feeds, values_of
from subpixel.rewriting.entry import Entry, entry, refused
from subpixel.rewriting.graph.edit import Edit, apply_edits, check, names_in
from subpixel.rewriting.graph.model_file import load, refuse_nan
from subpixel.rewriting.graph.view import View, infer, opset_of, subgraphs, types_of
from subpixel.rewriting.moves.commute import find_commuting, swap
from subpixel.rewriting.moves.lifting import swapped, swaps
from subpixel.rewriting.proof.prove import Proof, prove
from subpixel.rewriting.reading.chains import UPSAMPLING_OPS, find_chains, read_all
from subpixel.rewriting.reading.sites import GOALS, Site, candidate_sites, find_sites
from subpixel.rewriting.refusal import Refusal
from subpixel.rewriting.writing.build import Built, build, joined
from subpixel.rewriting.writing.forms import Form, forms
from subpixel.rewriting.writing.plans import shortest

GROWTH = 16.0
"""A site's weights may grow by this factor unless the caller lifts the cap."""
_NOTHING_FOLLOWS = "no convolution follows with nothing but linear work between"


@dataclass(frozen=True)
class Rewritten:
    """The rewritten model and its report (keys in docs/rewriting.md)."""

    model: ModelProto
    report: dict[str, Any]


@dataclass
class Outcome:
    """What the passes over the graphs did: an entry per site, and how many were rewritten."""

    entries: list[Entry] = field(default_factory=list)
    rewritten: int = 0

    def add(self, item: Entry) -> None:
        """One more site."""
        self.entries.append(item)
        self.rewritten += item["refused"] is None


@dataclass(frozen=True)
class Wish:
    """What the caller asked for."""

    goal: str
    growth: float | None
    shapes: macs.Shapes = field(default_factory=dict)


def rewrite(
    model: ModelProto | str | Path,
    goal: str = "fastest",
    *,
    runtime: str = "onnxruntime",
    threads: int | None = None,
    inputs: dict[str, Sequence[int]] | None = None,
    growth: float | None = GROWTH,
    lift: bool = False,
    clock: Clock | None = None,
) -> Rewritten:
    """Rewrite every site of the model that the goal asks for and the laws allow; leave the rest alone.

    Args:
        model: an ONNX model or its file; never changed.
        goal: "fastest" (the form that the clock likes best at each site, and the original model unless the whole
            is faster), "lr" (no transposed convolution left, convolutions after an upsampling moved before it)
            or "deconv" (no DepthToSpace left).
        runtime: "onnxruntime" or "openvino": where `fastest` measures.
        threads: how many it measures with; default: one per physical core.
        inputs: whole shapes by input name, to measure with where the model leaves sizes open. The model stays open.
        growth: how many times the weights of a site may grow (small sites freely); None lifts the cap.
        lift: with goal "lr", move shuffles behind pointwise functions too, so that all convolutions after an
            upsampling move before it (A9, A10); each then has s² times the maps.
        clock: measures instead of the runtime.

    Raises:
        UsageError: an unknown goal or runtime, `inputs` that fit no input, or no ONNX model but a torch module.
        InputError: the file is no valid ONNX model, holds NaN, or does not run; or open sizes that `fastest` needs.
    """
    if goal not in GOALS:
        raise UsageError(f"unknown goal {goal!r}: choose {', '.join(GOALS)}")
    original = load(model)
    refuse_nan(original, "the model" if isinstance(model, ModelProto) else str(model))
    copy = ModelProto()
    copy.CopyFrom(original)
    fault = check(copy)
    if fault:
        raise InputError(f"the model is not valid ONNX: {fault}")
    if inputs:
        input_feeds(copy, inputs)  # refuses what fits no input
    wish = Wish(goal, growth, macs.shapes_of(copy, inputs))
    if goal == "fastest":
        whole = _make_faster(original, copy, wish, clock or RuntimeClock(runtime, threads), inputs)
    else:
        outcome = rewrite_graph(copy, wish)
        while lift and goal == "lr" and _lift_one(copy, wish, outcome):
            pass
        whole = {"sites": outcome.entries, "rewritten": outcome.rewritten, "ms_before": None, "ms_after": None}
    fault = check(copy)
    if fault:
        raise AssertionError(f"rewriting made an invalid model: {fault}")
    errors = [site["max_error"] for site in whole["sites"] if site["max_error"] is not None]
    return Rewritten(copy, {"goal": goal, **whole, "max_error": max(errors, default=0.0)})


def _make_faster(
    original: ModelProto, copy: ModelProto, wish: Wish, clock: Clock, inputs: dict[str, Sequence[int]] | None
) -> dict[str, Any]:
    """Rewrite `copy` where the clock says so; it becomes the original again unless the whole is faster."""
    feeds = input_feeds(copy, inputs)
    view = View(copy.graph, opset_of(copy), types_of(infer(copy).graph))
    alternatives, left = _alternatives(view, wish)
    edits, entries = choose(view, alternatives, clock, lambda names: values_of(copy, names, feeds), copy.ir_version)
    listed = {site["node"] for site in entries}
    entries += [item for node, why in left if (item := refused(node, why))["node"] not in listed]
    apply_edits(copy.graph, edits, copy.ir_version)
    report: dict[str, Any] = {"sites": entries, "rewritten": len(edits), "ms_before": None, "ms_after": None}
    if not edits:
        copy.CopyFrom(original)
        return {**report, "clock": clock.identity}
    before, after = clock.race([original, copy], feeds, ["original", "rewritten"])
    report |= {"ms_before": before, "ms_after": after, "clock": clock.identity}
    if before is None or after is None or after > before:
        copy.CopyFrom(original)
        reason = "the model as a whole is no faster with it: the original is returned"
        for site in entries:
            if site["refused"] is None:
                site.update(refused=reason, law="clock", form=None)
        report |= {"rewritten": 0, "ms_after": before}
    return report


def _alternatives(view: View, wish: Wish) -> tuple[list[Alternative], list[tuple[NodeProto, Refusal]]]:
    """Sites of the main graph with the forms that can be timed, and upsampling nodes that have none."""
    readings, unread = read_all(view)
    taken = names_in(view)
    found: list[Alternative] = []
    left = {node.output[0]: (node, why) for node, why in unread if node.op_type in UPSAMPLING_OPS}
    for site in candidate_sites(view, find_chains(view, readings)):
        try:
            whole = joined(view, site)
            choices = _choices(view, site, wish, whole)
        except Refusal as why:
            left.setdefault(site.node.output[0], (site.node, why))
            continue
        written = []
        for at in range(min(FORMS, max(len(c) for c in choices))):
            picked = [c[min(at, len(c) - 1)] for c in choices]
            try:
                built = build(view, site, picked, set(taken), _weights_of(view, site), wish.growth)
            except Refusal:
                continue
            name = "; ".join(form.name for form in picked)
            written.append(
                FastForm(name, built.nodes, built.weights, partial(_proved, view, site, built, wish, picked))
            )
        text = print_of(whole)
        found.append(
            Alternative(site.node, site.law, site.nodes, tuple(site.sources), site.output, tuple(written), text)
        )
    for resize, conv in find_commuting(view, readings):
        if readings.get(resize.output[0]) is not None:
            continue  # a resize with a kernel has this form among its others
        try:
            nodes, weights, error, count = swap(view, resize, conv, readings, set(taken))
        except Refusal:
            continue
        shown = partial(_commuted, resize, error, count)
        text = f"{resize.op_type} {[a.SerializeToString() for a in resize.attribute]} 1×1 {conv.output[0]}"
        form = FastForm("1×1 convolution first", nodes, weights, shown)
        found.append(Alternative(resize, "A7", (resize, conv), (resize.input[0],), conv.output[0], (form,), text))
    covered = {name for a in found for node in a.nodes for name in node.output}
    for node in view.graph.node:
        if node.op_type in UPSAMPLING_OPS and not covered & set(node.output):
            left.setdefault(node.output[0], (node, Refusal(_NOTHING_FOLLOWS, "A10")))
    return found, [pair for name, pair in left.items() if name not in covered]


def _proved(view: View, site: Site, built: Built, wish: Wish, picked: list[Form]) -> Entry:
    proof = prove(view, site, built, partial(_again, wish=wish, picked=picked), partial(_same_site, site=site))
    return _entry(site, built, proof, _weights_of(view, site), wish)


def _same_site(view: View, site: Site) -> list[Site]:
    """The site in a graph of its own: of those that might be spelled faster, the one that covers all of it."""
    found = candidate_sites(view, find_chains(view, read_all(view)[0]))
    return [copy for copy in found if copy.output == site.output and copy.sources == site.sources][:1]


def _commuted(resize: NodeProto, error: float, count: int) -> Entry:
    proof = {"normal_form": False, "sizes": count, "bit_equal_on_integers": False}
    return entry(resize, law="A7", form="1×1 convolution first", max_error=error, proof=proof)


def rewrite_graph(model: ModelProto, wish: Wish) -> Outcome:
    """Rewrite the model in place, nested graphs included."""
    outcome = Outcome()
    if wish.goal != "deconv":
        _over_graphs(model, lambda view: _commute_all(view, outcome))
    _over_graphs(model, lambda view: _rewrite_all(view, wish, outcome))
    return outcome


def _lift_one(model: ModelProto, wish: Wish, outcome: Outcome) -> bool:
    """Move one shuffle behind the function after it and the convolution after that before it, or nothing."""
    view = View(model.graph, opset_of(model), types_of(infer(model).graph))
    for run in swaps(view):
        trial, tried = swapped(model, run, view), Outcome()
        _over_graphs(trial, partial(_rewrite_all, wish=wish, outcome=tried))
        if tried.rewritten:
            model.CopyFrom(trial)
            for done in tried.entries:
                if done["refused"] is None:
                    outcome.add(done)
            return True
    return False


def _over_graphs(model: ModelProto, make: Callable[[View], list[Edit]]) -> None:
    """Edit every graph of the model, inner ones first."""

    def walk(graph: GraphProto, inferred: GraphProto, outer: View | None) -> None:
        view = View(graph, opset_of(model), {**(outer.types if outer else {}), **types_of(inferred)}, outer)
        for node, twin in zip(graph.node, inferred.node, strict=True):
            for inner, inner_twin in zip(subgraphs(node), subgraphs(twin), strict=True):
                walk(inner, inner_twin, view)
        apply_edits(graph, make(view), model.ir_version)

    walk(model.graph, infer(model).graph, None)


def _commute_all(view: View, outcome: Outcome) -> list[Edit]:
    readings, _ = read_all(view)
    edits, taken = [], names_in(view)
    for resize, conv in find_commuting(view, readings):
        try:
            nodes, weights, error, count = swap(view, resize, conv, readings, taken)
        except Refusal as refusal:
            outcome.add(refused(resize, refusal))
            continue
        edits.append(Edit(conv.output[0], nodes, weights))
        outcome.add(_commuted(resize, error, count))
    return edits


def _rewrite_all(view: View, wish: Wish, outcome: Outcome) -> list[Edit]:
    readings, unread = read_all(view)
    edits: list[Edit] = []
    taken, seen = names_in(view), set[str]()
    for site in find_sites(view, find_chains(view, readings), wish.goal):
        seen.update(node.output[0] for node in site.nodes)
        try:
            built, proof, before = change(view, site, wish, taken)
        except Refusal as refusal:
            outcome.add(refused(site.node, refusal))
            continue
        edits.append(Edit(site.output, built.nodes, built.weights))
        outcome.add(_entry(site, built, proof, before, wish))
    for node, why in unread:
        if node.op_type in UPSAMPLING_OPS and node.output[0] not in seen:
            seen.add(node.output[0])
            outcome.add(refused(node, why))
    done = {"lr": "DepthToSpace", "deconv": "ConvTranspose"}.get(wish.goal)
    for node in view.graph.node:
        if node.op_type in UPSAMPLING_OPS and node.op_type != done and not seen & set(node.output):
            outcome.add(refused(node, Refusal(_NOTHING_FOLLOWS, "A10")))
    return edits


def change(view: View, site: Site, wish: Wish, taken: set[str]) -> tuple[Built, Proof, int]:
    """The site in the best form of the goal, proved; and how many weights it had.

    Raises:
        Refusal: there is none; the reason is that of the best form.
    """
    whole = joined(view, site)
    choices = _choices(view, site, wish, whole)
    before = _weights_of(view, site)
    first: Refusal | None = None
    for at in range(max(len(c) for c in choices)):
        picked = [c[min(at, len(c) - 1)] for c in choices]
        own = set(taken)
        try:
            built = build(view, site, picked, own, before, wish.growth)
            proof = prove(view, site, built, partial(_again, wish=wish, picked=picked), partial(_sites_of, wish=wish))
        except Refusal as refusal:
            first = first or refusal
            continue
        taken |= own
        return built, proof, before
    raise first or Refusal("no spelling fits")


def _choices(view: View, site: Site, wish: Wish, whole: list[Op | Cells]) -> list[list[Form]]:
    """For each term that is rewritten, its forms."""
    rewritten = [term for term in site.terms if not term.keep]
    return [forms(layer, t.layers, wish.goal, view.opset) for t, layer in zip(rewritten, whole, strict=True)]


def _again(view: View, site: Site, wish: Wish, picked: list[Form]) -> Built:
    """The same site with other weights, in the same forms; other weights may order the forms differently."""
    found = []
    for candidates, form in zip(_choices(view, site, wish, joined(view, site)), picked, strict=True):
        found.append(next((c for c in candidates if c.name == form.name), candidates[0]))
    return build(view, site, found, names_in(view))


def _sites_of(view: View, wish: Wish) -> list[Site]:
    return find_sites(view, find_chains(view, read_all(view)[0]), wish.goal)


def _weights_of(view: View, site: Site) -> int:
    values = (view.constant(name) for node in site.nodes for name in node.input if name)
    return sum(value.size for value in values if value is not None and value.dtype.kind == "f")


def _entry(site: Site, built: Built, proof: Proof, before: int, wish: Wish) -> Entry:
    least = [shortest(layer) for layer in built.layers if isinstance(layer, Cells)]
    return entry(
        site.node,
        law=site.law,
        form="; ".join(form.name for form in built.forms),
        max_error=proof.max_error,
        proof={
            "normal_form": proof.by_normal_form,
            "sizes": proof.sizes,
            "bit_equal_on_integers": proof.exact,
        },
        macs_before=macs.before(site, wish.shapes),
        macs_after=macs.after(site, built.forms, wish.shapes),
        weights_before=before,
        weights_after=sum(a.size for a in built.weights.values() if a.dtype.kind == "f"),
        smallest=[max(axis) for axis in zip(*least, strict=True)] if least else None,
    )
