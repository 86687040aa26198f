"""The result files of a folder, read and not changed: another process may be writing to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from subpixel.errors import InputError
from subpixel.study.glossary import JUDGING, LEARNING, MIXED
from subpixel.study.lines import Line, read_lines
from subpixel.study.strict_json import parse

FILES = ("budget", "equal_time", "power", "initialisation", "speed")
"""Of lines, without their ending."""


@dataclass(frozen=True)
class Results:
    """What docs/study/README.md describes; a file that is not there is empty, or None."""

    budget: list[Line] = field(default_factory=list)
    power: list[Line] = field(default_factory=list)
    initialisation: list[Line] = field(default_factory=list)
    speed: list[Line] = field(default_factory=list)
    equal_time: list[Line] = field(default_factory=list)
    findings: dict[str, Any] | None = None
    drawn: frozenset[str] = frozenset()
    """What computed pictures stood in for, of photographs that were not given: learning, judging."""

    def mixing(self, part: str, scale: int, of: str = MIXED) -> str:
        """What the findings say of a scale whose runs were not made alike, so that nothing of it is shown; else "".

        With `of` EQUAL_TIME: of its times, which are not shown then.
        """
        said = self.findings["sentences"] if self.findings else []
        mine = [one for one in said if (one["part"], one["scale"], one["matching"]) == (part, scale, of)]
        return str(mine[0]["text"]) if mine else ""


def read_results(folder: Path) -> Results:
    """Read what is there.

    Raises:
        InputError: the folder does not exist, or a file in it holds something else.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder of result files: name one that `subpixel study` wrote to with -o")
    parts = {name: list(read_lines(folder / f"{name}.jsonl")[0].values()) for name in FILES}
    drawn = _drawn([*parts["budget"], *parts["initialisation"]], folder)
    findings = _findings(folder / "findings.json")
    # A line that the findings count as missing is outdated: of a rate or a network that the plan has no more.
    outdated = set(findings["missing"]) if findings else set()
    parts["budget"] = [line for line in parts["budget"] if line.get("key") not in outdated]
    return Results(**parts, findings=findings, drawn=drawn)


def _drawn(lines: list[Line], folder: Path) -> frozenset[str]:
    """As the lines say; of lines without a word of it, as the folder that the study draws its pictures in says."""
    said = frozenset(str(what) for line in lines for what in line.get("drawn") or ())
    if any("drawn" not in line for line in lines) and (folder / "pictures" / "drawn").is_dir():
        said |= {LEARNING, JUDGING}
    return said


def _findings(path: Path) -> dict[str, Any] | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from error
    if not content:
        return None
    try:
        found = parse(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no result of a study: move that file away") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} holds no findings of a study: move that file away")
    missing = found.get("missing")
    if not isinstance(missing, list) or not all(isinstance(key, str) for key in missing):
        raise InputError(f"{path} is not as this version writes them: `subpixel study findings` makes it anew")
    return found
