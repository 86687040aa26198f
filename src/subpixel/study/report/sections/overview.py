"""What the study found, in the sentences that the program made of its numbers, and what is missing."""

from __future__ import annotations

import re
from collections import Counter
from html import escape
from typing import Any

from subpixel.study.glossary import AT_HR, BEATS, EQUAL_MACS, EQUAL_TIME, JUDGING, LEARNING, MIXED
from subpixel.study.report.markup import counted, details, missing, paragraphs
from subpixel.study.report.results import FILES, Results
from subpixel.study.report.sections.budget import ALL

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
    parts.append(_in_short(results.findings))
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


def _in_short(findings: dict[str, Any]) -> str:
    """How often the note's claim holds for each thing that was made equal, and by how much: the answer in short."""
    mine = [one for one in findings["sentences"] if one["part"] == "budget" and _claim(one["text"]) == BEATS]
    items = []
    for matching in dict.fromkeys(one["matching"] for one in mine):
        here = [one for one in mine if one["matching"] == matching]
        places = {(one["scale"], one["budget"]) for one in here if one["verdict"] != "missing"}
        leads: dict[Any, float] = {}
        for one in findings["comparisons"]:
            place = one["scale"], one["budget"]
            if (one["matching"], one["set"]) == (matching, ALL) and one["second"] in AT_HR and place in places:
                leads[place] = min(one["difference"], leads.get(place, one["difference"]))
        less = [f"{value:+.2f}" for value in (min(leads.values()), max(leads.values()))] if leads else []
        lead = f"; its lead over the best of those: {' to '.join(dict.fromkeys(less))} dB" if less else ""
        items.append(f"<li><b>{escape(_MATCHINGS.get(matching, matching))}</b>: {counted(here)}{lead}</li>")
    if not items:
        return ""
    short: dict[str, str] = findings.get("short") or {}
    items += [f"<li>{escape(short[name])}</li>" for name in ("weights", "window", "caveats") if name in short]
    lead = f"{BEATS}; over all scales and budgets, with what explains it and what to beware of:"
    return f"<p>{lead}</p><ul>{''.join(items)}</ul>"


def _matrix(sentences: list[dict[str, Any]], caption: str) -> str:
    """Scales and matchings down, claims across; in each cell the verdicts, and at which budgets."""
    rows = sorted(dict.fromkeys((one["scale"], one["matching"]) for one in sentences), key=lambda row: row[0])
    claims = list(dict.fromkeys(_claim(one["text"]) for one in sentences))
    head = "".join(f'<th scope="col">{escape(claim)}</th>' for claim in claims)
    body = []
    for row in rows:
        cells = []
        for claim in claims:
            mine = [x for x in sentences if _claim(x["text"]) == claim and (x["scale"], x["matching"]) == row]
            mine.sort(key=lambda one: one["budget"] or 0)
            said = []
            for verdict in dict.fromkeys(one["verdict"] for one in mine):
                maps = _maps([one for one in mine if one["verdict"] == verdict])
                said.append(f'{_badge(verdict)} <span class="soft">{escape(maps)}</span>')
            cells.append(f"<td>{'<br>'.join(said) or '–'}</td>")
        name = f"×{row[0]}, {_MATCHINGS.get(row[1], row[1])}"
        body.append(f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>')
    return (
        '<p class="caption">At each budget, named by the maps a layer of the nearest-first network that sets it;'
        " – where no run was made, or the claim is not made there</p>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption, quote=True)}">'
        f'<table class="claims"><thead><tr><th scope="col">where</th>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _maps(sentences: list[dict[str, Any]]) -> str:
    """ "2, 4 maps": the budgets of sentences."""
    known = [str(one["budget"]) for one in sentences if one["budget"] is not None]
    return f"{', '.join(known)} maps" if known else ""


def _claim(text: str) -> str:
    """The claim of "where: claim: numbers" or "where: claim; numbers"."""
    found = re.match(r"[^:]*: ([^:;]+)", text)
    return found[1] if found else text


_MATCHINGS = {
    EQUAL_MACS: "equal multiplications",
    "equal-ms-onnxruntime": "equal time, onnxruntime",
    "equal-ms-openvino": "equal time, OpenVINO",
    EQUAL_TIME: "equal time",
    "control": "controls",
    "rate": "search for learning rates",
    "longer": "more steps",
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
        groups = Counter(tuple(key.split("/")[:2]) for key in keys)
        done = Counter((f"x{line['scale']}", line["matching"]) for line in results.budget)
        lacking.append(f"{len(keys)}{of} planned runs of the budget study, which were not made")
        for (scale, matching), count in groups.items():
            whole = count + done[scale, matching]
            lacking.append(f"{scale.replace('x', '×')}, {_MATCHINGS.get(matching, matching)}: {count} of {whole} runs")
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
