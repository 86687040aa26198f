"""`rewrite_module`: a torch.nn.Module in, a module of the same function out, with `.report`."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from subpixel.errors import UsageError
from subpixel.rewriting.goals.change import NOBODY_READS, NOTHING_FOLLOWS
from subpixel.rewriting.modules.cheapest import take_cheapest
from subpixel.rewriting.modules.clock import RUNTIMES, ModuleClock, TorchClock
from subpixel.rewriting.modules.examples import Inputs, arguments_of, difference, evaluating, shapes_in
from subpixel.rewriting.modules.fastest import choose, take_swaps
from subpixel.rewriting.modules.operators import read_all
from subpixel.rewriting.modules.plan import RegionPlan, Wish, refused
from subpixel.rewriting.modules.rewritten import restore
from subpixel.rewriting.modules.surgery import apply_changes
from subpixel.rewriting.modules.tracing import Region, find_regions
from subpixel.rewriting.modules.view import Call, ModuleView, Shapes, call_of
from subpixel.rewriting.reading.chains import UPSAMPLING_OPS, find_chains
from subpixel.rewriting.reading.cuts import GOALS, every_site
from subpixel.rewriting.refusal import Refusal

GROWTH = 16.0
_NOTHING_FOLLOWS = Refusal(NOTHING_FOLLOWS, "A10")
_NO_FASTER = Refusal("the module as a whole is no faster with it: the original is returned", "clock")


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
    # the proof needs gradients and full precision, whatever the caller has switched off around this
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False):
        return _rewritten(module, Wish(goal, growth, clock), arguments)


def _rewritten(module: nn.Module, wish: Wish, arguments: dict[str, Tensor]) -> nn.Module:
    goal, clock = wish.goal, wish.clock
    result = copy.deepcopy(module)
    restore(result)
    found = find_regions(result, frozenset(arguments))
    shapes = shapes_in(result, found.found, arguments) if arguments else [{}] * len(found.found)
    plans = [_plan(region, known, wish) for region, known in zip(found.found, shapes, strict=True)]
    report: dict[str, Any] = {"goal": goal, "sites": [], "rewritten": 0, "ms_before": None, "ms_after": None}
    report["sites"] = [item for plan in plans for item in plan.entries]
    report["untraced"] = [
        {"module": path or "(itself)", "op": type(inner).__name__, "refused": reason}
        for path, inner, reason in found.refused
    ]
    report["rewritten"] = sum(len(plan.changes) for plan in plans)
    original = copy.deepcopy(result) if arguments and report["rewritten"] else None
    for plan in plans:
        if plan.changes:
            apply_changes(plan.region, plan.changes)
    if clock is not None:
        report["clock"] = clock.identity
    reason = None if original is None else _why_not(original, result, wish, arguments, report)
    if original is not None and reason is not None:
        result = original
        for site in report["sites"]:
            if site["refused"] is None:
                site.update(refused=reason.reason, law=reason.law, form=None)
        report["rewritten"] = 0
    errors = [site["max_error"] for site in report["sites"] if site["max_error"] is not None]
    report["max_error"] = max(errors, default=0.0)
    result.__dict__["report"] = report
    return result


def _why_not(
    original: nn.Module, result: nn.Module, wish: Wish, arguments: dict[str, Tensor], report: dict[str, Any]
) -> Refusal | None:
    """Why the original is to be returned: the whole differs on `inputs`, or is no faster; None where neither is so."""
    differs = difference(original, result, arguments)
    if differs is not None:
        return Refusal(f"the module as a whole {differs} on `inputs` with it: the original is returned")
    if wish.goal != "fastest" or wish.clock is None or _is_faster(original, result, wish.clock, arguments, report):
        return None
    report["ms_after"] = report["ms_before"]
    return _NO_FASTER


def _is_faster(
    original: nn.Module, result: nn.Module, clock: ModuleClock, arguments: dict[str, Any], report: dict[str, Any]
) -> bool:
    names, values = list(arguments), list(arguments.values())

    def caller(module: nn.Module) -> Any:
        return lambda *given: module(**dict(zip(names, given, strict=True)))

    with evaluating(original), evaluating(result):
        duel = clock.duel(caller(original), caller(result), values)
    if duel is None:
        return False
    report["ms_before"], report["ms_after"] = duel.ms
    return duel.is_won


# --- one region ----------------------------------------------------------------------------------------------------


def _plan(region: Region, shapes: Shapes, wish: Wish) -> RegionPlan:
    view = ModuleView(region.graph, region.module, region.path, shapes)
    plan = RegionPlan(region, view)
    readings, unread = read_all(view)
    view.ends.update(name for name, read in readings.items() if read.longest is not None)
    chains = [chain for chain in find_chains(view, dict(readings)) if chain.output in view.live]
    swapped = take_swaps(plan, readings, wish) if wish.goal != "deconv" else set()
    if wish.goal == "fastest":
        seen = swapped | choose(plan, every_site(view, chains), readings, wish)
    else:
        seen = swapped | take_cheapest(plan, chains, readings, wish)
    listed = {item["node"] for item in plan.entries}
    left = [(_named(view, call), why) for call, why in unread]
    left = [(call, why) for call, why in left if call.op_type in UPSAMPLING_OPS and call.output[0] not in seen]
    named = {call.output[0] for call, _ in left} | seen
    done = {"lr": "DepthToSpace", "deconv": "ConvTranspose"}.get(wish.goal)
    left += [
        (call, _NOTHING_FOLLOWS if call.output[0] in view.live else NOBODY_READS)
        for call in view.calls
        if call.op_type in UPSAMPLING_OPS and call.op_type != done and call.output[0] not in named
    ]
    plan.entries += [refused(call, why) for call, why in left if call.name not in listed]
    return plan


def _named(view: ModuleView, call: Call) -> Call:
    """The upsampling that stays because what follows it cannot be read; the call itself where that is no such thing."""
    before = view.producers.get(call.input[0]) if call.input else None
    follows = before is not None and call.op_type not in UPSAMPLING_OPS
    return call_of(before) if before is not None and follows else call
