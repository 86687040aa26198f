"""What a file says of sizes is held against its inputs: leftovers of an export, defaults, computed sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from rewrite.graphs import graph, node, outputs_of, rng, whole
from subpixel.rewriting import rewrite
from subpixel.rewriting.graph.inference import infer, types_of
from subpixel.rewriting.graph.sizes import Size, evaluate
from subpixel.rewriting.graph.view import View
from subpixel.rewriting.proof.running import Runner

X: Any = {"x": [1, 3, "H", "W"]}
FLOOR: Any = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def states(model: onnx.ModelProto, **shapes: Sequence[int | str]) -> onnx.ModelProto:
    """The model with such shapes in its value_info."""
    for name, shape in shapes.items():
        model.graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    return model


def same(a: onnx.ModelProto, b: onnx.ModelProto, sizes: Sequence[tuple[int, int]], batch: int = 1) -> None:
    before, after = Runner(a), Runner(b)
    for size in sizes:
        x = rng.integers(-4, 5, (batch, 3, *size)).astype(np.float32)
        np.testing.assert_array_equal(before({"x": x}), after({"x": x}))


def reason(model: onnx.ModelProto, goal: str = "lr") -> str:
    result = rewrite(model, goal)
    assert result.report["rewritten"] == 0
    (site,) = result.report["sites"]
    return str(site["refused"])


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_sizes_left_from_an_export_are_not_believed(mode: str) -> None:
    nodes = [
        node("Conv", "x w", "a", pads=[1] * 4),
        node("Resize", "a - s", "b", mode=mode),
        node("Conv", "b v", "y", pads=[1] * 4),
    ]
    weights = {"w": whole(4, 3, 3, 3), "v": whole(2, 4, 3, 3) * 64, "s": np.array([1, 1, 2, 2], np.float32)}
    model = states(graph(nodes, X, "y", **weights), a=[1, 4, 2, 2], b=[1, 4, 4, 4])
    result = rewrite(model, "lr")
    assert result.report["rewritten"] == 1
    same(model, result.model, [(4, 6), (8, 5), (17, 12)])


def test_an_output_shape_needs_the_true_size() -> None:
    nodes = [
        node("Conv", "x w", "a", pads=[1] * 4),
        node("ConvTranspose", "a v", "y", strides=[2, 2], output_shape=[4, 4]),
    ]
    model = states(graph(nodes, X, "y", w=whole(4, 3, 3, 3), v=whole(4, 2, 4, 4)), a=[1, 4, 2, 2])
    assert "needs the input's size" in reason(model)


def test_behind_a_custom_operator_its_maps_are_known_and_its_open_sizes_are_not() -> None:
    op = helper.make_node("Magic", ["x"], ["a"], domain="own")
    model = graph([op, node("Relu", "a", "y")], X, "y", domain="own")
    model = states(model, a=[1, 4, 2, 2])
    types = types_of(infer(model).graph)
    assert types["a"] == (TensorProto.FLOAT, (None, 4, None, None))
    for d in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        d.dim_value = 9
    assert types_of(infer(model).graph)["a"] == (TensorProto.FLOAT, (1, 4, 2, 2))


def computed(by: float) -> onnx.ModelProto:
    """Resize to floor(by · size)."""
    nodes = [
        node("Shape", "x", "s"),
        node("Slice", "s two four", "hw"),
        node("Cast", "hw", "f", to=TensorProto.FLOAT),
        node("Mul", "f c", "g"),
        node("Floor", "g", "h"),
        node("Cast", "h", "i", to=TensorProto.INT64),
        node("Slice", "s zero two", "nc"),
        helper.make_node("Concat", ["nc", "i"], ["z"], axis=0),
        node("Resize", "x - - z", "a", **FLOOR),
        node("Conv", "a w", "y", pads=[1] * 4),
    ]
    numbers = {"zero": np.array([0]), "two": np.array([2]), "four": np.array([4]), "c": np.array([by], np.float32)}
    return graph(nodes, {"x": ["N", 3, "H", "W"]}, "y", w=whole(2, 3, 3, 3), **numbers)


def test_a_computed_factor_is_not_rounded() -> None:
    for by in (2.05, 2.5, 1.999):
        assert "factor cannot be proved" in reason(computed(by))
    model = computed(2.0)
    result = rewrite(model, "lr")
    assert result.report["rewritten"] == 1
    same(model, result.model, [(3, 4), (20, 41)], batch=2)


@pytest.mark.parametrize("goal", ["lr", "deconv"])
def test_a_weight_that_may_be_replaced_is_no_constant(goal: str) -> None:
    model = graph([node("ConvTranspose", "x w", "y", strides=[2, 2])], X, "y", w=whole(3, 2, 4, 4))
    if goal == "deconv":
        up = [node("Resize", "x - s", "u", **FLOOR), node("Conv", "u w", "y", pads=[1] * 4)]
        model = graph(up, X, "y", w=whole(2, 3, 3, 3), s=np.array([1, 1, 2, 2], np.float32))
    shape = [int(n) for n in model.graph.initializer[0].dims]
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, shape))
    assert "whoever runs it may replace it" in reason(model, goal)
    fixed = rewrite(model, goal, constant_weights=True)
    assert fixed.report["rewritten"] == 1
    assert [value.name for value in fixed.model.graph.input] == ["x"]
    assert [value.name for value in model.graph.input] == ["x", "w"]  # the given one is not touched
    same(model, fixed.model, [(3, 4), (5, 2)])
    older = onnx.ModelProto()
    older.CopyFrom(model)
    older.ir_version = 3  # there every weight is an input
    del older.opset_import[:]
    older.opset_import.append(helper.make_opsetid("", 8))
    if goal == "lr":
        for constant_weights in (False, True):  # constants they are either way
            result = rewrite(older, goal, constant_weights=constant_weights)
            assert result.report["rewritten"] == 1
            same(older, result.model, [(3, 4), (5, 2)])


def test_sizes_that_resize_the_batch_are_refused() -> None:
    def model(batch: int | str, size: int) -> onnx.ModelProto:
        nodes = [node("Resize", "x - - z", "a", **FLOOR), node("Conv", "a w", "y", pads=[1] * 4)]
        return graph(nodes, {"x": [batch, 3, 4, 4]}, "y", w=whole(2, 3, 3, 3), z=np.array([size, 3, 8, 8]))

    assert "its sizes give 2 for the batch, which is an open one" in reason(model("N", 2))
    assert "its sizes give 4 for the batch, which is 2" in reason(model(2, 4))
    stated = model(2, 2)
    result = rewrite(stated, "lr")
    assert result.report["rewritten"] == 1
    same(stated, result.model, [(4, 4)], batch=2)


@pytest.mark.parametrize("domain", ["", "com.microsoft"])
def test_a_size_that_the_numbers_of_an_input_decide_is_not_believed(domain: str) -> None:
    pad = helper.make_node("Pad", ["x", "pads"], ["u"], domain=domain)
    nodes = [pad, node("Resize", "u - - z", "v", mode="nearest"), node("Conv", "v w", "y", pads=[1] * 4)]
    weights = {"w": whole(2, 3, 3, 3), "z": np.array([1, 3, 16, 16])}
    model = graph(nodes, {"x": [1, 3, 4, 4], "pads": [8]}, "y", domain=domain, **weights)
    model.graph.input[1].type.tensor_type.elem_type = TensorProto.INT64
    result = rewrite(states(model, u=[1, 3, 8, 8]), "lr")
    feeds = {"x": whole(1, 3, 4, 4), "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1])}  # 6 samples, not 8
    for a, b in zip(outputs_of(model, feeds), outputs_of(result.model, feeds), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_gather_by_an_open_index_is_not_read() -> None:
    nodes = [
        node("Shape", "x", "s", start=2),
        node("Shape", "x", "b", end=1),
        node("Gather", "s one", "known"),
        node("Gather", "s b", "open"),
    ]
    model = graph(nodes, {"x": ["N", 3, "H", "W"]}, {"known": 1, "open": 1}, one=np.array([1]))
    view = View(model.graph, 17, types_of(infer(model).graph))
    assert evaluate(view, "known") == (Size(1, ("W",)),)
    assert evaluate(view, "open") is None
