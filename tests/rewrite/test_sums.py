"""Sums: grouped convolutions over a concatenation (A8), global skips added before the shuffle (A15), shared parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from rewrite.graphs import counts, graph, node, outputs_of, rewritten, whole
from subpixel.rewriting import rewrite

NEAREST: Any = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
S2 = np.array([1, 1, 2, 2], np.float32)
SKIPS: dict[str, Any] = {
    "nearest": NEAREST,
    "linear": {"mode": "linear"},
    "linear asymmetric": {"mode": "linear", "coordinate_transformation_mode": "asymmetric"},
    "cubic": {"mode": "cubic"},
}


def skip(resize: dict[str, Any], head: str = "Conv", swapped: bool = False, **shapes: Any) -> onnx.ModelProto:
    """A super-resolution network: features, upsampled, plus the image enlarged."""
    if head == "Conv":
        up = [node("Conv", "r w b", "v", pads=[1] * 4), node("DepthToSpace", "v", "p", blocksize=2, mode="CRD")]
        weights = {"w": whole(12, 5, 3, 3), "b": whole(12)}
    elif head == "DCR":
        up = [node("Conv", "r w b", "v", pads=[1] * 4), node("DepthToSpace", "v", "p", blocksize=2, mode="DCR")]
        weights = {"w": whole(12, 5, 3, 3), "b": whole(12)}
    else:
        up = [node("ConvTranspose", "r w b", "p", strides=[2, 2], pads=[1] * 4)]
        weights = {"w": whole(5, 3, 4, 4), "b": whole(3)}
    return graph(
        [
            node("Conv", "x w0", "f", pads=[1] * 4),
            node("Relu", "f", "r"),
            *up,
            node("Resize", "x - s", "u", **resize),
            node("Add", "u p" if swapped else "p u", "y"),
        ],
        {"x": ["N", 3, "H", "W"]},
        "y",
        w0=whole(5, 3, 3, 3),
        s=S2,
        **weights,
    )


@pytest.mark.parametrize("head", ["Conv", "DCR", "ConvTranspose"])
@pytest.mark.parametrize("mode", SKIPS)
@pytest.mark.parametrize("swapped", [False, True])
def test_a_global_skip_is_added_before_the_shuffle(mode: str, head: str, swapped: bool) -> None:
    model = skip(SKIPS[mode], head, swapped)
    result = rewritten(
        model,
        law="A15",
        gone="Resize ConvTranspose",
        has="DepthToSpace Add",
        sizes=[(1, 1), (2, 1), (3, 4), (6, 5)],
        exact=mode != "cubic",
    )
    kinds = [n.op_type for n in result.model.graph.node]
    assert kinds.index("Add") < kinds.index("DepthToSpace")
    (site,) = result.report["sites"]
    assert site["proof"]["normal_form"]


def test_a_shuffle_without_its_convolution_takes_the_skip() -> None:
    model = graph(
        [
            node("Relu", "f", "r"),
            node("DepthToSpace", "r", "p", blocksize=2, mode="CRD"),
            node("Resize", "x - s", "u", **NEAREST),
            node("Add", "p u", "y"),
        ],
        {"f": ["N", 12, "H", "W"], "x": ["N", 3, "H", "W"]},
        "y",
        s=S2,
    )
    result = rewritten(model, law="A15", gone="Resize", has="Conv")
    assert counts(result.model)["Conv"] == 1  # the skip's; the shuffle keeps its maps as they are


def test_a_convolution_after_the_sum_moves_too() -> None:
    """First the sum becomes one shuffle, then the convolution passes it (A9)."""
    model = skip(NEAREST)
    model.graph.node[-1].output[0] = model.graph.node[-1].name = "sum"
    model.graph.node.append(node("Conv", "sum z", "y", pads=[1] * 4))
    model.graph.initializer.append(onnx.numpy_helper.from_array(whole(2, 3, 3, 3), "z"))
    result = rewritten(model, law="A9", gone="Resize")
    assert "; then " in result.report["sites"][0]["form"]
    kinds = [n.op_type for n in result.model.graph.node]
    assert "Conv" not in kinds[kinds.index("DepthToSpace") :]


def test_skips_that_do_not_meet_stay() -> None:
    """Another factor, a broadcast over maps, a single map: nothing to add before the shuffle."""
    threefold = skip(NEAREST)
    for tensor in threefold.graph.initializer:
        if tensor.name == "s":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.array([1, 1, 3, 3], np.float32), "s"))
    del threefold.graph.output[0].type.tensor_type.shape.dim[:]
    result = rewrite(threefold, "lr")
    assert result.report["rewritten"] == 0
    broadcast = graph(
        [
            node("DepthToSpace", "f", "p", blocksize=2),
            node("Resize", "x - s", "u", **NEAREST),
            node("Add", "p u", "y"),
        ],
        {"f": ["N", 12, "H", "W"], "x": ["N", 1, "H", "W"]},
        "y",
        s=S2,
    )
    assert rewrite(broadcast, "lr").report["rewritten"] == 0


@pytest.mark.parametrize(("C", "k", "groups"), [(4, 4, 2), (2, 4, 6), (2, 4, 3), (3, 6, 3)])
@pytest.mark.parametrize("last", [False, True], ids=["up first", "up last"])
@pytest.mark.parametrize("up", ["Resize", "ConvTranspose"])
def test_groups_that_end_at_the_boundary(C: int, k: int, groups: int, last: bool, up: str) -> None:
    """One convolution per input, side by side; a grouped transposed convolution before it as well."""
    O = 2 * groups
    ups = {
        "Resize": node("Resize", "x - s", "u", **NEAREST),
        "ConvTranspose": node("ConvTranspose", "x t", "u", strides=[2, 2]),
    }
    weights = {"s": S2} if up == "Resize" else {"t": whole(C, C, 2, 2)}
    model = graph(
        [
            ups[up],
            node("Concat", "k u" if last else "u k", "c", axis=1),
            node("Conv", "c w b", "v", pads=[1] * 4, group=groups),
            node("Mul", "v g", "y"),
        ],
        {"x": ["N", C, "H", "W"], "k": ["N", k, "2H", "2W"]},
        "y",
        w=whole(O, (C + k) // groups, 3, 3),
        b=whole(O),
        g=whole(1, O, 1, 1),
        **weights,
    )
    result = rewritten(model, law="A8", gone=f"Mul {up}", has="Concat DepthToSpace")
    assert counts(result.model)["Add"] == 0


def test_groups_that_straddle_the_boundary_are_refused() -> None:
    model = graph(
        [
            node("Resize", "x - s", "u", **NEAREST),
            node("Concat", "u k", "c", axis=1),
            node("Conv", "c w", "y", pads=[1] * 4, group=2),
        ],
        {"x": ["N", 2, "H", "W"], "k": ["N", 4, "2H", "2W"]},
        "y",
        w=whole(6, 3, 3, 3),
        s=S2,
    )
    (site,) = rewrite(model, "lr").report["sites"]
    assert (site["law"], site["refused"]) == (
        "A8",
        "groups of the convolution straddle the boundary of the concatenation",
    )


def test_a_shuffle_that_several_layers_read() -> None:
    """It has no weights, so each of its readers moves before a shuffle of its own."""
    model = graph(
        [
            node("Conv", "x w", "c", pads=[1] * 4),
            node("DepthToSpace", "c", "u", blocksize=2, mode="CRD"),
            node("Conv", "u v", "y", pads=[1] * 4),
            node("Conv", "u z", "q", pads=[1] * 4),
        ],
        {"x": ["N", 4, "H", "W"]},
        {"y": 4, "q": 4},
        w=whole(12, 4, 3, 3),
        v=whole(2, 3, 3, 3),
        z=whole(1, 3, 3, 3),
    )
    rewritten(model, count=2, law="A9")
    rewritten(model, "deconv", law="A5", gone="DepthToSpace")


def test_a_shorter_cut_where_the_whole_chain_is_refused() -> None:
    """The convolution stays where it is, the transposed convolution goes all the same."""
    from subpixel.rewriting.writing import build

    model = graph(
        [
            node("ConvTranspose", "x w", "u", strides=[4, 4]),
            node("Conv", "u v", "y", pads=[2] * 4),
        ],
        {"x": ["N", 8, "H", "W"]},
        "y",
        w=whole(8, 8, 4, 4),
        v=whole(8, 8, 5, 5),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "FREE", 0)
        result = rewritten(model, gone="ConvTranspose", has="Conv DepthToSpace", growth=1.0)
    assert counts(result.model)["Conv"] == 2


def test_one_by_one_before_a_resize_to_computed_sizes() -> None:
    """The sizes hold the number of maps, which changes (A7)."""
    model = graph(
        [
            node("Shape", "k", "shape"),
            node("Slice", "shape two four", "hw"),
            node("Concat", "nc hw", "z", axis=0),
            node("Resize", "x - - z", "u", **NEAREST),
            node("Conv", "u w b", "y"),
        ],
        {"x": [1, 4, "H", "W"], "k": [1, 2, "2H", "2W"]},
        "y",
        w=whole(3, 4, 1, 1),
        b=whole(3),
        two=np.array([2]),
        four=np.array([4]),
        nc=np.array([1, 4]),
    )
    result = rewritten(model, law="A7", has="Resize", sizes=[(5, 7), (3, 4)])
    kinds = [n.op_type for n in result.model.graph.node]
    assert kinds.index("Conv") < kinds.index("Resize")


def test_a_concatenation_may_count_its_axis_from_the_end() -> None:
    def model(axis: int) -> onnx.ModelProto:
        nodes = [
            node("Resize", "x - s", "u", mode="nearest"),
            helper.make_node("Concat", ["u", "k"], ["c"], axis=axis),
            node("Conv", "c w", "y", pads=[1] * 4),
        ]
        inputs = {"x": ["N", 3, 4, 5], "k": ["N", 2, 8, 10]}
        return graph(nodes, inputs, "y", w=whole(2, 5, 3, 3), s=np.array([1, 1, 2, 2], np.float32))

    for axis in (1, -3):
        assert [site["law"] for site in rewrite(model(axis), "lr").report["sites"]] == ["A8"]


def test_a_resize_without_a_name_is_listed_once() -> None:
    for name in ("", "up"):
        up = helper.make_node(
            "Resize", ["x", "", "s"], ["u"], name=name, mode="linear", coordinate_transformation_mode="align_corners"
        )
        scales = np.array([1, 1, 2.5, 3], np.float32)
        model = graph([up, node("Conv", "u w", "y")], {"x": ["N", 3, "H", "W"]}, "y", w=whole(2, 3, 1, 1), s=scales)
        (site,) = rewrite(model, "lr").report["sites"]
        assert site["form"] == "1×1 convolution first"


def resized_then_pointwise(factor: float, size: Any) -> onnx.ModelProto:
    nodes = [node("Resize", "x - s", "u", mode="linear"), node("Conv", "u w b", "y")]
    scales = np.array([1, 1, factor, factor], np.float32)
    return graph(nodes, {"x": ["N", 4, *size]}, "y", w=whole(3, 4, 1, 1), b=whole(3), s=scales)


@pytest.mark.parametrize("size", [("H", "W"), (8, 6)])
def test_a_convolution_stays_behind_a_resize_that_shrinks(size: Any) -> None:
    """Before it, it would multiply four times as often."""
    result = rewrite(resized_then_pointwise(0.5, size), "lr")
    assert result.report["rewritten"] == 0
    (site,) = result.report["sites"]
    assert "fewer samples than it takes" in site["refused"]


def test_multiplications_of_a_convolution_that_moves_before_a_resize() -> None:
    (site,) = rewrite(resized_then_pointwise(2.5, (8, 6)), "lr", inputs={"x": [2, 4, 8, 6]}).report["sites"]
    assert (site["macs_before"], site["macs_after"]) == (2 * 12 * 20 * 15, 2 * 12 * 8 * 6)
    assert site["weights_before"] == site["weights_after"] == 12 + 3


def test_a_term_of_one_sample_is_repeated_by_the_addition() -> None:
    cut: Any = {"strides": [2, 2], "pads": [1, 1, 2, 2]}  # 2 samples become one
    model = graph(
        [node("ConvTranspose", "x w", "p", **cut), node("ConvTranspose", "z w", "q", **cut), node("Add", "p q", "y")],
        {"x": ["N", 2, "H", "W"], "z": ["N", 2, "A", "B"]},
        "y",
        w=whole(2, 2, 2, 2),
    )
    result = rewrite(model, "lr")
    assert "A15" not in [site["law"] for site in result.report["sites"] if site["refused"] is None]
    feeds = {"x": whole(1, 2, 2, 2), "z": whole(1, 2, 3, 4)}
    for a, b in zip(outputs_of(model, feeds), outputs_of(result.model, feeds), strict=True):
        np.testing.assert_array_equal(a, b)
