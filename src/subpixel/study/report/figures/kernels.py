"""The coloured figures: a 4×4 kernel falls into four of 2×2, and four maps are shuffled into one."""

from __future__ import annotations

import numpy as np

from subpixel.algebra import Convolution, PeriodicShuffle, apply, lift, spell, transposed_convolution
from subpixel.algebra.arrays import as_numpy
from subpixel.study.report.drawing import Drawing

_CELL = 30
_SCALE = 2


def split() -> Drawing:
    """The note's split of a (1, 1, 4, 4) kernel into (4, 1, 2, 2): the weights that are active together."""
    kernel = np.arange(1, 17).reshape(4, 4)
    # The kernel of the sub-pixel convolution is the transposed convolution's, turned round.
    op = lift(transposed_convolution(kernel[None, None, ::-1, ::-1], stride=_SCALE))
    found = spell(op, "shuffle").layers[0]
    assert isinstance(found, Convolution)
    parts = as_numpy(found.weight)[:, 0]
    phase_of = {int(weight): phase for phase, part in enumerate(parts) for weight in part.reshape(-1)}
    said = "; ".join(
        f"output rows of parity {phase // _SCALE} and columns of parity {phase % _SCALE} take {_rows(part)}"
        for phase, part in enumerate(parts)
    )
    drawing = Drawing(
        "split",
        "A 4×4 sub-pixel kernel falls into four kernels of 2×2",
        f"The kernel holds {_rows(kernel)}. Of its sixteen weights four at a time meet a sample, the others meet "
        f"zeros: {said}. These are four ordinary kernels of 2×2 weights in LR space; nothing is lost, nothing added.",
        340,
        206,
    )
    drawing.say(66, 22, "one kernel, 4×4")
    for row in range(4):
        for column in range(4):
            weight = int(kernel[row, column])
            _cell(drawing, 6 + column * _CELL, 42 + row * _CELL, weight, phase_of[weight])
    drawing.arrow(136, 102, 170, 102)
    drawing.say(258, 22, "four kernels, 2×2")
    for phase, part in enumerate(parts):
        dy, dx = divmod(phase, _SCALE)
        left, top = 184 + dx * 84, 34 + dy * 86
        for row in range(2):
            for column in range(2):
                _cell(drawing, left + column * _CELL, top + row * _CELL, int(part[row, column]), phase)
        drawing.say(left + _CELL, top + 2 * _CELL + 15, f"phase {dy}, {dx}", "soft small")
    return drawing


def shuffle() -> Drawing:
    """Periodic shuffling: four maps of LR pixels become one of HR."""
    height, width, cell = 3, 3, 24
    maps = np.arange(1, 4 * height * width + 1).reshape(1, 4, height, width)
    picture = apply(lift(PeriodicShuffle(1, (_SCALE, _SCALE))), maps)[0, 0]
    phase_of = {int(value): phase for phase in range(4) for value in maps[0, phase].reshape(-1)}
    drawing = Drawing(
        "shuffle",
        "Periodic shuffling: four LR maps become one HR map",
        f"The first pixels of the four maps, {', '.join(str(int(m[0, 0])) for m in maps[0])}, become the HR picture's "
        f"first 2×2 pixels, and so on: {_rows(picture)}.",
        340,
        206,
    )
    drawing.say(84, 22, "four LR maps, 3×3")
    for phase in range(4):
        dy, dx = divmod(phase, _SCALE)
        for row in range(height):
            for column in range(width):
                value = int(maps[0, phase, row, column])
                _cell(drawing, 6 + dx * 80 + column * cell, 34 + dy * 86 + row * cell, value, phase, cell)
    drawing.arrow(162, 112, 184, 112)
    drawing.say(264, 22, "one HR map, 6×6")
    for row in range(height * _SCALE):
        for column in range(width * _SCALE):
            value = int(picture[row, column])
            _cell(drawing, 192 + column * cell, 42 + row * cell, value, phase_of[value], cell)
    return drawing


def _cell(drawing: Drawing, x: float, y: float, value: int, phase: int, cell: int = _CELL) -> None:
    drawing.rect(x, y, cell, cell, f"f{phase}", 2)
    drawing.say(x + cell / 2, y + cell / 2 + 4, value, "small" if cell < _CELL else "")


def _rows(table: np.ndarray) -> str:
    return ", then ".join(" ".join(str(int(value)) for value in row) for row in table)
