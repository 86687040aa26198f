"""What the command prints for people, at most 80 columns wide."""

from textwrap import wrap
from typing import Any


def models_table(rows: list[dict[str, Any]]) -> str:
    """`models.table()`: a block a model, a line a scale, with PSNR and the gain over bicubic interpolation."""
    lines: list[str] = []
    for row in rows:
        lines += ["", row["name"]]
        lines += [f"  {line}" for line in wrap(f"{row['description']} ({row['source']})", 78)]
        sets = list(dict.fromkeys(figure["set"] for figure in row["figures"]))
        if row["weights"]:
            heads = "".join(f"{f'{name} dB':>18}" for name in sets)
            lines.append(f"  scale   weights  MACs/LR pixel{heads}")
        for weights in row["weights"]:
            cells = [_gain(row["figures"], weights["scale"], name) for name in sets]
            scale = f"×{weights['scale']}"
            counts = f"{weights['parameters']:>9,}  {weights['macs_per_lr_pixel']:>13,}"
            lines.append(f"  {scale:<5} {counts}{''.join(f'{cell:>18}' for cell in cells)}")
    protocols = {figure["protocol"].partition(":")[0] for row in rows for figure in row["figures"]}
    if protocols:
        named = " and ".join(sorted(protocols))
        lines += ["", f"PSNR of Y under the protocol {named}; in brackets the gain over bicubic."]
    return "\n".join(lines[1:])


def _gain(figures: list[dict[str, Any]], scale: int, name: str) -> str:
    for figure in figures:
        if (figure["scale"], figure["set"]) == (scale, name):
            return f"{figure['psnr']:.2f} ({figure['psnr'] - figure['bicubic_psnr']:+.2f})"
    return ""


def evaluation_table(result: dict[str, Any]) -> str:
    """`evaluate`'s result: a line a picture, then the mean."""
    mean = {"name": "mean", "psnr": result["psnr"], "ssim": result["ssim"], "ms": None}
    rows = [*result["images"], mean]
    width = max(len("picture"), *(len(row["name"]) for row in rows))
    lines = [f"{result['model']} ×{result['scale']} on {result['runtime']}", *wrap(result["protocol"], 80), ""]
    lines.append(f"{'picture':<{width}}   PSNR dB     SSIM   network ms")
    for row in rows:
        psnr = "equal" if row["psnr"] is None else f"{row['psnr']:.2f}"
        ssim = "-" if row["ssim"] is None else f"{row['ssim']:.4f}"
        ms = "" if row["ms"] is None else f"{row['ms']:.1f}"
        lines.append(f"{row['name']:<{width}}  {psnr:>8}  {ssim:>7}  {ms:>11}".rstrip())
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
