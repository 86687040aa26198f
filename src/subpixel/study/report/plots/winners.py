"""A map of winners: rows and columns of cases, each cell in its winner's colour with a letter and its lead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from subpixel.study.report.drawing import Drawing

_CELL, _HIGH, _LEFT = 44, 30, 78


def winners(
    name: str,
    title: str,
    text: str,
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Mapping[tuple[str, str], tuple[int, str]],
    letters: Sequence[str],
) -> Drawing:
    """`cells` holds (row, column) → (winner, what to write); a cell that is not in it was not measured."""
    width = _LEFT + _CELL * len(columns) + 8
    drawing = Drawing(name, title, text, width, 34 + _HIGH * len(rows) + 8)
    for i, column in enumerate(columns):
        for line, word in enumerate(column.split("\n")):
            drawing.say(_LEFT + (i + 0.5) * _CELL, 13 + 13 * line, word, "soft small")
    for j, row in enumerate(rows):
        top = 34 + j * _HIGH
        drawing.say(_LEFT - 6, top + 19, row, "right small")
        for i, column in enumerate(columns):
            left = _LEFT + i * _CELL
            if (row, column) not in cells:
                drawing.rect(left, top, _CELL - 2, _HIGH - 2, "gone", 2)
                continue
            winner, written = cells[row, column]
            drawing.rect(left, top, _CELL - 2, _HIGH - 2, f"f{winner}", 2)
            drawing.say(left + _CELL / 2 - 1, top + 18, f"{letters[winner]} {written}", "small")
    return drawing
