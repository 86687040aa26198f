"""What initialisation.jsonl says of the findings of Aitken et al. 2017, arXiv 1707.02937."""

from collections.abc import Sequence

from subpixel.study.comparing import Comparison, Verdict, compare
from subpixel.study.findings.mixing import about_mixing
from subpixel.study.findings.sentence import Sentence, ending
from subpixel.study.glossary import STARTS
from subpixel.study.lines import Line
from subpixel.study.statistics import interval

PAPER = "Aitken et al."
NOTHING = 1e-5
"""A checkerboard index below which there is none: float32 sums in another order."""


def about_starts(lines: Sequence[Line], scales: Sequence[int]) -> list[Sentence]:
    """Four claims a scale: checkerboards at the start, after training, and the error against both rivals; of runs that
    were not made alike, none."""
    sentences = []
    for scale in scales:
        refused = about_mixing(lines, scale, "initialisation")
        if refused:
            sentences.append(refused)
            continue
        by_start = {
            start: [line for line in lines if (line["scale"], line["start"]) == (scale, start)] for start in STARTS
        }
        sentences += [_at_the_start(by_start, scale), _after(by_start, scale)]
        for rival, what in (("resize", "resize-convolution"), ("random", "a random start")):
            sentences.append(_error(by_start, scale, rival, what))
    return sentences


def _say(scale: int, verdict: Verdict, text: str) -> Sentence:
    return Sentence("initialisation", scale, "start", None, verdict, f"×{scale}: {text}")


def _at_the_start(runs: dict[str, list[Line]], scale: int) -> Sentence:
    claim = f"A random start has a checkerboard, ICNR and resize-convolution have none ({PAPER})"
    if not all(runs.values()):
        return _say(scale, "missing", f"{claim}: missing, too few runs.")
    least = min(line["before"]["index"] for line in runs["random"])
    most = max(line["before"]["index"] for start in ("icnr", "resize") for line in runs[start])
    verdict: Verdict = "holds" if most < NOTHING < least else "does not hold"
    text = f"index {least:.3f} and more, against {most:.6f} at most, {len(runs['icnr'])} seeds"
    return _say(scale, verdict, f"{claim}{ending(verdict)} {text}.")


def _after(runs: dict[str, list[Line]], scale: int) -> Sentence:
    claim = f"After training ICNR's checkerboard is still smaller than a random start's ({PAPER})"
    after = {start: {line["seed"]: line["after"] for line in runs[start] if line["after"]} for start in runs}
    seeds = sorted(after["random"].keys() & after["icnr"].keys())
    if len(seeds) < 2:
        return _say(scale, "missing", f"{claim}: missing, too few runs.")
    less = interval([after["random"][seed]["ripple"] - after["icnr"][seed]["ripple"] for seed in seeds])
    assert less.low is not None
    assert less.high is not None
    verdict: Verdict = "holds" if less.low > 0 else "does not hold" if less.high < 0 else "undecided"

    def mean(start: str, what: str) -> float:
        return float(sum(after[start][seed][what] for seed in seeds) / len(seeds))

    text = (
        f"on flat pictures {mean('random', 'ripple'):.3f} of 255 from a random start, {mean('icnr', 'ripple'):.3f} from"
        f" ICNR, difference {less.mean:+.3f} (95 % interval {less.low:+.3f} to {less.high:+.3f}, {less.count} seeds);"
        f" the last layer's index {mean('random', 'index'):.3f} and {mean('icnr', 'index'):.3f}"
    )
    return _say(scale, verdict, f"{claim}{ending(verdict)} {text}.")


def _error(runs: dict[str, list[Line]], scale: int, rival: str, what: str) -> Sentence:
    claim = f"ICNR ends with a lower error than {what} ({PAPER})"
    one = compare(_named(runs["icnr"], "icnr"), _named(runs[rival], rival))
    if one is None or one.low is None:
        return _say(scale, "missing", f"{claim}: missing, too few runs.")
    return _say(scale, one.verdict(), f"{claim}{ending(one.verdict())} PSNR {_numbers(one)}.")


def _named(lines: Sequence[Line], name: str) -> list[Line]:
    return [{**line, "family": name} for line in lines]


def _numbers(one: Comparison) -> str:
    p = "p < 0.0001" if one.p < 1e-4 else f"p = {one.p:.4f}"
    return (
        f"{one.difference:+.3f} dB (95 % interval {one.low:+.3f} to {one.high:+.3f}, {one.seeds} seeds),"
        f" better on {one.pictures_better} of {one.pictures} pictures, {p}"
    )
