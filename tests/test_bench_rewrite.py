"""`subpixel bench rewrite`: what is measured is what it says; the figures themselves are no test's concern."""

import json
from math import prod

import onnx
import pytest
from click.testing import CliRunner

from rewrite.graphs import counts
from subpixel.bench import heads, rewritten
from subpixel.bench.heads import HEADS, Head
from subpixel.cli import cli
from subpixel.rewriting import rewrite

SMALL = (
    Head("nearest small", heads._resized(4, 3, 2, 3, (6, 7)), {"onnxruntime": 3, "openvino": 3}),
    Head("deconvolution small", heads._deconvolved(4, 3, 2, 2, 0, (6, 7)), {"either": 1.2}, kept="onnxruntime"),
)


def test_the_heads_are_the_networks_that_they_are_named_after():
    models = {head.name: head.model() for head in HEADS}

    def weights(name):
        return [list(w.dims) for w in models[name].graph.initializer if len(w.dims) > 2]

    def strides(name):
        nodes = [n for n in models[name].graph.node if n.op_type == "ConvTranspose"]
        return [list(onnx.helper.get_node_attr_value(n, "strides")) for n in nodes]

    fsrcnn = "FSRCNN ×3, 640×360, whole"
    assert weights(fsrcnn)[-1] == [56, 1, 9, 9]
    assert strides(fsrcnn) == [[3, 3]]
    assert sum(prod(w) for w in weights(fsrcnn) if len(w) == 4) == 12464
    assert (weights("istft, 1-D, k512 s128"), strides("istft, 1-D, k512 s128")) == ([[514, 1, 512]], [[128]])
    assert weights("nearest ×4, 9×9 32→3") == [[3, 32, 9, 9]]
    assert weights("linear ×4, 3×3 32→1") == [[1, 32, 3, 3]]
    assert (weights("U-Net k2 s2 64→32"), strides("U-Net k2 s2 64→32")) == ([[64, 32, 2, 2]], [[2, 2]])
    assert counts(models["U-Net decoder, nearest + concat + 3×3"])["Concat"] == 2


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_every_head_has_a_form_in_low_resolution(head):
    done = rewrite(head.model(), "lr")
    assert done.report["rewritten"] == len(done.report["sites"]) > 0


def test_rows(monkeypatch):
    monkeypatch.setattr(rewritten, "HEADS", SMALL)
    run = CliRunner().invoke(cli, ["bench", "rewrite", "--seconds", "0.1", "--threads", "1", "--json"])
    assert run.exit_code == 0, run.output
    result = json.loads(run.stdout)
    assert result["threads"] == 1
    rows = result["rows"]
    assert [(r["model"], r["runtime"]) for r in rows] == [
        (h.name, runtime) for h in SMALL for runtime in ("onnxruntime", "openvino")
    ]
    for row in rows:
        assert row["equal"]
        assert row["ms_before"] > 0 < row["ms_after"]
        names = [c["name"] for site in row["candidates"] for c in site]
        assert any("convolution + shuffle" in name for name in names)
        assert all(c["ms"] > 0 for site in row["candidates"] for c in site)
        assert [site["share"] > 0 for site in row["sites"]] == [True]
    kept = rows[2]
    assert kept["met"] == (kept["rewritten"] == 0)


def test_rows_of_torch(monkeypatch):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    from subpixel.bench import modules

    assert [head.name for head in modules.MODULE_HEADS] == [head.name for head in HEADS]
    small = modules.ModuleHead("nearest small", modules._resized(4, 3, 2, 3), ((1, 4, 6, 7),))
    monkeypatch.setattr(rewritten, "HEADS", SMALL[:1])
    monkeypatch.setattr(modules, "MODULE_HEADS", (small,))
    before = torch.get_num_threads()
    run = CliRunner().invoke(
        cli, ["bench", "rewrite", "--seconds", "0.1", "--threads", "1", "--json", "--runtime", "torch"]
    )
    assert run.exit_code == 0, run.output
    assert torch.get_num_threads() == before
    (row,) = json.loads(run.stdout)["rows"]
    assert (row["model"], row["runtime"], row["aim"], row["met"], row["equal"]) == (
        "nearest small",
        "torch",
        None,
        None,
        True,
    )
    assert row["ms_before"] > 0 < row["ms_after"]
    assert any("convolution + shuffle" in c["name"] for site in row["candidates"] for c in site)


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_modules_are_the_networks_of_the_heads(head):
    """The same weights in the same shapes, the same multiplications."""
    pytest.importorskip("torch", reason="needs PyTorch")
    from subpixel.bench.modules import MODULE_HEADS

    module = next(m for m in MODULE_HEADS if m.name == head.name)
    theirs = sorted(list(p.shape) for p in module.module().parameters() if p.ndim > 2)
    graph = head.model().graph
    shapes = [list(w.dims) for w in graph.initializer if len(w.dims) > 2]
    assert theirs == sorted(shape for shape in shapes if shape[1:] != [1, 1])  # those are PReLU's
    assert [list(s) for s in module.shapes] == [
        [d.dim_value for d in i.type.tensor_type.shape.dim] for i in graph.input
    ]


def test_files_and_the_table(tmp_path):
    onnx.save(SMALL[0].model(), tmp_path / "one.onnx")
    run = CliRunner().invoke(
        cli, ["bench", "rewrite", str(tmp_path / "one.onnx"), "--seconds", "0.1", "--runtime", "onnxruntime"]
    )
    assert run.exit_code == 0, run.output
    lines = run.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "one" in lines
    assert any("% of the time" in line for line in lines)
    assert any("timed: as it is: Resize Conv" in line for line in lines)


def test_what_cannot_be_measured(tmp_path):
    (tmp_path / "text.onnx").write_text("hello")
    from subpixel.errors import InputError, UsageError

    for arguments, error in (
        (["--only", "no such head"], UsageError),
        ([str(tmp_path / "text.onnx")], InputError),
        ([str(tmp_path / "text.onnx"), "--only", "k4"], UsageError),
        ([str(tmp_path / "text.onnx"), "--runtime", "torch"], UsageError),
    ):
        run = CliRunner().invoke(cli, ["bench", "rewrite", *arguments])
        assert isinstance(run.exception, error)


def test_bench_alone_is_what_it_was():
    run = CliRunner().invoke(cli, ["bench", "--help"])
    assert "--rounds" in run.stdout
    assert "rewrite" in run.stdout
