"""Axes: from data to places in a drawing, with marks at round numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10

from subpixel.study.report.drawing import Drawing

_APART = 34
"""Between the numbers of the x axis, so that they do not touch."""


@dataclass(frozen=True)
class Scale:
    """One axis: values `low` to `high` lie between places `start` and `end`, linearly or by their logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Where a value lies."""
        low, high, value = (
            (log10(v) for v in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        )
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Round numbers within the axis, `most` at most."""
        return _log_ticks(self.low, self.high, most) if self.log else _ticks(self.low, self.high, most)


def around(values: Iterable[float], log: bool = False, room: float = 0.06) -> tuple[float, float]:
    """An axis' ends: the values' own with some room, never of length zero."""
    found = list(values)
    low, high = min(found), max(found)
    if log:
        factor = max(high / low, 1.2) ** room
        return low / factor, high * factor
    extra = max((high - low) * room, 1e-3 * max(abs(low), abs(high), 1.0) if high == low else 0)
    return low - extra, high + extra


def short(value: float) -> str:
    """A tick's number: 1,200 as 1.2K."""
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= factor:
            return f"{value / factor:.6g}{unit}"
    return f"{value:.6g}".replace("-", "−")


def frame(drawing: Drawing, x: Scale, y: Scale, x_label: str, y_label: str) -> None:
    """Grid, ticks and names of both axes; y runs upwards."""
    for value in y.ticks():
        drawing.line(x.start, y(value), x.end, y(value), "grid")
        drawing.say(x.start - 5, y(value) + 4, short(value), "right soft small")
    last = x.start - _APART
    for value in x.ticks(5):
        if x(value) - last < _APART:
            continue
        last = x(value)
        drawing.line(x(value), y.start, x(value), y.start + 4, "axis")
        drawing.say(x(value), y.start + 17, short(value), "soft small")
    drawing.line(x.start, y.start, x.end, y.start, "axis")
    drawing.say((x.start + x.end) / 2, y.start + 35, x_label)
    drawing.say(4, y.end - 8, y_label, "left")


def _ticks(low: float, high: float, most: int) -> list[float]:
    rough = (high - low) / most
    power = 10.0 ** floor(log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * (1 - 1e-9))
    return [round(i * step, 10) for i in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    """The most round numbers that are `most` at most and nowhere too close for their labels."""
    apart = log10(high / low) / (1.5 * most)
    best: list[float] = []
    for digits in (
        (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0),
        (1.0, 1.5, 2.0, 3.0, 5.0, 7.0),
        (1.0, 2.0, 5.0),
        (1.0, 3.0),
        (1.0,),
    ):
        found = [
            m * 10.0**e
            for e in range(floor(log10(low)), ceil(log10(high)) + 1)
            for m in digits
            if low <= m * 10.0**e <= high
        ]
        close = any(log10(b / a) < apart for a, b in pairwise(found))
        if len(best) < len(found) <= most and not close:
            best = found
    return best or found[:: max(1, ceil(len(found) / most))]
