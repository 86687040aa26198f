"""Goals `lr` and `deconv`: every graph, inner ones first, each site in the form with the fewest multiplications."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from onnx import GraphProto, ModelProto, NodeProto

from subpixel.progress import track
from subpixel.rewriting.entry import Entry, continued, label, refused
from subpixel.rewriting.goals.change import Wish, change, commuted, entry_of, nothing_follows
from subpixel.rewriting.graph.edit import Edit, apply_edits, names_in
from subpixel.rewriting.graph.inference import infer, types_of
from subpixel.rewriting.graph.view import View, opset_of, overridable_of, subgraphs
from subpixel.rewriting.moves.commute import find_commuting, swap
from subpixel.rewriting.moves.lifting import swapped, swaps
from subpixel.rewriting.reading.chains import UPSAMPLING_OPS, find_chains, read_all
from subpixel.rewriting.reading.cuts import find_sites
from subpixel.rewriting.refusal import Refusal

PASSES = 8
"""Over the graphs, at most; two nearly always do. What one pass writes may join a chain that was cut before."""


@dataclass
class Outcome:
    """What the passes over the graphs did: an entry per site, rewritten or not.

    Attributes:
        done: rewritten sites. kept: others, by the value that their node writes; the first reason counts.
        moved: values that a resize writes since a convolution moved before it; that resize is done.
        ours: the entry of every node that we wrote, by what the report would call it.
        changes: how often a site was rewritten; one that a later pass continues has a single entry.
    """

    done: list[Entry] = field(default_factory=list)
    kept: dict[str, Entry] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)
    ours: dict[str, Entry] = field(default_factory=dict)
    changes: int = 0

    @property
    def rewritten(self) -> int:
        """How many sites were rewritten."""
        return len(self.done)

    @property
    def entries(self) -> list[Entry]:
        """Rewritten sites, then those that stay and have no part that was rewritten."""
        named = {entry["node"] for entry in self.done}
        stay = {name: entry for name, entry in self.kept.items() if name not in self.moved}
        return [*self.done, *(entry for entry in stay.values() if entry["node"] not in named)]

    def add(self, done: Entry, nodes: Sequence[NodeProto] = ()) -> None:
        """A site that was rewritten as `nodes`, from the beginning or further."""
        self.changes += 1
        old = self.ours.get(done["node"])
        if old is None:
            self.done.append(done)
        else:
            old.update(continued(old, done))
        self.ours |= {label(node): done if old is None else old for node in nodes}

    def forget_ours(self, known: set[str]) -> None:
        """Of what stays keep only nodes of the caller's own, those with a name in `known`."""
        self.kept = {name: entry for name, entry in self.kept.items() if entry["node"] in known}

    def refuse(self, node: NodeProto, why: Refusal) -> None:
        """A site that stays, and why."""
        self.kept.setdefault(node.output[0], refused(node, why))


def rewrite_graph(model: ModelProto, wish: Wish) -> Outcome:
    """Rewrite the model in place, nested graphs included, until nothing is left to do."""
    known, outcome = labels(model.graph), Outcome()
    for _ in range(PASSES):
        before, wish = outcome.changes, wish.knowing(model)
        if wish.goal != "deconv":
            over_graphs(model, partial(_commute_all, wish=wish, outcome=outcome))
        over_graphs(model, partial(_rewrite_all, wish=wish, outcome=outcome))
        if outcome.changes == before:
            break
    outcome.forget_ours(known)
    there = {name for node in _nodes(model.graph) for name in node.output}  # what still stands
    outcome.kept = {name: entry for name, entry in outcome.kept.items() if name in there}
    return outcome


def labels(graph: GraphProto) -> set[str]:
    """What the report calls the nodes of the graph, nested ones included."""
    return {label(node) for node in _nodes(graph) if node.output}


def _nodes(graph: GraphProto) -> Iterator[NodeProto]:
    for node in graph.node:
        yield node
        for inner in subgraphs(node):
            yield from _nodes(inner)


def lift_one(model: ModelProto, wish: Wish, outcome: Outcome) -> bool:
    """Move one shuffle behind the function after it and the convolution after that before it, or nothing."""
    view = View(model.graph, opset_of(model), types_of(infer(model).graph), overridable=overridable_of(model))
    for run in swaps(view):
        trial, tried = swapped(model, run, view), Outcome()
        over_graphs(trial, partial(_rewrite_all, wish=wish.knowing(trial), outcome=tried))
        if tried.changes:
            model.CopyFrom(trial)
            for entry in tried.done:  # one of its own: the function stands between it and what it begins at
                of = outcome.ours.get(entry["node"], entry)
                entry.update(node=of["node"], op=of["op"])
            outcome.done += tried.done
            outcome.ours |= tried.ours
            outcome.changes += tried.changes
            return True
    return False


def over_graphs(model: ModelProto, make: Callable[[View], list[Edit]]) -> None:
    """Edit every graph of the model, inner ones first."""

    def walk(graph: GraphProto, inferred: GraphProto, outer: View | None) -> None:
        types = {**(outer.types if outer else {}), **types_of(inferred)}
        view = View(graph, opset_of(model), types, outer, overridable_of(model) if outer is None else frozenset())
        for node, twin in zip(graph.node, inferred.node, strict=True):
            for inner, inner_twin in zip(subgraphs(node), subgraphs(twin), strict=True):
                walk(inner, inner_twin, view)
        apply_edits(graph, make(view), model.ir_version)

    walk(model.graph, infer(model).graph, None)


def _commute_all(view: View, wish: Wish, outcome: Outcome) -> list[Edit]:
    readings, _ = read_all(view)
    edits, taken = [], names_in(view)
    for resize, conv in find_commuting(view, readings):
        try:
            moved = swap(view, resize, conv, readings, taken)
        except Refusal as refusal:
            outcome.refuse(resize, refusal)
            continue
        edits.append(Edit(conv.output[0], moved.nodes, moved.weights))
        outcome.moved.add(conv.output[0])
        outcome.add(commuted(view, resize, conv, moved, wish))
    return edits


def _rewrite_all(view: View, wish: Wish, outcome: Outcome) -> list[Edit]:
    readings, unread = read_all(view)
    edits: list[Edit] = []
    taken, seen = names_in(view), set[str]()
    for cuts in track(find_sites(view, find_chains(view, readings), wish.goal), "proving", unit="sites"):
        seen.update(node.output[0] for node in cuts[0].nodes)
        reason: Refusal | None = None
        for site in cuts:
            try:
                built, proof, before = change(view, site, wish, taken)
            except Refusal as refusal:
                reason = reason or refusal
                continue
            edits.append(Edit(site.output, built.nodes, built.weights))
            outcome.add(entry_of(view, site, built, proof, before, wish), built.nodes)
            break
        else:
            assert reason is not None
            outcome.refuse(cuts[0].node, reason)
    for node, why in unread:
        source = view.producers.get(node.input[0]) if node.input else None
        if node.op_type not in UPSAMPLING_OPS and source is not None and source.op_type in UPSAMPLING_OPS:
            node = source  # what follows an upsampling cannot be read, so nothing moves
        if node.op_type in UPSAMPLING_OPS and node.output[0] not in seen:
            seen.add(node.output[0])
            outcome.refuse(node, why)
    done = {"lr": "DepthToSpace", "deconv": "ConvTranspose"}.get(wish.goal)
    for node in view.graph.node:
        if node.op_type in UPSAMPLING_OPS and node.op_type != done and not seen & set(node.output):
            outcome.refuse(node, nothing_follows(view, readings, node))
    return edits
