"""What the study found, in the sentences that the program made of its numbers, and what is missing."""

from __future__ import annotations

import re
from collections import Counter
from html import escape
from typing import Any

from subpixel.study.glossary import EQUAL_MACS, JUDGING, LEARNING, MIXED
from subpixel.study.report.markup import counted, details, missing, paragraphs
from subpixel.study.report.results import FILES, Results

PARTS = {
    "budget": "Equal cost",
    "causes": "Why: the controls",
    "plateau": "Had they stopped learning?",
    "rates": "Did the learning rates reach far enough?",
    "power": "What each can represent",
    "initialisation": "Checkerboards",
    "speed": "Speed",
}
DRAWN = {
    LEARNING: "Networks learnt from computed pictures (discs, polygons, strokes, gratings), since no photographs were "
    "given: this shows that everything runs, and what networks learn from such pictures says little about photographs.",
    JUDGING: "Networks were judged on computed pictures, since no benchmark was given: their PSNR there is not "
    "comparable with any on photographs.",
}


def overview(results: Results) -> str:
    """The section."""
    parts = ['<h2 id="found">What our experiments say</h2>']
    if results.drawn:
        known = [words for what, words in DRAWN.items() if what in results.drawn]
        parts.append(missing("Not from photographs", known))
    if results.findings is None:
        return "".join(parts) + missing(
            "Missing", ["findings.json: `subpixel study` writes it when it has made its runs"]
        )
    sentences = results.findings["sentences"]
    rules: dict[str, Any] = results.findings.get("rules") or {}
    parts.append(
        paragraphs(
            "Six families of networks of equal depth, three that enlarge first and three that enlarge last, were "
            "trained alike. What a claim must show to hold is said with each kind of claim. Of "
            f"{len(sentences)} statements, each verdict so often: {counted(sentences)}."
        )
    )
    for part in dict.fromkeys(one["part"] for one in sentences):
        mine = [one for one in sentences if one["part"] == part]
        parts.append(f"<h3>{escape(PARTS.get(part, part))}</h3>")
        if part in rules:
            parts.append(paragraphs(str(rules[part])))
        if len(mine) > _FEW and part in ("budget", "causes"):
            parts.append(_matrix(mine, PARTS[part]))
        if len(mine) > _FEW:
            parts.append(details(f"All {len(mine)} statements, with numbers: {counted(mine)}", _list(mine)))
        else:
            parts.append(_list(mine))
    return "".join(parts)


def _list(sentences: list[dict[str, Any]]) -> str:
    items = "".join(f"<li>{_badge(one['verdict'])} {escape(one['text'])}</li>" for one in sentences)
    return f'<ul class="found">{items}</ul>'


def _badge(verdict: str) -> str:
    return f'<b class="v {_CLASSES.get(verdict, "")}">{escape(verdict)}</b>'


def _matrix(sentences: list[dict[str, Any]], caption: str) -> str:
    """Claims down, scales and matchings across; in each cell a verdict for each budget, the smallest first."""
    columns = list(dict.fromkeys((one["scale"], one["matching"]) for one in sentences))
    claims = list(dict.fromkeys(_claim(one["text"]) for one in sentences))
    head = "".join(f'<th scope="col">{escape(f"×{scale}, {_MATCHINGS.get(m, m)}")}</th>' for scale, m in columns)
    body = []
    for claim in claims:
        cells = []
        for column in columns:
            mine = [x for x in sentences if _claim(x["text"]) == claim and (x["scale"], x["matching"]) == column]
            mine.sort(key=lambda one: one["budget"] or 0)
            said = (f'{_badge(one["verdict"])} <span class="soft">{escape(_maps(one))}</span>' for one in mine)
            cells.append(f"<td>{'<br>'.join(said) or '–'}</td>")
        body.append(f'<tr><th scope="row">{escape(claim)}</th>{"".join(cells)}</tr>')
    return (
        '<p class="caption">For each budget, named by the maps a layer of the nearest-first network that sets it</p>'
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption, quote=True)}"><table>'
        f'<thead><tr><th scope="col">claim</th>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'
    )


def _maps(sentence: dict[str, Any]) -> str:
    return "" if sentence["budget"] is None else f"{sentence['budget']} maps"


def _claim(text: str) -> str:
    """The claim of "where: claim: numbers" or "where: claim; numbers"."""
    found = re.match(r"[^:]*: ([^:;]+)", text)
    return found[1] if found else text


_MATCHINGS = {
    EQUAL_MACS: "equal multiplications",
    "equal-ms-onnxruntime": "equal time, onnxruntime",
    "equal-ms-openvino": "equal time, OpenVINO",
    "control": "controls",
    "all": "all runs",
    MIXED: "runs of different settings",
}


_FEW = 6
"""Statements that are shown as they are; more are folded away."""
_CLASSES = {"holds": "right", "does not hold": "wrong"}


def what_is_missing(results: Results) -> str:
    """Files, runs and families that are not there, by name."""
    lacking = [f"{name}.jsonl: no line of it" for name in FILES if not getattr(results, name)]
    sentences = results.findings["sentences"] if results.findings else []
    for part in ("power", "initialisation", "speed"):
        without = sum(one["part"] == part and one["verdict"] == "missing" for one in sentences)
        if without:
            lacking.append(f"runs for {without} of the statements under “{PARTS[part]}”")
    keys = list(results.findings["missing"]) if results.findings else []
    if keys:
        planned = results.findings.get("planned") if results.findings else None
        of = f" of {planned}" if planned else ""
        groups = Counter("/".join(key.split("/")[:2]) for key in keys)
        lacking.append(f"{len(keys)}{of} planned runs of the budget study, which were not made")
        lacking += [f"{count} runs of {group}" for group, count in groups.items()]
    body = missing("Missing", lacking) if lacking else paragraphs("Nothing: every planned run was made.")
    lost: dict[str, list[str]] = {}
    for line in results.budget:
        if line.get("diverged") is not None:
            lost.setdefault(line["family"], []).append(f"{line['key']} at step {line['diverged']:,}")
    body += missing("Diverged", [f"{family}: {', '.join(keys)}" for family, keys in lost.items()])
    if keys:
        listed = "".join(f"<li>{escape(key)}</li>" for key in keys)
        body += details(f"All {len(keys)} missing runs", f'<ul class="mono">{listed}</ul>')
    return f'<h2 id="missing">What is missing</h2>{body}'
