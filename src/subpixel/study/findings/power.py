"""What power.jsonl says: every HR network is an LR network, and not the other way round."""

from collections.abc import Sequence

from subpixel.study.comparing import Verdict
from subpixel.study.families import AT_HR
from subpixel.study.findings.sentence import Sentence, ending
from subpixel.study.results import Line

OURS = "shuffle-last"


def about_power(lines: Sequence[Line], scales: Sequence[int]) -> list[Sentence]:
    """A sentence a scale on lifting, and one for each teacher."""
    sentences = []
    for scale in scales:
        here = [line for line in lines if line["scale"] == scale]
        sentences.append(_lifting([line for line in here if line["kind"] == "lifting"], scale))
        converse = [line for line in here if line["kind"] == "converse"]
        sentences += [
            _converse([line for line in converse if line["teacher"] == teacher], scale, teacher)
            for teacher in dict.fromkeys(line["teacher"] for line in converse)
        ]
        if not converse:
            text = f"×{scale}: An LR function that HR networks of equal budget cannot fit: missing, there are no runs."
            sentences.append(Sentence("power", scale, "converse", None, "missing", text))
    return sentences


def _lifting(lines: Sequence[Line], scale: int) -> Sentence:
    claim = f"×{scale}: Every HR network is an LR network with r² times the maps"
    if not lines:
        return Sentence("power", scale, "lifting", None, "missing", f"{claim}: missing, none was drawn.")
    wrong = sum(line["differing"] > 0 for line in lines)
    values = sum(line["values"] for line in lines)
    verdict: Verdict = "does not hold" if wrong else "holds"
    text = f"{claim}{ending(verdict)} {len(lines)} random ones, {values:,} integers compared, {wrong} networks differ."
    return Sentence("power", scale, "lifting", None, verdict, text)


def _converse(lines: Sequence[Line], scale: int, teacher: str) -> Sentence:
    """Holds for a teacher if every LR run leaves less than half of what any run of an HR family leaves."""
    claim = f"×{scale}, teacher {teacher}: HR networks of equal budget cannot fit what the LR network fits"
    left = {
        family: [line["residual"] for line in lines if line["student"] == family and line["residual"] is not None]
        for family in (OURS, *AT_HR)
    }
    if not all(left.values()):
        absent = ", ".join(family for family, values in left.items() if not values)
        return Sentence("power", scale, "converse", None, "missing", f"{claim}: missing, no runs of {absent}.")
    best = min(AT_HR, key=lambda family: min(left[family]))
    ours, theirs = max(left[OURS]), min(left[best])
    verdict: Verdict = "undecided"
    if theirs < NOTHING or theirs < ours / FAR:
        verdict = "does not hold"
    elif ours < theirs / FAR:
        verdict = "holds"
    floors = {line["student"]: line["floor"] for line in lines}
    floor = f" (its receptive field alone leaves {floors[best]:.2%})" if floors.get(best) else ""
    text = (
        f"{claim}{ending(verdict)} of the teacher's power {OURS} leaves {_share(ours)} at most, {best}, the best of"
        f" those that enlarge first, {_share(theirs)} at least{floor}; {len(left[OURS])} runs each."
    )
    return Sentence("power", scale, "converse", None, verdict, text)


FAR = 2
"""How many times more one must leave than the other."""
NOTHING = 1e-4
"""A residual below which a function counts as fitted."""


def _share(value: float) -> str:
    return f"{value:.2%}" if value >= NOTHING else f"under {NOTHING:.2%}"
