"""What power.jsonl says: every HR network is an LR network, and not the other way round."""

from collections.abc import Sequence

from subpixel.study.comparing import Verdict
from subpixel.study.findings.sentence import Sentence, ending
from subpixel.study.glossary import AT_HR
from subpixel.study.lines import Line
from subpixel.study.pooling import FittedBy

OURS = "shuffle-last"


def about_power(lines: Sequence[Line], scales: Sequence[int]) -> list[Sentence]:
    """A sentence a scale on lifting, and one for each teacher."""
    sentences = []
    for scale in scales:
        here = [line for line in lines if line["scale"] == scale]
        sentences.append(_lifting([line for line in here if line["kind"] == "lifting"], scale))
        converse = [line for line in here if line["kind"] == "converse"]
        # Students of another budget, of other steps or threads stand in a sentence of their own.
        cases = dict.fromkeys((line["teacher"], FittedBy.of(line)) for line in converse)
        sentences += [
            _converse([line for line in converse if (line["teacher"], FittedBy.of(line)) == case], scale, case[0])
            for case in cases
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
    """Holds for a teacher if every LR run leaves less than half of what any run of an HR family leaves; as everywhere,
    a family of fewer than two seeds is missing."""
    recipe = FittedBy.of(lines[0])
    claim = f"×{scale}, teacher {teacher}: HR networks of equal budget cannot fit what the LR network fits"
    left = {
        family: {line["seed"]: line["residual"] for line in lines if line["student"] == family}
        for family in (OURS, *AT_HR)
    }
    fitted = {family: [one for one in runs.values() if one is not None] for family, runs in left.items()}
    absent = [f"{family} ({len(runs)})" for family, runs in fitted.items() if len(runs) < LEAST_SEEDS]
    if absent:
        text = f"{claim}: missing, fewer than {LEAST_SEEDS} seeds of {', '.join(absent)}."
        return Sentence("power", scale, "converse", None, "missing", text)
    best = min(AT_HR, key=lambda family: min(fitted[family]))
    ours, theirs = max(fitted[OURS]), min(fitted[best])
    verdict: Verdict = "undecided"
    if theirs < NOTHING or theirs < ours / FAR:
        verdict = "does not hold"
    elif ours < theirs / FAR:
        verdict = "holds"
    floor = _floor(lines, best, ours, theirs)
    runs = ", ".join(f"{family} {len(values)}" for family, values in fitted.items())
    text = (
        f"{claim}{ending(verdict)} {OURS} leaves {_share(ours)} of the teacher's power at most; {best}, the best of"
        f" those that enlarge first, {_share(theirs)} at least.{floor} Runs: {runs}; {recipe.said()}; one"
        f" learning rate, {recipe.learning_rate:g}, for every student, not searched for."
    )
    return Sentence("power", scale, "converse", None, verdict, text)


def _floor(lines: Sequence[Line], family: str, ours: float, theirs: float) -> str:
    """What a family's receptive field keeps out of reach, where that is anything, and what is left above it."""
    known = [line for line in lines if line["student"] == family and line["floor"]]
    if not known:
        return ""
    errors = [line["floor_error"] for line in known if line.get("floor_error") is not None]
    error = f"standard error {max(errors):.2%}" if errors else "standard error not recorded"
    floor = known[0]["floor"]
    text = f" {floor:.2%} of the teacher's power (an estimate, {error}) lies outside {family}'s receptive field"
    above = max(0.0, theirs - floor) / ours if ours > NOTHING else None
    if above is None:
        return f"{text}."
    text += f"; above that {family} leaves {above:.2f} times what {OURS} leaves"
    by_window = theirs > FAR * ours and above < FAR
    return text + (
        f", less than the {FAR} that the rule asks for: it holds by the receptive field." if by_window else "."
    )


LEAST_SEEDS = 2
FAR = 2
"""How many times more one must leave than the other."""
NOTHING = 1e-4
"""A residual below which a function counts as fitted."""


def _share(value: float) -> str:
    return f"{value:.2%}" if value >= NOTHING else f"under {NOTHING:.2%}"
