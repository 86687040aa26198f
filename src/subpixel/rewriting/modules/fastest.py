"""Goal `fastest`: the forms of every site of a region by the clock, winners kept beyond the noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from subpixel.progress import track
from subpixel.rewriting.choice.fastest import FORMS, MARGIN, print_of, recall, remember
from subpixel.rewriting.choice.together import UNBEATEN, settle
from subpixel.rewriting.entry import Entry
from subpixel.rewriting.goals.fastest import PRUNE
from subpixel.rewriting.modules.calls import Read
from subpixel.rewriting.modules.clock import ModuleClock
from subpixel.rewriting.modules.commuting import FORM, Swap, find_swaps, prove_swap
from subpixel.rewriting.modules.plan import RegionPlan, Wish, entry_of, refused, values_of
from subpixel.rewriting.modules.planning import Candidate, PlannedSite, tensor_of
from subpixel.rewriting.modules.surgery import Change
from subpixel.rewriting.modules.view import call_of
from subpixel.rewriting.reading.cuts import is_free
from subpixel.rewriting.reading.sites import Site
from subpixel.rewriting.refusal import Refusal


@dataclass(frozen=True, eq=False)
class _Timed:
    """A planned site, its time as it is, and the forms that beat it beyond the noise, fastest first."""

    planned: PlannedSite
    before: float
    forms: list[tuple[float, Candidate]]

    @property
    def own(self) -> set[str]:
        """What it alone writes, and its output."""
        site = self.planned.site
        return {name for node in site.nodes for name in node.output if not is_free(node)} | {site.output}

    @property
    def saved(self) -> float:
        """Milliseconds that the best form saves."""
        return max((self.before - ms for ms, _ in self.forms), default=0.0)

    @property
    def unbeaten(self) -> Refusal:
        """Why it stays where no form saves anything."""
        return UNBEATEN


def choose(plan: RegionPlan, sites: Sequence[Site], readings: dict[str, Read], wish: Wish) -> set[str]:
    """Time the forms of every site; keep winners beyond the noise, none overlapping. Returns the values looked at."""
    assert wish.clock is not None
    timed: list[_Timed] = []
    reasons: dict[str, Entry] = {}
    seen: set[str] = set()
    for site in track(sites, "timing", unit="sites"):
        try:
            planned = PlannedSite(plan.view, site, readings, wish.goal, wish.growth)
            found = _time(planned, _affordable(planned), wish.clock)
        except Refusal as refusal:
            reasons.setdefault(call_of(site.node).name, refused(call_of(site.node), refusal))
            continue
        if found is not None:
            timed.append(found)
            seen.update(values_of(site))
    done, kept = settle(timed, _proved)
    for change, item in done:
        plan.changes.append(change)
        plan.entries.append(item)
    for t, reason in kept:
        ms = round(t.before, 4)
        plan.entries.append({**refused(t.planned.call, reason), "ms_before": ms, "ms_after": ms})
    listed = {item["node"] for item in plan.entries}
    plan.entries += [item for name, item in reasons.items() if name not in listed]
    return seen


def _proved(t: _Timed) -> tuple[Change, Entry] | Refusal:
    """The fastest form that can be proved."""
    reason = Refusal("no form can be proved")
    for ms, candidate in t.forms:
        try:
            proof = t.planned.prove(candidate)
        except Refusal as refusal:
            reason = refusal
            continue
        times = {"ms_before": round(t.before, 4), "ms_after": round(ms, 4)}
        return Change(t.planned, candidate.run), {**entry_of(t.planned, candidate, proof), **times}
    return reason


def _affordable(planned: PlannedSite) -> list[Candidate]:
    """The candidates that are timed: those that fit the sizes of `inputs` and do not multiply too much, a handful."""
    fitting = [c for c in planned.candidates() if _fits(planned, c)]
    least = min((c.macs for c in fitting), default=0)
    return [c for c in fitting if c.macs <= PRUNE * least][:FORMS]


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


def take_swaps(plan: RegionPlan, readings: dict[str, Read], wish: Wish) -> set[str]:
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
            item = refused(swap.resize, refusal)
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
