"""The controls: what weights, receptive field and the LR form explain, each alone."""

from __future__ import annotations

from typing import Any

from subpixel.study import glossary
from subpixel.study.report.families import CONTROLS, described, in_order, style_of
from subpixel.study.report.markup import figure, paragraphs, table
from subpixel.study.report.plots.series import Point, Series, rows
from subpixel.study.report.results import Results
from subpixel.study.report.sections.budget import ALL, interval_text


def causes(results: Results) -> str:
    """One plot and table for each scale that has controls."""
    cells: list[dict[str, Any]] = results.findings["cells"] if results.findings else []
    controls = [cell for cell in cells if cell["matching"] == "control"]
    parts = ['<h2 id="causes">Which cause is it?</h2>']
    parts.append(
        paragraphs(
            "At equal multiplications the LR network has more weights and a wider receptive field, and it is another "
            "network. These controls hold one of them still, at the middle budget:"
        )
        + described(glossary.CONTROLS, CONTROLS)
    )
    if not controls:
        return "".join(parts) + paragraphs("No runs of the controls yet.")
    for scale in sorted({cell["scale"] for cell in controls}):
        mine = [cell for cell in controls if cell["scale"] == scale and ALL in cell["psnr"]]
        budgets = {cell["budget"] for cell in mine}
        mine += [
            cell
            for cell in cells
            if cell["scale"] == scale
            and cell["matching"] == "equal-macs"
            and cell["budget"] in budgets
            and cell["family"] in ("nearest-first", "shuffle-last")
            and ALL in cell["psnr"]
        ]
        if not mine:
            continue
        mine.sort(key=lambda cell: cell["psnr"][ALL]["mean"])
        series = [
            Series(
                cell["family"],
                style_of(cell["family"]),
                [Point(cell["psnr"][ALL]["mean"], 0, cell["psnr"][ALL]["low"], cell["psnr"][ALL]["high"])],
            )
            for cell in mine
        ]
        text = "From worst to best: " + ", ".join(f"{s.name} {s.points[0].x:.2f} dB" for s in series) + "."
        drawing = rows(
            f"x{scale}-causes", f"×{scale}: controls and the two they stand between", text, series, "PSNR, dB"
        )
        order = in_order([cell["family"] for cell in mine])
        body = [
            (
                cell["family"],
                " ".join(map(str, cell["widths"])),
                f"{cell['weights']:,}",
                f"{cell['macs_per_lr_pixel']:,}",
                cell["receptive_field"],
                interval_text(cell["psnr"][ALL]),
                len(cell["seeds"]),
            )
            for cell in sorted(mine, key=lambda cell: order.index(cell["family"]))
        ]
        head = ("network", "maps", "weights", "MACs per LR pixel", "field, LR pixels", "PSNR, dB", "seeds")
        parts.append(
            f'<div class="figures">{figure(drawing)}</div>'
            + table(f"×{scale}, middle budget, all benchmark pictures", head, body, numbers=range(2, 7))
        )
    return "".join(parts)
