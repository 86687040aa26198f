"""Goal `fastest`: every site with the forms that can be timed, and the whole model timed again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from onnx import GraphProto, ModelProto, NodeProto

from subpixel.errors import InputError
from subpixel.rewriting.choice.clock import Clock, RuntimeClock
from subpixel.rewriting.choice.fastest import FORMS, Alternative, choose, print_of
from subpixel.rewriting.choice.fastest import Form as FastForm
from subpixel.rewriting.choice.neighbourhood import input_feeds, values_of
from subpixel.rewriting.entry import Entry, refused
from subpixel.rewriting.goals.change import (
    Wish,
    choices,
    combinations,
    commuted,
    entry_of,
    nothing_follows,
    proved,
    weights_of,
)
from subpixel.rewriting.graph.edit import apply_edits, names_in
from subpixel.rewriting.graph.inference import infer, types_of
from subpixel.rewriting.graph.view import View, opset_of, overridable_of, subgraphs
from subpixel.rewriting.moves.commute import find_commuting, swap
from subpixel.rewriting.reading.chains import find_chains, is_upsampling, read_all
from subpixel.rewriting.reading.cuts import every_site
from subpixel.rewriting.reading.sites import Site
from subpixel.rewriting.refusal import Refusal
from subpixel.rewriting.writing.build import Built, build, joined
from subpixel.rewriting.writing.forms import Form

NO_FASTER = "the model as a whole is no faster with it: kept"
PRUNE = 8.0
"""Forms with this many times the multiplications of the cheapest are not timed."""


def make_faster(
    original: ModelProto, copy: ModelProto, wish: Wish, clock: Clock, inputs: dict[str, Sequence[int]] | None
) -> dict[str, Any]:
    """Rewrite `copy` where the clock says so; the whole must be faster too.

    Where it is not, the sites that gain least are left as they are, and so on until it is or none remains.
    """
    feeds = input_feeds(copy, inputs)
    if isinstance(clock, RuntimeClock):
        wish = replace(wish, runtime=clock.runtime)
    view = View(copy.graph, opset_of(copy), types_of(infer(copy).graph), overridable=overridable_of(copy))
    alternatives, left = _alternatives(view, wish)
    foreign = next((node for node in copy.graph.node if node.domain not in ("", "ai.onnx")), None)
    if foreign is not None and alternatives:
        try:
            values_of(copy, [alternatives[0].output], feeds)
        except InputError as error:
            what = f"its model has {foreign.domain}.{foreign.op_type} ({error})"
            why = Refusal(f"{what}: goals lr and deconv need no timing", "clock")
            left += [(alternative.node, why) for alternative in alternatives]
            copy.CopyFrom(original)
            report: dict[str, Any] = {
                "sites": [refused(*pair) for pair in left],
                "rewritten": 0,
                "clock": clock.identity,
            }
            return {**report, "ms_before": None, "ms_after": None}
    edits, entries = choose(view, alternatives, clock, lambda names: values_of(copy, names, feeds), copy.ir_version)
    listed = {site["node"] for site in entries}
    entries += [item for node, why in left if (item := refused(node, why))["node"] not in listed]
    report = {"sites": entries, "rewritten": len(edits), "ms_before": None, "ms_after": None}
    if not edits:
        copy.CopyFrom(original)
        return {**report, "clock": clock.identity}
    report["clock"] = clock.identity
    done = sorted(zip(entries, edits, strict=False), key=lambda pair: pair[0]["ms_after"] / pair[0]["ms_before"])
    plain = ModelProto()
    plain.CopyFrom(copy)
    while done:
        copy.CopyFrom(plain)
        apply_edits(copy.graph, [edit for _, edit in done], copy.ir_version)
        duel = clock.duel(original, copy, feeds)
        if duel is not None:
            report["ms_before"], report["ms_after"] = duel.ms
            if duel.is_won:
                # a shuffle that every reader takes along is written for nobody: its edit is gone again
                there = {name for node in copy.graph.node for name in node.output}
                dead = [site for site, edit in done if edit.output not in there]
                sites = [site for site in entries if not any(site is other for other in dead)]
                return {**report, "sites": sites, "rewritten": len(done) - len(dead)}
        for site, _ in done[len(done) - max(1, len(done) // 4) :]:  # those that gain least: without them it may be
            site.update(refused=NO_FASTER, law="clock", form=None)
        del done[len(done) - max(1, len(done) // 4) :]
    copy.CopyFrom(original)
    return {**report, "rewritten": 0, "ms_after": report["ms_before"]}


def _alternatives(view: View, wish: Wish) -> tuple[list[Alternative], list[tuple[NodeProto, Refusal]]]:
    """Sites of the main graph with the forms that can be timed, and upsampling nodes that have none."""
    readings, unread = read_all(view)
    taken = names_in(view)
    found: list[Alternative] = []
    left = {node.output[0]: (node, why) for node, why in unread if is_upsampling(node)}
    for site in every_site(view, find_chains(view, readings)):
        try:
            if site.refusal is not None:
                raise site.refusal
            whole = joined(view, site)
            picks = combinations(site, choices(view, site, wish, whole))
        except Refusal as why:
            left.setdefault(site.node.output[0], (site.node, why))
            continue
        written, first = [], Refusal("no spelling fits")
        for picked in affordable(picks):
            try:
                built = build(view, site, picked, set(taken), weights_of(view, site), wish.growth)
            except Refusal as why:
                first = why if first.reason == "no spelling fits" else first
                continue
            name = "; ".join(form.name for form in picked)
            written.append(
                FastForm(name, built.nodes, built.weights, partial(_proved, view, site, built, wish, picked))
            )
        if not written:
            left.setdefault(site.node.output[0], (site.node, first))
            continue
        text = print_of(whole)
        found.append(
            Alternative(site.node, site.law, site.nodes, tuple(site.sources), site.output, tuple(written), text)
        )
    for resize, conv in find_commuting(view, readings):
        if readings.get(resize.output[0]) is not None:
            continue  # a resize with a kernel has this form among its others
        try:
            moved = swap(view, resize, conv, readings, set(taken))
        except Refusal:
            continue
        shown = partial(commuted, view, resize, conv, moved, wish)
        text = f"{resize.op_type} {[a.SerializeToString() for a in resize.attribute]} 1×1 {conv.output[0]}"
        form = FastForm("1×1 convolution first", moved.nodes, moved.weights, shown)
        found.append(Alternative(resize, "A7", (resize, conv), (resize.input[0],), conv.output[0], (form,), text))
    covered = {name for a in found for node in a.nodes for name in node.output}
    for node in view.graph.node:
        if is_upsampling(node) and not covered & set(node.output):
            left.setdefault(node.output[0], (node, nothing_follows(view, readings, node)))
    for node in _inner(view.graph):
        inside = "it stands in a branch or a loop, which is not timed: goals lr and deconv rewrite it"
        left.setdefault(node.output[0], (node, Refusal(inside, "clock")))
    return found, [pair for name, pair in left.items() if name not in covered]


def affordable(picks: list[list[Form]]) -> list[list[Form]]:
    """A handful to time: the fewest multiplications, none with many times the least."""
    cost = [sum(form.macs for form in picked) for picked in picks]
    least = min(cost, default=0)
    return [picked for picked, macs in zip(picks, cost, strict=True) if macs <= PRUNE * max(least, 1)][:FORMS]


def _inner(graph: GraphProto) -> Iterator[NodeProto]:
    """Upsamplings in branches and loops."""
    for node in graph.node:
        for inner in subgraphs(node):
            yield from (n for n in inner.node if is_upsampling(n))
            yield from _inner(inner)


def _proved(view: View, site: Site, built: Built, wish: Wish, picked: list[Form]) -> Entry:
    proof = proved(view, site, built, picked, wish)
    return entry_of(view, site, built, proof, weights_of(view, site), wish)
