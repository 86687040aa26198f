"""Goals `lr` and `deconv`: every graph, inner ones first, each site in the form with the fewest multiplications."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from onnx import GraphProto, ModelProto, NodeProto

from subpixel.progress import track
from subpixel.rewriting.entry import Entry, continued, label, refused
from subpixel.rewriting.goals.change import NOBODY_READS, Wish, change, commuted, entry_of, nothing_follows
from subpixel.rewriting.graph.edit import Edit, apply_edits, names_in, read_in
from subpixel.rewriting.graph.inference import infer, types_of
from subpixel.rewriting.graph.view import Place, View, opset_of, overridable_of, subgraphs
from subpixel.rewriting.moves.commute import find_commuting, swap
from subpixel.rewriting.moves.lifting import swapped, swaps
from subpixel.rewriting.reading.chains import find_chains, is_upsampling, read_all
from subpixel.rewriting.reading.cuts import find_sites
from subpixel.rewriting.refusal import Refusal

PASSES = 8
"""Over the graphs, at most; two nearly always do. What one pass writes may join a chain that was cut before."""


Where = tuple[Place, str]
"""What tells nodes apart: the graph that they stand in, and what the report calls them or the value they write."""


@dataclass
class Outcome:
    """What the passes over the graphs did: an entry per site, rewritten or not.

    Attributes:
        done: rewritten sites, each with where it begins.
        kept: others, by the value that their node writes; the first reason counts.
        moved: values that a resize writes since a convolution moved before it; that resize is done.
        ours: the site of every node that we wrote.
        changes: how often a site was rewritten; one that a later pass continues has a single entry.
    """

    done: list[tuple[Where, Entry]] = field(default_factory=list)
    kept: dict[Where, Entry] = field(default_factory=dict)
    moved: set[Where] = field(default_factory=set)
    ours: dict[Where, tuple[Where, Entry]] = field(default_factory=dict)
    changes: int = 0

    @property
    def rewritten(self) -> int:
        """How many sites were rewritten."""
        return len(self.done)

    @property
    def entries(self) -> list[Entry]:
        """Rewritten sites, then those that stay and have no part that was rewritten."""
        named = {begin for begin, _ in self.done}
        stay = [(place, item) for (place, value), item in self.kept.items() if (place, value) not in self.moved]
        return [*(item for _, item in self.done), *(item for place, item in stay if (place, item["node"]) not in named)]

    def add(self, view: View, done: Entry, nodes: Sequence[NodeProto] = ()) -> None:
        """A site that was rewritten as `nodes`, from the beginning or further."""
        self.changes += 1
        begin = (view.place, done["node"])
        site = self.ours.get(begin)
        if site is None:
            site = (begin, done)
            self.done.append(site)
        else:
            site[1].update(continued(site[1], done))
        self.ours |= {(view.place, label(node)): site for node in nodes}

    def forget_ours(self, known: set[Where]) -> None:
        """Of what stays keep only nodes of the caller's own, those that are `known`."""
        self.kept = {(place, v): item for (place, v), item in self.kept.items() if (place, item["node"]) in known}

    def refuse(self, view: View, node: NodeProto, why: Refusal) -> None:
        """A site that stays, and why."""
        self.kept.setdefault((view.place, node.output[0]), refused(node, why))


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
    there = {(place, name) for place, node in _nodes(model.graph) for name in node.output}  # what still stands
    outcome.kept = {where: entry for where, entry in outcome.kept.items() if where in there}
    return outcome


def labels(graph: GraphProto) -> set[Where]:
    """What the report calls the nodes of the graph, nested ones included."""
    return {(place, label(node)) for place, node in _nodes(graph) if node.output}


def _nodes(graph: GraphProto, place: Place = ()) -> Iterator[tuple[Place, NodeProto]]:
    for node in graph.node:
        yield place, node
        for inside, inner in _inside(node, place):
            yield from _nodes(inner, inside)


def _inside(node: NodeProto, place: Place) -> Iterator[tuple[Place, GraphProto]]:
    """The graphs that a node of the graph at `place` holds, and their own places."""
    for number, inner in enumerate(subgraphs(node)):
        yield (*place, (node.output[0] if node.output else node.name, number)), inner


def lift_one(model: ModelProto, wish: Wish, outcome: Outcome) -> bool:
    """Move one shuffle behind the function after it and the convolution after that before it, or nothing."""
    view = View(model.graph, opset_of(model), types_of(infer(model).graph), overridable=overridable_of(model))
    for run in swaps(view):
        trial, tried = swapped(model, run, view), Outcome()
        over_graphs(trial, partial(_rewrite_all, wish=wish.knowing(trial), outcome=tried))
        if tried.changes:
            model.CopyFrom(trial)
            for begin, entry in tried.done:  # one of its own: the function stands between it and what it begins at
                _, of = outcome.ours.get(begin, (begin, entry))
                entry.update(node=of["node"], op=of["op"])
            outcome.done += tried.done
            outcome.ours |= tried.ours
            outcome.changes += tried.changes
            return True
    return False


def over_graphs(model: ModelProto, make: Callable[[View], list[Edit]]) -> None:
    """Edit every graph of the model, inner ones first."""

    def walk(graph: GraphProto, inferred: GraphProto, outer: View | None, place: Place) -> None:
        types = {**(outer.types if outer else {}), **types_of(inferred)}
        overridable = overridable_of(model) if outer is None else frozenset()
        view = View(graph, opset_of(model), types, outer, overridable, place)
        read = read_in(graph)
        for node, twin in zip(graph.node, inferred.node, strict=True):
            for (inside, inner), inner_twin in zip(_inside(node, place), subgraphs(twin), strict=True):
                walk(inner, inner_twin, view, inside)
        apply_edits(graph, make(view), model.ir_version, read)

    walk(model.graph, infer(model).graph, None, ())


def _commute_all(view: View, wish: Wish, outcome: Outcome) -> list[Edit]:
    readings, _ = read_all(view)
    edits, taken = [], names_in(view)
    for resize, conv in find_commuting(view, readings):
        if not view.is_read(conv.output[0]):
            continue
        try:
            moved = swap(view, resize, conv, readings, taken)
        except Refusal as refusal:
            outcome.refuse(view, resize, refusal)
            continue
        edits.append(Edit(conv.output[0], moved.nodes, moved.weights))
        outcome.moved.add((view.place, conv.output[0]))
        outcome.add(view, commuted(view, resize, conv, moved, wish))
    return edits


def _rewrite_all(view: View, wish: Wish, outcome: Outcome) -> list[Edit]:
    readings, unread = read_all(view)
    edits: list[Edit] = []
    taken, seen = names_in(view), set[str]()
    for cuts in track(find_sites(view, find_chains(view, readings), wish.goal), "proving", unit="sites"):
        seen.update(node.output[0] for node in cuts[0].nodes)
        if not view.is_read(cuts[0].output):
            outcome.refuse(view, cuts[0].node, NOBODY_READS)
            continue
        reason: Refusal | None = None
        for site in cuts:
            try:
                built, proof, before = change(view, site, wish, taken)
            except Refusal as refusal:
                reason = reason or refusal
                continue
            edits.append(Edit(site.output, built.nodes, built.weights))
            outcome.add(view, entry_of(view, site, built, proof, before, wish), built.nodes)
            break
        else:
            assert reason is not None
            outcome.refuse(view, cuts[0].node, reason)
    for node, why in unread:
        source = view.producers.get(node.input[0]) if node.input else None
        if not is_upsampling(node) and source is not None and is_upsampling(source):
            node = source  # what follows an upsampling cannot be read, so nothing moves
        if is_upsampling(node) and node.output[0] not in seen:
            seen.add(node.output[0])
            outcome.refuse(view, node, why)
    done = {"lr": "DepthToSpace", "deconv": "ConvTranspose"}.get(wish.goal)
    for node in view.graph.node:
        if is_upsampling(node) and node.op_type != done and not seen & set(node.output):
            outcome.refuse(view, node, nothing_follows(view, readings, node))
    return edits
