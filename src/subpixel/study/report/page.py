"""The report of the study: one HTML page that fetches nothing."""

from __future__ import annotations

from html import escape
from pathlib import Path

from subpixel.errors import InputError
from subpixel.media.atomic import write_atomically
from subpixel.study.report.drawing import colours
from subpixel.study.report.results import Results, read_results
from subpixel.study.report.sections.budget import budget
from subpixel.study.report.sections.causes import causes
from subpixel.study.report.sections.circumstances import circumstances
from subpixel.study.report.sections.counting import second_answer
from subpixel.study.report.sections.initialisation import initialisation
from subpixel.study.report.sections.note import first_answer, scripts, try_it
from subpixel.study.report.sections.overview import overview, what_is_missing
from subpixel.study.report.sections.power import power
from subpixel.study.report.sections.speed import speed

TITLE = "Is the deconvolution layer the same as a convolutional layer?"
CONTENTS = {
    "first": "First answer",
    "try": "Try it",
    "second": "Second answer",
    "found": "What we found",
    "budget": "Equal cost",
    "causes": "Causes",
    "power": "Representation",
    "initialisation": "Checkerboards",
    "speed": "Speed",
    "how": "How it was obtained",
    "missing": "What is missing",
}


def write_report(results: str | Path, output: str | Path) -> None:
    """Write the page of the result files in a folder (docs/study/README.md describes them) to `output`.

    Whatever the folder lacks is listed on the page as missing.

    Raises:
        InputError: no such folder, or a result file that cannot be used.
        OutputError: the page cannot be written.
    """
    folder = Path(results)
    found = read_results(folder)
    try:
        text = page(found)
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(
            f"the result files in {folder} are not as this version writes them ({reason}): make them anew in another "
            "folder"
        ) from error
    write_atomically(Path(output), text.encode())


def page(results: Results) -> str:
    """The page as text."""
    sections = [
        first_answer(),
        try_it(),
        second_answer(),
        overview(results),
        budget(results),
        causes(results),
        power(results),
        initialisation(results),
        speed(results),
        circumstances(results),
        what_is_missing(results),
    ]
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    contents = "".join(f'<li><a href="#{name}">{escape(words)}</a></li>' for name, words in CONTENTS.items())
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{escape(TITLE)}</title><style>{colours()}\n{style}</style></head><body>\n<header><h1>{escape(TITLE)}</h1>{_SUMMARY}<nav"
        f' aria-label="Contents"><ul>{contents}</ul></nav></header><main>\n'
        + "\n".join(sections)
        + f"\n</main><script>\n{scripts()}</script></body></html>\n"
    )


_SUMMARY = """<p class="soft">Shi, Caballero, Theis, Huszár, Aitken, Ledig and Wang asked this in 2016
(<a href="https://arxiv.org/abs/1609.07009">arXiv 1609.07009</a>). Their note asks two questions; here are both
answers, in figures drawn from computed values,
in a part to play with, and in experiments that the note does not have.</p>
<div class="answers"><div><b>What is a deconvolution layer?</b> An ordinary convolution on the low-resolution (LR)
picture with r² times the maps, followed by a shuffle. Exactly: the same weights in another order.</div>
<div><b>Why convolve in LR space?</b> For the same work an LR network has more maps, more weights and sees more of the
picture. Whether it then does better has to be measured: <a href="#found">what we found</a>.</div></div>"""
