"""`subpixel study budget`: families of equal depth, trained alike, at equal cost.

The plan is a list of runs in the order in which they are made: seed 0 of everything first, so that a study that is
stopped has something to say of every family. Each finished run is a line of `budget.jsonl`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subpixel.errors import InputError
from subpixel.models.network import Network
from subpixel.progress import Progress
from subpixel.study.equal_time import RUNTIMES, key_of, search
from subpixel.study.families import FAMILIES, LAYERS, build, of_budget, of_weights, widths_of
from subpixel.study.results import Line, ResultFile, circumstances
from subpixel.study.settings import BudgetSettings

if TYPE_CHECKING:
    from subpixel.study.learning.fit import StudyData

FILE = "budget.jsonl"
NEEDS = ("scale", "matching", "family", "seed", "widths", "curve", "diverged", "recipe", "data")
"""What a line must have to go on from it."""
TIMED = "equal-ms-"
LAYER_BYTES = 4
SIZE = (640, 360)
"""The LR picture for which memory is stated."""

CONTROLS = {
    "equal-weights": "shuffle-last with as few weights as nearest-first has: what fewer weights alone explain",
    "equal-receptive-field": "shuffle-last of 3-1-1-1 taps, which sees no more LR pixels than nearest-first does,"
    " at equal multiplications: what the receptive field alone explains",
    "tied-phases": "nearest-first lifted to LR space (law A9): r² times the maps, tied so that they compute the HR"
    " network; what the LR form alone explains",
    "untied-phases": "the same LR network with every weight free: what tying costs, at up to r² times the"
    " multiplications",
}
"""Runs beside the families, at the middle budget, that separate the causes."""


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
                    runs += [Run(scale, f"equal-ms-{runtime}", maps, family, seed) for family in FAMILIES]
    return runs


def _plan_of_macs(scale: int, settings: BudgetSettings) -> list[Run]:
    runs = []
    for seed in range(settings.seeds):
        runs += [Run(scale, "equal-macs", maps, family, seed) for maps in settings.maps for family in FAMILIES]
    for seed in range(settings.seeds):
        runs += [Run(scale, "control", settings.middle, control, seed) for control in CONTROLS]
    if settings.longer > 1:
        runs += [Run(scale, "longer", settings.middle, family, 0) for family in ("nearest-first", "shuffle-last")]
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
            return of_budget("shuffle-last", run.scale, macs, kernels=(3, 1, 1, 1))
        case "tied-phases":
            return reference
        case "untied-phases":
            return build("shuffle-last", run.scale, tuple(run.scale**2 * maps for maps in widths_of(reference)))
    return of_budget(run.family, run.scale, macs)


def describe(network: Network) -> Line:
    """The counts of a network, for each LR pixel where it says so; bytes are of float32 at 640×360."""
    pixels = SIZE[0] * SIZE[1]
    return {
        "widths": list(widths_of(network)),
        "weights": network.parameter_count,
        "macs_per_lr_pixel": network.macs_per_lr_pixel,
        "activations_per_lr_pixel": network.activations_per_lr_pixel,
        "memory_bytes": LAYER_BYTES * (network.parameter_count + pixels * network.widest_per_lr_pixel),
        "receptive_field": network.receptive_field,
        "network": network.config(),
    }


def study_budget(
    folders: Sequence[Path],
    benchmarks: Sequence[Path],
    output: Path,
    *,
    scales: Sequence[int] = (3, 2, 4),
    match: Sequence[str] = MATCHES,
    settings: BudgetSettings | None = None,
    pictures: Path | None = None,
    held_out: tuple[str, ...] = (),
    threads: int | None = None,
    shown: Callable[[str], None] = lambda line: None,
) -> list[Line]:
    """Make every run that `output`/budget.jsonl lacks; returns its lines.

    Args:
        folders, pictures, held_out: training pictures as `subpixel train` takes them.
        benchmarks: folders of pictures that are never trained on.
        output: the folder of the result file.
        scales: in order.
        match: "macs" for equal multiplications with the controls, "time" for equal time on every runtime.
        settings: default: the full study's.
        threads: of PyTorch; a run is the same on any machine only for equal threads.
        shown: is called with a line of text after each run.

    Raises:
        InputError: pictures that cannot be used; a result file made with other settings or pictures.
    """
    settings = settings or BudgetSettings()
    results = ResultFile(output / FILE, needs=NEEDS)
    for scale in scales:
        missing = [run for run in plan(scale, settings, match) if run.key not in results]
        if not missing:
            continue
        for line in results:
            check(line, scale, settings, results.path)
        import torch

        from subpixel.study.learning.fit import read_data

        torch.set_num_threads(threads or torch.get_num_threads())
        data = read_data(folders, benchmarks, scale, settings, pictures=pictures, held_out=held_out)
        strangers = {line["data"] for line in results if line["scale"] == scale} - {data.digest}
        if strangers:
            raise InputError(f"{results.path} was made from other training pictures: use the same, or another -o")
        timed = None
        if "time" in match:
            how: dict[str, Any] = {"size": settings.time_size, "rounds": settings.time_rounds}
            timed = search(output, (scale,), settings.timed_maps, threads=torch.get_num_threads(), **how)
        with Progress(f"study budget x{scale}", len(missing), unit="runs") as progress:
            for run in missing:
                made = make(run, data, settings, results, timed)
                if made is None:
                    progress.say(f"{run.key} is left out: {run.runtime} is not installed here")
                    continue
                results.add(made)
                shown(summary(made))
                progress.advance()
    return list(results)


def check(line: Line, scale: int, settings: BudgetSettings, path: Path) -> None:
    """Refuse to go on with a file of other settings.

    Raises:
        InputError: naming what differs.
    """
    if line["scale"] != scale or line["recipe"] == settings.recipe():
        return
    ours = settings.recipe()
    differing = sorted(key for key in ours if line["recipe"].get(key) != ours[key])
    raise InputError(f"{path} was made with other settings ({', '.join(differing)}): use the same, or another -o")


def make(
    run: Run, data: "StudyData", settings: BudgetSettings, results: ResultFile, timed: ResultFile | None = None
) -> Line | None:
    """Train one network of the plan and return its line; None where equal time was not measured."""
    network, more = network_of(run), {}
    if run.matching.startswith(TIMED):
        key = key_of(run.scale, run.runtime, run.budget, run.family)
        found = None if timed is None else timed.lines.get(key)
        if found is None:
            return None
        network = build(run.family, run.scale, tuple(found["widths"]))
        more = {"ms": found["ms"], "ratio": found["ratio"]}
    head = {
        "key": run.key,
        "scale": run.scale,
        "matching": run.matching,
        "budget": run.budget,
        "budget_macs": budget_of(run.scale, run.budget).macs_per_lr_pixel,
        "family": run.family,
        "seed": run.seed,
    }
    twin = _twin(run, network, results)
    if twin is not None:
        return {**twin, **head, **more, "same_as": twin["key"]}
    return {**head, **describe(network), **more, **_train(run, network, data, settings, results), **circumstances()}


def _twin(run: Run, network: Network, results: ResultFile) -> Line | None:
    """A line that has trained the very same network from the same seed already."""
    ours = (run.scale, run.family, run.seed, list(widths_of(network)))
    for line in results:
        theirs = (line["scale"], line["family"], line["seed"], line["widths"])
        if ours == theirs and line["matching"].startswith("equal-") and run.matching.startswith("equal-"):
            return line
    return None


def _train(run: Run, network: Network, data: "StudyData", settings: BudgetSettings, results: ResultFile) -> Line:
    import torch

    from subpixel.study.learning.fit import fit
    from subpixel.study.learning.tied import TiedModule

    steps = {"rate": settings.rate_steps, "longer": settings.longer * settings.steps}
    trained = fit(
        TiedModule(network, run.seed) if run.family == "tied-phases" else network,
        data,
        settings,
        seed=run.seed,
        learning_rate=run.rate if run.rate is not None else rate_for(run, settings, results),
        steps=steps.get(run.matching),
        judged=run.matching != "rate",
    )
    return {**trained, "recipe": settings.recipe(), "data": data.digest, "threads": torch.get_num_threads()}


def rate_for(run: Run, settings: BudgetSettings, results: ResultFile) -> float:
    """The learning rate that the search found for a run's family: the best of those that did not diverge."""
    if len(settings.rates) == 1:
        return settings.rates[0]
    return best_rate(run.rated_as, run.scale, list(results)) or settings.rates[0]


def best_rate(family: str, scale: int, lines: Sequence[Line]) -> float | None:
    """The learning rate whose search ended with the highest PSNR on the held-out pictures; None without a search."""
    tried = [
        (line["curve"][-1][1], line["learning_rate"])
        for line in lines
        if (line["scale"], line["matching"], line["family"]) == (scale, "rate", family) and line["diverged"] is None
    ]
    return float(max(tried)[1]) if tried else None


def missing_runs(lines: Sequence[Line], scales: Sequence[int], settings: BudgetSettings) -> Iterator[Run]:
    """The runs of the whole plan that have no line."""
    done = {line["key"] for line in lines}
    for scale in scales:
        yield from (run for run in plan(scale, settings) if run.key not in done)


def summary(line: dict[str, Any]) -> str:
    """A finished run in one line of text."""
    if line["diverged"] is not None:
        result = f"diverged at step {line['diverged']:,}"
    elif line["psnr"]:
        result = ", ".join(f"{name} {scores['mean']:.2f} dB" for name, scores in line["psnr"].items())
    else:
        result = f"held out {line['curve'][-1][1]:.3f} dB" if line["curve"] else "no score"
    return f"{line['key']}: {result} ({line['wall_seconds']:.0f} s)"
