"""findings.json, from the result files beside it."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from subpixel.errors import InputError
from subpixel.media.atomic import write_atomically
from subpixel.study import budget, equal_time, initialisation, power, speed
from subpixel.study.findings.budget import findings
from subpixel.study.findings.initialisation import about_starts
from subpixel.study.findings.mixing import with_those_of
from subpixel.study.findings.power import about_power
from subpixel.study.findings.rules import RULES
from subpixel.study.findings.short import in_short
from subpixel.study.findings.speed import about_speed
from subpixel.study.results import ResultFile
from subpixel.study.settings import BudgetSettings

FILE = "findings.json"


def write_findings_of(folder: Path, scales: Sequence[int], asked: BudgetSettings | None = None) -> dict[str, Any]:
    """Read every result file of a folder, and write findings.json beside them; returns what was written.

    Args:
        scales: of which everything is said, with what is missing; beside them, all that a file has runs of.
        asked: what the runs of the study of the budget at those scales were asked for with; default: what they say
            themselves.

    Raises:
        InputError: no such folder; a file is no result file, or a line of it cannot be used.
        OutputError: findings.json cannot be written.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder of result files: name one that `subpixel study` wrote to with -o")
    files = (budget.FILE, equal_time.FILE, power.FILE, initialisation.FILE, speed.FILE)
    runs, times, powers, starts, layers = (list(ResultFile(folder / name)) for name in files)
    try:
        found = findings(runs, scales, asked, times)
        others = [
            *about_power(powers, with_those_of(powers, scales)),
            *about_starts(starts, with_those_of(starts, scales)),
            *about_speed(layers),
        ]
        found["sentences"] += [asdict(sentence) for sentence in others]
        found["short"] = in_short(runs, scales, asked, times)
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(
            f"the result files in {folder} are not as this version writes them ({reason}): make them anew in another"
            " folder"
        ) from error
    found["rules"] = RULES
    write_findings(folder, found)
    return found


def write_findings(folder: Path, found: dict[str, Any]) -> None:
    """Write findings.json, whole or not at all."""
    write_atomically(folder / FILE, (json.dumps(found, indent=1, allow_nan=False) + "\n").encode())
