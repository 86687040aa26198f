"""The 1-D figures: strided, transposed and sub-pixel convolution, and the LR convolution with a shuffle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from subpixel.algebra import ZeroInsertion, compose_all, convolution, lift, same
from subpixel.algebra.arrays import as_numpy
from subpixel.study.report.drawing import Drawing
from subpixel.study.report.figures import example
from subpixel.study.report.figures.example import FILTER, LONG, PADDING, SHORT, STRIDE

WIDTH = 340
_CELL = 25


def strided() -> Drawing:
    """The note, Figure 2."""
    op = example.strided()
    y = example.run(op, LONG)
    drawing = Drawing(
        "strided",
        f"Convolution with stride {STRIDE}: {len(LONG)} samples become {len(y)}",
        f"x = {_list(LONG)} with {PADDING} zeros at each end. The filter {_list(FILTER)} is laid on it every "
        f"{STRIDE} samples, and each time the four products are added up: y = {_list(y)}.",
        WIDTH,
        216,
    )
    x_row = [0] * PADDING + list(LONG) + [0] * PADDING
    kinds = ["zero"] * PADDING + ["cell"] * len(LONG) + ["zero"] * PADDING
    top, bottom = _row(drawing, 40, x_row, kinds), _centres(len(y), 2 * _CELL)
    drawing.say(4, 30, f"x, {PADDING} zeros at each end", "left")
    _links(drawing, ((top[t.read + PADDING], bottom[t.write], t.tap) for t in example.terms(op, len(LONG))), 65, 140)
    _cells(drawing, 140, y, ["cell"] * len(y), bottom)
    drawing.say(4, 132, "y", "left")
    _weights(drawing, 192, FILTER)
    return drawing


def transposed() -> Drawing:
    """The note, Figure 3a."""
    op, cropped = example.transposed(padding=0), example.transposed()
    full, y = example.run(op, SHORT), example.run(cropped, SHORT)
    drawing = Drawing(
        "transposed",
        f"Transposed convolution: {len(SHORT)} samples become {len(full)}, cropped to {len(y)}",
        f"x = {_list(SHORT)}. Each sample, times the filter {_list(FILTER)}, is added to the output, {STRIDE} samples "
        f"further each time: {_list(full)}. The {PADDING} samples at each end are cropped: y = {_list(y)}.",
        WIDTH,
        216,
    )
    top = _centres(len(SHORT), 2 * _CELL)
    _cells(drawing, 40, SHORT, ["cell"] * len(SHORT), top)
    drawing.say(4, 30, "x", "left")
    bottom = _centres(len(full), _CELL)
    inside = [t for t in example.terms(op, len(SHORT)) if 0 <= t.read < len(SHORT)]
    _links(drawing, ((top[t.read], bottom[t.write], t.tap) for t in inside), 65, 140)
    kinds = ["gone" if not PADDING <= j < len(full) - PADDING else "cell" for j in range(len(full))]
    _cells(drawing, 140, full, kinds, bottom)
    drawing.say(4, 132, "y", "left")
    drawing.say(bottom[0] + _CELL / 2, 178, "cropped", "soft")
    drawing.say(bottom[-1] - _CELL / 2, 178, "cropped", "soft")
    _weights(drawing, 192, FILTER)
    return drawing


def subpixel() -> Drawing:
    """The note, Figure 3b: which weights are active depends on the output's parity alone."""
    target = example.transposed()
    pad = len(FILTER) - 1 - PADDING
    reverse = FILTER[::-1]
    zeros = lift(ZeroInsertion(1, (STRIDE,), (0,)))
    filtered = lift(convolution(example.kernel(reverse), padding=pad))
    between = example.run(zeros, SHORT)
    y = example.run(filtered, tuple(between))
    if y != example.run(target, SHORT) or not same(compose_all([zeros, filtered]), target):
        raise AssertionError("the reversed filter over inserted zeros is not the transposed convolution")
    row = [0] * pad + between + [0] * pad
    real = [pad <= i < len(row) - pad and (i - pad) % STRIDE == 0 for i in range(len(row))]
    links = [(j + k, j, len(FILTER) - 1 - k) for j in range(len(y)) for k in range(len(FILTER))]
    active = [" and ".join(str(FILTER[tap]) for i, at, tap in links if at == j and real[i]) for j in (0, 1)]
    drawing = Drawing(
        "subpixel",
        f"Sub-pixel convolution: zeros inserted, then a convolution with the filter reversed, {_list(reverse)}",
        f"x = {_list(SHORT)} with a zero between neighbours and {pad} at each end. The filter {_list(reverse)} is laid "
        f"on every sample: y = {_list(y)}, the same as the transposed convolution's. Only two of its four weights meet "
        f"a sample of x at a time: {active[0]}, or {active[1]}, in turns. The others meet zeros.",
        WIDTH,
        216,
    )
    drawing.say(4, 30, "x, zeros between its samples", "left")
    top = _row(drawing, 40, row, ["cell" if is_x else "zero" for is_x in real])
    bottom = _centres(len(y), _CELL)
    _links(drawing, ((top[i], bottom[j], tap) for i, j, tap in links if not real[i]), 65, 140, faint=True)
    _links(drawing, ((top[i], bottom[j], tap) for i, j, tap in links if real[i]), 65, 140)
    _cells(drawing, 140, y, ["cell"] * len(y), bottom)
    drawing.say(4, 132, "y", "left")
    _weights(drawing, 192, reverse)
    return drawing


def shuffled() -> Drawing:
    """The third form of the same layer: two LR convolutions of two taps, then a shuffle."""
    op = example.transposed()
    (U,), (low,), (taps,) = op.up, op.low, op.taps
    kernel = as_numpy(op.kernel)[0, :, 0]
    y = example.run(example.transposed(), SHORT)
    sites = len(y) // U
    maps = [[sum(int(kernel[p, k]) * SHORT[n + low + k] for k in range(taps)) for n in range(sites)] for p in range(U)]
    if [maps[j % U][j // U] for j in range(len(y))] != y:
        raise AssertionError("the shuffled maps are not the transposed convolution")
    filters = [tuple(int(value) for value in kernel[p]) for p in range(U)]
    drawing = Drawing(
        "shuffled",
        "The same layer in LR space: two filters of two weights, two maps, shuffled",
        f"x = {_list(SHORT)} is convolved with {_list(filters[0])} to the map {_list(maps[0])} and with "
        f"{_list(filters[1])} to the map {_list(maps[1])}. Their samples, taken in turns, are y = {_list(y)}: the "
        "transposed convolution's again, and no zero was multiplied.",
        WIDTH,
        300,
    )
    top = _centres(len(SHORT), 2 * _CELL)
    drawing.say(4, 30, "x", "left")
    _cells(drawing, 40, SHORT, ["cell"] * len(SHORT), top)
    centres = [[WIDTH / 4 + WIDTH / 2 * p + (n - (sites - 1) / 2) * _CELL for n in range(sites)] for p in range(U)]
    for p in range(U):
        links = ((n, k, FILTER.index(filters[p][k])) for n in range(sites) for k in range(taps) if filters[p][k])
        _links(drawing, ((top[n + low + k], centres[p][n], tap) for n, k, tap in links), 65, 130)
        _cells(drawing, 130, maps[p], [("f5", "cell")[p]] * sites, centres[p])
    bottom = _centres(len(y), _CELL)
    for j in range(len(y)):
        drawing.line(centres[j % U][j // U], 155, bottom[j], 220, "axis" if j % U else "s5")
    _cells(drawing, 220, y, [("f5", "cell")[j % U] for j in range(len(y))], bottom)
    drawing.say(4, 212, "y", "left")
    for p, values in enumerate(filters):
        x = 52 + p * 170
        drawing.say(x, 283, f"map {p}", "right soft")
        for k, weight in enumerate(values):
            drawing.rect(x + 10 + k * (_CELL + 4), 267, _CELL, 22, f"f{FILTER.index(weight)}")
            drawing.say(x + 10 + k * (_CELL + 4) + _CELL / 2, 283, weight, "bold")
    return drawing


def _row(drawing: Drawing, y: float, values: Sequence[int], kinds: Sequence[str]) -> list[float]:
    centres = _centres(len(values), _CELL)
    _cells(drawing, y, values, kinds, centres)
    return centres


def _centres(count: int, step: float) -> list[float]:
    return [WIDTH / 2 + (i - (count - 1) / 2) * step for i in range(count)]


def _cells(drawing: Drawing, y: float, values: Sequence[int], kinds: Sequence[str], centres: Sequence[float]) -> None:
    for value, kind, x in zip(values, kinds, centres, strict=True):
        drawing.rect(x - _CELL / 2, y, _CELL, _CELL, kind)
        drawing.say(x, y + 17, value, "soft" if kind in ("zero", "gone") else "")


def _links(
    drawing: Drawing, links: Iterable[tuple[float, float, int]], y1: float, y2: float, faint: bool = False
) -> None:
    for x1, x2, tap in links:
        drawing.line(x1, y1, x2, y2, f"s{tap} faint" if faint else f"s{tap}")


def _weights(drawing: Drawing, y: float, weights: Sequence[int]) -> None:
    """The filter, each weight in the colour of its lines."""
    drawing.say(4, y + 16, "weights", "left soft")
    for x, weight in zip(_centres(len(weights), _CELL + 4), weights, strict=True):
        drawing.rect(x - _CELL / 2, y, _CELL, 22, f"f{FILTER.index(weight)}")
        drawing.say(x, y + 16, weight, "bold")


def _list(values: Iterable[int]) -> str:
    return " ".join(map(str, values))
