"""Plots of series: points with intervals joined by lines, and one interval a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from subpixel.study.report.drawing import COLOURS, Drawing
from subpixel.study.report.plots.axes import Scale, around, frame

WIDTH, HEIGHT = 340, 270


@dataclass(frozen=True)
class Point:
    """One value with the ends of its interval, where it has one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """Points under one name; `style` picks colour and sign, `dashed` the line."""

    name: str
    style: int
    points: Sequence[Point] = field(default_factory=tuple)
    dashed: bool = False
    signs: bool = True


def plot(
    name: str,
    title: str,
    text: str,
    series: Sequence[Series],
    x_label: str,
    y_label: str,
    log_x: bool = False,
    log_y: bool = False,
) -> Drawing:
    """Lines through points; intervals as bars, a little beside each other where points share their x."""
    drawing = Drawing(name, title, text, WIDTH, HEIGHT)
    every = [point for one in series for point in one.points]
    ends = [value for p in every for value in (p.y, p.low, p.high) if value is not None]
    x = Scale(*around((p.x for p in every), log_x), 44, WIDTH - 10, log_x)
    y = Scale(*around(ends, log_y), HEIGHT - 46, 28, log_y)
    frame(drawing, x, y, x_label, y_label)
    for index, one in enumerate(series):
        shift = 2.4 * (index - (len(series) - 1) / 2) if any(p.low is not None for p in every) else 0
        places = [(x(p.x) + shift, y(p.y)) for p in one.points]
        colour = one.style % COLOURS
        if len(places) > 1:
            drawing.path(places, f"s{colour} dashed" if one.dashed else f"s{colour}")
        for point, (px, py) in zip(one.points, places, strict=True):
            if point.low is not None and point.high is not None:
                drawing.line(px, y(point.low), px, y(point.high), f"s{colour}")
            if one.signs:
                drawing.mark(px, py, one.style, f"m{colour}", 4)
    return drawing


def rows(name: str, title: str, text: str, series: Sequence[Series], x_label: str, zero: bool = False) -> Drawing:
    """One interval a row, its name above it; with `zero` a line at zero."""
    drawing = Drawing(name, title, text, WIDTH, 40 + 32 * len(series) + 40)
    points = [one.points[0] for one in series]
    ends = [value for p in points for value in (p.x, p.low, p.high) if value is not None] + ([0.0] if zero else [])
    x = Scale(*around(ends), 14, WIDTH - 14)
    bottom = 24 + 32 * len(series)
    for value in x.ticks(5):
        drawing.line(x(value), 8, x(value), bottom, "grid")
        drawing.say(x(value), bottom + 16, f"{value:g}".replace("-", "−"), "soft small")
    if zero:
        drawing.line(x(0), 8, x(0), bottom, "axis")
    drawing.say(WIDTH / 2, bottom + 36, x_label)
    for index, (one, point) in enumerate(zip(series, points, strict=True)):
        at = 36 + 32 * index
        colour = one.style % COLOURS
        drawing.say(14, at - 10, one.name, "left small halo")
        if point.low is not None and point.high is not None:
            drawing.line(x(point.low), at, x(point.high), at, f"s{colour}")
        drawing.mark(x(point.x), at, one.style, f"m{colour}", 4)
    return drawing


def legend(series: Sequence[Series]) -> str:
    """The names beside their signs, for several plots at once."""
    items = []
    for one in series:
        colour = one.style % COLOURS
        sign = Drawing("sign", "", "", 16, 16)
        sign.line(0, 8, 16, 8, f"s{colour} dashed" if one.dashed else f"s{colour}")
        if one.signs:
            sign.mark(8, 8, one.style, f"m{colour}", 4)
        drawn = f'<svg viewBox="0 0 16 16" aria-hidden="true">{"".join(sign.parts)}</svg>'
        items.append(f"<li>{drawn}{escape(one.name)}</li>")
    return f'<ul class="key">{"".join(items)}</ul>'
