"""`subpixel study power`: what an LR network can compute that an HR network can, and the other way round."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from subpixel.models.network import Network
from subpixel.progress import Progress
from subpixel.study.alone import writes_alone
from subpixel.study.families import LAYERS, build, of_budget, widths_of
from subpixel.study.glossary import FAMILIES, TEACHERS
from subpixel.study.lifting import all_checks, check_one
from subpixel.study.lines import Line
from subpixel.study.results import ResultFile, circumstances
from subpixel.study.resuming import refuse_others
from subpixel.study.values import Needs, is_count, is_number, is_text, or_none

FILE = "power.jsonl"
NEEDS: dict[str, Needs] = {
    "lifting": {"scale": is_count, "differing": is_count, "values": is_count},
    "converse": {
        "scale": is_count,
        "teacher": is_text,
        "student": is_text,
        "budget": is_count,
        "seed": is_count,
        "residual": or_none(is_number),
    },
}
"""What a line of each kind must have to go on from it."""


@dataclass(frozen=True)
class PowerSettings:
    """The settings of `subpixel study power`.

    Args:
        networks: random HR networks to lift for each scale and upsampling.
        maps: the budget of the converse, as in the study of the budget.
        seeds: of students.
        steps: that a student fits its teacher for.
        draws: of the estimate of what a receptive field leaves.
    """

    networks: int = 40
    maps: int = 4
    seeds: int = 3
    steps: int = 1500
    learning_rate: float = 1e-2
    points: int = 10
    draws: int = 4000


QUICK = PowerSettings(networks=6, maps=2, seeds=1, steps=150, points=3, draws=500)

TEACHER_SEED = 7


@writes_alone
def study_power(
    output: Path,
    *,
    scales: Sequence[int] = (3, 2, 4),
    settings: PowerSettings | None = None,
    threads: int = 1,
    shown: Callable[[str], None] = lambda line: None,
) -> list[Line]:
    """Lift random HR networks and compare by equality; then let every family fit functions of the LR family.

    What `output`/power.jsonl holds already is not made again.

    Raises:
        InputError: the file is no result file, or holds fits of another budget, of other steps or threads.
    """
    settings = settings or PowerSettings()
    results = ResultFile(output / FILE, needs_of)
    fits = [line for line in results if line["kind"] == "converse"]
    refuse_others(fits, recipe_of(settings, threads), results.path)
    checks = [
        (f"lifting/x{scale}/{kind}/{seed}", scale, kind, seed)
        for scale, kind, seed in all_checks(scales, settings.networks)
    ]
    with Progress("study power: lifting", len(checks), unit="networks") as progress:
        for key, scale, kind, seed in checks:
            if key not in results:
                results.add({"key": key, **check_one(scale, kind, seed), **circumstances()})
            progress.advance()
    runs = [
        (f"converse/x{scale}/{teacher}/{settings.maps}maps/{settings.steps}steps/{family}/seed{seed}", *run)
        for run in _converse_runs(scales, settings)
        for scale, teacher, family, seed in [run]
    ]
    missing = [run for run in runs if run[0] not in results]
    with Progress("study power: converse", len(missing), unit="runs") as progress:
        for key, scale, teacher, family, seed in missing:
            line = {"key": key, **_converse(scale, teacher, family, seed, settings, threads), **circumstances()}
            results.add(line)
            shown(f"{key}: residual {line['residual']}, floor {line['floor']} ({line['wall_seconds']:.0f} s)")
            progress.advance()
    return list(results)


def needs_of(line: Line) -> Needs:
    """What a line must have, by its kind."""
    kind = line.get("kind")
    return NEEDS[kind] if is_text(kind) and kind in NEEDS else {"kind": lambda value: False}


def recipe_of(settings: PowerSettings, threads: int) -> Line:
    """What two runs of the converse must share to stand beside each other."""
    return {
        "budget": settings.maps,
        "steps": settings.steps,
        "learning_rate": settings.learning_rate,
        "draws": settings.draws,
        "threads": threads,
    }


def _converse_runs(scales: Sequence[int], settings: PowerSettings) -> list[tuple[int, str, str, int]]:
    return [
        (scale, teacher, family, seed)
        for scale in scales
        for seed in range(settings.seeds)
        for teacher in TEACHERS
        for family in FAMILIES
    ]


def teacher_network(teacher: str, scale: int, macs: int) -> Network:
    """The network whose random weights are to be fitted."""
    return build("shuffle-last", scale, (), (3,)) if teacher == "one layer" else of_budget("shuffle-last", scale, macs)


def _converse(scale: int, teacher: str, family: str, seed: int, settings: PowerSettings, threads: int) -> Line:
    import torch

    from subpixel.study.learning.converse import fit_teacher, floor_of, teacher_of

    torch.set_num_threads(threads)
    macs = build("nearest-first", scale, (settings.maps,) * (LAYERS - 1)).macs_per_lr_pixel
    student = of_budget(family, scale, macs)
    function = teacher_of(teacher_network(teacher, scale, macs), TEACHER_SEED)
    floor, floor_error = floor_of(student, function, draws=settings.draws)
    fitted = fit_teacher(
        student,
        function,
        seed=seed,
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        points=settings.points,
    )
    return {
        "kind": "converse",
        "scale": scale,
        "teacher": teacher,
        "teacher_is": TEACHERS[teacher],
        "student": family,
        "budget_macs": macs,
        "seed": seed,
        "widths": list(widths_of(student)),
        "weights": student.parameter_count,
        "macs_per_lr_pixel": student.macs_per_lr_pixel,
        **recipe_of(settings, threads),
        "floor": floor,
        "floor_error": floor_error,
        **fitted,
    }
