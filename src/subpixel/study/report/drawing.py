"""Drawings as SVG: shapes with classes of drawing.css, and a text that says the same to those who do not see them.

Widths are chosen for a phone: 340 units are 340 CSS pixels there, so text keeps its size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from html import escape
from pathlib import Path

PHONE = 340
"""Units that a phone shows without shrinking them."""
COLOURS = 8
"""Classes f0 … f7 (filled) and s0 … s7 (lines), told apart by those who do not tell red from green."""


@cache
def colours() -> str:
    """The style sheet of all drawings: light, dark and print."""
    return Path(__file__).with_name("drawing.css").read_text(encoding="utf-8").strip()


@dataclass
class Drawing:
    """Shapes in the order in which they were added; x to the right, y down.

    `name` is a word for ids and file names. `title` says what the drawing is, `text` what one sees in it.
    """

    name: str
    title: str
    text: str
    width: float
    height: float
    grow: float = 1.5
    parts: list[str] = field(default_factory=list)

    @property
    def is_wide(self) -> bool:
        """Too wide for a phone: the page lets it scroll by itself rather than shrink its text."""
        return self.width > PHONE

    def rect(self, x: float, y: float, width: float, height: float, kind: str, radius: float = 3) -> None:
        """A rectangle of class `kind`."""
        shape = f'x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="{_n(radius)}"'
        self.parts.append(f'<rect class="{kind}" {shape}/>')

    def say(self, x: float, y: float, what: object, kind: str = "") -> None:
        """Text on the base line y, centred on x unless `kind` has left or right."""
        named = f' class="{kind}"' if kind else ""
        self.parts.append(f'<text{named} x="{_n(x)}" y="{_n(y)}">{escape(str(what))}</text>')

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        """A straight line."""
        self.parts.append(f'<path class="{kind}" d="M{_n(x1)} {_n(y1)}L{_n(x2)} {_n(y2)}"/>')

    def path(self, points: list[tuple[float, float]], kind: str, closed: bool = False) -> None:
        """A line through points, or the area within it."""
        steps = "L".join(f"{_n(x)} {_n(y)}" for x, y in points)
        self.parts.append(f'<path class="{kind}" d="M{steps}{"z" if closed else ""}"/>')

    def arrow(self, x1: float, y1: float, x2: float, y2: float) -> None:
        """A straight arrow, along one axis."""
        self.line(x1, y1, x2, y2, "arrow")
        dx, dy = (x2 > x1) - (x2 < x1), (y2 > y1) - (y2 < y1)
        back_x, back_y = x2 - 7 * dx, y2 - 7 * dy
        self.path(
            [(x2, y2), (back_x - 4 * dy, back_y - 4 * dx), (back_x + 4 * dy, back_y + 4 * dx)], "tip", closed=True
        )

    def mark(self, x: float, y: float, shape: int, kind: str, size: float = 5) -> None:
        """A sign of a series: disc, square, diamond, triangle up, triangle down, or cross, by `shape` modulo 6."""
        a = size
        match shape % 6:
            case 0:
                self.parts.append(f'<circle class="{kind}" cx="{_n(x)}" cy="{_n(y)}" r="{_n(a)}"/>')
            case 1:
                self.rect(x - a * 0.9, y - a * 0.9, 1.8 * a, 1.8 * a, kind, 0)
            case 2:
                self.path([(x, y - 1.3 * a), (x + 1.3 * a, y), (x, y + 1.3 * a), (x - 1.3 * a, y)], kind, True)
            case 3:
                self.path([(x, y - 1.2 * a), (x + 1.2 * a, y + a), (x - 1.2 * a, y + a)], kind, True)
            case 4:
                self.path([(x, y + 1.2 * a), (x + 1.2 * a, y - a), (x - 1.2 * a, y - a)], kind, True)
            case _:
                b = a / 3
                corners = [(-b, -a), (b, -a), (b, -b), (a, -b), (a, b), (b, b), (b, a), (-b, a), (-b, b), (-a, b)]
                self.path([(x + u, y + v) for u, v in [*corners, (-a, -b), (-b, -b)]], kind, True)

    def markup(self, standalone: bool = False) -> str:
        """The SVG: for a page that has `colours`, or as a file of its own, with colours and a background."""
        w, h = _n(self.width), _n(self.height)
        name = escape(self.name, quote=True)
        ids = f"{name}-title {name}-text"
        if standalone:
            size, style = f'width="{w}" height="{h}"', f"<style>{colours()}</style>"
            ground = f'<rect class="paper" width="{w}" height="{h}"/>'
        else:
            least = f";min-width:{w}px" if self.is_wide else ""
            size, style, ground = f'style="max-width:{_n(self.width * self.grow)}px{least}"', "", ""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" {size} role="img" aria-labelledby="{ids}">'
            f'<title id="{name}-title">{escape(self.title)}</title>'
            f'<desc id="{name}-text">{escape(self.text)}</desc>{style}{ground}{"".join(self.parts)}</svg>'
        )


def _n(value: float) -> str:
    """At most two decimals: the same on every machine."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if value else "0"
