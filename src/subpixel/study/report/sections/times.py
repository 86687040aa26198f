"""What families took beside the network that sets the budget: measured in turns, and so the ratio is what counts."""

from __future__ import annotations

from collections.abc import Mapping

from subpixel.study.glossary import EQUAL_TIME, TIMED
from subpixel.study.report.results import Results

EQUAL = 0.05
"""How far a time may lie from another, as a part of it, and still be called equal."""

Of = tuple[str, int]
"""(family, budget)."""


def is_equal(ratio: float) -> bool:
    """Whether a time over another is near enough to one."""
    return abs(ratio - 1) <= EQUAL


def times(results: Results, scale: int, matching: str) -> dict[Of, tuple[float, float]]:
    """Milliseconds, and over those of the network that sets the budget, of the runs at equal time.

    Milliseconds are the budget's times the ratio, since those of two sittings cannot be compared. Where the budget's
    own are missing they are the family's.
    """
    mine = [x for x in results.budget if x["scale"] == scale and x["matching"] == matching and x.get("ms")]
    budgets = {line["budget"]: float(line["ms"]) for line in mine if line["family"] == "nearest-first"}
    found = {}
    for line in mine:
        ms, ratio = float(line["ms"]), float(line["ratio"])
        known = line["budget"] in budgets
        found[line["family"], line["budget"]] = (budgets[line["budget"]] * ratio if known else ms), ratio
    return found


def ratios(results: Results, scale: int, matching: str) -> dict[str, dict[Of, float]]:
    """By runtime the times over the budget's, as far as they were measured."""
    if matching.startswith(TIMED):
        found = {of: ratio for of, (_, ratio) in times(results, scale, matching).items()}
        return {matching.removeprefix(TIMED): found} if found else {}
    by_runtime: dict[str, dict[Of, float]] = {}
    if results.mixing("budget", scale, EQUAL_TIME):
        return by_runtime
    for line in results.equal_time:
        if line["scale"] == scale and line.get("matching") == matching:
            by_runtime.setdefault(str(line["runtime"]), {})[line["family"], line["budget"]] = float(line["ratio"])
    return by_runtime


def how(results: Results) -> str:
    """ "LR pictures of 320×180, 1 thread": what was timed, as far as the lines say it."""
    sizes = dict.fromkeys("×".join(map(str, line["size"])) for line in results.equal_time if line.get("size"))
    threads = dict.fromkeys(line["threads"] for line in results.equal_time if line.get("threads"))
    said = [f"LR pictures of {', '.join(sizes)}"] if sizes else []
    return ", ".join([*said, *(f"{count} thread{'s' * (count != 1)}" for count in threads)])


def pair(known: Mapping[Of, float], first: Of, second: Of) -> str:
    """ "0.71, not equal": the time of one network over another's; a dash where either is not known."""
    if first not in known or second not in known:
        return "–"
    ratio = known[first] / known[second]
    return f"{ratio:.2f}" if is_equal(ratio) else f"{ratio:.2f}, not equal"


def timed(found: tuple[float, float] | None) -> tuple[str, str, str]:
    """Milliseconds, the part of the budget's time, and whether that is equal to it, for a table."""
    if found is None:
        return "–", "–", "–"
    return f"{found[0]:.2f}", f"{found[1]:.2f}", "equal" if is_equal(found[1]) else "not equal"
