"""The runs of the study of the budget, in the order in which they are made.

Seed 0 of everything comes first, so that a study that is stopped has something to say of every family.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from subpixel.models.network import Network
from subpixel.study.equal_time import RUNTIMES
from subpixel.study.families import LAYERS, build, of_budget, of_weights, widths_of
from subpixel.study.glossary import CONTROLS, EQUAL_MACS, FAMILIES, TIMED
from subpixel.study.settings import BudgetSettings

ONE_LAYER = ("shuffle-last", "deconvolution-last")
"""Two forms of the same last layer (law A5): they share a learning rate, so that they may learn alike."""

LONGER = ("nearest-first", "shuffle-last")
"""The families of which one run, at the middle budget, learns for more steps."""


@dataclass(frozen=True)
class Run:
    """One run of the plan.

    Attributes:
        scale: r.
        matching: "rate" (the search for a learning rate), "equal-macs", "control", "longer" (the same for more steps),
            or "equal-ms-" and a runtime.
        budget: in maps of the nearest-first network that sets it.
        family: of `FAMILIES`, or a name in `CONTROLS`.
        seed: of weights and batches.
        rate: the learning rate of a search.
    """

    scale: int
    matching: str
    budget: int
    family: str
    seed: int
    rate: float | None = None

    @property
    def key(self) -> str:
        rate = "" if self.rate is None else f"/rate{self.rate:g}"
        return f"x{self.scale}/{self.matching}/{self.budget}maps/{self.family}{rate}/seed{self.seed}"

    @property
    def runtime(self) -> str:
        """Whose time is equal, where it is time that is equal."""
        return self.matching.removeprefix(TIMED)

    @property
    def rated_as(self) -> str:
        """The family whose learning rate this run takes."""
        if self.family in FAMILIES:
            return self.family
        return "nearest-first" if self.family == "tied-phases" else "shuffle-last"


RATE_SEED = 1000
"""The search's own: no run that is reported shares its weights or batches."""


MATCHES = ("macs", "time")


def plan(scale: int, settings: BudgetSettings, match: Sequence[str] = MATCHES) -> list[Run]:
    """The runs of one scale in order: the search for learning rates; equal multiplications, the controls, and longer
    runs; then equal time."""
    runs: list[Run] = []
    if len(settings.rates) > 1:
        runs += [
            Run(scale, "rate", settings.middle, family, RATE_SEED, rate)
            for rate in settings.rates
            for family in FAMILIES
        ]
    if "macs" in match:
        runs += _plan_of_macs(scale, settings)
    if "time" in match:
        for seed in range(settings.seeds):
            for runtime in RUNTIMES:
                for maps in settings.timed_maps:
                    runs += [Run(scale, f"{TIMED}{runtime}", maps, family, seed) for family in FAMILIES]
    return runs


def _plan_of_macs(scale: int, settings: BudgetSettings) -> list[Run]:
    runs = []
    for seed in range(settings.seeds):
        runs += [Run(scale, EQUAL_MACS, maps, family, seed) for maps in settings.maps for family in FAMILIES]
    for seed in range(settings.seeds):
        runs += [Run(scale, "control", settings.middle, control, seed) for control in CONTROLS]
    if settings.longer > 1:
        runs += [Run(scale, "longer", settings.middle, family, 0) for family in LONGER]
    return runs


def budget_of(scale: int, maps: int) -> Network:
    """The network whose multiplications are the budget."""
    return build("nearest-first", scale, (maps,) * (LAYERS - 1))


def network_of(run: Run) -> Network:
    """The network that a run trains (of tied phases: the HR network that it computes)."""
    reference = budget_of(run.scale, run.budget)
    macs = reference.macs_per_lr_pixel
    match run.family:
        case "equal-weights":
            return of_weights("shuffle-last", run.scale, reference.parameter_count)
        case "equal-receptive-field":
            return of_budget("shuffle-last", run.scale, macs, kernels=_kernels_within(reference))
        case "tied-phases":
            return reference
        case "untied-phases":
            return build("shuffle-last", run.scale, tuple(run.scale**2 * maps for maps in widths_of(reference)))
    return of_budget(run.family, run.scale, macs)


def _kernels_within(reference: Network) -> tuple[int, ...]:
    """Taps of an LR network's layers, 3 for the first and 1 for the rest: as many 3s as its window allows to lie within
    that of every phase of `reference`."""
    for threes in range(LAYERS, 0, -1):
        kernels = (3,) * threes + (1,) * (LAYERS - threes)
        low, high = build("shuffle-last", reference.scale, (1,) * (LAYERS - 1), kernels).windows[0]
        if all(first <= low and high <= last for first, last in reference.windows):
            return kernels
    return (1,) * LAYERS
