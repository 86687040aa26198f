"""`rewrite_module`: a torch.nn.Module in, a module of the same function out, with `.report`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from subpixel.errors import UsageError
from subpixel.rewriting.choice.fastest import FORMS, MARGIN, print_of, recall, remember
from subpixel.rewriting.choice.macs import before as macs_before
from subpixel.rewriting.entry import Entry, entry
from subpixel.rewriting.goals.change import NOTHING_FOLLOWS
from subpixel.rewriting.modules.clock import RUNTIMES, ModuleClock, TorchClock
from subpixel.rewriting.modules.commuting import FORM, Swap, find_swaps, prove_swap
from subpixel.rewriting.modules.examples import Inputs, arguments_of, evaluating, shapes_in
from subpixel.rewriting.modules.operators import Read, read_all
from subpixel.rewriting.modules.planning import Candidate, PlannedSite, tensor_of
from subpixel.rewriting.modules.proving import ModuleProof
from subpixel.rewriting.modules.rewritten import restore
from subpixel.rewriting.modules.surgery import Change, apply_changes
from subpixel.rewriting.modules.tracing import Region, find_regions
from subpixel.rewriting.modules.view import Call, ModuleView, Shapes, call_of
from subpixel.rewriting.reading.chains import UPSAMPLING_OPS, Chain, find_chains
from subpixel.rewriting.reading.cuts import GOALS, every_site, find_sites
from subpixel.rewriting.reading.sites import Site
from subpixel.rewriting.refusal import Refusal

GROWTH = 16.0
_NOTHING_FOLLOWS = Refusal(NOTHING_FOLLOWS, "A10")
_NO_FASTER = "the module as a whole is no faster with it: the original is returned"


@dataclass
class _Plan:
    """A region and what is to be changed in it."""

    region: Region
    view: ModuleView
    changes: list[Change | Swap] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True)
class _Wish:
    goal: str
    growth: float | None
    clock: ModuleClock | None


def rewrite_module(
    module: nn.Module,
    goal: str = "fastest",
    *,
    runtime: str = "torch",
    threads: int | None = None,
    inputs: Inputs | None = None,
    growth: float | None = GROWTH,
    clock: ModuleClock | None = None,
) -> nn.Module:
    """A copy of the module whose upsampling sites compute in another form; it trains, saves and loads as before.

    Args:
        module: never changed; the copy has parameters of its own.
        goal: as in `subpixel.rewrite`.
        runtime: "torch" (eager) or "torch.compile": where `fastest` measures.
        threads: how many it measures with; default: torch's own count.
        inputs: for forward's arguments, tensors or shapes: one, several in order, or by name. `fastest` measures
            with them; for other goals they tell factors from sizes that are computed.
        growth: how many times the weights of a site may grow (small sites freely); None lifts the cap.
        clock: measures instead of the runtime.

    Returns:
        A module of the same class (a subclass with another forward), with the same state dict and a `report`.

    Raises:
        UsageError: an unknown goal or runtime, or `inputs` that fit no argument; `fastest` without `inputs`.
        InputError: the module does not run on `inputs`.
    """
    if goal not in GOALS:
        raise UsageError(f"unknown goal {goal!r}: choose {', '.join(GOALS)}")
    if runtime not in RUNTIMES:
        raise UsageError(f"unknown runtime {runtime!r} for a module: choose {', '.join(RUNTIMES)}")
    if goal == "fastest" and inputs is None:
        raise UsageError("goal 'fastest' measures: give `inputs`, such as inputs=(1, 3, 224, 224)")
    arguments = arguments_of(module, inputs)
    if goal == "fastest" and clock is None:
        clock = TorchClock(runtime, threads)
    result = copy.deepcopy(module)
    restore(result)
    found = find_regions(result, frozenset(arguments))
    shapes = shapes_in(result, found.found, arguments) if arguments else [{}] * len(found.found)
    wish = _Wish(goal, growth, clock)
    plans = [_plan(region, known, wish) for region, known in zip(found.found, shapes, strict=True)]
    report: dict[str, Any] = {"goal": goal, "sites": [], "rewritten": 0, "ms_before": None, "ms_after": None}
    report["sites"] = [item for plan in plans for item in plan.entries]
    report["untraced"] = [
        {"module": path or "(itself)", "op": type(inner).__name__, "refused": reason}
        for path, inner, reason in found.refused
    ]
    report["rewritten"] = sum(len(plan.changes) for plan in plans)
    original = copy.deepcopy(result) if goal == "fastest" and report["rewritten"] else None
    for plan in plans:
        if plan.changes:
            apply_changes(plan.region, plan.changes)
    if clock is not None:
        report["clock"] = clock.identity
    if original is not None and clock is not None and not _is_faster(original, result, clock, arguments, report):
        result = original
        for site in report["sites"]:
            if site["refused"] is None:
                site.update(refused=_NO_FASTER, law="clock", form=None)
        report.update(rewritten=0, ms_after=report["ms_before"])
    errors = [site["max_error"] for site in report["sites"] if site["max_error"] is not None]
    report["max_error"] = max(errors, default=0.0)
    result.__dict__["report"] = report
    return result


def _is_faster(
    original: nn.Module, result: nn.Module, clock: ModuleClock, arguments: dict[str, Any], report: dict[str, Any]
) -> bool:
    names, values = list(arguments), list(arguments.values())

    def caller(module: nn.Module) -> Any:
        return lambda *given: module(**dict(zip(names, given, strict=True)))

    with evaluating(original), evaluating(result):
        before, after = clock.race([caller(original), caller(result)], values, ["original", "rewritten"])
    report |= {"ms_before": before, "ms_after": after}
    return before is not None and after is not None and after <= before


# --- one region ----------------------------------------------------------------------------------------------------


def _plan(region: Region, shapes: Shapes, wish: _Wish) -> _Plan:
    view = ModuleView(region.graph, region.module, region.path, shapes)
    plan = _Plan(region, view)
    readings, unread = read_all(view)
    view.ends.update(name for name, read in readings.items() if read.longest is not None)
    chains = find_chains(view, dict(readings))
    swapped = _swap(plan, readings, wish) if wish.goal != "deconv" else set()
    if wish.goal == "fastest":
        seen = swapped | _choose(plan, every_site(view, chains), readings, wish)
    else:
        seen = swapped | _take_cheapest(plan, chains, readings, wish)
    listed = {item["node"] for item in plan.entries}
    left = [(_named(view, call), why) for call, why in unread]
    left = [(call, why) for call, why in left if call.op_type in UPSAMPLING_OPS and call.output[0] not in seen]
    named = {call.output[0] for call, _ in left} | seen
    done = {"lr": "DepthToSpace", "deconv": "ConvTranspose"}.get(wish.goal)
    left += [
        (call, _NOTHING_FOLLOWS)
        for call in view.calls
        if call.op_type in UPSAMPLING_OPS and call.op_type != done and call.output[0] not in named
    ]
    plan.entries += [_refused(call, why) for call, why in left if call.name not in listed]
    return plan


def _swap(plan: _Plan, readings: dict[str, Read], wish: _Wish) -> set[str]:
    """1×1 convolutions before resizes that have no kernel; for goal `fastest` where the clock likes it."""
    seen: set[str] = set()
    for swap in find_swaps(plan.view, readings):
        times: dict[str, float] = {}
        try:
            item = prove_swap(swap)
            if wish.clock is not None and wish.goal == "fastest":
                before, after = _time_swap(swap, wish.clock)
                times = {"ms_before": round(before, 4), "ms_after": round(after, 4)}
                if after > (1 - MARGIN) * before:
                    raise Refusal("no form beats what is there beyond the noise: kept", "clock")
        except Refusal as refusal:
            item = _refused(swap.resize, refusal)
        else:
            plan.changes.append(swap)
        seen |= {swap.resize.output[0], swap.conv.output[0]}
        plan.entries.append({**item, **times})
    return seen


def _time_swap(swap: Swap, clock: ModuleClock) -> tuple[float, float]:
    shapes = swap.view.shapes
    if swap.resize.input[0] not in shapes or swap.resize.output[0] not in shapes:
        raise Refusal("it was not reached on `inputs`, so nothing can be timed", "clock")
    x = torch.randn(shapes[swap.resize.input[0]], generator=torch.Generator().manual_seed(0))
    like = next((p for p in swap.view.root.parameters()), x)
    size = list(shapes[swap.resize.output[0]][2:])
    calls: list[Callable[..., object]] = [lambda x: swap.run(x, False, size), lambda x: swap.run(x, True, size)]
    before, after = clock.race(calls, [x.to(like)], ["as it is", FORM])
    if before is None or after is None:
        raise Refusal("it does not run by itself, so it cannot be timed", "clock")
    return before, after


def _named(view: ModuleView, call: Call) -> Call:
    """The upsampling that stays because what follows it cannot be read; the call itself where that is no such thing."""
    before = view.producers.get(call.input[0]) if call.input else None
    follows = before is not None and call.op_type not in UPSAMPLING_OPS
    return call_of(before) if before is not None and follows else call


def _take_cheapest(plan: _Plan, chains: list[Chain], readings: dict[str, Read], wish: _Wish) -> set[str]:
    """Every site in the form with the fewest multiplications. Returns the values looked at."""
    seen: set[str] = set()
    for cuts in find_sites(plan.view, chains, wish.goal):
        seen.update(_values(cuts[0]))
        reason = _first_that_fits(plan, cuts, readings, wish)
        if reason is not None and len(cuts[0].terms) > 1:  # a sum that cannot be rewritten whole: its terms
            inside = _values(cuts[0])
            parts = [site for site in every_site(plan.view, chains) if _values(site) < inside and len(site.terms) == 1]
            reason = _first_that_fits(plan, parts, readings, wish) and reason
        if reason is not None:
            plan.entries.append(_refused(call_of(cuts[0].node), reason))
    return seen


def _values(site: Site) -> set[str]:
    return {name for node in site.nodes for name in node.output}


def _first_that_fits(plan: _Plan, cuts: Sequence[Site], readings: dict[str, Read], wish: _Wish) -> Refusal | None:
    """Rewrite the first of the cuts that can be; the first reason where none can."""
    first: Refusal | None = None
    for site in cuts:
        try:
            planned = PlannedSite(plan.view, site, readings, wish.goal, wish.growth)
            candidates = planned.candidates()
        except Refusal as refusal:
            first = first or refusal
            continue
        for candidate in candidates:
            try:
                proof = planned.prove(candidate)
            except Refusal as refusal:
                first = first or refusal
                continue
            plan.changes.append(Change(planned, candidate.run))
            plan.entries.append(_entry(planned, candidate, proof))
            return None
    return first or Refusal("no spelling fits")


def _refused(call: Call, refusal: Refusal) -> Entry:
    return entry(call.as_node(), op=call.label, law=refusal.law, refused=refusal.reason)


def _entry(planned: PlannedSite, candidate: Candidate, proof: ModuleProof) -> Entry:
    call, site = planned.call, planned.site
    least = [addend.program.least for addend in candidate.run.addends if max(addend.program.least) > 1]
    programs = [addend.program for addend in candidate.run.addends]
    known = all(source in planned.view.shapes for source in site.sources)
    return entry(
        call.as_node(),
        op=call.label,
        law=site.law,
        form=candidate.name,
        max_error=proof.max_error,
        proof={"normal_form": True, "sizes": proof.sizes, "bit_equal_on_integers": proof.exact, "gradients": True},
        macs_before=macs_before(site, planned.view.shapes) if known else None,
        macs_after=candidate.macs if known else None,
        weights_before=planned.weights_before,
        weights_after=sum(
            p.universal.maps[1] * (p.universal.maps[0] // p.universal.groups) * p.matrix.shape[1] for p in programs
        ),
        smallest=[max(axis) for axis in zip(*least, strict=True)] if least else None,
    )


# --- goal fastest --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Timed:
    planned: PlannedSite
    before: float
    forms: list[tuple[float, Candidate]]

    @property
    def saved(self) -> float:
        return max((self.before - ms for ms, _ in self.forms), default=0.0)


def _choose(plan: _Plan, sites: Sequence[Site], readings: dict[str, Read], wish: _Wish) -> set[str]:
    """Time the forms of every site; keep winners beyond the noise, none overlapping. Returns the values looked at."""
    assert wish.clock is not None
    timed: list[_Timed] = []
    seen: set[str] = set()
    for site in sites:
        try:
            planned = PlannedSite(plan.view, site, readings, wish.goal, wish.growth)
            fitting = [c for c in planned.candidates() if _fits(planned, c)]
            found = _time(planned, fitting[:FORMS], wish.clock)
        except Refusal as refusal:
            if call_of(site.node).name not in {item["node"] for item in plan.entries}:
                plan.entries.append(_refused(call_of(site.node), refusal))
            continue
        if found is not None:
            timed.append(found)
    taken: set[str] = set()
    for t in sorted(timed, key=lambda t: -t.saved):
        own = {name for node in t.planned.site.nodes for name in node.output if not _is_free(call_of(node))}
        seen.update(_values(t.planned.site))
        if own & taken:
            continue
        taken |= own
        plan.entries = [item for item in plan.entries if item["node"] != t.planned.call.name]
        plan.entries.append(_keep_best(plan, t))
    return seen


def _keep_best(plan: _Plan, t: _Timed) -> Entry:
    reason = Refusal("no form beats what is there beyond the noise: kept", "clock")
    for ms, candidate in t.forms:
        try:
            proof = t.planned.prove(candidate)
        except Refusal as refusal:
            reason = refusal
            continue
        plan.changes.append(Change(t.planned, candidate.run))
        return {**_entry(t.planned, candidate, proof), "ms_before": round(t.before, 4), "ms_after": round(ms, 4)}
    return {**_refused(t.planned.call, reason), "ms_before": round(t.before, 4), "ms_after": round(t.before, 4)}


def _is_free(call: Call) -> bool:
    """Without weights to double, it may belong to several sites."""
    return call.op_type in ("Resize", "Concat")


def _fits(planned: PlannedSite, candidate: Candidate) -> bool:
    """Are the sizes of `inputs` long enough for its border?"""
    shapes = [planned.view.shapes.get(name) for name in planned.site.sources]
    return all(
        n >= least
        for addend in candidate.run.addends
        for i in addend.sources
        for n, least in zip((shapes[i] or ())[2:], addend.program.least, strict=False)
    )


def _time(planned: PlannedSite, candidates: list[Candidate], clock: ModuleClock) -> _Timed | None:
    """Times of the site as it is and in its forms, measured or remembered; winners only, fastest first."""
    view, site = planned.view, planned.site
    shapes = [view.shapes.get(name) for name in site.sources]
    if any(shape is None for shape in shapes):
        raise Refusal("it was not reached on `inputs`, so nothing can be timed", "clock")
    weights = [tensor_of(view, symbol) for symbol in planned.symbols]
    names = ["as it is", *(candidate.name for candidate in candidates)]
    like = next((w for w in weights if w is not None), torch.empty(0))
    question = {
        "clock": clock.identity,
        "module": True,
        "function": print_of(planned.wholes),
        "weights": [list(s.shape) for s in planned.symbols],
        "shapes": [list(shape or ()) for shape in shapes],
        "dtype": str(like.dtype),
        "calls": [call_of(node).label for node in site.nodes],
    }
    times = recall(question)
    if not set(names) <= set(times):
        rng = torch.Generator().manual_seed(0)
        sources = [torch.randn(tuple(shape or ()), generator=rng).to(like) for shape in shapes]
        values = [
            torch.randn(s.shape, generator=rng).to(like) if w is None else w.detach()
            for s, w in zip(planned.symbols, weights, strict=True)
        ]
        calls: list[Callable[..., object]] = [planned.as_it_is, *(candidate.run for candidate in candidates)]
        measured = clock.race(calls, [*sources, *values], names)
        times = {**times, **{n: ms for n, ms in zip(names, measured, strict=True) if ms is not None}}
        remember(question, times)
    if names[0] not in times:
        return None
    before = times[names[0]]
    found = [(times[c.name], c) for c in candidates if times.get(c.name, before) < (1 - MARGIN) * before]
    return _Timed(planned, before, sorted(found, key=lambda pair: pair[0]))
