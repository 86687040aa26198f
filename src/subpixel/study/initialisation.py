"""`subpixel study initialisation`: checkerboards at the start and after training (Aitken et al. 2017)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from subpixel.progress import Progress
from subpixel.study.alone import writes_alone
from subpixel.study.families import LAYERS, build, of_budget, widths_of
from subpixel.study.glossary import STARTS
from subpixel.study.lines import Line
from subpixel.study.results import ResultFile, circumstances
from subpixel.study.resuming import check_pictures, check_recipe, made_from, of_scale, refuse_others
from subpixel.study.settings import BudgetSettings
from subpixel.study.values import Needs, is_count, is_object, is_text

if TYPE_CHECKING:
    from subpixel.study.learning.fit import StudyData

FILE = "initialisation.jsonl"
NEEDS: Needs = {"scale": is_count, "recipe": is_object, "data": is_text}
"""What a line must have to go on from it."""
RATE = 1e-2
FULL = replace(BudgetSettings(), steps=2000)
"""The recipe of the study of the budget, its middle budget, for fewer steps."""


@writes_alone
def study_initialisation(
    folders: Sequence[Path],
    benchmarks: Sequence[Path],
    output: Path,
    *,
    scales: Sequence[int] = (3, 2, 4),
    settings: BudgetSettings = FULL,
    pictures: Path | None = None,
    held_out: tuple[str, ...] = (),
    threads: int = 1,
    drawn: Sequence[str] = (),
    shown: Callable[[str], None] = lambda line: None,
) -> list[Line]:
    """Train from three starts and measure the checkerboard before and after; arguments as `study_budget`'s.

    Raises:
        InputError: pictures that cannot be used; a result file made with other settings or pictures.
    """
    results = ResultFile(output / FILE, lambda line: NEEDS)
    for scale in scales:
        check_recipe(results, scale, settings)
        import torch

        from subpixel.study.learning.fit import read_data

        torch.set_num_threads(threads)
        data = read_data(folders, benchmarks, scale, settings, pictures=pictures, held_out=held_out)
        ours = {"recipe": settings.recipe(), **made_from(data), "threads": torch.get_num_threads()}
        check_pictures(results, data)  # where nothing is missing, too: else others would be ignored in silence
        refuse_others(of_scale(results, scale), {"threads": ours["threads"]}, results.path)
        missing = [
            (key_of(scale, start, seed), start, seed)
            for seed, start in product(range(settings.seeds), STARTS)
            if key_of(scale, start, seed) not in results
        ]
        if not missing:
            continue
        with Progress(f"study initialisation x{scale}", len(missing), unit="runs") as progress:
            for key, start, seed in missing:
                line = {
                    "key": key,
                    **_make(start, seed, data, settings),
                    **ours,
                    "drawn": list(drawn),
                    "apart": True,
                    **circumstances(),
                }
                results.add(line)
                shown(summary(line))
                progress.advance()
    return list(results)


def key_of(scale: int, start: str, seed: int) -> str:
    """The key of a line of initialisation.jsonl."""
    return f"x{scale}/{start}/seed{seed}"


def summary(line: Line) -> str:
    """A finished run in one line of text."""
    before = f"{line['key']}: index {line['before']['index']:.4f} at the start"
    if not line["after"]:
        return f"{before}, diverged at step {line['diverged']:,}"
    return f"{before}, {line['after']['index']:.4f} after {line['steps']:,} steps ({line['wall_seconds']:.0f} s)"


def _make(start: str, seed: int, data: "StudyData", settings: BudgetSettings) -> Line:
    from subpixel.study.learning.fit import error, fit
    from subpixel.study.learning.starts import checkerboard, draw

    scale = data.scale
    macs = build("nearest-first", scale, (settings.middle,) * (LAYERS - 1)).macs_per_lr_pixel
    widths = widths_of(of_budget("shuffle-last", scale, macs))
    module = draw(start, scale, widths, seed)
    before = checkerboard(module)
    trained = fit(module, data, settings, seed=seed, learning_rate=RATE)
    lost = trained["diverged"] is not None
    return {
        "start": start,
        "start_is": STARTS[start],
        "scale": scale,
        "seed": seed,
        "family": module.network.name,
        "widths": list(widths),
        "weights": module.network.parameter_count,
        "macs_per_lr_pixel": module.network.macs_per_lr_pixel,
        "before": before,
        "after": {} if lost else checkerboard(module),
        "error": None if lost else error(module, data),
        **trained,
    }
