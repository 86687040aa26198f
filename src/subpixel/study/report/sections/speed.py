"""Which form wins where, and the papers' claims about speed beside what was measured."""

from __future__ import annotations

from collections import Counter
from math import log2
from statistics import median
from typing import Any

from subpixel.study.pooling import TimedAt
from subpixel.study.report.drawing import Drawing
from subpixel.study.report.families import FORMS
from subpixel.study.report.markup import details, figure, paragraphs, table
from subpixel.study.report.plots.winners import winners
from subpixel.study.report.results import Results


def speed(results: Results) -> str:
    """The section."""
    head = '<h2 id="speed">Which form is fastest</h2>'
    lines = [line for line in results.speed if all(form in line["ms"] for form in FORMS)]
    if not lines:
        return head + paragraphs("No results yet.")
    key = ", ".join(f"{letter}: {what}" for letter, what in FORMS.values())
    parts = [
        head,
        paragraphs(
            "Each cell is one layer, timed in all three forms in turns in one process; the letter is the fastest "
            f"({key}), the number says how many times as long the second takes. Rows are kernel and stride s, columns"
            " maps in and out over the LR size; dashed cells were not timed."
        ),
        '<div class="figures">',
    ]
    for number, (place, how) in enumerate(_places(lines).items(), 1):
        mine = [line for line in lines if TimedAt.of(line) == place]
        parts.append(figure(_map(mine, place, how, number)))
    parts.append("</div>")
    parts.append(_claims(lines))
    parts.append(details("Every measurement", _all(lines)))
    return "".join(parts)


def _places(lines: list[dict[str, Any]]) -> dict[TimedAt, str]:
    """Each with what tells it from others of the same runtime and pass: what the findings keep apart is not pooled."""
    places = dict.fromkeys(map(TimedAt.of, lines))
    several = len({place.processor for place in places}) > 1
    counts = Counter((place.runtime, place.what) for place in places)
    return {
        place: f", {place.said(processor=several)}" if counts[place.runtime, place.what] > 1 else "" for place in places
    }


def _map(lines: list[dict[str, Any]], place: TimedAt, how: str, number: int) -> Drawing:
    rows = list(dict.fromkeys(_row(line) for line in sorted(lines, key=lambda x: (x["stride"], x["kernel"]))))
    order = sorted(lines, key=lambda x: (x["inputs"], x["outputs"], x["size"]))
    columns = list(dict.fromkeys(_column(line) for line in order))
    names = list(FORMS)
    cells = {}
    won = dict.fromkeys(names, 0)
    for line in lines:
        by_time = sorted(names, key=lambda name: line["ms"][name])
        won[by_time[0]] += 1
        ratio = line["ms"][by_time[1]] / line["ms"][by_time[0]]
        cells[_row(line), _column(line)] = (names.index(by_time[0]), f"{ratio:.1f}")
    said = ", ".join(f"{FORMS[name][1]} in {count}" for name, count in won.items())
    what = "forward and backward" if place.what == "training" else "forward"
    return winners(
        f"speed-{place.runtime}-{place.what}" + (f"-{number}" if how else ""),
        f"{place.runtime}, {what}{how}: the fastest form of {len(lines)} layers",
        f"Fastest is: {said} of {len(lines)} layers.",
        *(rows, columns, cells, [letter for letter, _ in FORMS.values()]),
    )


def _row(line: dict[str, Any]) -> str:
    return f"{line['kernel']}×{line['kernel']}, s {line['stride']}"


def _column(line: dict[str, Any]) -> str:
    return f"{line['inputs']}→{line['outputs']}\n{line['size'][0]}×{line['size'][1]}"


def _claims(lines: list[dict[str, Any]]) -> str:
    body = []
    places = _places(lines)
    rows = {(TimedAt.of(line), line["stride"]) for line in lines}
    for place, r in sorted(rows, key=lambda row: (row[0].runtime, row[0].what, places[row[0]], row[1])):
        mine = [x["ms"] for x in lines if (TimedAt.of(x), x["stride"]) == (place, r)]
        against = [ms["transposed"] / ms["lr-shuffle"] for ms in mine]
        first = [ms["upscale-convolve"] / ms["lr-shuffle"] for ms in mine if ms.get("upscale-convolve")]
        body.append(
            (
                f"{place.runtime}, {place.what}{places[place]}, r = {r}",
                len(mine),
                f"{median(against):.2f} ({min(against):.2f} to {max(against):.2f})",
                f"{log2(r * r):.2f}" if place.what == "training" else "–",
                f"{median(first):.2f} ({min(first):.2f} to {max(first):.2f})" if first else "–",
                r * r,
            )
        )
    return table(
        "How many times as fast LR convolution + shuffle is, median and range over layers, beside what the papers say",
        (
            *("where", "layers", "as deconvolution", "the paper, in training: log2(r²)"),
            *("as nearest neighbour, then convolution", "the paper: r²"),
        ),
        body,
        numbers=range(1, 6),
    )


def _all(lines: list[dict[str, Any]]) -> str:
    forms = [*FORMS, "upscale-convolve"]
    body = [
        (
            f"{line['runtime']}, {line['pass']}",
            _row(line),
            f"{line['inputs']} → {line['outputs']}",
            f"{line['size'][0]}×{line['size'][1]}",
            line["threads"],
            *(f"{line['ms'][form]:.3g}" if line["ms"].get(form) else "–" for form in forms),
            line["rounds"],
        )
        for line in lines
    ]
    head = (
        "runtime, pass",
        "kernel, stride",
        "maps",
        "LR size",
        "threads",
        *(f"{form}, ms" for form in forms),
        "rounds",
    )
    return table("Medians in milliseconds", head, body, numbers=range(4, 10), names=2)
