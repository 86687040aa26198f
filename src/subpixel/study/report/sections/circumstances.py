"""How the figures were obtained: command, seeds, versions, processor, wall time, one box for each result file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from subpixel.study.report.markup import made, paragraphs
from subpixel.study.report.results import Results
from subpixel.study.report.sections.commands import FILL_IN, PARTS, command


def circumstances(results: Results) -> str:
    """The section."""
    parts = [
        '<h2 id="how">How it was obtained</h2>',
        paragraphs(
            "One command repeats everything and goes on where it was interrupted: subpixel study. This page is made "
            "from the result files by a program; no number in it was typed. In the commands below something is to be "
            f"filled in: {FILL_IN}",
            _apart([line for line in (*results.budget, *results.initialisation) if line.get("psnr")]),
        ),
    ]
    for name in PARTS:
        lines = getattr(results, name)
        if lines:
            parts.append(f"<h3>{name}.jsonl</h3>{made(_rows(lines, command(name, lines)))}")
    return "".join(parts)


def _apart(judged: list[dict[str, Any]]) -> str:
    """Whether pictures that networks were judged on are known not to be among those they learnt from."""
    checked = sum(line.get("apart") is True for line in judged)
    if not judged:
        return "No run was judged on evaluation pictures."
    if checked == len(judged):
        return "Evaluation pictures were never trained on: every run was refused unless no picture is in both sets."
    return (
        f"That no evaluation picture was trained on was checked, pixel for pixel, for {checked} of {len(judged)} runs; "
        "the other lines say nothing of it."
    )


def _rows(lines: list[dict[str, Any]], repeated_by: str) -> list[tuple[str, str]]:
    wall = sum(line.get("wall_seconds") or 0 for line in lines)
    processor = sum(line.get("cpu_seconds") or 0 for line in lines)
    dates = sorted(line["date"] for line in lines if line.get("date"))
    versions = _each(", ".join(f"{k} {v}" for k, v in (line.get("versions") or {}).items()) for line in lines)
    recipes = _each(", ".join(f"{k} {v}" for k, v in (line.get("recipe") or {}).items()) for line in lines)
    return [
        ("Command", repeated_by),
        ("Results", f"{len(lines)} lines"),
        ("Seeds", _each(line.get("seed") for line in lines)),
        ("Recipe", recipes),
        ("Judged on", _each(name for line in lines for name in (line.get("psnr") or {}))),
        ("Training pictures", _each(f"SHA-256 {line['data'][:16]}…" for line in lines if line.get("data"))),
        ("Processor", _each(_machine(line) for line in lines)),
        ("Timed", _each("×".join(map(str, line["size"])) for line in lines if "ratio" in line and line.get("size"))),
        ("Threads", _each(line.get("threads") for line in lines)),
        ("Versions", versions),
        ("Wall time", f"{_hours(wall)} ({_hours(processor)} of processor time)" if wall else ""),
        ("Made", f"{dates[0]} to {dates[-1]}" if dates else ""),
    ]


def _machine(line: dict[str, Any]) -> str:
    return ", ".join(
        part
        for part in (line.get("processor"), f"{line['cores']} cores" if line.get("cores") else "", line.get("system"))
        if part
    )


def _each(values: Iterable[object]) -> str:
    known = sorted({value for value in values if value not in (None, "")}, key=_by_kind)
    whole = [value for value in known if isinstance(value, int)]
    if len(whole) == len(known) > 4 and whole[-1] - whole[0] == len(whole) - 1:
        return f"{whole[0]} to {whole[-1]}"
    return "; ".join(map(str, known))


def _by_kind(value: object) -> tuple[bool, Any]:
    """Numbers in their order, then texts."""
    return (isinstance(value, str), value)


def _hours(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
