"""Which runs of the plan have still to be made: those that have no line, and those whose line is outdated."""

import json
from collections.abc import Mapping, Sequence
from functools import cache

from subpixel.study.glossary import TIMED
from subpixel.study.lines import Line
from subpixel.study.plan import MATCHES, Run, network_of, plan
from subpixel.study.rates import best_rate
from subpixel.study.settings import BudgetSettings


def missing_runs(
    lines: Sequence[Line], scale: int, settings: BudgetSettings, match: Sequence[str] = MATCHES
) -> list[Run]:
    """The runs of the plan of a scale that have no line, or an outdated one: of another learning rate than the search
    now gives their family, or of another network than the plan now has. Such a line is replaced when its run is
    made."""
    runs = plan(scale, settings, match)
    made = {line["key"]: line for line in lines}
    # Without a search there is one rate for all, which the recipe holds.
    rates = {family: best_rate(family, scale, lines) for family in {run.rated_as for run in runs}}
    return [run for run in runs if run.key not in made or not _is_of(made[run.key], run, rates[run.rated_as])]


def current(lines: Sequence[Line], plans: Mapping[int, BudgetSettings]) -> list[Line]:
    """The lines without the outdated ones."""
    missing = {run.key for scale, settings in plans.items() for run in missing_runs(lines, scale, settings)}
    return [line for line in lines if line["key"] not in missing]


def _is_of(line: Line, run: Run, rate: float | None) -> bool:
    """Whether a line is what a run would make now."""
    if run.matching == "rate":
        return True
    if rate is not None and line["learning_rate"] != rate:
        return False
    # Of equal time the widths were measured, and are the line's own; of everything else the plan gives the network.
    wanted = _network_of(run.scale, run.matching, run.budget, run.family)
    return run.matching.startswith(TIMED) or line.get("network", wanted) == wanted


@cache
def _network_of(scale: int, matching: str, budget: int, family: str) -> Line:
    """As a line has it."""
    found: Line = json.loads(json.dumps(network_of(Run(scale, matching, budget, family, 0)).config()))
    return found
