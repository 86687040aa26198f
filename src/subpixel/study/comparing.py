"""Two families beside each other, run for run and picture for picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from subpixel.study.lines import Line
from subpixel.study.statistics import interval, sign_flip_p

Verdict = Literal["holds", "does not hold", "undecided", "missing"]

LEVEL = 0.05
"""Of the test over pictures; the interval over seeds is a 95 % one."""

ALL = "all"
"""All benchmark pictures together."""


@dataclass(frozen=True)
class Place:
    """Where networks are compared: a scale, what was made equal, and how much of it."""

    scale: int
    matching: str
    budget: int

    def find(self, lines: Sequence[Line], family: str) -> list[Line]:
        """The runs of a family here, by seed; of a control at its budget under the name of the control."""
        mine = (self.scale, self.matching, self.budget, family)
        found = [x for x in lines if (x["scale"], x["matching"], x["budget"], x["family"]) == mine]
        return sorted(found, key=lambda line: int(line["seed"]))


@dataclass(frozen=True)
class Comparison:
    """PSNR of one family's runs less another's, over the seeds that both have.

    Attributes:
        difference: mean in dB over seeds and pictures; positive where the first is better.
        low, high: the 95 % interval over seeds; None for a single seed.
        pictures_better: of `pictures`, on how many the first is better in the mean over seeds.
        p: of the sign-flip test over pictures.
    """

    first: str
    second: str
    set: str
    difference: float
    low: float | None
    high: float | None
    seeds: int
    pictures: int
    pictures_better: int
    p: float

    def verdict(self) -> Verdict:
        """Whether the first is better: seeds and pictures must both say so."""
        if self.low is None or self.high is None:
            return "missing"
        if self.low > 0 and self.p < LEVEL:
            return "holds"
        if self.high < 0 and self.p < LEVEL:
            return "does not hold"
        return "undecided"


def compare(first: Sequence[Line], second: Sequence[Line], name: str = ALL) -> Comparison | None:
    """Pair the runs by seed and the pictures by name; None where no seed has both, or one of a pair diverged.

    Args:
        first, second: runs of a family each.
        name: of a benchmark set, or `ALL`.
    """
    theirs = {line["seed"]: line for line in second}
    pairs = [(line, theirs[line["seed"]]) for line in first if line["seed"] in theirs]
    pairs = [(a, b) for a, b in pairs if a["psnr"] and b["psnr"]]
    if not pairs:
        return None
    by_seed = [
        {key: value - pictures(b, name)[key] for key, value in pictures(a, name).items() if key in pictures(b, name)}
        for a, b in pairs
    ]
    keys = [key for key in by_seed[0] if all(key in one for one in by_seed)]
    if not keys:
        return None
    over_seeds = interval([sum(one[key] for key in keys) / len(keys) for one in by_seed])
    over_pictures = [sum(one[key] for one in by_seed) / len(by_seed) for key in keys]
    return Comparison(
        first=pairs[0][0]["family"],
        second=pairs[0][1]["family"],
        set=name,
        difference=over_seeds.mean,
        low=over_seeds.low,
        high=over_seeds.high,
        seeds=over_seeds.count,
        pictures=len(keys),
        pictures_better=sum(value > 0 for value in over_pictures),
        p=sign_flip_p(over_pictures),
    )


def pictures(line: Line, name: str) -> dict[str, float]:
    """PSNR of every picture of a set, or of all sets, by "set/picture"."""
    return {
        f"{key}/{picture}": value
        for key, scores in (line["psnr"] or {}).items()
        if name in (key, ALL)
        for picture, value in scores["images"].items()
    }


def sets_of(lines: Sequence[Line]) -> list[str]:
    """The benchmark sets that any run was judged on, in order of appearance."""
    return list(dict.fromkeys(name for line in lines for name in (line["psnr"] or {})))


def cells(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Mean PSNR and 95 % interval over seeds of every family at every place on every set, with its counts."""
    rows: list[dict[str, Any]] = []
    judged = [line for line in lines if line["matching"] != "rate"]
    for mark in dict.fromkeys((x["scale"], x["matching"], x["budget"], x["family"]) for x in judged):
        scale, matching, budget, family = mark
        runs = Place(scale, matching, budget).find(judged, family)
        row: dict[str, Any] = {"scale": scale, "matching": matching, "budget": budget, "family": family}
        row["seeds"] = [run["seed"] for run in runs]
        row["diverged"] = {str(run["seed"]): run["diverged"] for run in runs if run["diverged"] is not None}
        counts = ("budget_macs", "weights", "macs_per_lr_pixel", "activations_per_lr_pixel", "memory_bytes")
        row |= {key: runs[0][key] for key in (*counts, "receptive_field", "widths", "learning_rate")}
        row["psnr"] = {}
        for name in (*sets_of(runs), ALL):
            values = [list(pictures(run, name).values()) for run in runs if run["psnr"]]
            if values and values[0]:
                made = interval([sum(one) / len(one) for one in values])
                row["psnr"][name] = {"mean": made.mean, "low": made.low, "high": made.high}
        rows.append(row)
    return rows
