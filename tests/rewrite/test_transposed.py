"""Transposed convolutions into low-resolution space and back: every attribute, dimension and opset."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rewrite.graphs import graph, node, rewritten, whole

X: Any = {"x": ["N", 5, "H", "W"]}


SIZES = [(12, 11), (13, 12)]


TRANSPOSED: dict[str, tuple[tuple[int, ...], dict[str, Any], str]] = {
    # weight C O/g *K, attributes, what must be there after `lr`
    "FSRCNN k9 s3 p4": ((5, 2, 9, 9), {"strides": [3, 3], "pads": [4, 4, 4, 4], "output_padding": [2, 2]}, "D2S"),
    "k4 s2 p1": ((5, 3, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}, "D2S"),
    "k2 s2 (U-Net)": ((5, 3, 2, 2), {"strides": [2, 2]}, "D2S"),
    "k3 s2 p1 a1 (Johnson)": (
        (5, 3, 3, 3),
        {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
        "D2S",
    ),
    "asymmetric pads": ((5, 3, 3, 3), {"strides": [2, 2], "pads": [0, 0, 1, 1]}, "D2S"),
    "K < s": ((5, 3, 2, 3), {"strides": [3, 4]}, "Conv"),
    "dilated": ((5, 3, 3, 3), {"strides": [2, 2], "dilations": [3, 2], "pads": [1, 0, 2, 1]}, "Conv"),
    "depthwise": ((5, 1, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1], "group": 5}, "D2S"),
    "depthwise stride 1 dilated": ((5, 1, 3, 3), {"dilations": [5, 1], "pads": [10, 1, 10, 1], "group": 5}, "Conv"),
    "stride 1": ((5, 3, 3, 3), {"pads": [1, 1, 1, 1]}, "Conv"),
    "1×1 stride 1": ((5, 3, 1, 1), {}, "Conv"),
    "rectangular factor": ((5, 3, 4, 6), {"strides": [2, 3], "pads": [1, 1, 1, 2]}, "Reshape"),
    "auto_pad SAME_UPPER": ((5, 3, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}, "Conv"),
    "auto_pad SAME_LOWER": ((5, 3, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_LOWER"}, "Conv"),
    "auto_pad VALID": ((5, 3, 4, 4), {"strides": [2, 2], "auto_pad": "VALID"}, "D2S"),
}


@pytest.mark.parametrize("name", TRANSPOSED)
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_transposed(name: str, bias: bool) -> None:
    shape, attributes, after = TRANSPOSED[name]
    O = shape[1] * attributes.get("group", 1)
    inputs = "x w b" if bias else "x w"
    model = graph(
        [node("ConvTranspose", inputs, "y", **attributes)], X, "y", w=whole(*shape), **({"b": whole(O)} if bias else {})
    )
    result = rewritten(model, gone="ConvTranspose", has={"D2S": "DepthToSpace"}.get(after, after), sizes=SIZES)
    # and back: what the first goal made, the other turns into one transposed convolution again
    if after == "D2S":
        rewritten(result.model, "deconv", gone="DepthToSpace", has="ConvTranspose", sizes=[(3, 4), (5, 2)])


def test_transposed_with_output_shape_holds_for_its_size() -> None:
    attributes: dict[str, Any] = {"strides": [2, 2], "output_shape": [9, 14]}
    model = graph([node("ConvTranspose", "x w", "y", **attributes)], {"x": [1, 5, 4, 7]}, "y", w=whole(5, 3, 3, 3))
    rewritten(model, gone="ConvTranspose", sizes=[(4, 7)])


@pytest.mark.parametrize("d", [1, 3])
def test_other_dimensions(d: int) -> None:
    shape: dict[str, list[int | str]] = {"x": ["N", 4, *"TWH"[:d]]}
    w = whole(4, 3, *(4, 5, 3)[:d])
    model = graph(
        [node("ConvTranspose", "x w b", "y", strides=[2, 3, 2][:d], pads=[1, 2, 0][:d] + [1, 0, 1][:d])],
        shape,
        "y",
        w=w,
        b=whole(3),
    )
    result = rewritten(model, gone="ConvTranspose", has="Conv Reshape Transpose", sizes=[(3, 4, 2)[:d], (5, 2, 3)[:d]])
    rewritten(result.model, "deconv", gone="Reshape", has="ConvTranspose", sizes=[(3, 4, 2)[:d]])


@pytest.mark.parametrize("opset", [7, 8, 9, 10, 11, 12, 13, 16, 18, 21])
def test_opsets(opset: int) -> None:
    model = graph(
        [node("ConvTranspose", "x w b", "y", strides=[2, 2], pads=[1, 1, 1, 1])],
        X,
        "y",
        opset=opset,
        w=whole(5, 3, 4, 4),
        b=whole(3),
    )
    rewritten(model, gone="ConvTranspose", has="DepthToSpace", sizes=[(3, 4)])


@pytest.mark.parametrize("after", ["BatchNormalization", "Mul", "Add", "Sub", "Div", "Mul Add", "Identity"])
def test_scales_after(after: str) -> None:
    nodes = [node("ConvTranspose", "x w b", "y0", strides=[2, 2], pads=[1, 1, 1, 1])]
    weights = {"w": whole(5, 3, 4, 4), "b": whole(3)}
    for i, op in enumerate(after.split()):
        extra = ""
        if op == "BatchNormalization":
            extra = " s m v n"
            weights |= {"s": whole(3), "m": whole(3), "v": whole(3), "n": np.ones(3, np.float32)}
        elif op != "Identity":
            extra = f" c{i}"
            weights[f"c{i}"] = 2.0 ** whole(1, 3, 1, 1) if op == "Div" else whole(1, 3, 1, 1)
        attributes = {"epsilon": 0.0} if op == "BatchNormalization" else {}
        nodes.append(node(op, f"y{i}{extra}", f"y{i + 1}", **attributes))
    last = f"y{len(nodes) - 1}"
    model = graph(nodes, X, last, **weights)
    rewritten(model, gone=f"ConvTranspose {after if after != 'Identity' else ''}", has="DepthToSpace")
