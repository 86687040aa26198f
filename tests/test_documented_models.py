"""docs/models.md and README.md state what the headers of the shipped weights say; `scripts/models-text` writes it."""

import runpy
from pathlib import Path

import pytest

from subpixel.models import ZOO, load
from subpixel.upscaling.target import DEFAULT_MODEL

ROOT = Path(__file__).parents[1]
SHIPPED = [(name, scale) for name, descriptor in ZOO.items() for scale in descriptor.shipped]


def _cells(page, start):
    """The cells of the only line of a page that starts with these ones."""
    lines = [line for line in (ROOT / page).read_text(encoding="utf-8").splitlines() if line.startswith(start)]
    assert len(lines) == 1, (page, start)
    return [cell.strip() for cell in lines[0].strip("|").split("|")]


def _stated(trained, name):
    return next(figure for figure in trained.header["figures"] if figure["set"] == name)


@pytest.mark.parametrize(("name", "scale"), SHIPPED)
def test_every_weight_file_has_its_line_in_the_table(name, scale):
    trained = load(name, scale)
    wanted = [f"{trained.network.parameter_count:,}", str(trained.network.receptive_field)]
    for figure in (_stated(trained, "Set5"), _stated(trained, "Set14")):
        wanted += [f"{figure['psnr']:.2f}", f"{figure['ssim']:.4f}"]
        wanted += [f"{figure['bf16_psnr']:.2f}", f"{figure['int8_psnr']:.2f}"]
    assert _cells("docs/models.md", f"| {name} | ×{scale} |")[2:] == wanted


@pytest.mark.parametrize("name", sorted({name for name, _ in SHIPPED}))
def test_every_model_with_weights_has_its_line_in_the_readme(name):
    default = name == DEFAULT_MODEL
    cells = _cells("README.md", f"| **{name}**, the default |" if default else f"| {name} |")
    mark = "**" if default else ""
    for index, (which, scale) in enumerate((which, scale) for which in ("Set5", "Set14") for scale in (2, 3, 4)):
        if scale in ZOO[name].shipped:
            assert cells[2 + index] == f"{mark}{_stated(load(name, scale), which)['psnr']:.2f}{mark}"


def test_the_tables_are_as_the_script_writes_them():
    script = runpy.run_path(str(ROOT / "scripts" / "models-text"))
    rows = script["table"]()
    for page, head, lines in (
        ("docs/models.md", script["MODELS_HEAD"], script["models_lines"](rows)),
        ("README.md", script["README_HEAD"], script["readme_lines"](rows)),
    ):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert script["with_table"](text, head, lines) == text, page
        assert script["with_table"](text, head, lines[:-1]) != text
