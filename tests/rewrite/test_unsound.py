"""Models that are none, models with functions of their own, and inputs that are no tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from rewrite.graphs import graph, node, outputs_of, rewritten, whole
from subpixel.errors import InputError
from subpixel.rewriting import inspect, rewrite, verify

X: Any = {"x": ["N", 3, "H", "W"]}


def transposed(maps: int = 3, **attributes: Any) -> onnx.ModelProto:
    attributes = {"strides": [2, 2], **attributes}
    return graph([node("ConvTranspose", "x w", "y", **attributes)], X, "y", w=whole(maps, 2, 4, 4))


def convolution() -> onnx.ModelProto:
    return graph([node("Conv", "x w", "y", group=3)], X, "y", w=whole(3, 2, 3, 3))


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (transposed(strides=[0, 2]), "strides must only contain positive values"),
        (transposed(strides=[2]), "strides has incorrect size"),
        (transposed(group=2), "must be divisible by group"),
        (transposed(maps=5), "ConvTranspose the_y has a weight for 5 maps and an input of 3"),
        (convolution(), "the_y|Conv"),
        (graph([node("DepthToSpace", "x", "y", blocksize=0)], X, "y"), "Blocksize must be positive"),
    ],
)
def test_what_no_operator_can_compute_is_refused(model: onnx.ModelProto, text: str) -> None:
    for use in (lambda: rewrite(model, "lr"), lambda: inspect(model), lambda: rewrite(model, profile="tidl")):
        with pytest.raises(InputError, match=text) as caught:
            use()
        assert "\n" not in str(caught.value)


def with_function() -> onnx.ModelProto:
    body = [helper.make_node("ConvTranspose", ["a", "b"], ["c"], strides=[2, 2], pads=[1] * 4)]
    model = graph([node("Relu", "x", "y")], X, "y", domain="own", w=whole(3, 2, 4, 4))
    model.graph.node[0].CopyFrom(helper.make_node("Up", ["x", "w"], ["y"], domain="own"))
    model.functions.append(helper.make_function("own", "Up", ["a", "b"], ["c"], body, [helper.make_opsetid("", 17)]))
    return model


def test_functions_of_the_model_are_looked_into() -> None:
    model = with_function()
    result = rewritten(model, law="A2", gone="ConvTranspose", has="DepthToSpace")
    assert not result.model.functions
    assert [site["op"] for site in inspect(model)["sites"]] == ["ConvTranspose"]
    kept = rewrite(model, "deconv")
    assert kept.report["rewritten"] == 0
    assert kept.model == model


def test_inputs_that_are_no_tensors() -> None:
    model = graph([node("SequenceAt", "x i", "y")], X, "y", i=np.array(0))
    model.graph.input[0].CopyFrom(helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, [2]))
    for use in (lambda: verify(model, model), lambda: inspect(model), lambda: rewrite(model)):
        with pytest.raises(InputError, match="input 'x' is a sequence, and only tensors"):
            use()
    assert rewrite(model, "lr").report["rewritten"] == 0


def test_an_input_without_a_shape_is_asked_for_and_taken() -> None:
    model = graph([node("Relu", "x", "y")], X, "y")
    model.graph.input[0].type.tensor_type.ClearField("shape")
    model.graph.output[0].type.tensor_type.ClearField("shape")
    with pytest.raises(InputError, match=r"has no stated shape: .* --input x=1x3x224x224"):
        verify(model, model)
    assert verify(model, model, inputs={"x": [1, 3, 4, 5]})["equal"]
    assert not model.graph.input[0].type.tensor_type.HasField("shape")
    with pytest.raises(InputError, match=r"input 'x' of the model has no stated shape: .* --input x=1x3x224x224"):
        rewrite(model, "lr")
    assert rewrite(model, "lr", inputs={"x": [1, 3, 4, 5]}).report["rewritten"] == 0
    model.graph.node[0].CopyFrom(helper.make_node("Magic", ["x"], ["y"], domain="own"))
    model.opset_import.append(helper.make_opsetid("own", 1))
    with pytest.raises(InputError, match="output 'y' of the model has no stated shape, and none follows"):
        rewrite(model, "lr", inputs={"x": [1, 3, 4, 5]})


def test_an_output_without_a_shape_is_no_obstacle() -> None:
    model = graph([node("ConvTranspose", "x w", "y", strides=[2, 2])], X, "y", w=whole(3, 2, 2, 2))
    model.graph.output[0].type.tensor_type.ClearField("shape")
    assert rewrite(model, "lr").report["rewritten"] == 1


def test_a_factor_beyond_all_memory_is_refused_before_anything_is_allocated() -> None:
    nodes = [node("Resize", "x - s", "u", mode="nearest"), node("Conv", "u w", "y")]
    scales = np.array([1, 1, 1e5, 1e5], np.float32)
    (site,) = rewrite(graph(nodes, X, "y", w=whole(2, 3, 3, 3), s=scales), "lr").report["sites"]
    assert site["law"] == "cap"
    assert "100000×100000" in site["refused"]


def test_a_model_that_the_runtime_does_not_know_is_returned_by_fastest_with_the_reason() -> None:
    nodes = [node("ConvTranspose", "x w", "a", strides=[2, 2]), helper.make_node("Magic", ["a"], ["y"], domain="own")]
    model = graph(nodes, {"x": [1, 3, 4, 5]}, "y", domain="own", w=whole(3, 2, 4, 4))
    result = rewrite(model)
    assert result.model == model
    (site,) = result.report["sites"]
    assert "own.Magic" in site["refused"]


def looped(nodes: list[onnx.NodeProto], carried: str, start: str, output: str, **weights: Any) -> onnx.ModelProto:
    """A loop of two turns over `nodes`, which make `next` out of what is carried: a tensor of the stated shape."""
    shape = list(weights[start].shape) if start in weights else [1, 2, 4, 4]
    body = helper.make_graph(
        [node("Identity", "go", "on"), *nodes],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info(carried, TensorProto.FLOAT, shape),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
            *([] if output == "next" else [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]),
        ],
    )
    outputs = ["y"] if output == "next" else ["last", "y"]
    loop = helper.make_node("Loop", ["times", "", start], outputs, name="loop", body=body)
    axes = 4 if output == "next" else 5
    return graph([loop], {"x": [1, 2, 4, 4]}, {"y": axes}, times=np.array(2), **weights)


def assert_unchanged(model: onnx.ModelProto, goal: str = "lr") -> None:
    result = rewrite(model, goal)
    feeds = {"x": whole(1, 2, 4, 4)}
    for a, b in zip(outputs_of(model, feeds), outputs_of(result.model, feeds), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_carried_value_is_not_the_weight_of_the_same_name() -> None:
    nodes = [node("ConvTranspose", "x w", "u", strides=[2, 2]), node("Mul", "w two", "next")]
    assert_unchanged(looped(nodes, "w", "w", "u", w=whole(2, 2, 2, 2), two=np.array(2, np.float32)))


@pytest.mark.parametrize("goal", ["lr", "deconv"])
def test_a_carried_value_may_change_its_size(goal: str) -> None:
    resized = [node("Resize", "h - - z", "u", mode="nearest"), node("Conv", "u w", "next", pads=[1] * 4)]
    z = np.array([1, 2, 8, 8])  # twice the size in the first turn only
    assert_unchanged(looped(resized, "h", "x", "next", w=whole(2, 2, 3, 3), z=z), goal)
    enlarged = [node("ConvTranspose", "h w", "next", strides=[2, 2], output_shape=[8, 8])]
    assert_unchanged(looped(enlarged, "h", "x", "next", w=whole(2, 2, 3, 3)), goal)
