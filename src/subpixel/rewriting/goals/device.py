"""A device profile: whatever the device does not take is spelled in a way that it does, or named with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto

from subpixel.rewriting.devices.profile import Profile
from subpixel.rewriting.goals.change import Wish, choices, combinations, entry_of, proved, weights_of
from subpixel.rewriting.goals.passes import PASSES, Outcome, labels, over_graphs
from subpixel.rewriting.graph.edit import Edit, fresh, names_in
from subpixel.rewriting.graph.inference import infer, types_of
from subpixel.rewriting.graph.sizes import evaluate
from subpixel.rewriting.graph.view import View, extract, opset_of, overridable_of, standalone, subgraphs
from subpixel.rewriting.proof.compare import compare
from subpixel.rewriting.proof.prove import Proof
from subpixel.rewriting.reading.chains import find_chains, is_upsampling, read_all
from subpixel.rewriting.reading.cuts import sites_at
from subpixel.rewriting.reading.sites import Site
from subpixel.rewriting.refusal import Refusal
from subpixel.rewriting.writing.build import Built, build, joined
from subpixel.rewriting.writing.forms import Form

Unmet = dict[str, Any]


def fit(model: ModelProto, wish: Wish, profile: Profile) -> tuple[Outcome, list[Unmet]]:
    """Rewrite the model in place until the device takes it. Returns what was done, and what it still does not take."""
    known, outcome = labels(model.graph), Outcome()
    for _ in range(PASSES):
        before = outcome.changes
        over_graphs(model, partial(_fit_graph, wish=wish, profile=profile, outcome=outcome))
        if outcome.changes == before:
            break
    outcome.forget_ours(known)
    unmet = [_line(node, why) for node, why in _all_faults(model, profile)]
    if profile.highest_opset is not None and opset_of(model) > profile.highest_opset:
        why = f"{profile.name} reads opsets up to {profile.highest_opset}, not {opset_of(model)}: "
        why += "export it with that one, or give whole input shapes"
        unmet.append({"node": None, "op": None, "limit": why})
    return outcome, unmet


def lowered(model: ModelProto, profile: Profile) -> ModelProto:
    """The model in the highest opset that the device reads, or as it is where onnx has no conversion."""
    if profile.highest_opset is None or opset_of(model) <= profile.highest_opset:
        return model
    try:
        converted = onnx.version_converter.convert_version(model, profile.highest_opset)
        onnx.checker.check_model(converted)
    except Exception:  # onnx raises whatever its C++ does; the report says that the opset is too high
        return model
    return converted if isinstance(converted, ModelProto) else model


def _line(node: NodeProto, why: str) -> Unmet:
    return {"node": node.name or node.output[0], "op": node.op_type, "limit": why}


def _all_faults(model: ModelProto, profile: Profile) -> Iterator[tuple[NodeProto, str]]:
    def walk(graph: GraphProto, inferred: GraphProto, outer: View | None) -> Iterator[tuple[NodeProto, str]]:
        types = {**(outer.types if outer else {}), **types_of(inferred)}
        view = View(graph, opset_of(model), types, outer, overridable_of(model) if outer is None else frozenset())
        for node, twin in zip(graph.node, inferred.node, strict=True):
            for inner, inner_twin in zip(subgraphs(node), subgraphs(twin), strict=True):
                yield from walk(inner, inner_twin, view)
            why = None if all(view.constant(name) is not None for name in node.output) else profile.fault(view, node)
            if why is not None:
                yield node, why

    yield from walk(model.graph, infer(model).graph, None)


def _fit_graph(view: View, wish: Wish, profile: Profile, outcome: Outcome) -> list[Edit]:
    readings, unread = read_all(view)
    chains = find_chains(view, readings)
    reasons = {node.output[0]: why.reason for node, why in unread}
    edits: list[Edit] = []
    taken, changed = names_in(view), set[int]()
    for node in view.graph.node:
        why = profile.fault(view, node)
        if why is None or id(node) in changed:
            continue
        sites = [s for s in sites_at(view, chains, node) if not any(id(n) in changed for n in s.nodes)]
        tried = [reasons[node.output[0]]] if node.output[0] in reasons else []
        for candidate in _candidates(view, sites, wish, profile, taken, tried):
            try:
                proof = candidate.proof(view, wish)
            except Refusal as refusal:
                tried.append(refusal.reason)
                continue
            site, built = candidate.site, candidate.built
            edits.append(candidate.edit)
            outcome.add(view, entry_of(view, site, built, proof, weights_of(view, site), wish), candidate.edit.nodes)
            taken |= candidate.taken
            changed |= {id(n) for n in site.nodes}
            break
        else:
            if is_upsampling(node) or any(node in r.nodes for r in readings.values()):
                others = [reason for reason in dict.fromkeys(tried) if reason != why]
                text = f"; no other form helps: {', '.join(others)}" if others else ""
                if any(view.size(name) is None for name in node.input[:1]):
                    text += "; its sizes are open: with whole input shapes there are more forms"
                outcome.refuse(view, node, Refusal(why + text, "device"))
    return edits


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A site in a form whose nodes the device takes."""

    site: Site
    picked: list[Form]
    built: Built
    edit: Edit
    taken: set[str]

    @property
    def reshapes(self) -> bool:
        """Is a shuffle spelled out? It moves the same numbers, mostly slower."""
        return any(form.shuffles != "node" for form in self.picked)

    def proof(self, view: View, wish: Wish) -> Proof:
        """Show that it computes the same.

        Raises:
            Refusal: it does not.
        """
        return proved(view, self.site, self.built, self.picked, wish)


def _candidates(
    view: View, sites: list[Site], wish: Wish, profile: Profile, taken: set[str], tried: list[str]
) -> list[_Candidate]:
    """Per site the cheapest form that the device takes; those whose shuffle is one node first. `tried` says why not."""
    found = []
    for site in sites:
        try:
            if site.refusal is not None:
                raise site.refusal
            combined = combinations(site, choices(view, site, wish, joined(view, site)))
        except Refusal as refusal:
            tried.append(refusal.reason)
            continue
        for picked in combined:
            own = set(taken)
            try:
                built = build(view, site, picked, own, weights_of(view, site), wish.growth)
                edit = _stated(view, site, built, own)
                _refuse_faults(view, site, edit, profile)
            except Refusal as refusal:
                tried.append(refusal.reason)
                continue
            found.append(_Candidate(site, picked, built, edit, own))
            break
    return sorted(found, key=lambda candidate: candidate.reshapes)


def _inner(view: View, site: Site, nodes: Sequence[NodeProto], weights: dict[str, Any]) -> View:
    """The nodes written, with the sizes that the graph states."""
    inputs = []
    for name in site.sources:
        known = view.dims(name) or tuple(site.shape(view, name))
        inputs.append(
            (name, view.dtype(name) or onnx.TensorProto.FLOAT, [n if isinstance(n, int) else None for n in known])
        )
    model = infer(standalone(nodes, inputs, site.output, weights, view.opset))
    return View(model.graph, view.opset, types_of(model.graph))


def _refuse_faults(view: View, site: Site, edit: Edit, profile: Profile) -> None:
    inner = _inner(view, site, edit.nodes, edit.weights)
    for node in edit.nodes:
        why = profile.fault(inner, node)
        if why is not None:
            raise Refusal(why, "device")


def _stated(view: View, site: Site, built: Built, taken: set[str]) -> Edit:
    """The nodes written, with every size that follows from stated ones as a constant: devices compute no shapes."""
    inner = _inner(view, site, built.nodes, built.weights)
    weights, nodes = dict(built.weights), []
    stated: dict[str, str] = {}
    for node in built.nodes:
        copy = NodeProto()
        copy.CopyFrom(node)
        for i, name in enumerate(copy.input):
            made = inner.producers.get(name)
            if made is None or inner.dtype(name) != onnx.TensorProto.INT64 or name in weights:
                continue
            sizes = evaluate(inner, name)
            if sizes is not None and not any(s.of for s in sizes):
                if name not in stated:
                    stated[name] = fresh(f"{name}/stated", taken)
                    weights[stated[name]] = np.array([s.times for s in sizes], np.int64)
                copy.input[i] = stated[name]
        nodes.append(copy)
    needed, kept = {site.output}, []
    for node in reversed(nodes):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input)
    edit = Edit(site.output, kept[::-1], {name: w for name, w in weights.items() if name in needed})
    if len(kept) < len(built.nodes):
        _compare_stated(view, site, edit)
    return edit


def _compare_stated(view: View, site: Site, edit: Edit) -> None:
    sizes = {name: size for name in site.sources if (size := view.size(name)) is not None}
    if len(sizes) < len(site.sources):
        raise Refusal("not all of its sizes are stated", "device")
    inputs = [(name, view.dtype(name), site.shape(view, name)) for name in site.sources]
    before = extract(view, inputs, site.output)
    after = standalone(edit.nodes, inputs, site.output, edit.weights, view.opset)
    terms = sum(int(w.size) for w in edit.weights.values() if w.dtype.kind == "f") + 64
    compare(before, after, [sizes], terms, False)
