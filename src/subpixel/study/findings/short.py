"""The study of the budget in five sentences: the lead, at equal time too, what explains it, and what to beware of."""

from collections.abc import Mapping, Sequence

from subpixel.study.comparing import Place, compare
from subpixel.study.equal_time import RUNTIMES
from subpixel.study.findings.budget import OURS, plans_of
from subpixel.study.findings.mixing import about_mixing, about_times
from subpixel.study.glossary import AT_HR, EQUAL_MACS, FAMILIES, TIMED
from subpixel.study.lines import Line
from subpixel.study.missing import current
from subpixel.study.plan import LONGER
from subpixel.study.rates import best_rate
from subpixel.study.settings import BudgetSettings

Plans = Mapping[int, BudgetSettings]


def in_short(
    lines: Sequence[Line],
    scales: Sequence[int],
    asked: BudgetSettings | None = None,
    times: Sequence[Line] = (),
) -> dict[str, str]:
    """A sentence each on "lead", "time", "weights", "window" and "caveats", of what was run of them.

    Args:
        asked, times: as of `findings`.
    """
    plans = {
        scale: settings
        for scale, settings in sorted(plans_of(lines, scales, asked).items())
        if not about_mixing(lines, scale, "budget")
    }
    untimed = {scale for scale in plans if about_times(times, scale)}
    lines = [
        line for line in current(lines, plans) if not (line["scale"] in untimed and line["matching"].startswith(TIMED))
    ]
    said = {
        "lead": _leads(lines, plans, EQUAL_MACS, "At equal multiplications"),
        "time": " ".join(
            filter(None, (_leads(lines, plans, f"{TIMED}{one}", f"At equal time on {one}") for one in RUNTIMES))
        ),
        "weights": _control(
            lines, plans, "equal-weights", "With no more weights, and so a part of the multiplications only"
        ),
        "window": _control(
            lines, plans, "equal-receptive-field", "With no wider receptive field, at equal multiplications"
        ),
        "caveats": _caveats(lines, plans),
    }
    return {name: text for name, text in said.items() if text}


def _leads(lines: Sequence[Line], plans: Plans, matching: str, where: str) -> str:
    """The least and the greatest lead over the best network that enlarges first, among the budgets of each scale."""
    said = []
    for scale, settings in plans.items():
        found = []
        for budget in settings.maps if matching == EQUAL_MACS else settings.timed_maps:
            place = Place(scale, matching, budget)
            made = [compare(place.find(lines, OURS), place.find(lines, rival)) for rival in AT_HR]
            leads = [one.difference for one in made if one is not None and one.low is not None]
            found += [min(leads)] if len(leads) == len(AT_HR) else []
        if found:
            ends = dict.fromkeys(_db(lead) for lead in (min(found), max(found)))
            budgets = f"{len(found)} budget{'s' if len(found) > 1 else ''}"
            said.append(f"{' to '.join(ends)} dB at ×{scale} ({budgets})")
    if not said:
        return ""
    return f"{where} LR convolutions and a shuffle less the best network that enlarges first: {', '.join(said)}."


def _control(lines: Sequence[Line], plans: Plans, control: str, where: str) -> str:
    """What is left at the middle budget over nearest-first, with its interval over seeds."""
    said = []
    for scale, settings in plans.items():
        mine = Place(scale, "control", settings.middle).find(lines, control)
        theirs = Place(scale, EQUAL_MACS, settings.middle).find(lines, "nearest-first")
        one = compare(mine, theirs)
        if one is None or one.low is None or one.high is None:
            continue
        part = mine[0]["macs_per_lr_pixel"] / theirs[0]["macs_per_lr_pixel"]
        beside = {
            "equal-weights": f"{part:.0%} of the multiplications",
            "equal-receptive-field": f"{mine[0]['receptive_field']} LR pixels against {theirs[0]['receptive_field']}",
        }[control]
        numbers = f"{_db(one.difference)} dB (95 % interval {_db(one.low)} to {_db(one.high)}; {beside})"
        said.append(f"{numbers} at ×{scale}, {one.verdict()}")
    return f"{where}, the LR network less nearest neighbour first: {'; '.join(said)}." if said else ""


def _caveats(lines: Sequence[Line], plans: Plans) -> str:
    """What more steps would bring, whose learning rate may be too low, and what equal time does not search."""
    said = []
    for family in LONGER:
        gains = {}
        for scale, settings in plans.items():
            more = Place(scale, "longer", settings.middle).find(lines, family)
            gains[scale] = compare(more, Place(scale, EQUAL_MACS, settings.middle).find(lines, family))
        brought = [f"{_db(one.difference)} dB at ×{scale}" for scale, one in gains.items() if one is not None]
        said += [f"{family} {', '.join(brought)}"] if brought else []
    times = "; ".join(dict.fromkeys(str(settings.longer) for settings in plans.values()))
    parts = [f"{times} times the steps still bring {' and '.join(said)}, one seed each"] if said else []
    edges: dict[str, list[str]] = {}
    for scale, settings in plans.items():
        for family in FAMILIES:
            if best_rate(family, scale, lines) in (min(settings.rates), max(settings.rates)):
                edges.setdefault(family, []).append(f"×{scale}")
    if edges:
        where = " and ".join(f"{family} ({', '.join(scales)})" for family, scales in edges.items())
        parts.append(f"the rate of {where} is at the edge of what was tried, so that a better one may lie beyond")
    if any(line["matching"].startswith(TIMED) for line in lines):
        parts.append("networks of equal time have equal widths in every layer, so that leads there are upper ends")
    return f"To beware of: {'; '.join(parts)}." if parts else ""


def _db(value: float) -> str:
    """With two places, and no minus before 0.00."""
    return f"{round(value, 2) + 0.0:+.2f}"
