"""What `subpixel rewrite` cannot use, as a user meets it: one sentence, exit code 1, nothing written."""

from __future__ import annotations

import os
import subprocess
import sys
from errno import ENOSPC
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from rewrite.graphs import counts, graph, node, whole
from subpixel.cli import cli
from subpixel.errors import InputError, OutputError

X: Any = {"x": ["N", 5, "H", "W"]}


def good() -> onnx.ModelProto:
    return graph([node("ConvTranspose", "x w", "y", strides=[2, 2])], X, "y", w=whole(5, 3, 2, 2))


def not_onnx(path: Path) -> None:
    path.write_text("a shopping list\n" * 40)


def truncated(path: Path) -> None:
    content = good().SerializeToString()
    path.write_bytes(content[: len(content) * 2 // 3])


def truncated_in_a_header(path: Path) -> None:
    path.write_bytes(good().SerializeToString()[:7])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def another_protobuf(path: Path) -> None:
    path.write_bytes(numpy_helper.from_array(whole(3, 4), "w").SerializeToString())


def invalid_graph(path: Path) -> None:
    """A node reads what nobody wrote."""
    model = good()
    model.graph.node[0].input[0] = "nowhere"
    path.write_bytes(model.SerializeToString())


def cyclic_graph(path: Path) -> None:
    model = good()
    model.graph.node.append(node("Relu", "b", "a"))
    model.graph.node.append(node("Relu", "a", "b"))
    path.write_bytes(model.SerializeToString())


def output_that_nobody_writes(path: Path) -> None:
    model = good()
    model.graph.output[0].name = "lost"
    path.write_bytes(model.SerializeToString())


def weight_shorter_than_its_shape(path: Path) -> None:
    model = good()
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-8]
    path.write_bytes(model.SerializeToString())


def wrong_channels(path: Path) -> None:
    """A weight for four maps, an input of five: no runtime takes it."""
    path.write_bytes(
        graph([node("ConvTranspose", "x w", "y", strides=[2, 2])], X, "y", w=whole(4, 3, 2, 2)).SerializeToString()
    )


def unknown_opset(path: Path) -> None:
    model = good()
    model.opset_import[0].version = 999
    path.write_bytes(model.SerializeToString())


def nan_weight(path: Path) -> None:
    w = whole(5, 3, 2, 2)
    w[1, 2, 0, 1] = np.nan
    path.write_bytes(graph([node("ConvTranspose", "x w", "y", strides=[2, 2])], X, "y", w=w).SerializeToString())


def nan_in_a_constant_node(path: Path) -> None:
    w = whole(5, 3, 2, 2)
    w[1, 2, 0, 1] = np.nan
    constant = helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(w, "inner"))
    path.write_bytes(graph([constant, node("ConvTranspose", "x w", "y", strides=[2, 2])], X, "y").SerializeToString())


def nan_inside_a_branch(path: Path) -> None:
    w = whole(5, 3, 2, 2)
    w[1, 2, 0, 1] = np.nan

    def body(name: str) -> onnx.GraphProto:
        out = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        kernel = numpy_helper.from_array(w, f"w{name}")
        return helper.make_graph([node("ConvTranspose", f"x w{name}", name)], name, [], [out], [kernel])

    branch = helper.make_node("If", ["c"], ["y"], then_branch=body("a"), else_branch=body("b"))
    path.write_bytes(graph([branch], X, "y", c=np.array(True)).SerializeToString())


def data_outside(path: Path) -> None:
    """External data that names a file of the machine (CVE-2025-51480)."""
    onnx.save(good(), path, save_as_external_data=True, size_threshold=0, location="w.bin")
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer[0].external_data[0].value = "../w.bin"
    (path.parent / "w.bin").rename(path.parent.parent / "w.bin")
    path.write_bytes(model.SerializeToString())


def data_absolute(path: Path) -> None:
    data_outside(path)
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer[0].external_data[0].value = str(path.parent.parent / "w.bin")
    path.write_bytes(model.SerializeToString())


def data_through_a_link(path: Path) -> None:
    data_outside(path)
    (path.parent / "w.bin").symlink_to(path.parent.parent / "w.bin")
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer[0].external_data[0].value = "w.bin"
    path.write_bytes(model.SerializeToString())


def data_missing(path: Path) -> None:
    onnx.save(good(), path, save_as_external_data=True, size_threshold=0, location="w.bin")
    (path.parent / "w.bin").unlink()


def changed_weight(path: Path, **changes: Any) -> None:
    """External data of 240 bytes whose tensor says something else of itself."""
    onnx.save(good(), path, save_as_external_data=True, size_threshold=0, location="w.bin")
    model = onnx.load(path, load_external_data=False)
    tensor = model.graph.initializer[0]
    tensor.external_data[0].value = changes.get("location", "w.bin")
    tensor.data_type = changes.get("data_type", TensorProto.FLOAT)
    tensor.dims[0] = changes.get("maps", 5)
    path.write_bytes(model.SerializeToString())


def data_whose_name_is_none(path: Path) -> None:
    changed_weight(path, location="w\0.bin")


def data_with_a_long_name(path: Path) -> None:
    changed_weight(path, location="w" * 5000)


def data_of_no_type(path: Path) -> None:
    changed_weight(path, data_type=99)


def data_of_negative_size(path: Path) -> None:
    changed_weight(path, maps=-5)


def data_too_short(path: Path) -> None:
    onnx.save(good(), path, save_as_external_data=True, size_threshold=0, location="w.bin")
    (path.parent / "w.bin").write_bytes(b"1234")


CASES = {
    not_onnx: "no ONNX model",
    truncated: "cut short",
    truncated_in_a_header: "m.onnx",
    empty: "it has no nodes",
    another_protobuf: "m.onnx",
    invalid_graph: "not valid ONNX",
    cyclic_graph: "not valid ONNX",
    output_that_nobody_writes: "lost",
    weight_shorter_than_its_shape: "'w'",
    unknown_opset: "opset 999",
    nan_weight: "holds NaN in the weight 'w'",
    nan_in_a_constant_node: "holds NaN",
    nan_inside_a_branch: "holds NaN in the weight 'w",
    data_outside: "outside its own folder",
    data_absolute: "outside its own folder",
    data_through_a_link: "outside its own folder",
    data_missing: "w.bin",
    data_too_short: "keeps weights in a file that cannot be read",
    data_whose_name_is_none: "keeps weights in a file that cannot be read",
    data_with_a_long_name: "keeps weights in a file that cannot be read",
    data_of_no_type: "'w' is of no known type or size",
    data_of_negative_size: "'w' is of no known type or size",
}


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
@pytest.mark.parametrize("goal", ["lr", "fastest"])
def test_one_sentence(make: Any, goal: str, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    make(folder / "m.onnx")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    arguments = ["rewrite", str(folder / "m.onnx"), "-o", str(folder / "o.onnx"), "--goal", goal]
    run = CliRunner().invoke(cli, [*arguments, "--report", str(folder / "r.json"), "--input", "x=1x5x6x7"])
    assert isinstance(run.exception, InputError), run.exception  # the entry point makes it exit code 1: below
    sentence = str(run.exception)
    assert CASES[make] in sentence
    assert "\n" not in sentence
    assert len(sentence) < 400
    assert {path: path.read_bytes() for path in folder.iterdir()} == before  # nothing written, nothing changed


def subpixel(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "subpixel", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=False)


def test_the_real_command(tmp_path: Path) -> None:
    truncated(tmp_path / "m.onnx")
    done = subpixel("rewrite", tmp_path / "m.onnx", "-o", tmp_path / "o.onnx", "--goal", "lr")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("subpixel: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "o.onnx").exists()


def test_missing_shapes_are_asked_for(tmp_path: Path) -> None:
    onnx.save(good(), tmp_path / "m.onnx")
    run = CliRunner().invoke(cli, ["rewrite", str(tmp_path / "m.onnx"), "-o", str(tmp_path / "o.onnx")])
    assert isinstance(run.exception, InputError)
    assert "--input x=1x5x224x224" in str(run.exception)
    assert not (tmp_path / "o.onnx").exists()


@pytest.mark.parametrize("goal", ["lr", "deconv"])
def test_what_is_unknown_around_a_site_is_left_alone(goal: str, tmp_path: Path) -> None:
    """Custom operators before and after, and an operator of ONNX that no reader knows."""
    nodes = [
        helper.make_node("Secret", ["x"], ["a"], domain="com.example", key=3),
        node("Conv", "a v", "c", pads=[1] * 4),
        node("DepthToSpace", "c", "d", blocksize=2, mode="CRD"),
        node("LRN", "d", "e", size=3),
        node("ConvTranspose", "e w", "f", strides=[2, 2]),
        helper.make_node("Secret", ["f"], ["y"], domain="com.example", key=4),
    ]
    weights = {"v": whole(12, 5, 3, 3), "w": whole(3, 2, 2, 2)}
    model = graph(nodes, X, "y", domain="com.example", **weights)
    # nobody can say what Secret gives: shapes inside are stated, as exporters do
    for name, C in (("a", 5), ("e", 3), ("c", 12), ("d", 3)):
        shape = ["N", C, f"h{name}", f"w{name}"]
        model.graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    onnx.save(model, tmp_path / "m.onnx")
    run = CliRunner().invoke(cli, ["rewrite", str(tmp_path / "m.onnx"), "-o", str(tmp_path / "o.onnx"), "--goal", goal])
    assert run.exit_code == 0, run.output
    after = onnx.load(tmp_path / "o.onnx")
    assert [n for n in after.graph.node if n.op_type == "Secret"] == [n for n in nodes if n.op_type == "Secret"]
    left = counts(after)
    assert left["LRN"] == 1
    assert left["ConvTranspose" if goal == "lr" else "DepthToSpace"] == 0


def test_the_folders_of_the_result_are_made(tmp_path: Path) -> None:
    (tmp_path / "good.onnx").write_bytes(good().SerializeToString())
    output, report = tmp_path / "no" / "such" / "o.onnx", tmp_path / "reports" / "r.json"
    given = ["rewrite", str(tmp_path / "good.onnx"), "--goal", "lr", "-o", str(output), "--report", str(report)]
    assert CliRunner().invoke(cli, given).exit_code == 0
    assert counts(onnx.load(output))["ConvTranspose"] == 0
    assert report.is_file()


def test_folders_made_for_nothing_are_gone_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full when the model is written."""
    (tmp_path / "good.onnx").write_bytes(good().SerializeToString())
    fill_the_disk(monkeypatch, 1)
    given = ["rewrite", str(tmp_path / "good.onnx"), "--goal", "lr", "-o", str(tmp_path / "no" / "such" / "o.onnx")]
    assert isinstance(CliRunner().invoke(cli, given).exception, OutputError)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good.onnx"]


@pytest.mark.parametrize("writes", [1, 2])
def test_a_model_and_its_weights_are_written_both_or_none(
    writes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    onnx.save(good(), tmp_path / "m.onnx", save_as_external_data=True, size_threshold=0, location="w.bin")
    given = ["rewrite", str(tmp_path / "m.onnx"), "--goal", "lr", "-o", str(tmp_path / "o.onnx")]
    assert CliRunner().invoke(cli, given).exit_code == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(before) == 4
    fill_the_disk(monkeypatch, writes)
    outcome = CliRunner().invoke(cli, [*given[:-1], str(tmp_path / "other.onnx")])
    assert isinstance(outcome.exception, OutputError)
    assert "No space left" in str(outcome.exception)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def fill_the_disk(monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    """The disk is full at so many files."""
    right, calls = os.fsync, count(1)

    def full(file: int) -> None:
        if next(calls) == writes:
            raise OSError(ENOSPC, os.strerror(ENOSPC))
        right(file)

    monkeypatch.setattr(os, "fsync", full)


def test_a_place_that_is_no_folder_is_refused_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import subpixel.rewriting

    def work(*given: object, **options: object) -> None:
        raise AssertionError("it worked for nothing")

    monkeypatch.setattr(subpixel.rewriting, "rewrite", work)
    (tmp_path / "good.onnx").write_bytes(good().SerializeToString())
    (tmp_path / "file").write_text("no folder")
    for options in (["-o", "file/o.onnx"], ["-o", "o.onnx", "--report", "file/new/r.html"]):
        monkeypatch.chdir(tmp_path)
        outcome = CliRunner().invoke(cli, ["rewrite", "good.onnx", "--goal", "lr", *options])
        assert isinstance(outcome.exception, OutputError)
        assert "file is no folder" in str(outcome.exception)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "good.onnx"]
