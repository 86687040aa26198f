"""The report as one HTML page that fetches nothing: readable on a phone, and by a screen reader."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from subpixel.rewriting.report.diagram import svg, words

LAWS = {
    "A1": "a transposed convolution of stride 1 is a convolution with the flipped kernel",
    "A2": "a transposed convolution is a low-resolution convolution with s times the maps, then a periodic shuffle",
    "A3": "any crop moves the phase origin and is exact",
    "A4": "the order of a shuffle's maps is a permutation; a shuffle is one shuffle per axis",
    "A5": "a low-resolution convolution and a shuffle are one transposed convolution",
    "A6": "nearest-neighbour resize and a convolution are one low-resolution convolution and a shuffle",
    "A7": "linear or cubic resize and a convolution are one, with border cells; a 1×1 convolution passes any resize",
    "A8": "a convolution over a concatenation is a sum of convolutions",
    "A9": "a convolution after a shuffle is a low-resolution convolution before it",
    "A10": "pointwise functions pass a shuffle",
    "A11": "strides and unshuffles are one",
    "A12": "layers with nothing between them are one layer, with border cells where borders meet",
    "A15": "a global skip is added before the shuffle",
    "clock": "measured, not worth it",
    "cap": "the weights would grow beyond the cap",
    "device": "a limit of the device",
    "QDQ": "quantised numbers",
}


def page(report: dict[str, Any]) -> str:
    """The page of a report of `rewrite`.

    Args:
        report: as in `Rewritten.report`; `model` and `output` name the files where they are known.
    """
    done = [site for site in report["sites"] if site["refused"] is None]
    kept = [site for site in report["sites"] if site["refused"] is not None]
    name = str(report.get("model", "the model"))
    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    wanted = f"profile {report['profile']}: {report['device']}" if "profile" in report else f"goal {report['goal']}"
    parts = [
        f"<h1>{escape(name)}</h1>",
        f'<p class="soft">Rewritten by subpixel, {escape(wanted)}.</p>',
        _facts(report, len(done)),
    ]
    if report.get("unmet"):
        parts.append(_unmet(report))
    if done:
        parts += ["<h2>What was rewritten</h2>", _overview(done), *(_article(i, site) for i, site in enumerate(done))]
    if kept:
        parts += ["<h2>What stays as it is</h2>", _stays(kept)]
    parts.append(_reading(report))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)}: rewritten</title><style>{style}</style></head><body><main>"
        + "\n".join(parts)
        + "</main></body></html>\n"
    )


def _facts(report: dict[str, Any], count: int) -> str:
    total = len(report["sites"])
    facts = [(f"{count} of {total}", "sites rewritten, each proved equal" if count else "sites rewritten")]
    if report["ms_before"] is not None and report["ms_after"]:
        if count:
            facts.append((f"{report['ms_before'] / report['ms_after']:.2f}×", "as fast, the model as a whole"))
        facts.append((f"{_ms(report['ms_before'])} → {_ms(report['ms_after'])} ms", report.get("clock", "")))
    macs = [(s["macs_before"], s["macs_after"]) for s in report["sites"] if s["macs_before"] and s["macs_after"]]
    if macs:
        facts.append(
            (f"{_si(sum(a for a, _ in macs))} → {_si(sum(b for _, b in macs))}", "multiplications of the sites")
        )
    if count:
        facts.append((f"{report['max_error']:.1e}", "largest difference met in the proof"))
    cells = "".join(f'<div class="fact"><b>{escape(a)}</b><span>{escape(b)}</span></div>' for a, b in facts)
    return f'<div class="facts">{cells}</div>'


def _overview(done: list[dict[str, Any]]) -> str:
    figures = [
        f for f in (("ms", "ms", _ms), ("macs", "MACs", _si)) if any(s[f"{f[0]}_after"] is not None for s in done)
    ]
    rows = []
    for i, site in enumerate(done):
        cells = [
            f'<td class="name"><a href="#site{i}" class="mono">{escape(site["node"])}</a></td>',
            f"<td>{escape(site['op'])}</td><td>{escape(site['form'])}</td>",
            *(f'<td class="n">{_change(site, key, show)}</td>' for key, _, show in figures),
            f'<td class="n">{site["max_error"]:.1e}</td>',
        ]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    head = "<th>site</th><th>was</th><th>is</th>" + "".join(
        f'<th class="n">{name}</th>' for name in (*(f[1] for f in figures), "error")
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _article(anchor: int, site: dict[str, Any]) -> str:
    law = f'<span class="law">{escape(site["law"])}</span> {escape(LAWS.get(site["law"], ""))}'
    out = [f'<article id="site{anchor}"><h3 class="mono">{escape(site["node"])}</h3><p>{law}</p>']
    if site.get("before") and site.get("after"):
        out.append('<div class="pair">')
        for key, what in (("before", "Before"), ("after", "After")):
            caption = f"{what}: {site['form']}" if key == "after" else f"{what}: {site['op']}"
            drawn = svg(site[key], f"{what} the rewrite")
            out.append(f"<figure><figcaption>{escape(caption)}</figcaption>{drawn}</figure>")
        out.append("</div>")
        text = f"Before: {words(site['before'])}. After: {words(site['after'])}."
        out.append(f"<details><summary>In words</summary><p>{escape(text)}</p></details>")
    out.append(_bars(site))
    out.append(f'<p class="soft">{escape(_proof(site))}</p></article>')
    return "".join(out)


def _bars(site: dict[str, Any]) -> str:
    rows = []
    for key, name, show in (("ms", "ms", _ms), ("macs", "MACs", _si), ("weights", "weights", _si)):
        a, b = site[f"{key}_before"], site[f"{key}_after"]
        if a is None or b is None:
            continue
        for value, kind, word in ((a, "bar was", "before"), (b, "bar", "after")):
            share = 100 * value / max(a, b, 1e-12)
            rows.append(
                f'<tr><th scope="row">{name if word == "before" else ""}</th><td>{word}</td>'
                f'<td class="n">{show(value)}</td><td style="width:45%"><div class="{kind}" '
                f'style="width:{share:.1f}%"></div></td></tr>'
            )
    return f"<table>{''.join(rows)}</table>" if rows else ""


def _proof(site: dict[str, Any]) -> str:
    proof = site["proof"]
    said = []
    if proof["normal_form"]:
        said.append("read back, the nodes have the original's normal form, which holds for all sizes")
    how = "bit for bit on integers" if proof["bit_equal_on_integers"] else "within the rounding bound"
    said.append(f"both versions ran at {proof['sizes']} sizes, equal {how}")
    said.append(f"largest difference on real weights {site['max_error']:.1e}")
    if site.get("smallest"):
        least = "×".join(map(str, site["smallest"]))
        shorter = (
            "shorter ones run as before"
            if "gradients" in proof
            else "onnxruntime refuses shorter ones, OpenVINO does not"
        )
        said.append(f"it takes inputs from {least} on ({shorter})")
    return f"Proof: {'; '.join(said)}."


def _stays(kept: list[dict[str, Any]]) -> str:
    reasons: dict[tuple[str, str], list[str]] = {}
    for site in kept:
        reasons.setdefault((site["law"], site["refused"]), []).append(f"{site['op']} {site['node']}")
    items = []
    for (law, why), names in reasons.items():
        tag = f' <span class="law">{escape(law)}</span>' if law else ""
        listed = ", ".join(f'<span class="mono">{escape(name)}</span>' for name in names)
        items.append(f"<li>{escape(why)}{tag}<br>{listed}</li>")
    return f"<ul>{''.join(items)}</ul>"


def _unmet(report: dict[str, Any]) -> str:
    items = "".join(
        f"<li>{escape(item['limit'])}"
        + (f'<br><span class="mono">{escape(item["op"])} {escape(item["node"])}</span>' if item["node"] else "")
        + "</li>"
        for item in report["unmet"]
    )
    link = escape(report["source"], quote=True)
    source = f'<p class="soft">Limits as stated in <a href="{link}">{link}</a></p>' if link else ""
    return f"<h2>What the device still does not take</h2><ul>{items}</ul>{source}"


def _reading(report: dict[str, Any]) -> str:
    used = {site["law"] for site in report["sites"] if site["law"] in LAWS}
    order = sorted(used, key=list(LAWS).index)
    laws = "".join(f'<li><span class="law">{law}</span> {escape(LAWS[law])}</li>' for law in order)
    return (
        "<h2>How to read this</h2><p>Convolutions are drawn in green. MACs are multiplications, padding counted. "
        "Times are medians of interleaved runs, each site with its neighbours. Nothing was changed that was not proved."
        f"</p><ul>{laws}</ul>"
    )


def _change(site: dict[str, Any], key: str, show: Any) -> str:
    a, b = site[f"{key}_before"], site[f"{key}_after"]
    return "" if a is None or b is None else f"{show(a)} → {show(b)}"


def _ms(value: float) -> str:
    return f"{value:,.1f}" if value >= 10 else f"{value:.2f}"


def _si(value: float) -> str:
    for factor, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e4, " K")):
        if value >= factor:
            scaled = value / (1e3 if unit == " K" else factor)
            return f"{scaled:,.{0 if scaled >= 100 else 1 if scaled >= 10 else 2}f}{unit}"
    return f"{value:,.0f}"
