"""What budget.jsonl says: who is better at equal cost, why, and whether they had stopped learning."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from subpixel.study.budget import best_rate
from subpixel.study.comparing import ALL, Comparison, Place, Verdict, cells, compare, sets_of
from subpixel.study.equal_time import RUNTIMES
from subpixel.study.findings.mixing import about_mixing, settings_of
from subpixel.study.findings.sentence import Sentence, ending
from subpixel.study.glossary import AT_HR, CONTROLS, EQUAL_MACS, FAMILIES, TIMED
from subpixel.study.plan import LONGER, budget_of, missing_runs, plan
from subpixel.study.results import Line
from subpixel.study.settings import BudgetSettings

OURS = "shuffle-last"
ALIKE = 0.05
"""dB within which two families are called alike, if the whole interval lies there."""
LEVEL_GAIN = 0.05
"""dB that more steps may bring to a run that still counts as being on its plateau."""


def findings(lines: Sequence[Line], scales: Sequence[int], asked: BudgetSettings | None = None) -> dict[str, Any]:
    """Everything that budget.jsonl says, as JSON values: cells, comparisons, sentences and missing (keys of runs).

    Args:
        asked: what the runs were asked for with; default: what they say themselves.
    """
    sentences: list[Sentence] = []
    comparisons: list[dict[str, Any]] = []
    plans = {scale: asked or settings_of(lines, scale) for scale in scales}
    mixed = {scale: about_mixing(lines, scale, "budget") for scale in {line["scale"] for line in lines}}
    for scale, settings in plans.items():
        refused = mixed.get(scale)
        if refused:
            sentences.append(refused)
            continue
        for matching in (EQUAL_MACS, *(f"{TIMED}{runtime}" for runtime in RUNTIMES)):
            for maps in settings.maps if matching == EQUAL_MACS else settings.timed_maps:
                place = Place(scale, matching, maps)
                sentences += about_place(lines, place)
                for family in FAMILIES:
                    for name in (*sets_of(lines), ALL):
                        made = compare(place.find(lines, OURS), place.find(lines, family), name)
                        if made and family != OURS:
                            where = {"scale": scale, "matching": matching, "budget": maps}
                            comparisons.append({**where, **asdict(made), "verdict": made.verdict()})
        sentences += about_causes(lines, scale, settings)
        sentences.append(about_plateau(lines, scale, settings))
        if len(settings.rates) > 1:
            sentences.append(about_rates(lines, scale))
    return {
        "cells": cells([line for line in lines if not mixed[line["scale"]]]),
        "comparisons": comparisons,
        "sentences": [asdict(sentence) for sentence in sentences],
        "missing": [run.key for scale in plans for run in missing_runs(lines, scale, plans[scale])],
        "planned": sum(len(plan(scale, settings)) for scale, settings in plans.items()),
    }


def about_place(lines: Sequence[Line], place: Place) -> list[Sentence]:
    """Whether the LR network is better than those that enlarge first, and how those that enlarge last compare."""
    where = _where(place)
    ours = place.find(lines, OURS)

    def say(verdict: Verdict, text: str) -> Sentence:
        return Sentence("budget", place.scale, place.matching, place.budget, verdict, f"{where}: {text}")

    claim = "LR convolutions and a shuffle beat every network that enlarges first"
    lost = [f"{name} {_diverged(place.find(lines, name))}" for name in FAMILIES if _diverged(place.find(lines, name))]
    notes = f" ({'; '.join(lost)})" if lost else ""
    against = {name: compare(ours, place.find(lines, name)) for name in AT_HR}
    # A rival none of whose runs stayed finite is beaten; with nothing to compare it is missing.
    rivals = {name: made for name, made in against.items() if not _all_diverged(place.find(lines, name))}
    absent = [name for name, made in rivals.items() if made is None or made.low is None]
    if _all_diverged(ours):
        return [say("does not hold", f"{claim}: does not hold, {OURS} {_diverged(ours)}.")]
    if absent or not ours:
        return [say("missing", f"{claim}: missing, too few runs of {', '.join(absent or [OURS])}{notes}.")]
    made = [value for value in rivals.values() if value is not None]
    if not made:
        return [say("holds", f"{claim}: all of those diverged{notes}.")]
    hardest = min(made, key=lambda one: one.difference)
    verdicts = {one.verdict() for one in made}
    if verdicts == {"holds"}:
        sentences = [say("holds", f"{claim}; the best of those is {hardest.second}: {_numbers(hardest)}{notes}.")]
    elif "does not hold" in verdicts:
        worse = next(one for one in made if one.verdict() == "does not hold")
        sentences = [
            say("does not hold", f"{claim}: does not hold, {worse.second} is better, {_numbers(worse)}{notes}.")
        ]
    else:
        open_ones = ", ".join(one.second for one in made if one.verdict() == "undecided")
        text = f"{claim}: undecided against {open_ones}: {_numbers(hardest)} over {hardest.second}{notes}."
        sentences = [say("undecided", text)]
    for name, claim in (
        ("deconvolution-last", "A deconvolution of 3r × 3r taps at the end and a shuffle, the same layer, learn alike"),
        ("resize-last", "A shuffle at the end is better than nearest neighbour and a convolution"),
    ):
        one = compare(ours, place.find(lines, name))
        if one is None or one.low is None:
            sentences.append(say("missing", f"{claim}: missing, too few runs of {name}."))
            continue
        verdict = alike(one) if name == "deconvolution-last" else one.verdict()
        sentences.append(say(verdict, f"{claim}{ending(verdict)} {OURS} less {name} is {_numbers(one)}."))
    return sentences


def about_causes(lines: Sequence[Line], scale: int, settings: BudgetSettings) -> list[Sentence]:
    """What the controls at the middle budget say of each possible cause."""
    families = Place(scale, EQUAL_MACS, settings.middle)
    controls = Place(scale, "control", settings.middle)
    where = _where(families)
    claims = {
        "equal-weights": ("nearest-first", "With no more weights than the HR network the LR network is still better"),
        "equal-receptive-field": (
            "nearest-first",
            "With no wider receptive field than the HR network the LR network is still better",
        ),
        "untied-phases": ("nearest-first", "The HR network, lifted to LR space and its weights set free, is better"),
        "tied-phases": (
            "nearest-first",
            "The HR network lifted to LR space, its phases tied, learns what it learnt at HR",
        ),
    }
    assert claims.keys() == CONTROLS.keys()
    sentences = []
    for control, (rival, claim) in claims.items():
        mine, theirs = controls.find(lines, control), families.find(lines, rival)
        one = compare(mine, theirs)
        diverged = _diverged(controls.find(lines, control))
        if one is None or one.low is None:
            verdict: Verdict = "missing"
            text = f"{claim}: missing, " + (f"{control} {diverged}." if diverged else f"too few runs of {control}.")
        elif control == "equal-weights" and any(run["weights"] > theirs[0]["weights"] for run in mine):
            verdict = "missing"
            text = f"{claim}: missing, {control} has {mine[0]['weights']:,} weights, {rival} {theirs[0]['weights']:,}."
        else:
            verdict = alike(one) if control == "tied-phases" else one.verdict()
            text = f"{claim}{ending(verdict)} {control} less {rival} is {_numbers(one)}."
        sentences.append(Sentence("causes", scale, "control", settings.middle, verdict, f"{where}: {text}"))
    return sentences


def about_plateau(lines: Sequence[Line], scale: int, settings: BudgetSettings) -> Sentence:
    """Whether more steps bring more; every rate ends at nought, so the end of a curve is flat whatever is left."""
    finished = [line for line in lines if line["scale"] == scale and line["diverged"] is None and line["curve"]]
    gains = {line["key"]: last_quarter(line) for line in finished if line["matching"] not in ("rate", "longer")}
    claim = f"×{scale}: {settings.longer} times the steps bring less than {LEVEL_GAIN} dB more"
    if not gains:
        return Sentence("plateau", scale, "all", None, "missing", f"{claim}: missing, there are no runs.")
    brought: dict[str, float] = {}
    for family in LONGER:
        place = Place(scale, EQUAL_MACS, settings.middle)
        one = compare(Place(scale, "longer", settings.middle).find(lines, family), place.find(lines, family))
        if one is not None:
            brought[family] = one.difference
    verdict: Verdict = "undecided"
    if any(gain > LEVEL_GAIN for gain in brought.values()):
        verdict = "does not hold"
    elif len(brought) == len(LONGER):
        verdict = "holds"
    said = [f"{family} {gain:+.3f} dB on the benchmark pictures, one seed" for family, gain in brought.items()]
    said += [f"{family} was not run for longer" for family in LONGER if family not in brought]
    most = max(gains, key=lambda key: gains[key])
    late = sum(gain > LEVEL_GAIN for gain in gains.values())
    planned = sum(run.matching not in ("rate", "longer") for run in plan(scale, settings))
    text = (
        f"{claim}{ending(verdict)} {'; '.join(said)}. Under a falling rate, {late} of {len(gains)} runs made, of"
        f" {planned} planned, gained over {LEVEL_GAIN} dB on the held-out pictures in the last quarter of their steps;"
        f" the most is {gains[most]:+.3f} dB ({most})."
    )
    return Sentence("plateau", scale, "all", None, verdict, text)


def about_rates(lines: Sequence[Line], scale: int) -> Sentence:
    """Whether every family's best learning rate has worse ones on both sides: else the grid may hold it back."""
    claim = f"×{scale}: The grid of learning rates brackets the best of every family"
    mine = [line for line in lines if (line["scale"], line["matching"]) == (scale, "rate")]
    best = {family: best_rate(family, scale, mine) for family in FAMILIES}
    absent = [family for family, rate in best.items() if rate is None]
    if absent:
        text = f"{claim}: missing, no search for {', '.join(absent)}."
        return Sentence("rates", scale, "rate", None, "missing", text)
    grid = sorted({line["learning_rate"] for line in mine})
    edge = [f"{family} {rate:g}" for family, rate in best.items() if rate in (grid[0], grid[-1])]
    verdict: Verdict = "does not hold" if edge else "holds"
    said = f"best at the edge of the grid, and perhaps better beyond it: {', '.join(edge)}; " if edge else ""
    tried = ", ".join(f"{rate:g}" for rate in grid)
    text = f"{claim}{ending(verdict)} {said}tried were {tried}."
    return Sentence("rates", scale, "rate", None, verdict, text)


def last_quarter(line: Line) -> float:
    """dB gained on the held-out pictures in the last quarter of a run."""
    steps = line["curve"][-1][0]
    before = [value for step, value in line["curve"] if step <= 0.75 * steps]
    return float(line["curve"][-1][1] - before[-1])


def alike(one: Comparison) -> Verdict:
    """Whether two families are the same to within `ALIKE`: the whole interval over seeds must say so."""
    if one.low is None or one.high is None:
        return "missing"
    if one.low > -ALIKE and one.high < ALIKE:
        return "holds"
    return "does not hold" if one.low > ALIKE or one.high < -ALIKE else "undecided"


def _numbers(one: Comparison) -> str:
    """A comparison in words."""
    ends = "" if one.low is None else f" (95 % interval {one.low:+.3f} to {one.high:+.3f}, {one.seeds} seeds)"
    p = "p < 0.0001" if one.p < 1e-4 else f"p = {one.p:.4f}"
    return f"{one.difference:+.3f} dB{ends}, better on {one.pictures_better} of {one.pictures} pictures, {p}"


def _where(place: Place) -> str:
    macs = budget_of(place.scale, place.budget).macs_per_lr_pixel
    if place.matching.startswith(TIMED):
        runtime = place.matching.removeprefix(TIMED)
        return f"×{place.scale}, the time of {macs:,} multiplications for each LR pixel on {runtime}"
    return f"×{place.scale}, {macs:,} multiplications for each LR pixel"


def _diverged(runs: Sequence[Line]) -> str:
    """ "diverged at step 12 (seed 0)", or "" where none did."""
    lost = [f"step {run['diverged']:,} (seed {run['seed']})" for run in runs if run["diverged"] is not None]
    return f"diverged at {', '.join(lost)}" if lost else ""


def _all_diverged(runs: Sequence[Line]) -> bool:
    return bool(runs) and all(run["diverged"] is not None for run in runs)
