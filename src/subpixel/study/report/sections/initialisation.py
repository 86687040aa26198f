"""Checkerboards at the start and after training: random, ICNR, resize-convolution."""

from __future__ import annotations

from typing import Any

from subpixel.study import glossary
from subpixel.study.report.drawing import Drawing
from subpixel.study.report.families import STARTS, described
from subpixel.study.report.markup import figure, paragraphs, table
from subpixel.study.report.plots.series import Point, Series, legend, plot
from subpixel.study.report.results import Results


def initialisation(results: Results) -> str:
    """The section."""
    head = '<h2 id="initialisation">Checkerboards</h2>'
    lines = results.initialisation
    if not lines:
        return head + paragraphs("No results yet.")
    parts = [
        head,
        paragraphs(
            "On a flat picture a layer with a shuffle may answer differently in each phase: a checkerboard. Aitken et"
            " al. (2017) report that ICNR starts without one and ends with a lower error than resize-convolution."
        ),
        described(glossary.STARTS, STARTS),
    ]
    shown = [Series(name, style, signs=False) for name, style in STARTS.items()]
    parts.append(legend(shown))
    drawings = []
    mixed = {scale: results.mixing("initialisation", scale) for scale in {line["scale"] for line in lines}}
    parts += [paragraphs(text) for text in mixed.values() if text]
    lines = [line for line in lines if not mixed[line["scale"]]]
    for scale in sorted({line["scale"] for line in lines}):
        mine = [line for line in lines if line["scale"] == scale]
        drawings += [
            _spectrum(mine, scale, when) for when in ("before", "after") if any("spectrum" in x[when] for x in mine)
        ]
    parts.append(f'<div class="figures">{"".join(map(figure, drawings))}</div>')
    parts.append(_table(lines))
    return "".join(parts)


def _spectrum(lines: list[dict[str, Any]], scale: int, when: str) -> Drawing:
    series, said = [], []
    for name, style in STARTS.items():
        runs = [line for line in lines if line["start"] == name and "spectrum" in line[when]]
        if not runs:
            continue
        frequencies = runs[0][when].get("frequencies") or runs[0]["frequencies"]
        means = [_mean(values) for values in zip(*(run[when]["spectrum"] for run in runs), strict=True)]
        points = [Point(f, value) for f, value in zip(frequencies, means, strict=True) if value is not None]
        series.append(Series(name, style, points, signs=False))
        peak = _mean([run[when].get("peak_db") for run in runs])
        said.append(f"{name}: {'no peak stated' if peak is None else f'{peak:+.1f} dB'}")
    title = f"×{scale}, {'before' if when == 'before' else 'after'} training: spectrum of the output"
    text = f"Power at multiples of 1/{scale} over that beside them: {'; '.join(said)}."
    return plot(f"x{scale}-{when}", title, text, series, "frequency, cycles per HR pixel", "power, dB")


def _table(lines: list[dict[str, Any]]) -> str:
    body = []
    for scale in sorted({line["scale"] for line in lines}):
        for name in STARTS:
            runs = [line for line in lines if line["scale"] == scale and line["start"] == name]
            if not runs:
                continue
            cells = []
            for key, shape in (("index", ".2e"), ("ripple", ".3f"), ("peak_db", "+.1f")):
                for when in ("before", "after"):
                    value = _mean([run[when].get(key) for run in runs])
                    cells.append("–" if value is None else format(value, shape))
            error = _mean([run.get("error") for run in runs])
            body.append(
                (
                    f"×{scale}, {name}",
                    *cells,
                    "–" if error is None else f"{error:.3e}",
                    f"{runs[0]['steps']:,}",
                    f"{len(runs)}{_lost(runs)}",
                )
            )
    head = (
        *("start", "index before", "after", "ripple before", "after", "peak before, dB", "after"),
        *("error on held-out pictures", "steps", "seeds"),
    )
    caption = (
        "Means over seeds. Index: law A14, of the last layer; ripple: on the output for flat pictures, in 8-bit steps"
    )
    return table(caption, head, body, numbers=range(1, 10))


def _lost(runs: list[dict[str, Any]]) -> str:
    steps = [f"{run['diverged']:,}" for run in runs if run.get("diverged") is not None]
    return f"; diverged at step {', '.join(steps)}" if steps else ""


def _mean(values: Any) -> float | None:
    known = [float(value) for value in values if value is not None]
    return sum(known) / len(known) if known else None
