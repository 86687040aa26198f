"""`subpixel bench models`: every network of the zoo has its turn, with the counts and figures that belong to it."""

import json

import pytest
from click.testing import CliRunner

from subpixel.bench.zoo import bench_models, plot
from subpixel.cli import cli
from subpixel.errors import MissingExtra
from subpixel.models import ZOO


@pytest.fixture(scope="module")
def result():
    return bench_models(3, size=(24, 16), threads=1, rounds=1, budget=0.25)


def test_every_network_is_timed_or_named(result):
    named = {row["name"] for row in result["rows"]} | {gap["name"] for gap in result["missing"]}
    assert {name for name, descriptor in ZOO.items() if descriptor.build} <= named
    assert {gap["name"] for gap in result["missing"]} >= {"drcn", "vdsr"}
    assert all(ms > 0 for row in result["rows"] for ms in row["ms"].values())
    json.dumps(result, allow_nan=False)


def test_figures_are_ours_where_weights_ship_and_the_papers_elsewhere(result):
    rows = {row["name"]: row for row in result["rows"]}
    assert (rows["fsrcnn"]["psnr"], rows["fsrcnn"]["psnr_by"]) == (33.16, "paper")
    assert (rows["fsrcnn-s"]["psnr"], rows["fsrcnn-s"]["psnr_by"]) == (None, None)
    assert rows["espcn"]["psnr_by"] == "ours"
    assert rows["espcn"]["psnr"] == pytest.approx(32.81, abs=0.005)
    assert rows["nano"]["gmacs"] == round(24 * 16 * 3_024 / 1e9, 3)
    assert rows["fsrcnn, LR"]["psnr"] == rows["fsrcnn"]["psnr"]
    assert rows["fsrcnn, LR"]["ms"].keys() == rows["fsrcnn"]["ms"].keys()
    assert {name for name in rows if name.endswith(", LR")} == {"fsrcnn, LR", "fsrcnn-s, LR"}
    assert any("int8" in way for way in rows["small"]["ms"]) == any("int8" in way for way in rows["nano"]["ms"])
    assert not any("int8" in way for way in rows["fsrcnn"]["ms"])


def test_the_plot(result, tmp_path):
    try:
        plot(result, tmp_path / "plot.svg")
    except MissingExtra:
        pytest.skip("Matplotlib is not installed")
    drawn = (tmp_path / "plot.svg").read_text(encoding="utf-8")  # letters are outlines, each text named in a comment
    shown = {row["name"] for row in result["rows"] if row["psnr"] is not None}
    assert all(f"<!-- {text} -->" in drawn for text in shown | {way for row in result["rows"] for way in row["ms"]})
    assert "<!-- fsrcnn-s -->" not in drawn  # of which no figure is known


def test_a_plot_of_a_strange_kind():
    outcome = CliRunner().invoke(cli, ["bench", "models", "--plot", "plot.bmp"])
    assert "needs that ending" in str(outcome.exception)


def test_a_plot_of_networks_that_nobody_has_a_figure_of(tmp_path):
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    row = {"name": "medium", "psnr": None, "psnr_by": None, "psnr_in": {}, "ms": {"onnxruntime, f32": 3.0}}
    plot({"rows": [row], "size": (64, 36), "scale": 5, "threads": 1}, tmp_path / "empty.png")
    assert (tmp_path / "empty.png").stat().st_size > 0
