"""What the command prints for people, at most 80 columns wide."""

from textwrap import wrap
from typing import Any


def models_table(rows: list[dict[str, Any]]) -> str:
    """`models.table()`, with `ms` in a model's weights where they were timed: a block a model, a line a scale."""
    timed = any("ms" in weights for row in rows for weights in row["weights"])
    lines: list[str] = []
    for row in rows:
        lines += ["", f"{row['name']}: {row['network']}" if "network" in row else row["name"]]
        lines += [f"  {line}" for line in wrap(f"{row['description']} ({row['source']})", 78)]
        lines += [f"  {line}" for line in wrap(_trained_on(row), 78)]
        sets = list(dict.fromkeys([figure["set"] for figure in row["figures"]] or ["Set5", "Set14"]))
        heads = "".join(f"{f'{name} dB':>10}{'SSIM':>8}" for name in sets)
        lines.append(f"  {'scale':<6}{'weights':>10}{'GMAC':>8}{'field':>6}{heads}{'ms' if timed else '':>8}".rstrip())
        counts = {weights["scale"]: weights for weights in row["weights"]}
        for scale in sorted(counts or {figure["scale"] for figure in row["figures"]}):
            weights = counts.get(scale, {})
            cells = "".join(_quality(row["figures"], weights.get("published", {}), scale, name) for name in sets)
            gmacs = weights.get("macs_1080p", 0) / 1e9
            amount = f"{gmacs:,.0f}" if gmacs >= 1000 else f"{gmacs:.2f}"
            facts = f"{weights['parameters']:>10,}{amount:>8}" if weights else f"{'':>18}"
            field = weights.get("receptive_field", "")
            ms = f"{weights['ms']:>8.1f}" if weights.get("ms") is not None else ""
            lines.append(f"  {f'×{scale}':<6}{facts}{field:>6}{cells}{ms}".rstrip())
        lines += [f"  {line}" for line in wrap(_timed_on(row), 78)]
    protocols = {figure["protocol"].partition(":")[0] for row in rows for figure in row["figures"]}
    lines += ["", "GMAC: 10⁹ multiplications for 1920×1080 pixels; field: LR pixels that one reads."]
    if protocols:
        lines.append(f"PSNR and SSIM of Y under the protocol {' and '.join(sorted(protocols))}; * its paper's figure.")
    if timed:
        lines.append("ms: luma to 1920×1080 on this machine, as --precision auto has it; medians.")
    return "\n".join(lines[1:])


def _trained_on(row: dict[str, Any]) -> str:
    """One line of the pictures behind the weights, or that there are none."""
    if not row["weights"]:
        return ""
    licences = next((weights["licences"] for weights in row["weights"] if weights["file"]), None)
    if licences is None:
        return "comes without weights: subpixel train"
    named = ", ".join(f"{count} {licence}" for licence, count in licences.items())
    return f"trained on {sum(licences.values())} pictures: {named}"


def _timed_on(row: dict[str, Any]) -> str:
    """Runtime and precision behind the times, with their scales."""
    scales: dict[str, list[str]] = {}
    for weights in row["weights"]:
        if weights.get("ms") is not None:
            scales.setdefault(f"{weights['runtime']}, {weights['precision']}", []).append(f"×{weights['scale']}")
    parts = [f"{way}: {' '.join(of)}" for way, of in scales.items()]
    return f"timed on {'; '.join(parts)}" if parts else ""


def _quality(figures: list[dict[str, Any]], published: dict[str, float], scale: int, name: str) -> str:
    """PSNR and SSIM of one set in 18 columns; the paper's PSNR where there is no other."""
    for figure in figures:
        if (figure["scale"], figure["set"]) == (scale, name):
            psnr = "-" if figure["psnr"] is None else f"{figure['psnr']:.2f}"
            ssim = "-" if figure["ssim"] is None else f"{figure['ssim']:.4f}"
            return f"{psnr:>9} {ssim:>8}"
    return f"{published[name]:>9.2f}*{'':>8}" if name in published else f"{'':>18}"


def evaluation_table(result: dict[str, Any]) -> str:
    """`evaluate`'s result: a line a picture, then the mean."""
    mean = {"name": "mean", "psnr": result["psnr"], "ssim": result["ssim"], "ms": None}
    rows = [*result["images"], mean]
    width = max(len("picture"), *(len(row["name"]) for row in rows))
    lines = [
        f"{result['model']} ×{result['scale']} on {result['runtime']}, {result['precision']}",
        *wrap(result["protocol"], 80),
        "",
    ]
    lines.append(f"{'picture':<{width}}   PSNR dB     SSIM   network ms")
    for row in rows:
        psnr = "equal" if row["psnr"] is None else f"{row['psnr']:.2f}"
        ssim = "-" if row["ssim"] is None else f"{row['ssim']:.4f}"
        ms = "" if row["ms"] is None else f"{row['ms']:.1f}"
        lines.append(f"{row['name']:<{width}}  {psnr:>8}  {ssim:>7}  {ms:>11}".rstrip())
    return "\n".join(lines)


def zoo_table(result: dict[str, Any]) -> str:
    """`bench_models`' result: a line a model, a column a way."""
    width, height = result["size"]
    scale, threads = result["scale"], result["threads"]
    ways = list(dict.fromkeys(way for row in result["rows"] for way in row["ms"]))
    heads = {way: way.replace("onnxruntime", "ort").replace("openvino", "ov") for way in ways}
    lines = [
        f"×{scale}, luma {width}×{height} → {width * scale}×{height * scale}, {threads} threads, ms: medians of "
        f"{result['rounds']} rounds",
        "",
        f"{'':<12}{'weights':>9}{'GMAC':>7}{'field':>6}{'Set5 dB':>9}" + "".join(f"{heads[w]:>9}" for w in ways),
    ]
    for row in result["rows"]:
        mark = "*" if row["psnr_by"] == "paper" else " "
        psnr = "" if row["psnr"] is None else f"{row['psnr']:.2f}{mark}"
        cells = "".join(f"{row['ms'][way]:>9.1f}" if way in row["ms"] else f"{'':>9}" for way in ways)
        facts = f"{row['parameters']:>9,}{row['gmacs']:>7.2f}{row['receptive_field']:>6}{psnr:>9}"
        lines.append(f"{row['name']:<12}{facts}{cells}".rstrip())
    lines += [
        "",
        "field: receptive field in LR pixels; ort onnxruntime, ov OpenVINO; * the paper's figure;",
        '", LR": its transposed convolution rewritten by subpixel rewrite',
    ]
    lines += [f"{gap['name']}: {gap['reason']}" for gap in result["missing"]]
    return "\n".join(lines)


def bench_table(result: dict[str, Any]) -> str:
    """`bench`'s result: a line a way, the fastest first, then what could not take part."""
    width, height = result["size"]
    scale, threads = result["scale"], result["threads"]
    lines = [
        f"{result['model']} ×{scale}, luma {width}×{height} → {width * scale}×{height * scale}, "
        f"{threads} thread{'s' * (threads > 1)}, medians of {result['rounds']} rounds",
        "",
        f"{'':<20}        ms     least      most     ratio",
    ]
    for row in result["rows"]:
        times = "".join(f"{row[key]:>10.1f}" for key in ("ms", "ms_min", "ms_max"))
        lines.append(f"{row['name']:<20}{times}{row['ratio']:>9.2f}×")
    for way in result["missing"]:
        lines += ["", *wrap(f"{way['name']} is left out: {way['reason']}", 80)]
    return "\n".join(lines)


def rewrites_head(threads: int) -> str:
    """What stands above the rows of `bench rewrite`."""
    return (
        f"{threads} thread{'s' * (threads > 1)}, milliseconds, medians; original and rewritten in turns\n\n"
        f"{'':<40}{'before':>10}{'after':>10}{'gain':>9}{'aim':>10}"
    )


def rewrites_row(row: dict[str, Any]) -> str:
    """A row of `bench_rewrite`: name and figures, then its sites and the candidates at each."""
    aim = "" if row["aim"] is None else "kept" if row["kept"] else f"{row['aim']:g}×"
    mark = {None: "", True: " ✓", False: " ✗"}[row["met"]]
    gain = "kept" if not row["rewritten"] else f"{row['ratio']:.2f}×"
    figures = f"{row['ms_before']:>10.2f}{row['ms_after']:>10.2f}{gain:>9}{aim + mark:>10}"
    lines = ["", row["model"], f"  {row['runtime']:<38}{figures}".rstrip()]
    if not row["equal"]:
        lines.append("  NOT EQUAL")
    for site in row["sites"]:
        share = "" if site["share"] is None else f", {100 * site['share']:.1f} % of the time"
        became = f"→ {site['form']}" if site["refused"] is None else f"stays: {site['refused']}"
        lines += wrap(f"{site['op']} {site['node']}{share} {became}", 76, **_INDENT)
    for candidates in row["candidates"]:
        times = (f"{c['name']} {'–' if c['ms'] is None else format(c['ms'], '.2f')}" for c in candidates)
        lines += wrap(f"timed: {'; '.join(times)}", 76, **_INDENT)
    return "\n".join(lines)


_INDENT: dict[str, Any] = {"initial_indent": "    ", "subsequent_indent": "      ", "break_on_hyphens": False}
