"""`verify` against models that are equal, nearly equal, and not; its float64 run against index sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from rewrite.graphs import graph, node, whole
from subpixel.algebra import apply, convolution, lift, transposed_convolution
from subpixel.errors import InputError
from subpixel.rewriting import rewrite, verify
from subpixel.rewriting.proof.float64 import run_float64
from subpixel.rewriting.proof.running import Runner

X: Any = {"x": [1, 4, 6, 7]}
rng = np.random.default_rng(5)


def real(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def network(scale: float = 1.0, crop: int = 1) -> onnx.ModelProto:
    g = np.random.default_rng(0)
    w, v, b = (g.standard_normal(s).astype(np.float32) for s in ((8, 4, 3, 3), (8, 3, 4, 4), (3,)))
    w[0, 0, 0, 0] *= scale
    return graph(
        [
            node("Conv", "x w", "a", pads=[1] * 4),
            node("Relu", "a", "r"),
            node("ConvTranspose", "r v b", "y", strides=[2, 2], pads=[crop, 1, 2 - crop, 1]),
        ],
        X,
        "y",
        w=w,
        v=v,
        b=b,
    )


def test_a_rewritten_model_is_equal() -> None:
    model = network()
    result = verify(model, rewrite(model, "lr").model)
    assert result["equal"]
    assert 0 < result["max_error"] <= result["bound"] < 1e-3
    assert result["reference"] == "float64 run of the first model"
    assert [o["name"] for o in result["outputs"]] == ["y"]


@pytest.mark.parametrize("other", [network(scale=1.001), network(crop=0)])
def test_another_function_is_not(other: onnx.ModelProto) -> None:
    result = verify(network(), other)
    assert not result["equal"]
    assert result["max_error"] > result["bound"]


def test_another_shape_type_or_nan_is_not() -> None:
    base = graph([node("ConvTranspose", "x w", "y", strides=[2, 2])], X, "y", w=whole(4, 3, 2, 2))
    longer = graph(
        [node("ConvTranspose", "x w", "y", strides=[2, 2], output_padding=[1, 1])], X, "y", w=whole(4, 3, 2, 2)
    )
    assert not verify(base, longer)["equal"]
    w = whole(4, 3, 2, 2)
    w[0] = np.nan
    broken = graph([node("ConvTranspose", "x w", "y", strides=[2, 2])], X, "y", w=w)
    assert not verify(base, broken)["equal"]


def test_models_that_cannot_be_compared() -> None:
    model = network()
    other = graph([node("Relu", "x", "z")], X, "z")
    with pytest.raises(InputError, match="different outputs"):
        verify(model, other)
    with pytest.raises(InputError, match="different inputs"):
        verify(model, graph([node("Relu", "q", "y")], {"q": [1, 4, 6, 7]}, "y"))
    opened = graph([node("Relu", "x", "y")], {"x": ["N", 4, "H", "W"]}, "y")
    with pytest.raises(InputError, match="give its whole shape"):
        verify(opened, opened)
    assert verify(opened, opened, inputs={"x": [2, 4, 3, 5]})["equal"]


@pytest.mark.parametrize("seed", range(8))
def test_float64_run_of_convolutions(seed: int) -> None:
    g = np.random.default_rng(seed)
    d = int(g.integers(1, 4))
    K, s, dil = (tuple(int(v) for v in g.integers(1, 4, d)) for _ in range(3))
    pads = tuple((int(p), int(q)) for p, q in g.integers(0, 2, (d, 2)))
    flat = [p for p, _ in pads] + [q for _, q in pads]
    adj = tuple(int(g.integers(0, n)) for n in s)
    x = g.integers(-4, 5, (2, 4, *(9, 8, 10)[:d])).astype(np.float32)
    shape = {"x": ["N", 4, *"THW"[:d]]}
    w, b = whole(6, 2, *K), whole(6)
    model = graph([node("Conv", "x w b", "y", strides=s, pads=flat, dilations=dil, group=2)], shape, "y", w=w, b=b)
    expected = apply(lift(convolution(w, b, s, pads, dil, 2)), x)
    np.testing.assert_array_equal(run_float64(model, {"x": x})[0], expected)
    w = whole(4, 3, *K)
    attributes = {"strides": s, "pads": flat, "dilations": dil, "group": 2, "output_padding": adj}
    model = graph([node("ConvTranspose", "x w b", "y", **attributes)], shape, "y", w=w, b=b)
    expected = apply(lift(transposed_convolution(w, b, s, pads, adj, 2, dil)), x)
    np.testing.assert_array_equal(run_float64(model, {"x": x})[0], expected)


@pytest.mark.parametrize(
    ("op", "attributes", "scale"),
    [
        ("Resize", {"mode": "nearest"}, 2.0),
        ("Resize", {"mode": "nearest", "nearest_mode": "ceil", "coordinate_transformation_mode": "asymmetric"}, 1.5),
        ("Resize", {"mode": "linear"}, 2.0),
        ("Resize", {"mode": "linear", "coordinate_transformation_mode": "align_corners"}, 2.0),
        ("Resize", {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"}, 0.5),
        ("Resize", {"mode": "cubic"}, 2.0),
        ("MaxPool", {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1], "ceil_mode": 1}, 0.0),
        ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 1], "auto_pad": "SAME_UPPER"}, 0.0),
        ("BatchNormalization", {"epsilon": 0.5}, 0.0),
    ],
)
def test_float64_run_of_other_operators(op: str, attributes: dict[str, Any], scale: float) -> None:
    weights: dict[str, np.ndarray] = {}
    inputs = "x"
    if scale:
        weights, inputs = {"s": np.array([1, 1, scale, scale], np.float32)}, "x - s"
    elif op == "BatchNormalization":
        weights, inputs = {n: np.abs(real(4)) for n in "abcd"}, "x a b c d"
    model = graph([node(op, inputs, "y", **attributes)], X, "y", opset=13, **weights)
    x = real(1, 4, 6, 7)
    y = Runner(model)({"x": x})
    wide = run_float64(model, {"x": x})[0]
    assert wide.dtype == np.float64
    assert wide.shape == y.shape
    assert np.abs(wide - y).max() < 1e-5


def test_an_operator_without_float64_run_is_compared_directly() -> None:
    body = [node("Conv", "x w", "a", pads=[1] * 4), helper.make_node("Gelu", ["a"], ["y"], domain="com.microsoft")]
    model = graph(body, X, "y", domain="com.microsoft", w=real(3, 4, 3, 3))
    other = onnx.ModelProto()
    other.CopyFrom(model)
    result = verify(model, other)
    assert result["equal"]
    assert result["reference"] == "the first model"
    weight = numpy_helper.to_array(other.graph.initializer[0]) * np.float32(1.01)
    other.graph.initializer[0].CopyFrom(numpy_helper.from_array(weight, "w"))
    assert not verify(model, other)["equal"]


def pointwise(faint: float) -> onnx.ModelProto:
    return graph([node("Conv", "x w", "y")], X, "y", w=np.array([1e6, faint], np.float32).reshape(2, 1, 1, 1) * real4())


def real4() -> np.ndarray:
    return np.random.default_rng(3).standard_normal((1, 4, 1, 1)).astype(np.float32)


def test_a_faint_map_is_held_to_its_own_numbers() -> None:
    result = verify(pointwise(1.0), pointwise(1.05))
    assert not result["equal"]
    assert result["max_error"] > result["bound"]
    assert verify(pointwise(1.0), pointwise(1.0))["equal"]


def test_nan_and_infinity_at_the_same_places_are_equal() -> None:
    def model(op: str) -> onnx.ModelProto:
        return graph([node(op, "x", "a"), node("Relu", "x", "r"), node("Div", "a r", "y")], X, "y")

    log = model("Log")
    assert verify(log, log)["equal"]
    assert verify(model("Abs"), model("Abs"))["equal"]  # infinite where x is negative
    assert not verify(model("Abs"), model("Neg"))["equal"]
    assert not verify(log, model("Abs"))["equal"]
    assert not verify(model("Abs"), log)["equal"]
