"""Quantised graphs (QDQ): a spelling that only moves taps keeps every integer; new scales are refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rewrite.graphs import counts, node, outputs_of
from subpixel.rewriting import rewrite
from subpixel.rewriting.reading.quantised import Grid

rng = np.random.default_rng(11)


def qdq(
    op: str = "ConvTranspose",
    per_map: bool = False,
    zero: int = 0,
    bias: bool = True,
    groups: int = 1,
    after: list[onnx.NodeProto] | None = None,
    **attributes: Any,
) -> onnx.ModelProto:
    """x → Q → DQ → layer with weights (and bias) behind DQ → Q → DQ, as quantisers write it; scales are any numbers."""
    O, C = 3 * groups, 4 * groups
    axis = 1 if op == "ConvTranspose" else 0
    shape = (C, O // groups, 4, 4) if op == "ConvTranspose" else (O, C // groups, 3, 3)
    scale = rng.uniform(0.01, 0.1, O if per_map else ()).astype(np.float32)
    weights: dict[str, np.ndarray] = {
        "q": rng.integers(-128, 128, shape).astype(np.int8),
        "ws": scale,
        "wz": np.full(scale.shape, zero, np.int8),
        "xs": np.array(0.037, np.float32),
        "xz": np.array(3, np.int8),
        "ys": np.array(1.7, np.float32),
    }
    extra = {"axis": axis} if per_map else {}
    nodes = [
        node("QuantizeLinear", "x xs xz", "a"),
        node("DequantizeLinear", "a xs xz", "b"),
        node("DequantizeLinear", "q ws wz", "w", **extra),
    ]
    if bias:
        weights["bq"] = rng.integers(-900, 900, O).astype(np.int32)
        weights["bs"] = (scale * np.float32(0.037)).astype(np.float32)
        weights["bz"] = np.zeros(scale.shape, np.int32)
        nodes.append(node("DequantizeLinear", "bq bs bz", "d", **({"axis": 0} if per_map else {})))
    nodes.append(node(op, "b w d" if bias else "b w", "u", group=groups, **attributes))
    nodes += after or []
    nodes += [node("QuantizeLinear", "u ys xz", "v"), node("DequantizeLinear", "v ys xz", "y")]
    made = helper.make_graph(
        nodes,
        "qdq",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", C, "H", "W"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", O, "P", "Q"])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


UP: Any = {"strides": [2, 2], "pads": [1] * 4}


def integers(model: onnx.ModelProto) -> dict[int, int]:
    """How often each 8-bit weight occurs, zeros left out."""
    values = [numpy_helper.to_array(t) for t in model.graph.initializer if t.data_type == TensorProto.INT8]
    flat = np.concatenate([v.reshape(-1) for v in values if v.ndim == 4])
    return dict(zip(*(a.tolist() for a in np.unique(flat[flat != 0], return_counts=True)), strict=True))


@pytest.mark.parametrize(("per_map", "groups"), [(False, 1), (True, 1), (False, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_transposed_convolution_keeps_its_integers(per_map: bool, bias: bool, groups: int) -> None:
    model = qdq(per_map=per_map, bias=bias, groups=groups, **UP)
    result = rewrite(model, "lr")
    assert result.report["rewritten"] == 1, result.report["sites"]
    left = counts(result.model)
    assert (left["ConvTranspose"], left["Conv"], left["DepthToSpace"]) == (0, 1, 1)
    assert left["DequantizeLinear"] == 3 + bias
    onnx.checker.check_model(result.model, full_check=True)
    assert integers(result.model) == integers(model)  # the same numbers, each as often
    (site,) = result.report["sites"]
    assert site["proof"]["normal_form"]
    assert site["weights_before"] > 0
    x = rng.standard_normal((2, 4 * groups, 5, 7)).astype(np.float32) * 2
    (a,), (b,) = outputs_of(model, {"x": x}), outputs_of(result.model, {"x": x})
    # in float the sums' order may move a value across a rounding boundary of the output's scale, by one step at most
    assert np.abs(a - b).max() <= 1.7 * 1.001
    assert (a != b).mean() < 0.01
    again = rewrite(result.model, "lr")
    assert again.report["rewritten"] == 0


def test_the_way_back_keeps_them_too() -> None:
    there = rewrite(qdq(per_map=True, **UP), "lr").model
    back = rewrite(there, "deconv")
    assert back.report["rewritten"] == 1, back.report["sites"]
    assert counts(back.model)["ConvTranspose"] == 1
    assert integers(back.model) == integers(there)


def test_a_zero_point_is_kept() -> None:
    model = qdq(zero=5, **UP)
    result = rewrite(model, "lr")
    assert result.report["rewritten"] == 1, result.report["sites"]
    zeros = [numpy_helper.to_array(t) for t in result.model.graph.initializer if "zero" in t.name]
    assert any((z == 5).all() for z in zeros)


def test_sums_of_taps_are_refused_by_name() -> None:
    """Nearest ×2 and a 3×3 convolution: adding up taps leaves the eight bits."""
    model = qdq("Conv", pads=[1] * 4)
    asymmetric = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    resize = node("Resize", "b - s2", "up", mode="nearest", **asymmetric)
    at = next(i for i, n in enumerate(model.graph.node) if n.op_type == "Conv")
    model.graph.node[at].input[0] = "up"
    model.graph.node.insert(at, resize)
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "s2"))
    (site,) = rewrite(model, "lr").report["sites"]
    assert site["law"] == "QDQ"
    assert "is not among the numbers of its scales" in site["refused"]
    model = qdq(after=[], **UP)
    model.graph.node[-2].input[0] = "m"
    model.graph.node.insert(len(model.graph.node) - 2, node("Mul", "u k", "m"))
    model.graph.initializer.append(numpy_helper.from_array(np.float32([[[1.5]], [[0.3]], [[2]]])[None], "k"))
    result = rewrite(model, "lr")  # the scale after it stays where it is, the shorter cut goes
    assert (result.report["rewritten"], counts(result.model)["Mul"]) == (1, 1)


def test_a_grid_knows_its_numbers() -> None:
    grid = Grid(np.dtype(np.int8), np.float32([0.1, 0.3]), 0)
    numbers = (np.array([[3], [-4]]) * grid.scale[:, None]).astype(np.float32)
    for shuffled in (np.repeat(numbers, 2, 0), np.tile(numbers, (2, 1))):
        found = grid.stored(shuffled, 0)
        assert found is not None
        assert (found[0].astype(np.float32) * found[1][:, None] == shuffled).all()
    assert grid.stored(numbers * 2.5, 0) is None
    assert grid.stored(numbers * 64, 0) is None  # beyond eight bits
    assert grid.stored(np.ones((3, 1)), 0) is None
