"""HR against LR network, and the counting that the note's second answer rests on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from subpixel.algebra import Convolution, Cost, convolution, cost
from subpixel.study.report.drawing import Drawing

MAPS, SCALE, KERNEL, SIZE = 4, 2, 3, (24, 32)
"""n maps, scale r, k×k weights a kernel, LR height and width."""
HIGH = (1, MAPS, MAPS, 1)
LOW = (1, 6, 9, SCALE**2)
"""Maps of the two networks that are drawn. A layer between others costs the same for r·n maps; with the first and the
last counted, which have 1 or r² maps at one end, these networks do."""


@dataclass(frozen=True)
class Layer:
    """One layer of the comparison: what it is, its cost, and its receptive field in HR pixels."""

    name: str
    law: tuple[str, str, str, str]
    cost: Cost
    field: int


def layers() -> list[Layer]:
    """One HR layer, the LR layer of equal MACs, and the LR layer that contains every such HR layer."""
    high = (SIZE[0] * SCALE, SIZE[1] * SCALE)
    plain = cost([_layer(MAPS, MAPS)], high)
    equal = cost([_layer(SCALE * MAPS, SCALE * MAPS)], SIZE)
    whole = cost([_layer(SCALE**2 * MAPS, SCALE**2 * MAPS)], SIZE)
    return [
        Layer("HR, n → n maps", ("n²k²·r²HW", "n²k²", "n·r²HW", "k"), plain, plain.receptive_field[0]),
        Layer("LR, rn → rn maps", ("n²k²·r²HW", "r²·n²k²", "n·r·HW", "r·k"), equal, SCALE * equal.receptive_field[0]),
        Layer(
            "LR, r²n → r²n maps", ("r²·n²k²·r²HW", "r⁴·n²k²", "n·r²HW", "r·k"), whole, SCALE * whole.receptive_field[0]
        ),
    ]


def drawn() -> tuple[Cost, Cost]:
    """What the two networks of the figure cost, every layer counted: HR, then LR; their receptive fields are in pixels
    of their own resolution."""
    high = cost(_chain(HIGH), (SIZE[0] * SCALE, SIZE[1] * SCALE))
    low = cost(_chain(LOW), SIZE)
    if high.macs != low.macs:
        raise AssertionError(f"the networks drawn take {high.macs:,} and {low.macs:,} multiplications")
    return high, low


def networks() -> Drawing:
    """An HR network enlarges first and convolves HR maps; the LR network convolves more LR maps and shuffles last."""
    high, low = drawn()
    field = SCALE * low.receptive_field[0]
    drawing = Drawing(
        "networks",
        f"Two networks of equal cost at scale {SCALE}",
        f"Left, the HR network: the LR picture is enlarged first, then convolved to {_listed(HIGH[1:])} HR maps. "
        f"Right, the LR network: the picture is convolved to {_listed(LOW[1:])} LR maps, and a shuffle makes the HR "
        f"picture last. Either takes {high.macs:,} multiplications for a picture of {SIZE[1]}×{SIZE[0]} LR pixels, all "
        f"its layers together; the LR network has {low.parameters:,} weights against "
        f"{high.parameters:,}, sees {field}×{field} HR pixels against {high.receptive_field[0]}×"
        f"{high.receptive_field[0]}, and writes {low.activations:,} numbers against {high.activations:,}.",
        340,
        500,
    )
    columns = (
        (66.0, "HR network", [(1, False), *((maps, True) for maps in HIGH)], ["enlarge", *["convolve"] * 3]),
        (246.0, "LR network", [*((maps, False) for maps in LOW), (1, True)], [*["convolve"] * 3, "shuffle"]),
    )
    drawing.line(170, 8, 170, 492, "grid")
    for x, name, maps, steps in columns:
        drawing.say(x + 14, 18, name, "bold")
        for row, (count, is_high) in enumerate(maps):
            _sheets(drawing, x, 54 + row * 102, count, is_high)
        for row, what in enumerate(steps):
            _step(drawing, x, 88 + row * 102, what)
    return drawing


def _chain(maps: tuple[int, ...]) -> list[Convolution]:
    return [_layer(inputs, outputs) for inputs, outputs in pairwise(maps)]


def _listed(maps: tuple[int, ...]) -> str:
    return f"{', '.join(map(str, maps[:-1]))} and {maps[-1]}"


def _sheets(drawing: Drawing, x: float, y: float, count: int, high: bool) -> None:
    """`count` maps behind one another, drawn to scale: an HR map is SCALE times as wide as an LR map."""
    width, height = (60.0, 45.0) if high else (60.0 / SCALE, 45.0 / SCALE)
    step = min(5.0, 40.0 / count)
    for i in reversed(range(count)):
        shift = (i - (count - 1) / 2) * step
        drawing.rect(x - width / 2 + shift, y - height / 2 - shift, width, height, "paper", 2)
        drawing.rect(x - width / 2 + shift, y - height / 2 - shift, width, height, "f1" if high else "f0", 2)
    words = f"{count} {'map' if count == 1 else 'maps'}"
    drawing.say(x + (width + (count - 1) * step) / 2 + 8, y + 4, words, "left small")


def _step(drawing: Drawing, x: float, y: float, what: str) -> None:
    drawing.arrow(x, y, x, y + 26)
    drawing.say(x + 10, y + 17, what, "left soft small")


def _layer(inputs: int, outputs: int) -> Convolution:
    return convolution(np.ones((outputs, inputs, KERNEL, KERNEL), np.int8), padding=KERNEL // 2)
