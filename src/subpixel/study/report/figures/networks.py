"""HR against LR network, and the counting that the note's second answer rests on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from subpixel.algebra import Convolution, Cost, convolution, cost
from subpixel.study.report.drawing import Drawing

MAPS, SCALE, KERNEL, SIZE = 4, 2, 3, (24, 32)
"""n maps, scale r, k×k weights a kernel, LR height and width."""


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
    plain = cost([_layer(MAPS)], high)
    equal = cost([_layer(SCALE * MAPS)], SIZE)
    whole = cost([_layer(SCALE**2 * MAPS)], SIZE)
    return [
        Layer("HR, n → n maps", ("n²k²·r²HW", "n²k²", "n·r²HW", "k"), plain, plain.receptive_field[0]),
        Layer("LR, rn → rn maps", ("n²k²·r²HW", "r²·n²k²", "n·r·HW", "r·k"), equal, SCALE * equal.receptive_field[0]),
        Layer(
            "LR, r²n → r²n maps", ("r²·n²k²·r²HW", "r⁴·n²k²", "n·r²HW", "r·k"), whole, SCALE * whole.receptive_field[0]
        ),
    ]


def networks() -> Drawing:
    """An HR network enlarges first and convolves n HR maps; the LR network convolves r·n LR maps and shuffles last."""
    high, low, _ = layers()
    drawing = Drawing(
        "networks",
        f"Two networks of equal cost at scale {SCALE}",
        f"Left, the HR network: the LR picture is enlarged first, then {MAPS} HR maps are convolved. Right, the LR "
        f"network: {SCALE * MAPS} LR maps are convolved, and a shuffle makes the HR picture last. A layer of either "
        f"takes {high.cost.macs:,} multiplications; the LR layer has {low.cost.parameters:,} weights against "
        f"{high.cost.parameters:,}, sees {low.field}×{low.field} HR pixels against {high.field}×{high.field}, and "
        f"writes {low.cost.activations:,} numbers against {high.cost.activations:,}.",
        340,
        404,
    )
    a, b = 66.0, 246.0
    drawing.say(84, 18, "HR network", "bold")
    drawing.say(256, 18, "LR network", "bold")
    drawing.line(170, 8, 170, 396, "grid")
    _sheets(drawing, a, 60, 1, False)
    _sheets(drawing, b, 60, 1, False)
    _step(drawing, a, 86, "enlarge")
    _step(drawing, b, 86, "convolve")
    _sheets(drawing, a, 162, MAPS, True)
    _sheets(drawing, b, 162, SCALE * MAPS, False)
    _step(drawing, a, 206, "convolve")
    _step(drawing, b, 206, "convolve")
    _sheets(drawing, a, 268, MAPS, True)
    _sheets(drawing, b, 268, SCALE**2, False)
    _step(drawing, a, 312, "convolve")
    _step(drawing, b, 312, "shuffle")
    _sheets(drawing, a, 364, 1, True)
    _sheets(drawing, b, 364, 1, True)
    return drawing


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


def _layer(maps: int) -> Convolution:
    return convolution(np.ones((maps, maps, KERNEL, KERNEL), np.int8), padding=KERNEL // 2)
