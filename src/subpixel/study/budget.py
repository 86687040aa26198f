"""`subpixel study budget`: families of equal depth, trained alike, at equal cost.

Each finished run of the plan is a line of `budget.jsonl`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subpixel.models.network import Network
from subpixel.progress import Progress
from subpixel.study.alone import writes_alone
from subpixel.study.equal_time import key_of, study_equal_time
from subpixel.study.families import build, widths_of
from subpixel.study.glossary import TIMED
from subpixel.study.lines import Line
from subpixel.study.missing import missing_runs
from subpixel.study.plan import MATCHES, Run, budget_of, network_of
from subpixel.study.rates import rate_for
from subpixel.study.results import ResultFile, circumstances
from subpixel.study.resuming import check_pictures, check_recipe, made_from, of_scale, refuse_others
from subpixel.study.settings import BudgetSettings
from subpixel.study.values import (
    Needs,
    is_count,
    is_counts,
    is_curve,
    is_number,
    is_object,
    is_scores,
    is_text,
    or_none,
)

if TYPE_CHECKING:
    from subpixel.study.learning.fit import StudyData

FILE = "budget.jsonl"
NEEDS: Needs = {
    "scale": is_count,
    "matching": is_text,
    "family": is_text,
    "seed": is_count,
    "widths": is_counts,
    "learning_rate": is_number,
    "curve": is_curve,
    "diverged": or_none(is_count),
    "psnr": or_none(is_scores),
    "recipe": is_object,
    "data": is_text,
}
"""What a line must have to go on from it."""
LAYER_BYTES = 4
SIZE = (640, 360)
"""The LR picture for which memory is stated."""


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


@writes_alone
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
    drawn: Sequence[str] = (),
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
        drawn: which pictures are computed ones (`subpixel.study.glossary.LEARNING`, `JUDGING`); stands in each line.
        shown: is called with a line of text after each run.

    Raises:
        InputError: pictures that cannot be used; a result file made with other settings or pictures, or widths of
            equal time that were measured otherwise (`study_equal_time`).
    """
    settings = settings or BudgetSettings()
    results = ResultFile(output / FILE, lambda line: NEEDS)
    for scale in scales:
        check_recipe(results, scale, settings)
        import torch

        from subpixel.study.learning.fit import read_data

        torch.set_num_threads(threads or torch.get_num_threads())
        refuse_others(of_scale(results, scale), {"threads": torch.get_num_threads()}, results.path)
        data = read_data(folders, benchmarks, scale, settings, pictures=pictures, held_out=held_out)
        check_pictures(results, data)  # where nothing is missing, too: else others would be ignored in silence
        missing = missing_runs(list(results), scale, settings, match)
        if not missing:
            continue
        timed = None
        if "time" in match:
            how: dict[str, Any] = {"settings": settings, "threads": torch.get_num_threads(), "shown": shown}
            timed = study_equal_time(output, scales=(scale,), **how)
        with Progress(f"study budget x{scale}", len(missing), unit="runs") as progress:
            for run in missing:
                made = make(run, data, settings, results, timed)
                if made is None:
                    progress.say(f"{run.key} is left out: {run.runtime} is not installed here")
                    continue
                results.add({**made, "drawn": made.get("drawn", list(drawn)), "apart": True})
                shown(summary(made))
                progress.advance()
    return list(results)


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
    rate = rate_for(run, settings, list(results))
    twin = _twin(run, network, rate, results)
    if twin is not None:
        trained_once = {key: value for key, value in twin.items() if key not in ("wall_seconds", "cpu_seconds")}
        return {**trained_once, **head, **more, "same_as": twin["key"]}
    return {**head, **describe(network), **more, **_train(run, network, rate, data, settings), **circumstances()}


def _twin(run: Run, network: Network, rate: float, results: ResultFile) -> Line | None:
    """A line that has trained the very same network at the same rate from the same seed already."""
    ours = (run.scale, run.family, run.seed, list(widths_of(network)), rate)
    for line in results:
        theirs = (line["scale"], line["family"], line["seed"], line["widths"], line["learning_rate"])
        if ours == theirs and line["matching"].startswith("equal-") and run.matching.startswith("equal-"):
            return line
    return None


def _train(run: Run, network: Network, rate: float, data: "StudyData", settings: BudgetSettings) -> Line:
    import torch

    from subpixel.study.learning.fit import fit
    from subpixel.study.learning.tied import TiedModule

    steps = {"rate": settings.rate_steps, "longer": settings.longer * settings.steps}
    trained = fit(
        TiedModule(network, run.seed) if run.family == "tied-phases" else network,
        data,
        settings,
        seed=run.seed,
        learning_rate=rate,
        steps=steps.get(run.matching),
        judged=run.matching != "rate",
    )
    return {**trained, "recipe": settings.recipe(), **made_from(data), "threads": torch.get_num_threads()}


def summary(line: dict[str, Any]) -> str:
    """A finished run in one line of text."""
    if line["diverged"] is not None:
        result = f"diverged at step {line['diverged']:,}"
    elif line["psnr"]:
        result = ", ".join(f"{name} {scores['mean']:.2f} dB" for name, scores in line["psnr"].items())
    else:
        result = f"held out {line['curve'][-1][1]:.3f} dB" if line["curve"] else "no score"
    took = f"the same run as {line['same_as']}" if "same_as" in line else f"{line['wall_seconds']:.0f} s"
    return f"{line['key']}: {result} ({took})"
