"""`subpixel rewrite`, `verify` and `inspect` as their users meet them."""

import json
import signal
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

from rewrite.graphs import graph, node, whole
from subpixel import cli as command
from subpixel.errors import UsageError


@pytest.fixture
def subpixel(monkeypatch, tmp_path):
    """`subpixel ARGUMENTS...` through the real entry point, inside tmp_path: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with CliRunner().isolation() as (out, err, _):
            before = signal.getsignal(signal.SIGTERM)
            monkeypatch.setattr(sys, "argv", ["subpixel", *map(str, arguments)])
            with pytest.raises(SystemExit) as ended:
                command.main()
            signal.signal(signal.SIGTERM, before)
            return ended.value.code, out.getvalue().decode(), err.getvalue().decode()

    return run


@pytest.fixture
def model(tmp_path):
    made = graph(
        [node("ConvTranspose", "x w", "y", strides=[2, 2])], {"x": ["N", 5, "H", "W"]}, "y", w=whole(5, 3, 4, 4)
    )
    onnx.save(made, tmp_path / "m.onnx")
    return made


def test_rewrite_then_verify(subpixel, model, tmp_path):
    before = (tmp_path / "m.onnx").read_bytes()
    code, out, err = subpixel("rewrite", "m.onnx", "-o", "out.onnx", "--goal", "lr", "--report", "r.json")
    assert (code, err) == (0, "")
    assert "1 of 1 site rewritten, proved equal" in out
    assert max(map(len, out.splitlines())) <= 80
    assert not any(n.op_type == "ConvTranspose" for n in onnx.load(tmp_path / "out.onnx").graph.node)
    assert json.loads((tmp_path / "r.json").read_text())["rewritten"] == 1
    assert (tmp_path / "m.onnx").read_bytes() == before
    code, out, _ = subpixel("verify", "m.onnx", "out.onnx", "--input", "x=1x5x6x7", "--json")
    assert code == 0
    assert json.loads(out)["equal"] is True
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(whole(5, 3, 4, 4), "w"))
    onnx.save(model, tmp_path / "other.onnx")
    code, out, _ = subpixel("verify", "m.onnx", "other.onnx", "--input", "x=1x5x6x7")
    assert code == 1
    assert "NOT equal" in out


def test_reports_by_their_endings_and_a_device(subpixel, model, tmp_path):
    sized = ("--input", "x=1x5x6x7")
    code, out, err = subpixel(
        "rewrite", "m.onnx", "-o", "o.onnx", "--goal", "lr", *sized, "--report", "r.json", "--report", "r.html"
    )
    assert (code, err) == (0, "")
    assert json.loads((tmp_path / "r.json").read_text())["sites"][0]["before"][0]["op"] == "ConvTranspose"
    assert "<svg" in (tmp_path / "r.html").read_text()
    onnx.save(model, tmp_path / "m.onnx")
    code, out, _ = subpixel("rewrite", "m.onnx", "-o", "o.onnx", "--profile", "coreml")
    assert (code, "nothing to rewrite" in out) == (0, True)
    (tmp_path / "mine.toml").write_text(
        'device = "mine"\n[ConvTranspose]\nsupported = false\n[Reshape]\nsupported=false'
    )
    code, out, _ = subpixel("rewrite", "m.onnx", "-o", "o.onnx", "--profile", "mine.toml", "--json")
    assert (code, json.loads(out)["rewritten"]) == (0, 1)
    limits = ("ConvTranspose", "Conv")
    (tmp_path / "mine.toml").write_text('device = "mine"' + "".join(f"\n[{op}]\nsupported = false" for op in limits))
    code, out, _ = subpixel("rewrite", "m.onnx", "-o", "o2.onnx", "--profile", "mine.toml")
    assert code == 1
    assert "not met: ConvTranspose the_y: mine has no ConvTranspose" in out
    assert max(map(len, out.splitlines())) <= 80
    assert (tmp_path / "o2.onnx").exists()


def test_the_cap_on_growth(subpixel, tmp_path):
    made = graph(
        [node("DepthToSpace", "x", "u", blocksize=4, mode="CRD"), node("Conv", "u w", "y", pads=[1] * 4)],
        {"x": ["N", 256, "H", "W"]},
        "y",
        w=whole(32, 16, 3, 3),
    )
    onnx.save(made, tmp_path / "wide.onnx")
    code, out, _ = subpixel("rewrite", "wide.onnx", "-o", "o.onnx", "--goal", "lr", "--growth", 1)
    assert (code, "beyond the cap of 1×" in " ".join(out.split())) == (0, True)
    code, out, _ = subpixel("rewrite", "wide.onnx", "-o", "o.onnx", "--goal", "lr", "--growth", "off")
    assert (code, "1 of 1 site rewritten" in " ".join(out.split())) == (0, True)


def test_inspect(subpixel, model):
    code, out, _ = subpixel("inspect", "m.onnx")
    assert code == 0
    assert "transposed convolution 4×4, stride 2×2, 5→3 maps" in out
    code, out, _ = subpixel("inspect", "m.onnx", "--input", "x=1x5x6x7", "--json", "--threads", 1)
    assert json.loads(out)["sites"][0]["macs"] > 0


def test_what_cannot_be_used_is_one_sentence_and_writes_nothing(subpixel, model, tmp_path):
    content = (tmp_path / "m.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.onnx").write_text("hello")
    w = whole(5, 3, 4, 4)
    w[0, 0, 0, 0] = np.nan
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(w, "w"))
    onnx.save(model, tmp_path / "nan.onnx")
    cases = [
        (1, "cut short", "cut.onnx", "-o", "o.onnx"),
        (1, "text.onnx", "text.onnx", "-o", "o.onnx"),
        (1, "NaN", "nan.onnx", "-o", "o.onnx", "--goal", "lr"),
        (1, "does not exist", "none.onnx", "-o", "o.onnx"),
        (1, "--input x=1x5x224x224", "m.onnx", "-o", "o.onnx"),
        (2, "no input 'z'", "m.onnx", "-o", "o.onnx", "--input", "x=1x5x6x7", "--input", "z=1"),
        (2, "never overwritten", "m.onnx", "-o", "m.onnx"),
        (2, "needs that ending", "m.onnx", "-o", "o.onnx", "--report", "m.onnx"),
        (2, "needs that ending", "m.onnx", "-o", "o.txt"),
        (2, "is no name and shape", "m.onnx", "-o", "o.onnx", "--input", "x=1x0"),
        (2, "give one of them", "m.onnx", "-o", "o.onnx", "--goal", "lr", "--profile", "tidl"),
        (2, "belongs to --goal lr", "m.onnx", "-o", "o.onnx", "--lift"),
        (2, "unknown profile 'tpu'", "m.onnx", "-o", "o.onnx", "--profile", "tpu"),
        (1, "mine.toml does not exist", "m.onnx", "-o", "o.onnx", "--profile", "mine.toml"),
        (2, "neither a number from 1 on nor off", "m.onnx", "-o", "o.onnx", "--growth", "much"),
    ]
    for expected, message, *arguments in cases:
        code, out, err = subpixel("rewrite", *arguments)
        assert (code, out) == (expected, ""), arguments
        assert message in err
        assert "Traceback" not in err
    assert not (tmp_path / "o.onnx").exists()
    assert (tmp_path / "m.onnx").read_bytes() == content


def test_what_only_measuring_needs_is_refused_where_nothing_is_measured(tmp_path: Path) -> None:
    for goal in (["--goal", "lr"], ["--goal", "deconv"], ["--profile", "tidl"]):
        for option in (["--runtime", "openvino"], ["--threads", "2"]):
            args = ["rewrite", str(tmp_path / "a.onnx"), "-o", str(tmp_path / "b.onnx"), *goal, *option]
            result = CliRunner().invoke(command.cli, args)
            assert isinstance(result.exception, UsageError)
            assert f"{option[0]} says how --goal fastest measures" in str(result.exception)
