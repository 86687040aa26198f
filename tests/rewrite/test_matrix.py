"""Pattern × goal: what must be rewritten into what, equal, and counted. A rewriter that refuses fails here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from rewrite.graphs import graph, node, rewritten, whole
from subpixel.rewriting import rewrite

X: Any = {"x": ["N", 5, "H", "W"]}


# --- transposed convolutions -------------------------------------------------------------------------

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


# --- resize + convolution ----------------------------------------------------------------------------


def resized(
    s: tuple[int, ...], mode: str, coordinate: str, rounding: str = "floor", K: int = 3, opset: int = 17
) -> Any:
    p = K // 2
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinate}
    if mode == "nearest":
        attributes["nearest_mode"] = rounding
    return graph(
        [
            node("Resize", "x - s", "u", **attributes),
            node("Conv", "u w b", "y", pads=[p] * 4),
        ],
        X,
        "y",
        opset=opset,
        w=whole(3, 5, K, K),
        b=whole(3),
        s=np.array([1, 1, *s], np.float32),
    )


@pytest.mark.parametrize("coordinate", ["asymmetric", "half_pixel", "tf_half_pixel_for_nn", "pytorch_half_pixel"])
@pytest.mark.parametrize("rounding", ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
@pytest.mark.parametrize("s", [(2, 2), (3, 2), (4, 4)])
def test_nearest(coordinate: str, rounding: str, s: tuple[int, ...]) -> None:
    if coordinate == "tf_half_pixel_for_nn":
        pytest.importorskip("onnxruntime")
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


def test_sizes_from_a_skip_of_known_shape() -> None:
    model = graph(
        [
            node("Shape", "k", "shape"),
            node("Slice", "shape two four", "hw"),
            node("Concat", "nc hw", "z", axis=0),
            node(
                "Resize",
                "x - - z",
                "u",
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            ),
            node("Concat", "u k", "c", axis=1),
            node("Conv", "c w b", "y", pads=[1] * 4),
        ],
        {"x": [1, 5, 4, 6], "k": [1, 2, 8, 12]},
        "y",
        w=whole(3, 7, 3, 3),
        b=whole(3),
        two=np.array([2]),
        four=np.array([4]),
        nc=np.array([1, 5]),
    )
    rewritten(model, law="A8", gone="Resize", has="DepthToSpace Add", sizes=[(4, 6)])


# --- concatenation (A8) ------------------------------------------------------------------------------


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


# --- shuffles ----------------------------------------------------------------------------------------


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


def test_zero_insertion_written_out() -> None:
    model = graph(
        [
            node("Reshape", "x t1", "a"),
            node("Pad", "a p", "z"),
            node("Reshape", "z t2", "u"),
            node("Conv", "u w b", "y", pads=[2, 2, 1, 1]),
        ],
        {"x": [1, 5, 4, 6]},
        "y",
        t1=np.array([1, 5, 4, 1, 6, 1]),
        p=np.array([0] * 6 + [0, 0, 0, 1, 0, 1]),
        t2=np.array([1, 5, 8, 12]),
        w=whole(3, 5, 4, 4),
        b=whole(3),
    )
    rewritten(model, law="A1", gone="Pad", has="DepthToSpace", sizes=[(4, 6)])
    rewritten(model, "deconv", gone="Pad", has="ConvTranspose", sizes=[(4, 6)])


def test_convolutions_after_a_shuffle_move_before_it() -> None:
    """EDSR's tail: convolution, shuffle, convolution. Merged, with border cells (A9, A12)."""
    model = graph(
        [
            node("Conv", "x w b", "v", pads=[1] * 4),
            node("DepthToSpace", "v", "u", blocksize=2, mode="CRD"),
            node("Conv", "u w2 b2", "y", pads=[1] * 4),
        ],
        X,
        "y",
        w=whole(12, 5, 3, 3),
        b=whole(12),
        w2=whole(2, 3, 3, 3),
        b2=whole(2),
    )
    result = rewritten(model, law="A9", has="DepthToSpace")
    assert result.model.graph.node[-1].op_type == "DepthToSpace"


def test_srcnn_lifts_whole() -> None:
    """Cubic, 9×9, 1×1, 5×5 with ReLUs between: every convolution in low-resolution space, one shuffle at the end."""
    model = graph(
        [
            node("Resize", "x - s", "u", mode="linear"),
            node("Conv", "u w1 b1", "c1", pads=[4] * 4),
            node("Relu", "c1", "r1"),
            node("Conv", "r1 w2 b2", "c2"),
            node("Relu", "c2", "r2"),
            node("Conv", "r2 w3 b3", "y", pads=[2] * 4),
        ],
        {"x": ["N", 1, "H", "W"]},
        "y",
        s=np.array([1, 1, 2, 2], np.float32),
        w1=whole(4, 1, 9, 9),
        b1=whole(4),
        w2=whole(3, 4, 1, 1),
        b2=whole(3),
        w3=whole(1, 3, 5, 5),
        b3=whole(1),
    )
    rewritten(model, law="A7", gone="Resize", has="DepthToSpace", sizes=[(9, 11)])  # the first convolution alone
    result = rewritten(model, law="A9", count=3, gone="Resize", sizes=[(9, 11), (12, 10)], lift=True)
    operators = [n.op_type for n in result.model.graph.node]
    assert operators.index("DepthToSpace") == len(operators) - 1
    assert operators.count("Relu") == 2


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


def test_reflection_of_copies_is_the_edge() -> None:
    nodes = [
        node("Resize", "x - s", "u", mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
        node("Pad", "u p", "q", mode="reflect"),
        node("Conv", "q w b", "y"),
    ]
    weights = {"w": whole(3, 5, 3, 3), "b": whole(3), "s": np.array([1, 1, 2, 2], np.float32)}
    model = graph(nodes, X, "y", p=np.array([0, 0, 1, 1, 0, 0, 1, 1]), **weights)
    rewritten(model, law="A6", gone="Resize", has="DepthToSpace")


@pytest.mark.parametrize("mode", ["constant", "edge"])
def test_pad_before_the_convolution(mode: str) -> None:
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
            node("Pad", "u p", "q", mode=mode),
            node("Conv", "q w b", "y"),
        ],
        X,
        "y",
        w=whole(3, 5, 3, 3),
        b=whole(3),
        s=np.array([1, 1, 2, 2], np.float32),
        p=np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    )
    rewritten(model, law="A6", gone="Resize", has="Conv DepthToSpace")


def test_average_pooling_after_nearest() -> None:
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
            node("AveragePool", "u", "q", kernel_shape=[2, 2], strides=[2, 2]),
            node("Conv", "q w b", "y", pads=[1] * 4),
        ],
        X,
        "y",
        w=whole(3, 5, 3, 3),
        b=whole(3),
        s=np.array([1, 1, 2, 2], np.float32),
    )
    rewritten(model, gone="Resize AveragePool", has="Conv")


# --- real graphs' habits -----------------------------------------------------------------------------


def test_weights_behind_identity_cast_and_constant() -> None:
    half = whole(5, 3, 4, 4).astype(np.float16)
    model = graph(
        [
            helper.make_node("Constant", [], ["b0"], value_floats=[1.0, 2.0, -3.0]),
            node("Identity", "b0", "b"),
            node("Cast", "h", "c", to=TensorProto.FLOAT),
            node("Identity", "c", "w"),
            node("ConvTranspose", "x w b", "y", strides=[2, 2]),
        ],
        X,
        "y",
        h=half,
    )
    rewritten(model, gone="ConvTranspose Cast Identity", has="DepthToSpace")


def test_shared_weights_stay_for_the_other_reader() -> None:
    model = graph(
        [
            node("ConvTranspose", "x w", "u", strides=[2, 2]),
            node("ConvTranspose", "u w", "v", strides=[2, 2]),
            node("Relu", "v", "r"),
            node("Conv", "r w", "y"),
        ],
        {"x": ["N", 3, "H", "W"]},
        "y",
        w=whole(3, 3, 2, 2),
    )
    result = rewritten(model, gone="ConvTranspose")
    assert "w" in {t.name for t in result.model.graph.initializer}


def test_a_resize_read_twice_moves_into_both_convolutions() -> None:
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
            node("Conv", "u w", "a", pads=[1] * 4),
            node("Conv", "u v", "b", pads=[1] * 4),
            node("Relu", "a", "c"),
            node("Add", "b c", "y"),
        ],
        X,
        "y",
        w=whole(3, 5, 3, 3),
        v=whole(3, 5, 3, 3),
        s=np.array([1, 1, 2, 2], np.float32),
    )
    rewritten(model, count=2, law="A6", gone="Resize")


def test_a_graph_output_in_the_middle_is_kept() -> None:
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
            node("Conv", "u w", "y", pads=[1] * 4),
        ],
        X,
        {"u": 4, "y": 4},
        w=whole(3, 5, 3, 3),
        s=np.array([1, 1, 2, 2], np.float32),
    )
    rewritten(model, has="Resize DepthToSpace")
    chain = graph(
        [node("ConvTranspose", "x w", "u", strides=[2, 2]), node("Mul", "u g", "y")],
        X,
        {"u": 4, "y": 4},
        w=whole(5, 3, 2, 2),
        g=whole(1, 3, 1, 1),
    )
    rewritten(chain, gone="ConvTranspose", has="Mul")


def test_old_file_with_weights_among_its_inputs() -> None:
    model = graph(
        [node("ConvTranspose", "x w", "y", strides=[2, 2])],
        {**X, "w": [5, 3, 2, 2]},
        "y",
        opset=8,
        ir_version=3,
        w=whole(5, 3, 2, 2),
    )
    result = rewritten(model, gone="ConvTranspose", has="DepthToSpace")
    assert [v.name for v in result.model.graph.input] == ["x"]


def test_inside_if_and_loop() -> None:
    def body(name: str, w: str) -> Any:
        return helper.make_graph(
            [node("ConvTranspose", f"x {w}", name, strides=[2, 2])],
            name,
            [],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)],
        )

    branch = helper.make_node(
        "If", ["cond"], ["y"], name="branch", then_branch=body("a", "w"), else_branch=body("b", "v")
    )
    model = graph(
        [node("Relu", "x", "r"), branch], X, "y", cond=np.array(True), w=whole(5, 3, 2, 2), v=whole(5, 3, 4, 4)
    )
    result = rewritten(model, count=2)
    inner = [n.op_type for a in result.model.graph.node[-1].attribute for n in a.g.node]
    assert "ConvTranspose" not in inner
    assert inner.count("DepthToSpace") == 2


def test_float16_is_rewritten_where_the_weights_stay_float16() -> None:
    half = np.float16
    model = graph(
        [
            node("ConvTranspose", "x w", "u", strides=[2, 2]),
            node("Relu", "u", "y"),
        ],
        X,
        "y",
        dtype=TensorProto.FLOAT16,
        w=whole(5, 3, 2, 2).astype(half),
    )
    rewritten(model, gone="ConvTranspose", has="DepthToSpace")


# --- 1×1 convolution past any resize (A7) ------------------------------------------------------------


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
