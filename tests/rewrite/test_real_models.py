"""Seven real networks, where the shared data are there: equal, counted, and nothing more to do the second time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rewrite.graphs import counts
from subpixel.rewriting import rewrite, verify

MODELS = Path(os.environ.get("SUBPIXEL_DATA") or Path(__file__).parents[3] / "shared" / "data") / "models"
# rewritten sites, operators that must be gone, open sizes
EXPECTED: dict[str, tuple[int, str, dict[str, list[int]] | None]] = {
    "gtcrn": (11, "ConvTranspose", None),
    "ppocrv4_det": (3, "ConvTranspose", {"x": [1, 3, 64, 96]}),
    "prisma_portrait": (5, "ConvTranspose", None),
    "sed_unet": (2, "ConvTranspose", None),
    "sinet": (0, "", None),
    "tbefn": (6, "ConvTranspose", None),
    "yolox_nano": (4, "", None),
}


@pytest.mark.long
@pytest.mark.parametrize("name", EXPECTED)
def test_lr(name: str) -> None:
    path = MODELS / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"{path} is not here: set SUBPIXEL_DATA to the folder that holds models/")
    count, gone, inputs = EXPECTED[name]
    result = rewrite(path, "lr")
    assert result.report["rewritten"] == count
    assert not [op for op in gone.split() if counts(result.model)[op]]
    assert all(site["refused"] is None or site["op"] == "Resize" for site in result.report["sites"])
    assert verify(path, result.model, inputs=inputs)["equal"]
    assert rewrite(result.model, "lr").report["rewritten"] == 0
