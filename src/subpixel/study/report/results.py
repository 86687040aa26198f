"""The result files of a folder, read and not changed: another process may be writing to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from subpixel.errors import InputError
from subpixel.study.glossary import JUDGING, LEARNING, MIXED
from subpixel.study.strict_json import parse

Line = dict[str, Any]
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

    def mixing(self, part: str, scale: int) -> str:
        """What the findings say of a scale whose runs were not made alike, so that nothing of it is shown; else ""."""
        said = self.findings["sentences"] if self.findings else []
        mine = [one for one in said if (one["part"], one["scale"], one["matching"]) == (part, scale, MIXED)]
        return str(mine[0]["text"]) if mine else ""


def read_results(folder: Path) -> Results:
    """Read what is there.

    Raises:
        InputError: the folder does not exist, or a file in it holds something else.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder of result files: name one that `subpixel study` wrote to with -o")
    parts = {name: _lines(folder / f"{name}.jsonl") for name in FILES}
    drawn = _drawn([*parts["budget"], *parts["initialisation"]], folder)
    return Results(**parts, findings=_findings(folder / "findings.json"), drawn=drawn)


def _drawn(lines: list[Line], folder: Path) -> frozenset[str]:
    """As the lines say; of lines without a word of it, as the folder that the study draws its pictures in says."""
    said = frozenset(str(what) for line in lines for what in line.get("drawn") or ())
    if any("drawn" not in line for line in lines) and (folder / "pictures" / "drawn").is_dir():
        said |= {LEARNING, JUDGING}
    return said


def _lines(path: Path) -> list[Line]:
    """The finished lines; one that is being written, or was cut short, has no newline yet and is left out."""
    whole, _, _ = _bytes(path).rpartition(b"\n")
    found = []
    for number, text in enumerate(whole.splitlines(), 1):
        line = _json(text, path, f"line {number} of ")
        if not isinstance(line, dict):
            raise InputError(f"line {number} of {path} is no result of a study: move that file away")
        found.append(line)
    return found


def _findings(path: Path) -> dict[str, Any] | None:
    content = _bytes(path)
    if not content:
        return None
    found = _json(content, path)
    if not isinstance(found, dict):
        raise InputError(f"{path} holds no findings of a study: move that file away")
    return found


def _json(text: bytes, path: Path, where: str = "") -> Any:
    try:
        return parse(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}{path} is no result of a study: move that file away") from error


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from error
