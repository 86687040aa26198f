"""Weights in files beside the model: looked at where they lie, so that memory stays near the model's own size."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from rewrite.graphs import counts, graph, node, outputs_of, whole
from subpixel.cli import cli
from subpixel.errors import InputError, UsageError
from subpixel.rewriting import rewrite

MAPS = 512
LINUX = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to know the resident set")
LAYER = MAPS * MAPS * 9 * 4


def heavy(path: Path, size: int) -> int:
    """A network of about `size` bytes, a transposed convolution at its end, weights beside it. Returns the bytes."""
    rng, nodes, tensors, value = np.random.default_rng(0), [], [], "x"
    w = rng.standard_normal((MAPS, MAPS, 3, 3), dtype=np.float32) / 70
    for i in range(max(1, size // LAYER)):
        tensors.append(numpy_helper.from_array(np.roll(w, i, 0), f"w{i}"))
        nodes += [node("Conv", f"{value} w{i}", f"c{i}", pads=[1] * 4), node("Relu", f"c{i}", f"r{i}")]
        value = f"r{i}"
    tensors.append(numpy_helper.from_array(rng.standard_normal((MAPS, 3, 4, 4), dtype=np.float32), "t"))
    nodes.append(node("ConvTranspose", f"{value} t", "y", strides=[2, 2], pads=[1] * 4))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", MAPS, "H", "W"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3, "2H", "2W"])
    made = helper.make_graph(nodes, "heavy", [x], [y], tensors)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin")
    return (path.parent / "weights.bin").stat().st_size


COMMAND = """
import re, sys
from subpixel.cli import main
try:
    main()
finally:
    with open("/proc/self/status") as status:
        print("peak", re.search(r"VmHWM:\\s+(\\d+)", status.read())[1], file=sys.stderr)
"""


def peak(*arguments: object) -> int:
    """The largest resident set of the command, in bytes, by the operating system's account.

    The child asks for its own: what a parent gets to know of its children counts the parent before `exec`.
    """
    command = [sys.executable, "-c", COMMAND, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=False)
    assert done.returncode == 0, done.stderr
    return 1024 * int(done.stderr.split("peak")[-1])


def check(folder: Path, size: int, allowed: float, start: int = 0) -> None:
    weights = heavy(folder / "m.onnx", size)
    before = (folder / "weights.bin").stat()
    used = peak("rewrite", folder / "m.onnx", "-o", folder / "out.onnx", "--goal", "lr")
    print(f"{weights:,} bytes of weights, peak {used:,}: {used / weights:.2f} ×")
    assert used - start <= allowed * weights
    assert (folder / "weights.bin").stat().st_mtime_ns == before.st_mtime_ns
    after = onnx.load(folder / "out.onnx", load_external_data=False)
    assert counts(after)["ConvTranspose"] == 0
    assert (folder / "out.onnx").stat().st_size < 1 << 20
    assert (folder / "out.onnx.data").stat().st_size >= weights


@LINUX
def test_memory_stays_near_the_model_s_size(tmp_path: Path) -> None:
    """A small one of the gigabyte below; what the command needs before it reads anything is taken off."""
    (tmp_path / "small").mkdir()
    heavy(tmp_path / "small" / "m.onnx", 0)
    start = peak("rewrite", tmp_path / "small" / "m.onnx", "-o", tmp_path / "small" / "o.onnx", "--goal", "lr")
    check(tmp_path, 16 * LAYER, 1.5, start)


@pytest.mark.long
@LINUX
def test_a_gigabyte(tmp_path: Path) -> None:
    check(tmp_path, 10**9, 1.5)


def test_the_result_runs_to_the_same(tmp_path: Path) -> None:
    heavy(tmp_path / "m.onnx", 0)
    arguments = ["rewrite", str(tmp_path / "m.onnx"), "-o", str(tmp_path / "out.onnx"), "--goal", "lr"]
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    before, after = onnx.load(tmp_path / "m.onnx"), onnx.load(tmp_path / "out.onnx")
    feeds = {"x": np.random.default_rng(1).standard_normal((1, MAPS, 4, 5)).astype(np.float32)}
    (y,), (z,) = outputs_of(before, feeds), outputs_of(after, feeds)
    assert np.abs(y - z).max() <= 1e-5 * np.abs(y).max()
    verified = CliRunner().invoke(
        cli, ["verify", str(tmp_path / "m.onnx"), str(tmp_path / "out.onnx"), "--input", f"x=1x{MAPS}x4x5"]
    )
    assert verified.exit_code == 0, verified.output
    # in Python the weights are in the model, in memory
    model = rewrite(tmp_path / "m.onnx", "lr").model
    (z,) = outputs_of(model, feeds)
    assert np.abs(y - z).max() <= 1e-5 * np.abs(y).max()


@pytest.mark.parametrize(
    ("kind", "goal"), [(np.float16, "lr"), (np.float32, "lr"), (np.float64, "lr"), (np.float32, "fastest")]
)
def test_small_tensors_and_every_type(kind: Any, goal: str, tmp_path: Path) -> None:
    """Scales of a Resize, shapes and small weights beside the model as well as a large one."""
    nodes = [
        node("Resize", "x - s", "u", mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
        node("Conv", "u w", "c", pads=[1] * 4),
        node("Relu", "c", "y"),
    ]
    type_ = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    w = whole(40, 70, 3, 3).astype(kind)
    s = np.array([1, 1, 2, 2], np.float32)
    model = graph(nodes, {"x": ["N", 70, "H", "W"]}, "y", dtype=type_, w=w, s=s)
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, size_threshold=0, location="w.bin")
    done = rewrite(tmp_path / "m.onnx", goal, growth=None, inputs={"x": [1, 70, 4, 5]})
    alone = rewrite(onnx.load(tmp_path / "m.onnx"), "lr", growth=None)
    if goal == "lr":
        assert done.model == alone.model
        assert done.report["rewritten"] == (kind is not np.float64)  # no runtime here convolves float64
    assert not any(t.external_data for t in done.model.graph.initializer)


def test_output_never_falls_on_the_input_s_weights(tmp_path: Path) -> None:
    model = graph(
        [node("ConvTranspose", "x w", "y", strides=[2, 2])], {"x": ["N", 5, "H", "W"]}, "y", w=whole(5, 3, 2, 2)
    )
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, size_threshold=0, location="o.onnx.data")
    content = (tmp_path / "o.onnx.data").read_bytes()
    run = CliRunner().invoke(cli, ["rewrite", str(tmp_path / "m.onnx"), "-o", str(tmp_path / "o.onnx"), "--goal", "lr"])
    assert isinstance(run.exception, UsageError)
    assert "weights of the input" in str(run.exception)
    assert (tmp_path / "o.onnx.data").read_bytes() == content
    assert not (tmp_path / "o.onnx").exists()


def test_a_model_whose_weights_were_not_loaded(tmp_path: Path) -> None:
    model = graph(
        [node("ConvTranspose", "x w", "y", strides=[2, 2])], {"x": ["N", 5, "H", "W"]}, "y", w=whole(5, 3, 2, 2)
    )
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, size_threshold=0, location="w.bin")
    with pytest.raises(InputError, match="give its path instead"):
        rewrite(onnx.load(tmp_path / "m.onnx", load_external_data=False), "lr")


def test_links_that_form_a_loop(tmp_path: Path) -> None:
    model = graph([node("ConvTranspose", "x w", "y")], {"x": ["N", 5, "H", "W"]}, "y", w=whole(5, 3, 2, 2))
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, size_threshold=0, location="w.bin")
    (tmp_path / "w.bin").unlink()
    (tmp_path / "w.bin").symlink_to("other.bin")
    (tmp_path / "other.bin").symlink_to("w.bin")
    with pytest.raises(InputError, match=r"'w\.bin'"):
        rewrite(tmp_path / "m.onnx", "lr")
