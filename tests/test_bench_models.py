"""`subpixel bench models`: every network of the zoo has its turn, with the counts and figures that belong to it."""

import importlib.util
import json
import sys

import pytest
from click.testing import CliRunner

from subpixel.bench import zoo
from subpixel.bench.zoo import _psnr, bench_models, plot
from subpixel.cli import cli
from subpixel.errors import MissingExtra, OutputError, UsageError
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
    assert (rows["fsrcnn-s"]["psnr"], rows["fsrcnn-s"]["psnr_by"]) == (32.55, "paper")
    assert _psnr("drcn", 3) == (33.82, "paper", {})
    assert _psnr("drcn-s", 3) == (None, None, {})
    assert rows["espcn"]["psnr_by"] == "ours"
    assert rows["espcn"]["psnr"] == pytest.approx(32.81, abs=0.005)
    assert rows["nano"]["gmacs"] == round(24 * 16 * 3_024 / 1e9, 3)
    assert rows["fsrcnn, LR"]["psnr"] == rows["fsrcnn"]["psnr"]
    assert rows["fsrcnn, LR"]["ms"].keys() == rows["fsrcnn"]["ms"].keys()
    assert {name for name in rows if name.endswith(", LR")} == {"fsrcnn, LR", "fsrcnn-s, LR"}
    assert any("int8" in way for way in rows["small"]["ms"]) == any("int8" in way for way in rows["nano"]["ms"])
    assert not any("int8" in way for way in rows["fsrcnn"]["ms"])


def test_the_plot(result, tmp_path):
    unknown = next(row for row in result["rows"] if row["name"] == "fsrcnn-s")
    result = result | {"rows": [row for row in result["rows"] if row is not unknown] + [unknown | {"psnr": None}]}
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


def test_a_network_that_cannot_be_built_is_named_and_the_others_run():
    result = bench_models(10, size=(12, 8), threads=1, rounds=1, budget=0.001)
    gaps = {gap["name"]: gap["reason"] for gap in result["missing"]}
    assert gaps["fsrcnn"].startswith("fsrcnn cannot be built for x10")
    assert gaps["espcn"] == "0.0047 GMAC a picture: not run"
    assert [row["name"] for row in result["rows"]] == ["nano"]
    with pytest.raises(UsageError, match="scale 65 is impossible"):
        bench_models(65)


def test_what_cannot_be_drawn_shows_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "bench_models", lambda *_, **__: pytest.fail("measuring began"))
    (tmp_path / "file").touch()
    asked = ["bench", "models", "--plot", str(tmp_path / "file" / "plot.png")]
    if importlib.util.find_spec("matplotlib"):
        assert isinstance(CliRunner().invoke(cli, asked).exception, OutputError)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert isinstance(CliRunner().invoke(cli, asked).exception, MissingExtra)


def test_a_plot_of_nothing(tmp_path):
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    path = tmp_path / "plot.png"
    outcome = CliRunner().invoke(cli, ["bench", "models", "--budget", "0", "--plot", str(path)])
    assert isinstance(outcome.exception, UsageError)
    assert "give a larger --budget" in str(outcome.exception)
    assert not path.exists()
