"""`inspect`: every upsampling, its form, cost, evenness and options."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

from rewrite.graphs import graph, node, whole
from subpixel.errors import InputError
from subpixel.rewriting import inspect, rewrite


def network(opened: bool = False) -> Any:
    return graph(
        [
            node("ConvTranspose", "x w b", "t", strides=[2, 2], pads=[1] * 4),
            node("Relu", "t", "r"),
            node(
                "Resize",
                "r - s",
                "u",
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            ),
            node("Conv", "u v", "c", pads=[1] * 4),
            node("Sigmoid", "c", "g"),
            node("Resize", "g - s", "y", mode="linear", coordinate_transformation_mode="align_corners"),
        ],
        {"x": ["N", 4, "H", "W"] if opened else [1, 4, 6, 7]},
        "y",
        w=whole(4, 3, 4, 4),
        b=whole(3),
        v=whole(2, 3, 3, 3),
        s=np.array([1, 1, 2, 2], np.float32),
    )


def test_sites() -> None:
    report = inspect(network())
    transposed, nearest, corners = report["sites"]
    assert transposed["form"] == "transposed convolution 4×4, stride 2×2, 4→3 maps"
    assert transposed["factor"] == [2, 2]
    assert transposed["parameters"] == 4 * 3 * 16 + 3
    assert transposed["macs"] == 4 * 3 * 16 * 6 * 7
    assert transposed["receptive_field"] == [2, 2]
    assert transposed["checkerboard"] > 0
    assert transposed["options"] == [
        {"goal": "lr", "law": "A2", "form": "convolution + shuffle, CRD, crop (1, 1)", "refused": None}
    ]
    assert nearest["form"] == "nearest ×2×2, 3 maps"
    assert nearest["checkerboard"] == 0
    assert [o["goal"] for o in nearest["options"]] == ["lr", "deconv"]
    assert corners["form"] is None
    assert corners["unread"].startswith("align_corners has no shift-covariant kernel")
    shares = [site["share"] for site in report["sites"]]
    assert all(0 < share < 1 for share in shares)
    assert sum(shares) < 1
    assert report["ms"] > 0


def test_open_sizes_leave_the_run_out() -> None:
    report = inspect(network(opened=True))
    assert report["ms"] is None
    assert [site["macs"] for site in report["sites"]] == [None] * 3
    assert inspect(network(opened=True), inputs={"x": [1, 4, 6, 7]})["sites"][0]["macs"] == 4 * 3 * 16 * 6 * 7


def test_macs_before_and_after() -> None:
    site = rewrite(network(), "lr").report["sites"][1]
    # 3×3 over 24×28 pixels; aligned and cropped by one, 2×2 taps and 4 phases over 13×15 sites
    assert site["macs_before"] == 2 * 3 * 9 * 24 * 28
    assert site["macs_after"] == 2 * 4 * 3 * 4 * 13 * 15
    opened = rewrite(network(opened=True), "lr")
    assert opened.report["sites"][0]["macs_before"] is None
    given = rewrite(network(opened=True), "lr", inputs={"x": [1, 4, 6, 7]})
    assert given.report["sites"][0]["macs_before"] == 4 * 3 * 16 * 6 * 7


def test_what_is_no_valid_model_is_said_in_one_sentence() -> None:
    model = network()
    del model.graph.node[0].input[:]
    with pytest.raises(InputError, match="is not valid ONNX"):
        inspect(model)


def test_a_custom_operator_of_the_same_name_is_no_upsampling() -> None:
    model = graph(
        [helper.make_node("DepthToSpace", ["x"], ["y"], domain="com.example", blocksize=2)],
        {"x": ["N", 8, "H", "W"]},
        "y",
        domain="com.example",
    )
    assert inspect(model)["sites"] == []
    for goal in ("lr", "deconv"):
        assert rewrite(model, goal).report["sites"] == []
