"""Families at equal cost: plots against multiplications, weights and time, tables, paired comparisons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from subpixel.study import glossary
from subpixel.study.glossary import EQUAL_MACS, EQUAL_TIME, TIMED
from subpixel.study.report.drawing import Drawing
from subpixel.study.report.families import DASHED, FAMILIES, described, in_order, style_of
from subpixel.study.report.markup import details, figure, paragraphs, table
from subpixel.study.report.plots.series import Point, Series, legend, plot
from subpixel.study.report.results import Results
from subpixel.study.report.sections.curves import learning_curves
from subpixel.study.report.sections.times import Of, how, is_equal, pair, ratios, timed, times

Cell = dict[str, Any]
ALL = "all"


def budget(results: Results) -> str:
    """One part for each scale."""
    cells: list[Cell] = results.findings["cells"] if results.findings else []
    parts = ['<h2 id="budget">Six families at equal cost</h2>']
    parts.append(
        described(glossary.FAMILIES, FAMILIES)
        + paragraphs(
            "All have four layers of 3×3 taps and add the bicubic interpolation of the input to their result. PSNR is"
            " of Y under the papers' protocol, the mean over all benchmark pictures unless a set is named; bars are "
            "95 % confidence intervals over seeds. Dashed lines and names ending in “first” compute at HR."
        )
    )
    for scale in sorted({line["scale"] for line in results.budget} | {cell["scale"] for cell in cells}):
        parts.append(f'<h3 id="x{escape(str(scale), quote=True)}">Scale ×{escape(str(scale))}</h3>')
        mine = [cell for cell in cells if cell["scale"] == scale]
        mixing = results.mixing("budget", scale)
        parts += [paragraphs(mixing)] if mixing else _of_scale(mine, results, scale)
    if len(parts) == 2:
        parts.append(paragraphs("No runs yet."))
    return "".join(parts)


def _of_scale(cells: list[Cell], results: Results, scale: int) -> list[str]:
    equal = [cell for cell in cells if cell["matching"] == EQUAL_MACS and ALL in cell["psnr"]]
    drawings: list[Drawing] = []
    no_times = results.mixing("budget", scale, EQUAL_TIME)
    parts = [paragraphs(no_times)] if no_times else []
    if equal:
        names = in_order([cell["family"] for cell in equal])
        parts.append(legend([_series(name, [], lambda cell: 0.0) for name in names]))
        drawings += [
            _plot(
                f"x{scale}-macs",
                f"×{scale}: PSNR against multiplications",
                equal,
                "macs_per_lr_pixel",
                "MACs per LR pixel",
            ),
            _plot(f"x{scale}-weights", f"×{scale}: PSNR against weights, equal MACs", equal, "weights", "weights"),
        ]
    for matching in sorted({cell["matching"] for cell in cells if cell["matching"].startswith(TIMED)}):
        mine = [cell for cell in cells if cell["matching"] == matching and ALL in cell["psnr"]]
        measured = times(results, scale, matching)
        if mine and measured:
            runtime = matching.removeprefix(TIMED)
            drawings.append(_against_time(f"x{scale}-{runtime}", f"×{scale}: equal time on {runtime}", mine, measured))
    drawings += learning_curves(results.budget, scale)
    parts.append(f'<div class="figures">{"".join(map(figure, drawings))}</div>')
    for matching in dict.fromkeys(cell["matching"] for cell in cells if cell["matching"] not in ("control", "longer")):
        mine = [cell for cell in cells if cell["matching"] == matching]
        what = "multiplications" if matching == EQUAL_MACS else f"time on {matching.removeprefix(TIMED)}"
        known = {} if matching.startswith(TIMED) else ratios(results, scale, matching)
        shown = _table(f"×{scale}, equal {what}", mine, times(results, scale, matching), known, how(results))
        parts.append(shown if matching == EQUAL_MACS else details(f"×{scale}, equal {what}: table", shown))
        parts.append(_comparisons(results, scale, matching, what))
    parts += [_by_picture(results.budget, scale), _rates(results.budget, scale)]
    return parts


def _series(name: str, cells: Sequence[Cell], x: Callable[[Cell], float]) -> Series:
    points = [
        Point(x(cell), cell["psnr"][ALL]["mean"], cell["psnr"][ALL]["low"], cell["psnr"][ALL]["high"]) for cell in cells
    ]
    return Series(name, style_of(name), sorted(points, key=lambda point: point.x), dashed=name in DASHED)


def _plot(name: str, title: str, cells: list[Cell], key: str, label: str) -> Drawing:
    return _drawn(name, title, cells, lambda cell: float(cell[key]), label)


def _against_time(name: str, title: str, cells: list[Cell], measured: dict[Of, tuple[float, float]]) -> Drawing:
    """Each family at its own time; the text names those that do not take the budget's."""
    mine = [cell for cell in cells if (cell["family"], cell["budget"]) in measured]
    unequal = [
        f"{cell['family']} at {cell['budget_macs']:,} takes {measured[cell['family'], cell['budget']][1]:.2f} of it"
        for cell in mine
        if not is_equal(measured[cell["family"], cell["budget"]][1])
    ]
    drawing = _drawn(name, title, mine, lambda cell: measured[cell["family"], cell["budget"]][0], "milliseconds")
    if unequal:
        drawing.text += f" Not equal to the budget's time: {'; '.join(unequal)}."
    return drawing


def _drawn(name: str, title: str, cells: list[Cell], x: Callable[[Cell], float], label: str) -> Drawing:
    names = in_order([cell["family"] for cell in cells])
    series = [_series(one, [cell for cell in cells if cell["family"] == one], x) for one in names]
    said = []
    for budget in sorted({cell["budget"] for cell in cells}):
        here = sorted((cell for cell in cells if cell["budget"] == budget), key=lambda cell: -cell["psnr"][ALL]["mean"])
        said.append(
            f"At the budget of {here[0]['budget_macs']:,} MACs per LR pixel, best first: "
            + ", ".join(f"{cell['family']} {cell['psnr'][ALL]['mean']:.2f} dB" for cell in here)
        )
    return plot(name, title, ". ".join(said) + ".", series, label, "PSNR, dB", log_x=True)


def _table(
    caption: str,
    cells: list[Cell],
    measured: dict[Of, tuple[float, float]],
    known: dict[str, dict[Of, float]],
    how_timed: str,
) -> str:
    """Counts and PSNR of every family; its time where that was made equal, or, in `known`, where it was not."""
    sets = list(dict.fromkeys(name for cell in cells for name in cell["psnr"]))
    head = (
        *(
            "family",
            "budget, MACs",
            "maps",
            "weights",
            "MACs",
            "numbers written",
            "memory, MB",
            "field",
            "learning rate",
        ),
        *(f"{name}, dB" for name in sets),
        "seeds",
        *(("ms", "of the budget's time", "equal time?") if measured else ()),
        *(f"of the budget's time, {runtime}" for runtime in known),
    )
    rows = []
    for budget in sorted({cell["budget"] for cell in cells}):
        here = {cell["family"]: cell for cell in cells if cell["budget"] == budget}
        for name in in_order(list(here)):
            cell = here[name]
            lost = "".join(f"; seed {seed} diverged at step {step:,}" for seed, step in cell["diverged"].items())
            rows.append(
                (
                    name,
                    f"{cell['budget_macs']:,}",
                    " ".join(map(str, cell["widths"])),
                    f"{cell['weights']:,}",
                    f"{cell['macs_per_lr_pixel']:,}",
                    f"{cell['activations_per_lr_pixel']:,}",
                    f"{cell['memory_bytes'] / 1e6:,.0f}",
                    cell["receptive_field"],
                    f"{cell['learning_rate']:g}",
                    *(interval_text(cell["psnr"].get(one)) for one in sets),
                    f"{len(cell['seeds'])}{lost}",
                    *(timed(measured.get((name, budget))) if measured else ()),
                    *(pair(of, (name, budget), ("nearest-first", budget)) for of in known.values()),
                )
            )
    said = f"{caption}. MACs and numbers written are for each LR pixel; memory for 640×360; field in LR pixels"
    if (measured or known) and how_timed:
        said += f"; times of {how_timed}"
    return table(said, head, rows, numbers=range(1, len(head)))


def interval_text(value: dict[str, float | None] | None) -> str:
    """ "31.02 ±0.05", the half width of the interval; without one where there is a single seed."""
    if value is None or value["mean"] is None:
        return "–"
    if value["low"] is None or value["high"] is None:
        return f"{value['mean']:.2f}"
    return f"{value['mean']:.2f} ±{(value['high'] - value['low']) / 2:.2f}"


def _comparisons(results: Results, scale: int, matching: str, what: str) -> str:
    made = [
        one
        for one in (results.findings or {}).get("comparisons", [])
        if one["scale"] == scale and one["matching"] == matching and one["set"] == ALL
    ]
    if not made:
        return ""
    known = ratios(results, scale, matching)
    rows = [
        (
            f"{one['first']} less {one['second']}",
            f"{one['budget']} maps",
            f"{one['difference']:+.3f}",
            "one seed" if one["low"] is None else f"{one['low']:+.3f} to {one['high']:+.3f}",
            f"{one['pictures_better']} of {one['pictures']}",
            "< 0.0001" if one["p"] < 1e-4 else f"{one['p']:.4f}",
            one["verdict"],
            *(pair(of, (one["first"], one["budget"]), (one["second"], one["budget"])) for of in known.values()),
        )
        for one in made
    ]
    head = (
        "compared",
        "budget",
        "dB",
        "95 % interval over seeds",
        "pictures better",
        "p, sign flips",
        "first is better",
        *(f"time on {runtime}, first over second" for runtime in known),
    )
    shown = table(
        f"×{scale}, equal {what}: paired differences over all pictures",
        head,
        rows,
        numbers=(2, 3, 4, 5, *range(7, len(head))),
    )
    return details(f"×{scale}, equal {what}: paired comparisons", shown)


def _rates(lines: list[dict[str, Any]], scale: int) -> str:
    """The search for each family's learning rate: held-out PSNR at its end."""
    tried = [line for line in lines if line["scale"] == scale and line["matching"] == "rate"]
    if not tried:
        return ""
    rates = sorted({line["learning_rate"] for line in tried})
    ends = {
        (line["family"], line["learning_rate"]): f"diverged at step {line['diverged']:,}"
        if line["diverged"] is not None
        else f"{line['curve'][-1][1]:.3f}"
        for line in tried
        if line["curve"] or line["diverged"] is not None
    }
    rows = [
        (name, *(ends.get((name, rate), "–") for rate in rates))
        for name in in_order([line["family"] for line in tried])
    ]
    caption = f"×{scale}: PSNR in dB of held-out pictures after {tried[0]['steps']:,} steps, by learning rate"
    shown = table(caption, ("family", *(f"{rate:g}" for rate in rates)), rows, numbers=range(1, 1 + len(rates)))
    return details(f"×{scale}: how each family's learning rate was found", shown)


def _by_picture(lines: list[dict[str, Any]], scale: int) -> str:
    """Every benchmark picture at the middle budget, means over seeds."""
    judged = [x for x in lines if x["scale"] == scale and x["matching"] == EQUAL_MACS and x["psnr"]]
    budgets = sorted({line["budget"] for line in judged})
    if not budgets:
        return ""
    middle = budgets[len(budgets) // 2]
    here = [line for line in judged if line["budget"] == middle]
    names = in_order([line["family"] for line in here])
    pictures = dict.fromkeys((s, p) for line in here for s, scores in line["psnr"].items() for p in scores["images"])
    rows = []
    for which, picture in pictures:
        values = []
        for name in names:
            found = [
                line["psnr"][which]["images"][picture]
                for line in here
                if line["family"] == name and picture in line["psnr"].get(which, {}).get("images", {})
            ]
            values.append(f"{sum(found) / len(found):.2f}" if found else "–")
        rows.append((which, picture, *values))
    caption = f"×{scale}, {middle} maps, equal multiplications: PSNR in dB of every picture, mean over seeds"
    shown = table(caption, ("set", "picture", *names), rows, numbers=range(2, 2 + len(names)), names=2)
    return details(f"×{scale}: every picture", shown)
