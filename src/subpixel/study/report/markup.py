"""Small pieces of HTML that sections share: tables, figures, how something was made, what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from subpixel.study.report.drawing import Drawing


def figure(drawing: Drawing, caption: str = "") -> str:
    """A drawing below its caption, which is its title unless said otherwise."""
    shown = drawing.markup()
    if drawing.is_wide:
        label = escape(drawing.title, quote=True)
        shown = f'<div class="scroll" tabindex="0" role="group" aria-label="{label}">{shown}</div>'
    return f"<figure><figcaption>{escape(caption or drawing.title)}</figcaption>{shown}</figure>"


def table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[int] = (), names: int = 1
) -> str:
    """A table that scrolls by itself on a narrow window.

    Args:
        numbers: columns that are aligned as numbers.
        names: how many first columns are the rows' names.
    """

    def cell(column: int, value: object, scope: str = "") -> str:
        tag = f'th scope="{scope}"' if scope else "td"
        kind = ' class="n"' if column in numbers else ""
        return f"<{tag}{kind}>{escape(str(value))}</{tag[:2]}>"

    def row(values: Sequence[object]) -> str:
        cells = (cell(i, value, "row" if i < names else "") for i, value in enumerate(values))
        return f"<tr>{''.join(cells)}</tr>"

    top = "".join(cell(i, name, "col") for i, name in enumerate(head))
    body = "".join(map(row, rows))
    label = escape(caption, quote=True)
    return (
        f'<p class="caption">{escape(caption)}</p>'
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table aria-label="{label}">'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def paragraphs(*texts: str) -> str:
    """Plain text, one paragraph each."""
    return "".join(f"<p>{escape(text)}</p>" for text in texts)


VERDICTS = ("holds", "does not hold", "undecided", "missing")


def counted(sentences: Iterable[Mapping[str, Any]]) -> str:
    """How often each verdict was given: "holds 3, undecided 1"."""
    found = Counter(one["verdict"] for one in sentences)
    return ", ".join(f"{name} {found[name]}" for name in VERDICTS if found[name])


def details(summary: str, content: str) -> str:
    """Content that opens on demand."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def missing(title: str, what: Sequence[str]) -> str:
    """What is not there, said as such."""
    if not what:
        return ""
    items = "".join(f"<li>{escape(item)}</li>" for item in what)
    return f'<div class="missing"><p><b>{escape(title)}</b></p><ul>{items}</ul></div>'


def made(rows: Sequence[tuple[str, str]]) -> str:
    """How figures were obtained: name and value of each circumstance."""
    items = "".join(f"<p><b>{escape(name)}</b>: {escape(value)}</p>" for name, value in rows if value)
    return f'<div class="made">{items}</div>'
