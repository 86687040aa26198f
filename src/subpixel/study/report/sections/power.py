"""Representation power: every HR network as an LR network, and a function that only one side can fit."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from html import escape
from itertools import groupby
from statistics import median
from typing import Any

from subpixel.study.pooling import FittedBy
from subpixel.study.report.drawing import Drawing
from subpixel.study.report.families import DASHED, in_order, style_of
from subpixel.study.report.markup import counted, details, figure, paragraphs, table
from subpixel.study.report.plots.series import Point, Series, legend, plot
from subpixel.study.report.results import Results


def power(results: Results) -> str:
    """The section."""
    parts = ['<h2 id="power">What each can represent</h2>']
    lifting = [line for line in results.power if line["kind"] == "lifting"]
    converse = [line for line in results.power if line["kind"] == "converse"]
    if not results.power:
        return parts[0] + paragraphs("No results yet.")
    if lifting:
        parts += _lifting(lifting)
    if converse:
        sentences = results.findings["sentences"] if results.findings else []
        parts += _converse(converse, [one for one in sentences if one["matching"] == "converse"])
    return "".join(parts)


def _lifting(lines: list[dict[str, Any]]) -> list[str]:
    def key(line: dict[str, Any]) -> tuple[int, str]:
        return line["scale"], line["upsampling"]

    body = []
    for (scale, upsampling), group in groupby(sorted(lines, key=key), key):
        mine = list(group)
        ratios = [line["macs_ratio"] for line in mine]
        body.append(
            (
                f"×{scale}, {upsampling}",
                len(mine),
                f"{min(len(x['kernels']) for x in mine)} to {max(len(x['kernels']) for x in mine)}",
                f"{sum(line['values'] for line in mine):,}",
                f"{sum(line['differing'] for line in mine):,}",
                f"{min(ratios):.2f} to {max(ratios):.2f}",
            )
        )
    total, wrong = sum(line["values"] for line in lines), sum(line["differing"] for line in lines)
    verdict = "every one equal" if not wrong else f"{wrong:,} of them different"
    return [
        f"<h3>{'Not every' if wrong else 'Every'} HR network is an LR network</h3>",
        paragraphs(
            f"{len(lines)} random HR networks with whole numbers for weights were turned into LR networks with r² "
            f"times the maps, by law A9, and both computed. {total:,} values were compared: {verdict}."
        ),
        table(
            "Random HR networks and the LR networks built from them",
            (
                "enlarges by",
                "networks",
                "layers",
                "values compared",
                "differing",
                "MACs of the LR network, if dense, ×",
            ),
            body,
            numbers=range(1, 6),
        ),
    ]


def _converse(lines: list[dict[str, Any]], sentences: list[dict[str, Any]]) -> list[str]:
    teachers = {line["teacher"]: line.get("teacher_is", "") for line in lines}
    items = "".join(f"<li><b>{escape(name)}</b>: {escape(what)}</li>" for name, what in teachers.items() if what)
    parts = [
        "<h3>Can an HR network fit what an LR network computes?</h3>",
        paragraphs(f"That it cannot at equal cost: {counted(sentences) or 'no finding yet'}."),
        paragraphs(
            "Students of equal multiplications fit the same teacher. The residual is the mean square of what is left, "
            "over the mean square of the teacher's output, on inputs that were not learnt from: 1 is nothing learnt. "
            "Where a receptive field is too small, its floor is what no function with that field can go below."
        ),
        f"<ul>{items}</ul>" if items else "",
    ]
    names = in_order([line["student"] for line in lines])
    shown = [Series(name, style_of(name), dashed=name in DASHED, signs=False) for name in names]
    drawings: list[Drawing] = []
    body = []
    cases = dict.fromkeys(map(_case, lines))
    alike = Counter((scale, teacher) for scale, teacher, _ in cases)
    for number, (scale, teacher, fitted) in enumerate(cases, 1):
        mine = [line for line in lines if _case(line) == (scale, teacher, fitted)]
        how = f", {fitted.said()}, learning rate {fitted.learning_rate:g}" if alike[scale, teacher] > 1 else ""
        title = f"×{scale}, fitting the teacher “{teacher}”{how}"
        series, said = [], []
        for one in shown:
            runs = [line for line in mine if line["student"] == one.name]
            left = [run["residual"] for run in runs if run["residual"] is not None]
            points = _middle([run["curve"] for run in runs if run["residual"] is not None])
            if points:
                series.append(replace(one, points=points))
                said.append(f"{one.name} is left with {_residual(median(left))}")
            if runs:
                body.append((f"×{scale}, {teacher}{how}", one.name, *_left(runs, left)))
        if series:
            text = f"{'; '.join(said)}."
            labels = ("optimiser steps", "residual, logarithmic")
            drawings.append(plot(f"converse{number}", title, text, series, *labels, log_y=True))
    parts.append(legend(shown) + f'<div class="figures">{"".join(map(figure, drawings))}</div>')
    head = (
        "teacher",
        "student",
        "weights",
        "MACs per LR pixel",
        "residual, median",
        "over seeds",
        "its floor",
        "seeds",
    )
    shown_rows = table("What is left at the end", head, body, numbers=range(2, 8), names=2)
    parts.append(shown_rows if len(body) <= 12 else details("What is left at the end, for every student", shown_rows))
    return parts


def _case(line: dict[str, Any]) -> tuple[int, str, FittedBy]:
    """What the findings keep apart."""
    return line["scale"], line["teacher"], FittedBy.of(line)


def _left(runs: list[dict[str, Any]], left: list[float]) -> tuple[str, ...]:
    """The numbers of one student and teacher, for the table."""
    floors = [float(run["floor"]) for run in runs if run.get("floor") is not None]
    lost = [f"{run['diverged']:,}" for run in runs if run.get("diverged") is not None]
    return (
        f"{runs[0]['weights']:,}",
        f"{runs[0]['macs_per_lr_pixel']:,}",
        _residual(median(left)) if left else "–",
        f"{_residual(min(left))} to {_residual(max(left))}" if left else "–",
        f"{min(floors):.2e}".replace("0.00e+00", "0") if floors else "none known",
        f"{len(runs)}" + (f"; diverged at step {', '.join(lost)}" if lost else ""),
    )


def _residual(value: float) -> str:
    """The first lines hold six places: a residual of 0 there is small, not nothing."""
    return f"{value:.2e}" if value else "0.000000"


def _middle(curves: list[list[list[float]]]) -> list[Point]:
    """The median over seeds at each step that all have."""
    if not curves:
        return []
    tables = [{int(step): value for step, value in curve} for curve in curves]
    steps = sorted(set.intersection(*(set(one) for one in tables)))
    found = [Point(step, median(one[step] for one in tables)) for step in steps]
    return [point for point in found if point.y > 0]
