"""Learning curves: held-out PSNR on the way, the mean over seeds, one panel a budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from subpixel.study.report.drawing import Drawing
from subpixel.study.report.families import DASHED, in_order, style_of
from subpixel.study.report.plots.series import Point, Series, plot


def learning_curves(lines: list[dict[str, Any]], scale: int) -> list[Drawing]:
    """One plot for each budget of the runs at equal multiplications, and of those that learnt for longer.

    Runs that diverged end where they did.
    """
    panels = []
    for matching in ("equal-macs", "longer"):
        mine = [line for line in lines if line["scale"] == scale and line["matching"] == matching and line["curve"]]
        for budget in sorted({line["budget"] for line in mine}):
            panels.append(_panel([line for line in mine if line["budget"] == budget], scale, budget, matching))
    return [panel for panel in panels if panel is not None]


def mean_curve(curves: list[list[list[float]]], skip_start: bool = True) -> list[Point]:
    """The mean at each step that every one of the curves has; the start, far below, is left out."""
    tables = [{int(step): value for step, value in curve} for curve in curves]
    steps = sorted(set.intersection(*(set(table) for table in tables)))
    return [
        Point(step, sum(table[step] for table in tables) / len(tables)) for step in steps if step > 0 or not skip_start
    ]


def last_gain(points: Sequence[Point]) -> float | None:
    """What the last quarter of the steps brought; None where no point lies before it."""
    before = [point.y for point in points if point.x <= 0.75 * points[-1].x]
    return points[-1].y - before[-1] if before else None


def _panel(lines: list[dict[str, Any]], scale: int, budget: int, matching: str) -> Drawing | None:
    series = []
    for name in in_order([line["family"] for line in lines]):
        points = mean_curve([line["curve"] for line in lines if line["family"] == name])
        if points:
            series.append(Series(name, style_of(name), points, dashed=name in DASHED, signs=False))
    if not series:
        return None
    ends = sorted(((one.points[-1].y, one.name, last_gain(one.points)) for one in series), reverse=True)
    text = "Held-out PSNR at the end, best first, and what the last quarter of the steps brought: " + ", ".join(
        f"{name} {value:.2f} dB" + ("" if gain is None else f" ({gain:+.2f})") for value, name, gain in ends
    )
    macs = lines[0]["budget_macs"]
    longer = "" if matching == "equal-macs" else " for longer"
    title = f"×{scale}, learning{longer} at {macs:,} MACs per LR pixel"
    name = f"x{scale}-{matching}-curve{budget}"
    return plot(name, title, f"{text}.", series, "optimiser steps", "PSNR of held-out pictures, dB")
