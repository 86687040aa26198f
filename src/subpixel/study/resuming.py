"""What may be added to a result file: only lines that were made as those in it were."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from subpixel.errors import InputError
from subpixel.study.lines import Line
from subpixel.study.results import ResultFile
from subpixel.study.settings import BudgetSettings

if TYPE_CHECKING:
    from subpixel.study.learning.fit import StudyData


def refuse_others(lines: Iterable[Line], ours: Mapping[str, object], path: Path) -> None:
    """Refuse to go on with lines of other settings; what a line does not record is not compared.

    Raises:
        InputError: naming what differs.
    """
    for line in lines:
        differing = [f"{key} {line[key]}, not {value}" for key, value in ours.items() if line.get(key, value) != value]
        if differing:
            raise InputError(
                f"{path} was made with other settings ({', '.join(differing)}): use the same, or another -o"
            )


def check_recipe(results: ResultFile, scale: int, settings: BudgetSettings) -> None:
    """Refuse to go on with a file of other settings.

    Raises:
        InputError: naming what differs.
    """
    ours = settings.recipe()
    for line in of_scale(results, scale):
        if line["recipe"] != ours:
            differing = ", ".join(sorted(key for key in ours if line["recipe"].get(key) != ours[key]))
            raise InputError(f"{results.path} was made with other settings ({differing}): use the same, or another -o")


def made_from(data: "StudyData") -> Line:
    """What a line says of its pictures."""
    return {"data": data.digest, "judging": data.judging}


def of_scale(lines: Iterable[Line], scale: int) -> list[Line]:
    """The lines of one scale."""
    return [line for line in lines if line["scale"] == scale]


def check_pictures(results: ResultFile, data: "StudyData") -> None:
    """Refuse to go on with a file that was made from other pictures; the first lines do not say what judged them.

    Raises:
        InputError: naming which pictures differ.
    """
    for key, ours in made_from(data).items():
        if any(line.get(key, ours) != ours for line in of_scale(results, data.scale)):
            what = "other training pictures" if key == "data" else "other benchmark or held-out pictures"
            raise InputError(f"{results.path} was made from {what}: use the same, or another -o")
