"""Resizes with the convolution after them: modes, coordinates, roundings, sizes, and 1×1 past any resize (A6, A7)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rewrite.graphs import enlarged, graph, node, outputs_of, rewritten, whole
from subpixel.rewriting import rewrite

X: Any = {"x": ["N", 5, "H", "W"]}


def resized(
    s: tuple[int, ...], mode: str, coordinate: str, rounding: str = "floor", K: int = 3, opset: int = 17
) -> Any:
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinate}
    if mode == "nearest":
        attributes["nearest_mode"] = rounding
    return enlarged(s, (5, 3), K, opset=opset, **attributes)


@pytest.mark.parametrize("coordinate", ["asymmetric", "half_pixel", "tf_half_pixel_for_nn", "pytorch_half_pixel"])
@pytest.mark.parametrize("rounding", ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
@pytest.mark.parametrize("s", [(2, 2), (3, 2), (4, 4)])
def test_nearest(coordinate: str, rounding: str, s: tuple[int, ...]) -> None:
    if coordinate == "tf_half_pixel_for_nn":
        pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    model = resized(s, "nearest", coordinate, rounding)
    rewritten(model, law="A6", gone="Resize", has="Conv", sizes=[(5, 6)])


@pytest.mark.parametrize("coordinate", ["asymmetric", "half_pixel", "pytorch_half_pixel"])
@pytest.mark.parametrize(("mode", "s"), [("linear", 2), ("linear", 3), ("linear", 4), ("cubic", 2), ("cubic", 3)])
def test_linear_and_cubic(coordinate: str, mode: str, s: int) -> None:
    model = resized((s, s), mode, coordinate)
    rewritten(model, law="A7", gone="Resize", has="DepthToSpace", sizes=[(6, 8)], exact=mode == "linear" and s != 3)


@pytest.mark.parametrize("K", [1, 5, 9])
def test_kernel_sizes_after_nearest(K: int) -> None:
    result = rewritten(resized((2, 2), "nearest", "asymmetric", K=K), law="A7" if K == 1 else "A6")
    # a 1×1 convolution is done first and the resize kept: fewer multiplications than any fold
    assert ("Resize" in {n.op_type for n in result.model.graph.node}) == (K == 1)


@pytest.mark.parametrize("opset", [7, 9, 10])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_old_upsample_and_resize(opset: int, mode: str) -> None:
    scales = {"scales": [1.0, 1.0, 2.0, 2.0]} if opset < 9 else {}
    name = "Resize" if opset > 9 else "Upsample"
    # opset 10's Slice infers wrong shapes where sizes are symbols: border cells need stated ones
    x: dict[str, list[int | str]] = {"x": ["N", 5, 5, 6]} if opset == 10 else X
    model = graph(
        [
            node(name, "x" if opset < 9 else "x s", "u", mode=mode, **scales),
            node("Conv", "u w b", "y", pads=[1] * 4),
        ],
        x,
        "y",
        opset=opset,
        w=whole(3, 5, 3, 3),
        b=whole(3),
        **({} if opset < 9 else {"s": np.array([1, 1, 2, 2], np.float32)}),
    )
    rewritten(model, gone=name, has="DepthToSpace", sizes=[(5, 6)])


@pytest.mark.parametrize("d", [1, 3])
def test_resize_in_other_dimensions(d: int) -> None:
    model = graph(
        [
            node(
                "Resize",
                "x - s",
                "u",
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            ),
            node("Conv", "u w", "y", pads=[1] * 2 * d),
        ],
        {"x": ["N", 3, *"THW"[:d]]},
        "y",
        w=whole(2, 3, *(3,) * d),
        s=np.array([1, 1, *(2,) * d], np.float32),
    )
    rewritten(model, law="A6", gone="Resize", has="Conv", sizes=[(4, 3, 5)[:d]])


def test_sizes_stated_and_computed() -> None:
    nodes = [
        node(
            "Resize", "x - - z", "u", mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
        ),
        node("Conv", "u w", "y", pads=[1] * 4),
    ]
    w = whole(3, 5, 3, 3)
    stated = graph(nodes, {"x": [1, 5, 4, 6]}, "y", w=w, z=np.array([1, 5, 8, 18], np.int64))
    rewritten(stated, law="A6", gone="Resize", sizes=[(4, 6)])
    # interpolate(x, scale) as exporters write it: sizes from the input's own shape
    computed = graph(
        [
            node("Shape", "x", "shape"),
            node("Slice", "shape two four", "hw"),
            node("Mul", "hw two", "hw2"),
            node("Slice", "shape zero two", "nc"),
            node("Concat", "nc hw2", "z", axis=0),
            *nodes,
        ],
        X,
        "y",
        w=w,
        two=np.array([2]),
        four=np.array([4]),
        zero=np.array([0]),
    )
    rewritten(computed, law="A6", gone="Resize Shape", sizes=[(4, 6), (3, 5)])


@pytest.mark.parametrize(
    ("mode", "coordinate", "s"),
    [
        ("linear", "align_corners", 2.0),
        ("linear", "half_pixel", 1.5),
        ("nearest", "align_corners", 2.0),
        ("nearest", "asymmetric", 2.5),
        ("cubic", "align_corners", 2.0),
        ("linear", "half_pixel", 2.0),
    ],
)
def test_pointwise_convolution_moves_past_any_resize(mode: str, coordinate: str, s: float) -> None:
    model = graph(
        [
            node("Resize", "x - s", "u", mode=mode, coordinate_transformation_mode=coordinate),
            node("Conv", "u w b", "y"),
        ],
        X,
        "y",
        w=whole(3, 5, 1, 1),
        b=whole(3),
        s=np.array([1, 1, s, s], np.float32),
    )
    result = rewritten(model, law="A7", exact=False)
    assert [n.op_type for n in result.model.graph.node] == ["Conv", "Resize"]


@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution_does_not_pass_a_resize_of_the_maps(groups: int) -> None:
    nodes = [node("Resize", "x - - z", "u", mode="nearest"), node("Conv", "u w", "y", group=groups)]
    z = np.array([1, 8, 10, 10])
    model = graph(nodes, {"x": [1, 4, 5, 5]}, "y", w=whole(4, 8 // groups, 1, 1), z=z)
    result = rewrite(model, "lr")
    assert result.model == model
    assert any("it may resize the maps: 4 to 8" in str(site["refused"]) for site in result.report["sites"])


@pytest.mark.parametrize("axes", [[2, 3], [-2, -1], [-1, 2]])
def test_axes_count_from_the_end_too(axes: list[int]) -> None:
    nodes = [node("Resize", "x - - z", "u", mode="nearest", axes=axes), node("Conv", "u w", "y", pads=[1] * 4)]
    model = graph(nodes, {"x": [1, 2, 4, 4]}, "y", opset=18, w=whole(2, 2, 3, 3), z=np.array([8, 8]))
    rewritten(model, law="A6", gone="Resize")


@pytest.mark.parametrize("computed", [False, True])
def test_names_that_the_graph_has_are_left_to_it(computed: bool) -> None:
    # sizes that are no whole multiple, so that only the convolution moves; they go with another number of maps
    own = ["u/convolved/sizes", "u/convolved/sizes_2/maps", "u/convolved/sizes_2/batch", "u/convolved/sizes_2/0"]
    resize = [node("Resize", "x - - z", "u", mode="nearest"), node("Conv", "u w", "y0")]
    if computed:
        resize.insert(0, node("Shape", "other", "z"))
    adds = [node("Add", f"y{i} {name}", f"y{i + 1}" if i < 3 else "y") for i, name in enumerate(own)]
    weights: dict[str, Any] = {name: whole(1) for name in own} | ({} if computed else {"z": np.array([1, 4, 12, 12])})
    inputs: Any = {"x": [1, 4, 5, 5], **({"other": ["A", "B", "C", "D"]} if computed else {})}
    model = graph([*resize, *adds], inputs, "y", w=whole(3, 4, 1, 1), **weights)
    result = rewrite(model, "lr")
    assert result.report["rewritten"] == 1
    feeds = {"x": whole(1, 4, 5, 5), **({"other": whole(1, 4, 12, 13)} if computed else {})}
    for a, b in zip(outputs_of(model, feeds), outputs_of(result.model, feeds), strict=True):
        np.testing.assert_array_equal(a, b)
