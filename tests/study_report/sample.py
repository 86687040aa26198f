"""Results of a study that was never made: invented numbers in the files' own form, for tests of the page alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from subpixel.study.budget import describe
from subpixel.study.findings import write_findings_of
from subpixel.study.glossary import FAMILIES
from subpixel.study.plan import budget_of, network_of, plan
from subpixel.study.results import circumstances
from subpixel.study.settings import BudgetSettings

SETTINGS = BudgetSettings(maps=(2, 4, 6), seeds=3, steps=200, points=10)
GAIN = {
    "shuffle-last": 0.3,
    "deconvolution-last": 0.29,
    "resize-last": 0.2,
    "bicubic-first": 0.05,
    "equal-weights": 0.1,
}
DIVERGES = ("deconvolution-first", 1)
"""Family and seed of a run that diverges, at every budget."""


def write_sample(folder: Path, scales: tuple[int, ...] = (3,), leave_out: str = "resize-last/seed2") -> None:
    """All files; runs whose key ends in `leave_out` were not made."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    lines = [run_line(run, rng) for scale in scales for run in plan(scale, SETTINGS) if not run.key.endswith(leave_out)]
    write_lines(folder / "budget.jsonl", lines)
    write_lines(folder / "equal_time.jsonl", equal_macs_times(scales))
    write_lines(folder / "power.jsonl", [*liftings(), *converses(rng)])
    write_lines(folder / "initialisation.jsonl", starts(rng))
    write_lines(folder / "speed.jsonl", layers(rng))
    write_findings_of(folder, scales, SETTINGS)


def write_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def run_line(run: Any, rng: np.random.Generator) -> dict[str, Any]:
    lost = (run.family, run.seed) == DIVERGES
    network = network_of(run)
    worse = 0.0 if run.rate in (None, 0.01) else 1.0  # so that 0.01 is what the search finds
    end = 30 - worse + GAIN.get(run.family, 0) + 0.1 * np.log(run.budget) + 0.02 * rng.standard_normal()
    curve = [[step, round(end - 1.5 * float(np.exp(-step / 50)), 4)] for step in range(0, 201, 20)]
    images = {name: round(float(end + shift + 0.02 * rng.standard_normal()), 4) for name, shift in _PICTURES.items()}
    more = {"ms": 3.0 + run.budget, "ratio": 1.0} if run.matching.startswith("equal-ms") else {}
    return {
        "key": run.key,
        "scale": run.scale,
        "matching": run.matching,
        "budget": run.budget,
        "budget_macs": budget_of(run.scale, run.budget).macs_per_lr_pixel,
        "family": run.family,
        "seed": run.seed,
        **describe(network),
        "learning_rate": run.rate or 0.01,
        "steps": 200,
        "curve": curve[:4] if lost else curve,
        "diverged": 61 if lost else None,
        "psnr": None
        if lost or run.matching == "rate"
        else {"Set5": {"mean": round(sum(images.values()) / len(images), 4), "images": images}},
        "wall_seconds": 12.5,
        "cpu_seconds": 11.0,
        **more,
        "recipe": SETTINGS.recipe(),
        "data": "0" * 64,
        "threads": 1,
        **circumstances(),
    }


def equal_macs_times(scales: tuple[int, ...]) -> list[dict[str, Any]]:
    """On one runtime alone."""
    return [
        {
            "key": f"x{scale}/onnxruntime/{maps}maps/{family}/equal-macs",
            "matching": "equal-macs",
            "scale": scale,
            "runtime": "onnxruntime",
            "budget": maps,
            "family": family,
            "ratio": {"nearest-first": 1.0, "bicubic-first": 1.02}.get(family, 0.5),
            **circumstances(),
        }
        for scale in scales
        for maps in SETTINGS.maps
        for family in FAMILIES
    ]


_PICTURES = {"baby": 2.0, "bird": 1.0, "butterfly": -4.0, "head": 1.5, "woman": -0.5}


def liftings() -> list[dict[str, Any]]:
    return [
        {
            "key": f"lifting/x{r}/{up}/{seed}",
            "kind": "lifting",
            "scale": r,
            "seed": seed,
            "upsampling": up,
            "kernels": [3, 1],
            "maps": [1, 2, 1],
            "lr_maps": [1, 2 * r * r, r * r],
            "lr_kernels": [3, 1],
            "size": [5, 7],
            "values": 35 * r * r,
            "differing": 0,
            "macs_ratio": 1.5 + seed,
            "border_cells": 1,
            **circumstances(),
        }
        for r in (2, 3)
        for up in ("nearest", "bicubic", "zero-insertion")
        for seed in range(4)
    ]


def converses(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {
            "key": f"converse/{student}/{seed}",
            "kind": "converse",
            "scale": 2,
            "seed": seed,
            "student": student,
            "teacher": "four phases of their own",
            "budget": 4,
            "macs_per_lr_pixel": 1000,
            "weights": 300,
            "widths": [4, 4, 4],
            "curve": [[s, float(max(end, np.exp(-s / 20)) * (1 + 0.1 * rng.random()))] for s in range(0, 201, 20)],
            "residual": end,
            "floor": 0.2 if student == "nearest-first" else None,
            "wall_seconds": 3.0,
            **circumstances(),
        }
        for student, end in (("shuffle-last", 1e-4), ("nearest-first", 0.25))
        for seed in range(3)
    ]


def starts(rng: np.random.Generator) -> list[dict[str, Any]]:
    def measured(peak: float) -> dict[str, Any]:
        frequencies = [round(0.5 * i / 16, 4) for i in range(17)]
        spectrum = [round(-20 + peak * (i == 11) + float(rng.standard_normal()), 3) for i in range(17)]
        return {
            "index": 1e-3 * peak,
            "ripple": 0.1 * peak,
            "spectrum": spectrum,
            "frequencies": frequencies,
            "peak_db": peak,
        }

    return [
        {
            "key": f"{start}/{seed}",
            "start": start,
            "scale": 3,
            "seed": seed,
            "steps": 200,
            "before": measured(peak),
            "after": measured(peak / 3),
            "curve": [[0, 25.0], [200, 30.0]],
            "psnr": None,
            "error": 1e-3,
            **circumstances(),
        }
        for start, peak in (("random", 15.0), ("icnr", 0.0), ("resize", 0.0))
        for seed in range(2)
    ]


def layers(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {
            "key": f"{runtime}/{way}/{k}/{s}/{maps}/{size}",
            "runtime": runtime,
            "pass": way,
            "kernel": k,
            "stride": s,
            "inputs": maps[0],
            "outputs": maps[1],
            "size": list(size),
            "threads": 1,
            "rounds": 15,
            "ms": {
                form: round(float(rng.uniform(1, 5)), 3)
                for form in ("transposed", "zero-insertion", "lr-shuffle", "upscale-convolve")
            },
            "fastest": "lr-shuffle",
            **circumstances(),
        }
        for runtime, way in (("onnxruntime", "forward"), ("torch", "training"))
        for k, s in ((4, 2), (9, 3), (8, 4))
        for size in ((32, 32), (96, 96))
        for maps in ((16, 16), (32, 1), (64, 3), (64, 64))
    ]
