"""Goals `lr` and `deconv`: every graph, inner ones first, each site in the form with the fewest multiplications."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from onnx import GraphProto, ModelProto

from subpixel.rewriting.entry import Entry, refused
from subpixel.rewriting.goals.change import NOTHING_FOLLOWS, Wish, change, commuted, entry_of
from subpixel.rewriting.graph.edit import Edit, apply_edits, names_in
from subpixel.rewriting.graph.view import View, infer, opset_of, subgraphs, types_of
from subpixel.rewriting.moves.commute import find_commuting, swap
from subpixel.rewriting.moves.lifting import swapped, swaps
from subpixel.rewriting.reading.chains import UPSAMPLING_OPS, find_chains, read_all
from subpixel.rewriting.reading.sites import find_sites
from subpixel.rewriting.refusal import Refusal

PASSES = 8
"""Over the graphs, at most; two nearly always do."""


@dataclass
class Outcome:
    """What the passes over the graphs did: an entry per site, and how many were rewritten."""

    entries: list[Entry] = field(default_factory=list)
    rewritten: int = 0

    def add(self, item: Entry) -> None:
        """One more site."""
        self.entries.append(item)
        self.rewritten += item["refused"] is None


def rewrite_graph(model: ModelProto, wish: Wish) -> Outcome:
    """Rewrite the model in place, nested graphs included, until nothing is left to do.

    What one pass writes may join a chain that was cut before: by a Shape of a value in its middle, for one.
    """
    whole, known = Outcome(), _node_names(model)
    for _ in range(PASSES):
        outcome = Outcome()
        if wish.goal != "deconv":
            _over_graphs(model, partial(_commute_all, outcome=outcome))
        _over_graphs(model, partial(_rewrite_all, wish=wish, outcome=outcome))
        for item in outcome.entries:
            if item["refused"] is None:
                whole.add(item)
        if not outcome.rewritten:
            break
    # of the refusals the last pass's hold; nodes of our own are not the caller's concern
    whole.entries += [item for item in outcome.entries if item["refused"] is not None and item["node"] in known]
    return whole


def _node_names(model: ModelProto) -> set[str]:
    """What reports call the nodes of the model, nested graphs included."""
    names: set[str] = set()
    graphs = [model.graph]
    while graphs:
        for node in graphs.pop().node:
            names.add(node.name or next(iter(node.output), ""))
            graphs += subgraphs(node)
    return names


def lift_one(model: ModelProto, wish: Wish, outcome: Outcome) -> bool:
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
        outcome.add(commuted(resize, error, count))
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
        outcome.add(entry_of(site, built, proof, before, wish))
    for node, why in unread:
        if node.op_type in UPSAMPLING_OPS and node.output[0] not in seen:
            seen.add(node.output[0])
            outcome.add(refused(node, why))
    done = {"lr": "DepthToSpace", "deconv": "ConvTranspose"}.get(wish.goal)
    for node in view.graph.node:
        if node.op_type in UPSAMPLING_OPS and node.op_type != done and not seen & set(node.output):
            outcome.add(refused(node, Refusal(NOTHING_FOLLOWS, "A10")))
    return edits
