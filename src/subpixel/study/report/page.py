"""The report of the study: one HTML page that fetches nothing."""

from __future__ import annotations

from html import escape
from pathlib import Path

from subpixel.media.atomic import write_atomically
from subpixel.study.report.drawing import colours
from subpixel.study.report.sections.counting import second_answer
from subpixel.study.report.sections.note import first_answer, scripts, try_it

TITLE = "Is the deconvolution layer the same as a convolutional layer?"


def write_report(results: str | Path, output: str | Path) -> None:
    """Write the page of the result files in a folder (docs/study/README.md describes them) to `output`.

    Whatever the folder lacks is listed on the page as missing.

    Raises:
        InputError: a result file that cannot be read.
        OutputError: the page cannot be written.
    """
    write_atomically(Path(output), page(Path(results)).encode())


def page(results: Path) -> str:
    """The page as text."""
    sections = [first_answer(), try_it(), second_answer()]
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{escape(TITLE)}</title><style>{colours()}\n{style}</style></head><body>\n"
        f"<header><h1>{escape(TITLE)}</h1></header><main>\n"
        + "\n".join(sections)
        + f"\n</main><script>\n{scripts()}</script></body></html>\n"
    )
