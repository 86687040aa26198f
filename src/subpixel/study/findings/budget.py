"""What budget.jsonl says: who is better at equal cost, why, and whether they had stopped learning."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from subpixel.study.comparing import ALL, Comparison, Place, Verdict, cells, compare, sets_of
from subpixel.study.equal_time import RUNTIMES, SLACK
from subpixel.study.findings.mixing import about_mixing, about_times, settings_of, with_those_of
from subpixel.study.findings.sentence import Sentence, ending
from subpixel.study.glossary import AT_HR, BEATS, CONTROLS, EQUAL_MACS, FAMILIES, TIMED
from subpixel.study.lines import Line
from subpixel.study.missing import current, missing_runs
from subpixel.study.plan import LONGER, ONE_LAYER, budget_of, plan
from subpixel.study.rates import best_rate
from subpixel.study.settings import BudgetSettings

OURS = "shuffle-last"
ALIKE = 0.05
"""dB within which two families are called alike, if the whole interval lies there."""
LEVEL_GAIN = 0.05
"""dB that more steps may bring to a run that still counts as being on its plateau."""

Runs = Mapping[str, Sequence[Line]]
"""By family or control, at one place."""


def findings(
    lines: Sequence[Line],
    scales: Sequence[int],
    asked: BudgetSettings | None = None,
    times: Sequence[Line] = (),
) -> dict[str, Any]:
    """Everything that budget.jsonl says, as JSON values: cells, comparisons, sentences and missing (keys of runs).

    Args:
        scales: of which everything is said, with what is missing; beside them, all that there are lines of.
        asked: what the runs at `scales` were asked for with; default: what they say themselves.
        times: the lines of equal_time.jsonl, by which time was made equal.
    """
    sentences: list[Sentence] = []
    comparisons: list[dict[str, Any]] = []
    plans = plans_of(lines, scales, asked)
    mixed = {scale: about_mixing(lines, scale, "budget") for scale in {line["scale"] for line in lines}}
    untimed = {scale: about_times(times, scale) for scale in {line["scale"] for line in times}}
    lines = current(lines, plans)
    for scale, settings in plans.items():
        refused = mixed.get(scale)
        if refused:
            sentences.append(refused)
            continue
        no_times = untimed.get(scale)
        sentences += [no_times] if no_times else []
        for matching in (EQUAL_MACS, *(f"{TIMED}{runtime}" for runtime in RUNTIMES if not no_times)):
            for maps in sorted(settings.maps if matching == EQUAL_MACS else settings.timed_maps):
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
        "cells": cells([line for line in lines if not mixed[line["scale"]] and not _is_of(line, untimed)]),
        "comparisons": comparisons,
        "sentences": [asdict(sentence) for sentence in sentences],
        "missing": [run.key for scale in plans for run in missing_runs(lines, scale, plans[scale])],
        "planned": sum(len(plan(scale, settings)) for scale, settings in plans.items()),
    }


def _is_of(line: Line, untimed: Mapping[int, Sentence | None]) -> bool:
    """Whether a run is one at equal time, where times cannot be compared."""
    return line["matching"].startswith(TIMED) and untimed.get(line["scale"]) is not None


def plans_of(
    lines: Sequence[Line], scales: Sequence[int], asked: BudgetSettings | None = None
) -> dict[int, BudgetSettings]:
    """By scale, every one that a line is of among them, the settings that its runs were asked for with; what was not
    asked for the lines say."""
    return {
        scale: (asked if scale in scales else None) or settings_of(lines, scale)
        for scale in with_those_of(lines, scales)
    }


def about_place(lines: Sequence[Line], place: Place) -> list[Sentence]:
    """Whether the LR network is better than those that enlarge first, and how those that enlarge last compare."""
    runs = {family: place.find(lines, family) for family in FAMILIES}
    is_timed = place.matching.startswith(TIMED)

    def say(claim: str, found: tuple[Verdict, str], families: Sequence[str]) -> Sentence:
        verdict, numbers = found
        text = f"{_where(place)}: {claim}{numbers}{_lost(runs, families)}."
        text += _times(runs, families) if is_timed and verdict != "missing" else ""
        return Sentence("budget", place.scale, place.matching, place.budget, verdict, text)

    if not any(runs.values()):
        return [say(BEATS, ("missing", ": missing, no run was made"), ())]
    sentences = [say(BEATS, _beats(runs), (OURS, *AT_HR))]
    # At equal time the two have other widths: they are not the same layer any more, and need not learn alike.
    deconvolution = (BETTER_THAN_DECONVOLUTION, better) if is_timed else (LEARN_ALIKE, alike)
    for family, claim, judge in (("deconvolution-last", *deconvolution), ("resize-last", BETTER_THAN_RESIZE, better)):
        sentences.append(say(claim, _pair(runs, family, judge), (OURS, family)))
    return sentences


LEARN_ALIKE = "A deconvolution of 3r × 3r taps at the end and a shuffle, the same layer, learn alike"
BETTER_THAN_DECONVOLUTION = "A shuffle at the end is better than a deconvolution of 3r × 3r taps"
BETTER_THAN_RESIZE = "A shuffle at the end is better than nearest neighbour and a convolution"


def _beats(runs: Runs) -> tuple[Verdict, str]:
    """The verdict on `BEATS` and its numbers. A rival none of whose runs stayed finite is beaten."""
    against = {name: compare(runs[OURS], runs[name]) for name in AT_HR if not _all_diverged(runs[name])}
    made = [one for one in against.values() if one is not None and one.low is not None]
    worse = next((one for one in made if one.verdict() == "does not hold"), None)
    if _all_diverged(runs[OURS]):
        return "does not hold", f": does not hold, no run of {OURS} ended"
    if worse:
        return "does not hold", f": does not hold, {worse.second} is better, {_numbers(worse)}"
    if len(made) < len(against) or not runs[OURS]:
        return "missing", f": missing, {_too_few(runs, (OURS, *against))}"
    if not made:
        return "holds", ": no run of those ended"
    hardest = min(made, key=lambda one: one.difference)
    best = f"the best of those is {hardest.second}: {_numbers(hardest)}"
    undecided = [one.second for one in made if one.verdict() == "undecided"]
    if undecided:
        return "undecided", f": undecided against {', '.join(undecided)}; {best}"
    return "holds", f"; {best}"


def _pair(runs: Runs, family: str, judge: Callable[[Comparison], Verdict]) -> tuple[Verdict, str]:
    """The verdict on ours beside one family and its numbers; where all runs of one diverged, that decides."""
    ours, theirs = runs[OURS], runs[family]
    one = compare(ours, theirs)
    if one is not None and one.low is not None:
        return (verdict := judge(one)), f"{ending(verdict)} {OURS} less {family} is {_numbers(one)}"
    gone = [name for name in (OURS, family) if _all_diverged(runs[name])]
    if len(gone) == 1 and ours and theirs:
        verdict = "holds" if judge is better and gone == [family] else "does not hold"
        return verdict, f"{ending(verdict)} no run of {gone[0]} ended"
    return "missing", f": missing, {_too_few(runs, (OURS, family))}"


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
        runs = {control: controls.find(lines, control), rival: families.find(lines, rival)}
        mine, theirs = runs.values()
        one = compare(mine, theirs)
        if one is None or one.low is None:
            verdict: Verdict = "missing"
            text = f"{claim}: missing, {_too_few(runs, (control, rival))}"
        elif control == "equal-weights" and any(run["weights"] > theirs[0]["weights"] for run in mine):
            verdict = "missing"
            text = f"{claim}: missing, {control} has {mine[0]['weights']:,} weights, {rival} {theirs[0]['weights']:,}"
        else:
            verdict = alike(one) if control == "tied-phases" else one.verdict()
            unequal = _unequal(control, mine[0], theirs[0])
            text = f"{claim}{ending(verdict)} {control} less {rival} is {_numbers(one)}{unequal}"
        text = f"{where}: {text}{_lost(runs, (control, rival))}."
        sentences.append(Sentence("causes", scale, "control", settings.middle, verdict, text))
    return sentences


def _unequal(control: str, mine: Line, theirs: Line) -> str:
    """What else tells a control from the HR network: the multiplications of one, the window of another."""
    if control == "equal-weights":
        ours, rivals = (line["macs_per_lr_pixel"] for line in (mine, theirs))
        return f"; it takes {ours:,} multiplications, {theirs['family']} {rivals:,}"
    if control == "equal-receptive-field":
        return f"; it sees {mine['receptive_field']} LR pixels across, {theirs['family']} {theirs['receptive_field']}"
    return ""


def about_plateau(lines: Sequence[Line], scale: int, settings: BudgetSettings) -> Sentence:
    """Whether more steps bring more; every rate ends at nought, so the end of a curve is flat whatever is left."""
    finished = [line for line in lines if line["scale"] == scale and line["diverged"] is None and line["curve"]]
    gains = {line["key"]: last_quarter(line) for line in finished if line["matching"] not in ("rate", "longer")}
    more = f"{settings.longer} times the" if settings.longer > 1 else "More"
    claim = f"×{scale}: {more} steps bring less than {LEVEL_GAIN} dB more"
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
    text = f"{claim}{ending(verdict)} {said}tried were {tried}; {' and '.join(ONE_LAYER)} share the best of their mean."
    return Sentence("rates", scale, "rate", None, verdict, text)


def last_quarter(line: Line) -> float:
    """dB gained on the held-out pictures in the last quarter of a run."""
    steps = line["curve"][-1][0]
    before = [value for step, value in line["curve"] if step <= 0.75 * steps]
    return float(line["curve"][-1][1] - before[-1])


def better(one: Comparison) -> Verdict:
    """Whether the first is better, as seeds and pictures say."""
    return one.verdict()


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


def _too_few(runs: Runs, names: Sequence[str]) -> str:
    """ "too few runs of resize-last": of which of the compared, or that no two seeds are common to them."""
    short = [name for name in names if sum(bool(run["psnr"]) for run in runs[name]) < 2]
    return f"too few runs of {', '.join(short)}" if short else f"too few seeds are common to {', '.join(names)}"


def _lost(runs: Runs, names: Sequence[str]) -> str:
    """ " (resize-last diverged at step 12 (seed 0))", or "" where no run did."""
    said = []
    for name in names:
        lost = [f"step {run['diverged']:,} (seed {run['seed']})" for run in runs[name] if run["diverged"] is not None]
        said += [f"{name} diverged at {', '.join(lost)}"] if lost else []
    return f" ({'; '.join(said)})" if said else ""


def _times(runs: Runs, names: Sequence[str]) -> str:
    """What each of the compared really takes of the budget's time: widths are whole numbers, and kernels come in
    blocks, so that the widest network that is fast enough may be much faster."""
    known = {name: float(run["ratio"]) for name in names for run in runs[name][:1] if run.get("ratio") is not None}
    said = [f"{name} {ratio:.2f}{' (too slow at any width)' if ratio > SLACK else ''}" for name, ratio in known.items()]
    return f" Of the budget's time they take: {', '.join(said)}." if said else ""


def _all_diverged(runs: Sequence[Line]) -> bool:
    return bool(runs) and all(run["diverged"] is not None for run in runs)
