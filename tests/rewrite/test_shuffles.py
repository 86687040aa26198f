"""Shuffles in every spelling, concatenations (A8), and convolutions that move before a shuffle (A5, A9, A10)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rewrite.graphs import graph, node, rewritten, whole
from subpixel.rewriting import rewrite

X: Any = {"x": ["N", 5, "H", "W"]}


@pytest.mark.parametrize("up", ["Resize", "ConvTranspose", "DepthToSpace"])
@pytest.mark.parametrize("last", [False, True], ids=["up first", "up last"])
def test_concat(up: str, last: bool) -> None:
    nodes = {
        "Resize": node(
            "Resize", "x - s", "u", mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
        ),
        "ConvTranspose": node("ConvTranspose", "x t", "u", strides=[2, 2]),
        "DepthToSpace": node("DepthToSpace", "x", "u", blocksize=2, mode="CRD"),
    }
    C = {"Resize": 8, "ConvTranspose": 3, "DepthToSpace": 2}[up]
    order = "k u" if last else "u k"
    model = graph(
        [
            nodes[up],
            node("Concat", order, "c", axis=1),
            node("Conv", "c w b", "v", pads=[1] * 4),
            node("Mul", "v g", "y"),
        ],
        {"x": ["N", 8, "H", "W"], "k": ["N", 4, "2H", "2W"]},
        "y",
        w=whole(3, C + 4, 3, 3),
        b=whole(3),
        g=whole(1, 3, 1, 1),
        **{
            name: value
            for name, value in (("s", np.array([1, 1, 2, 2], np.float32)), ("t", whole(8, 3, 2, 2)))
            if (name == "s") == (up == "Resize") and up != "DepthToSpace"
        },
    )
    rewritten(
        model,
        law="A8",
        gone=f"Concat Mul {'' if up == 'DepthToSpace' else up}" if up == "Resize" else "Mul",
        has="DepthToSpace Add",
    )


def test_concat_of_upsamplings_only() -> None:
    resize = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    model = graph(
        [
            node("Resize", "x - s2", "u", **resize),
            node("Resize", "z - s4", "v", **resize),
            node("Concat", "u v", "c", axis=1),
            node("Conv", "c w b", "y", pads=[1] * 4),
        ],
        {"x": ["N", 3, "2H", "2W"], "z": ["N", 2, "H", "W"]},
        "y",
        w=whole(4, 5, 3, 3),
        b=whole(4),
        s2=np.array([1, 1, 2, 2], np.float32),
        s4=np.array([1, 1, 4, 4], np.float32),
    )
    rewritten(model, law="A8", gone="Resize", has="DepthToSpace Add")


@pytest.mark.parametrize("mode", ["CRD", "DCR"])
@pytest.mark.parametrize("bias", [True, False])
def test_subpixel_convolution_to_transposed(mode: str, bias: bool) -> None:
    model = graph(
        [
            node("Conv", "x w b" if bias else "x w", "v", pads=[1] * 4),
            node("DepthToSpace", "v", "y", blocksize=2, mode=mode),
        ],
        X,
        "y",
        w=whole(12, 5, 3, 3),
        **({"b": whole(12)} if bias else {}),
    )
    rewritten(model, "deconv", law="A5", gone="DepthToSpace Conv", has="ConvTranspose" + (" Tile" if bias else ""))
    assert rewrite(model, "lr").report["rewritten"] == 0  # it is in low-resolution space already


@pytest.mark.parametrize("mode", ["CRD", "DCR"])
def test_lone_shuffle_to_transposed(mode: str) -> None:
    model = graph(
        [node("Relu", "x", "r"), node("DepthToSpace", "r", "y", blocksize=2, mode=mode)], {"x": ["N", 8, "H", "W"]}, "y"
    )
    rewritten(model, "deconv", law="A5", gone="DepthToSpace", has="ConvTranspose")


def test_shuffle_without_mode_is_dcr_before_opset_11() -> None:
    model = graph(
        [node("Conv", "x w", "v"), node("DepthToSpace", "v", "y", blocksize=2)], X, "y", opset=9, w=whole(12, 5, 2, 2)
    )
    rewritten(model, "deconv", gone="DepthToSpace", has="ConvTranspose")


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("order", ["crd", "dcr"])
def test_reshape_transpose_reshape(dynamic: bool, order: str) -> None:
    r, O = 2, 3
    split = [O, r, r] if order == "crd" else [r, r, O]
    perm = [0, 1, 4, 2, 5, 3] if order == "crd" else [0, 3, 4, 1, 5, 2]
    nodes = [node("Conv", "x w", "v", pads=[1] * 4)]
    weights = {"w": whole(12, 5, 3, 3)}
    if dynamic:
        nodes += [
            node("Shape", "v", "shape"),
            node("Gather", "shape i2", "h"),
            node("Gather", "shape i3", "q"),
            node("Gather", "shape i0", "n"),
            node("Mul", "h i2", "h2"),
            node("Mul", "q i2", "q2"),
            node("Concat", "n split h q", "t1", axis=0),
            node("Concat", "n o h2 q2", "t2", axis=0),
        ]
        weights |= {"i0": np.array([0]), "i2": np.array([2]), "i3": np.array([3])}
        weights |= {"split": np.array(split), "o": np.array([O])}
        x: dict[str, list[int | str]] = X
    else:
        weights |= {"t1": np.array([1, *split, 5, 7]), "t2": np.array([1, O, 10, 14])}
        x = {"x": [1, 5, 5, 7]}
    nodes += [
        node("Reshape", "v t1", "a"),
        node("Transpose", "a", "c", perm=perm),
        node("Reshape", "c t2", "y"),
    ]
    rewritten(
        graph(nodes, x, "y", **weights),
        "deconv",
        law="A5",
        gone="Reshape Transpose",
        has="ConvTranspose",
        sizes=[(5, 7)],
    )


@pytest.mark.parametrize("crop", [False, True])
def test_lifting_past_a_pointwise_function(crop: bool) -> None:
    model = graph(
        [
            node("ConvTranspose", "x w", "u", strides=[2, 2], pads=[1] * 4 if crop else [0] * 4),
            node("Tanh", "u", "t"),
            node("Conv", "t v b", "y", pads=[1] * 4),
        ],
        X,
        "y",
        w=whole(5, 3, 4, 4) if crop else whole(5, 3, 2, 2),
        v=whole(2, 3, 3, 3),
        b=whole(2),
    )
    rewritten(model, count=1, has="Conv", exact=False)
    result = rewritten(model, count=2, law="A9", gone="ConvTranspose", exact=False, lift=True)
    operators = [n.op_type for n in result.model.graph.node]
    assert operators.index("Tanh") < operators.index("DepthToSpace")


@pytest.mark.parametrize("mode", ["CRD", "DCR"])
@pytest.mark.parametrize(
    ("slope", "count"),
    [
        ([[[0.25]]], 1),
        ([[[0.25]], [[0.5]], [[2.0]]], 1),
        ([[[[0.25]], [[0.5]], [[2.0]]]], 1),
        ([[[0.25, 0.5, 1.0, 2.0, 1.0, 0.5]]], 0),
    ],
    ids=["one", "one a map", "one a map, with a batch", "one a column"],
)
def test_a_prelu_is_lifted_with_its_slopes_repeated_for_every_phase(mode: str, slope: Any, count: int) -> None:
    nodes = [
        node("DepthToSpace", "x", "u", blocksize=2, mode=mode),
        node("PRelu", "u a", "p"),
        node("Conv", "p w", "y", pads=[1] * 4),
    ]
    weights = {"w": whole(2, 3, 3, 3), "a": np.array(slope, np.float32)}
    rewritten(graph(nodes, {"x": ["N", 12, "H", 3]}, "y", **weights), count=count, lift=True)
