"""Where qonnx 1.0, the one other rewriter, is silently wrong, gives a wrong shape, skips, or raises: one test each.

It goes to deconvolution only, so that goal comes first; the other way is held to the same. Right, or refused by name.
"""

from __future__ import annotations

from typing import Any

import onnx
import pytest

from rewrite.graphs import assert_same, enlarged, graph, node, rewritten, whole
from subpixel.rewriting import rewrite

X: Any = {"x": ["N", 5, "H", "W"]}
FLOOR = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def resize(s: float = 2.0, pads: Any = (1, 1, 1, 1), dilation: int = 1, **modes: Any) -> onnx.ModelProto:
    """Nearest and a convolution with a bias, which is the graph's output."""
    return enlarged((s, s), (5, 3), pads=pads, dilation=dilation, mode="nearest", **(modes or FLOOR))


def subpixel_convolution(mode: str, bias: bool = True) -> onnx.ModelProto:
    inputs, extra = ("x w b", {"b": whole(12)}) if bias else ("x w", {})
    nodes = [node("Conv", inputs, "v", pads=[1] * 4), node("DepthToSpace", "v", "y", blocksize=2, mode=mode)]
    return graph(nodes, X, "y", w=whole(12, 5, 3, 3), **extra)


def reason(model: onnx.ModelProto, goal: str) -> str:
    done = rewrite(model, goal)
    assert done.report["rewritten"] == 0
    assert done.model == model
    (site,) = done.report["sites"]
    return f"{site['law']}: {site['refused']}"


def test_silently_wrong_depth_to_space_dcr() -> None:
    for mode in ("DCR", "CRD"):  # three maps: the orders differ
        rewritten(subpixel_convolution(mode), "deconv", law="A5", gone="DepthToSpace Conv", has="ConvTranspose")


@pytest.mark.parametrize("goal", ["deconv", "lr"])
def test_silently_wrong_nearest_align_corners(goal: str) -> None:
    model = resize(coordinate_transformation_mode="align_corners", nearest_mode="floor")
    assert reason(model, goal).startswith("A7: align_corners has no shift-covariant kernel")


def test_silently_wrong_asymmetric_ceil() -> None:
    model = resize(coordinate_transformation_mode="asymmetric", nearest_mode="ceil")
    assert reason(model, "deconv").startswith("A12: its border needs")
    rewritten(model, "lr", gone="Resize", sizes=[(4, 5), (7, 6)])


@pytest.mark.parametrize("goal", ["deconv", "lr"])
@pytest.mark.parametrize("pads", [(0, 1, 2, 1), (2, 0, 0, 2), (0, 0, 1, 1)])
def test_silently_wrong_asymmetric_pads(goal: str, pads: tuple[int, ...]) -> None:
    has = "ConvTranspose" if goal == "deconv" else "DepthToSpace"
    rewritten(resize(pads=pads), goal, law="A6", gone="Resize", has=has, sizes=[(4, 5), (7, 6)])


@pytest.mark.parametrize("goal", ["deconv", "lr"])
def test_wrong_shape_dilation_2(goal: str) -> None:
    rewritten(resize(pads=(2, 2, 2, 2), dilation=2), goal, law="A6", gone="Resize", sizes=[(4, 5), (7, 6)])


@pytest.mark.parametrize("goal", ["deconv", "lr"])
def test_wrong_shape_scale_one_and_a_half(goal: str) -> None:
    assert "its factors [1.0, 1.0, 1.5, 1.5] are not whole numbers" in reason(resize(s=1.5), goal)


def test_skipped_subpixel_convolution_with_bias() -> None:
    """The phases' biases differ: a tile of them is added behind the transposed convolution."""
    done = rewritten(subpixel_convolution("CRD"), "deconv", gone="DepthToSpace", has="ConvTranspose Tile")
    assert done.report["rewritten"] == 1
    rewritten(subpixel_convolution("CRD", bias=False), "deconv", gone="DepthToSpace Tile", has="ConvTranspose")


@pytest.mark.parametrize("goal", ["deconv", "lr"])
def test_index_error_where_the_last_convolution_is_an_output(goal: str) -> None:
    model = resize()
    assert model.graph.output[0].name == model.graph.node[-1].output[0]
    done = rewritten(model, goal, gone="Resize", sizes=[(4, 5), (7, 6)])
    assert [value.name for value in done.model.graph.output] == ["y"]
    assert_same(model, done.model, [(3, 3)])
