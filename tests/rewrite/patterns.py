"""What real graphs spell their upsamplings like: one small model a pattern, integer weights, sizes open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from rewrite.graphs import graph, node, whole

X: Any = {"x": ["N", 5, "H", "W"]}
NEAREST: Any = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
S2 = np.array([1, 1, 2, 2], np.float32)
Build = Callable[[], onnx.ModelProto]


def transposed(
    K: tuple[int, ...] = (4, 4), O: int = 3, bias: bool = True, opset: int = 17, after: Any = (), **attributes: Any
) -> Build:
    """A transposed convolution, and nodes after it that read `y` and write `z`."""

    def make() -> onnx.ModelProto:
        d = len(K)
        stated = {"strides": [2] * d, "pads": [1] * 2 * d, **attributes}
        stated = {name: value for name, value in stated.items() if value is not None}
        x = {"x": ["N", 5, *"TWH"[:d]]}
        weights: dict[str, Any] = {"w": whole(5, O, *K)}
        if bias:
            weights["b"] = whole(O * stated.get("group", 1))
        nodes, extra = after() if after else ([], {})
        first = node("ConvTranspose", "x w b" if bias else "x w", "y", **stated)
        return graph([first, *nodes], x, "z" if nodes else "y", opset=opset, **weights, **extra)

    return make


def batch_norm() -> Any:
    n = node("BatchNormalization", "y s m q v", "z", epsilon=0.0)
    return [n], {"s": whole(3), "m": whole(3), "q": whole(3), "v": np.ones(3, np.float32)}


def scale_and_shift() -> Any:
    return [node("Mul", "y g", "y2"), node("Add", "y2 h", "z")], {"g": whole(1, 3, 1, 1), "h": whole(3, 1, 1)}


def resized(
    how: dict[str, Any], s: float = 2, K: int = 3, opset: int = 17, between: Any = (), op: str = "Resize"
) -> Build:
    """A resize and a convolution, perhaps a node between them that reads `u` and writes `q`."""

    def make() -> onnx.ModelProto:
        nodes, extra = between() if between else ([], {})
        scales = np.array([1, 1, s, s], np.float32)
        if opset < 9:
            up, extra = node(op, "x", "u", scales=scales.tolist(), **how), {**extra}
        elif opset < 11:
            up, extra = node(op, "x s", "u", **how), {**extra, "s": scales}
        elif opset < 13:
            up, extra = node(op, "x r s", "u", **how), {**extra, "s": scales, "r": np.zeros(0, np.float32)}
        else:
            up, extra = node(op, "x - s", "u", **how), {**extra, "s": scales}
        conv = node("Conv", ("q" if nodes else "u") + " w b", "y", pads=[0 if nodes else K // 2] * 4)
        x = {"x": ["N", 5, 5, 6]} if opset == 10 else X  # opset 10's Slice infers wrong shapes for symbols
        return graph([up, *nodes, conv], x, "y", opset=opset, w=whole(3, 5, K, K), b=whole(3), **extra)

    return make


def padding(mode: str) -> Any:
    return lambda: ([node("Pad", "u p", "q", mode=mode)], {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1])})


def resized_in(d: int) -> Build:
    def make() -> onnx.ModelProto:
        nodes = [node("Resize", "x - s", "u", **NEAREST), node("Conv", "u w", "y", pads=[1] * 2 * d)]
        s = np.array([1, 1, *(2,) * d], np.float32)
        return graph(nodes, {"x": ["N", 3, *"TWH"[:d]]}, "y", w=whole(2, 3, *(3,) * d), s=s)

    return make


def shuffled(mode: str, opset: int = 17) -> Build:
    def make() -> onnx.ModelProto:
        order = {} if opset < 11 else {"mode": mode}
        nodes = [node("Conv", "x w b", "v", pads=[1] * 4), node("DepthToSpace", "v", "y", blocksize=2, **order)]
        return graph(nodes, X, "y", opset=opset, w=whole(12, 5, 3, 3), b=whole(12))

    return make


def shuffle_then_convolution() -> onnx.ModelProto:
    """EDSR's tail."""
    nodes = [
        node("Conv", "x w b", "v", pads=[1] * 4),
        node("DepthToSpace", "v", "u", blocksize=2, mode="CRD"),
        node("Conv", "u w2 b2", "y", pads=[1] * 4),
    ]
    return graph(nodes, X, "y", w=whole(12, 5, 3, 3), b=whole(12), w2=whole(2, 3, 3, 3), b2=whole(2))


def space_to_depth() -> onnx.ModelProto:
    """An enlarged image folded back: SpaceToDepth after nearest, and a convolution."""
    nodes = [
        node("Resize", "x - s", "u", **NEAREST),
        node("SpaceToDepth", "u", "v", blocksize=2),
        node("Conv", "v w b", "y", pads=[1] * 4),
    ]
    return graph(nodes, X, "y", w=whole(3, 20, 3, 3), b=whole(3), s=S2)


def unshuffle_spelled_out() -> onnx.ModelProto:
    """PixelUnshuffle as PyTorch exports it, after nearest."""
    nodes = [
        node("Resize", "x - s", "u", **NEAREST),
        node("Reshape", "u t1", "a"),
        node("Transpose", "a", "c", perm=[0, 1, 3, 5, 2, 4]),
        node("Reshape", "c t2", "v"),
        node("Conv", "v w b", "y", pads=[1] * 4),
    ]
    t1, t2 = np.array([1, 5, 5, 2, 6, 2]), np.array([1, 20, 5, 6])
    return graph(nodes, {"x": [1, 5, 5, 6]}, "y", w=whole(3, 20, 3, 3), b=whole(3), s=S2, t1=t1, t2=t2)


def spelled_out(order: str, dynamic: bool) -> Build:
    """PixelShuffle as Reshape–Transpose–Reshape."""

    def make() -> onnx.ModelProto:
        split = [3, 2, 2] if order == "crd" else [2, 2, 3]
        perm = [0, 1, 4, 2, 5, 3] if order == "crd" else [0, 3, 4, 1, 5, 2]
        nodes, weights = [node("Conv", "x w b", "v", pads=[1] * 4)], {"w": whole(12, 5, 3, 3), "b": whole(12)}
        if dynamic:
            nodes += [
                node("Shape", "v", "shape"),
                node("Slice", "shape two four", "hw"),
                node("Slice", "shape zero one", "n"),
                node("Mul", "hw two", "hw2"),
                node("Concat", "n split hw", "t1", axis=0),
                node("Concat", "n three hw2", "t2", axis=0),
            ]
            names = {"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4}
            weights |= {name: np.array([v]) for name, v in names.items()}
            weights["split"] = np.array(split)
        else:
            weights |= {"t1": np.array([1, *split, 5, 6]), "t2": np.array([1, 3, 10, 12])}
        nodes += [
            node("Reshape", "v t1", "a"),
            node("Transpose", "a", "c", perm=perm),
            node("Reshape", "c t2", "y"),
        ]
        return graph(nodes, X if dynamic else {"x": [1, 5, 5, 6]}, "y", **weights)

    return make


def zero_insertion() -> onnx.ModelProto:
    """An axis of one, zeros at its end, merged; and a convolution: a transposed convolution written out."""
    nodes = [
        node("Reshape", "x t1", "a"),
        node("Pad", "a p", "z"),
        node("Reshape", "z t2", "u"),
        node("Conv", "u w b", "y", pads=[2, 2, 1, 1]),
    ]
    t1, p, t2 = np.array([1, 5, 5, 1, 6, 1]), np.array([0] * 6 + [0, 0, 0, 1, 0, 1]), np.array([1, 5, 10, 12])
    return graph(nodes, {"x": [1, 5, 5, 6]}, "y", t1=t1, p=p, t2=t2, w=whole(3, 5, 4, 4), b=whole(3))


def sizes_from_a_skip() -> onnx.ModelProto:
    """interpolate(x, skip.shape[2:]), concatenated with the skip: a U-Net's decoder."""
    nodes = [
        node("Shape", "k", "shape"),
        node("Slice", "shape two four", "hw"),
        node("Concat", "nc hw", "z", axis=0),
        node("Resize", "x - - z", "u", **NEAREST),
        node("Concat", "u k", "c", axis=1),
        node("Conv", "c w b", "y", pads=[1] * 4),
    ]
    two, four, nc = np.array([2]), np.array([4]), np.array([1, 5])
    x: Any = {"x": [1, 5, 5, 6], "k": [1, 2, 10, 12]}
    return graph(nodes, x, "y", w=whole(3, 7, 3, 3), b=whole(3), two=two, four=four, nc=nc)


def concatenated(up: str) -> Build:
    def make() -> onnx.ModelProto:
        t = {"t": whole(8, 3, 2, 2)} if up == "ConvTranspose" else {"s": S2}
        first = node("Resize", "x - s", "u", **NEAREST)
        if up == "ConvTranspose":
            first = node("ConvTranspose", "x t", "u", strides=[2, 2])
        nodes = [first, node("Concat", "k u", "c", axis=1), node("Conv", "c w b", "y", pads=[1] * 4)]
        C = 3 if up == "ConvTranspose" else 8
        x = {"x": ["N", 8, "H", "W"], "k": ["N", 4, "2H", "2W"]}
        return graph(nodes, x, "y", w=whole(3, C + 4, 3, 3), b=whole(3), **t)

    return make


def global_skip(how: dict[str, Any]) -> Build:
    """Features through convolution and shuffle, plus the image enlarged (A15)."""

    def make() -> onnx.ModelProto:
        nodes = [
            node("Conv", "x w b", "v", pads=[1] * 4),
            node("Relu", "v", "r"),
            node("Conv", "r w2 b2", "f", pads=[1] * 4),
            node("DepthToSpace", "f", "p", blocksize=2, mode="CRD"),
            node("Resize", "x - s", "u", **how),
            node("Add", "p u", "y"),
        ]
        weights = {"w": whole(4, 3, 3, 3), "b": whole(4), "w2": whole(12, 4, 3, 3), "b2": whole(12), "s": S2}
        return graph(nodes, {"x": ["N", 3, "H", "W"]}, "y", **weights)

    return make


def diagonal_bilinear() -> onnx.ModelProto:
    """FCN's last layer: a dense transposed convolution that is bilinear interpolation of each map, times 16."""
    taps = np.array([1, 3, 3, 1], np.float32)
    w = np.zeros((5, 5, 4, 4), np.float32)
    for c in range(5):
        w[c, c] = np.outer(taps, taps)
    return graph([node("ConvTranspose", "x w", "y", strides=[2, 2], pads=[1] * 4)], X, "y", w=w)


def read_twice() -> onnx.ModelProto:
    nodes = [
        node("Resize", "x - s", "u", **NEAREST),
        node("Conv", "u w", "a", pads=[1] * 4),
        node("Conv", "u v", "b", pads=[1] * 4),
        node("Relu", "a", "c"),
        node("Add", "b c", "y"),
    ]
    return graph(nodes, X, "y", w=whole(3, 5, 3, 3), v=whole(3, 5, 3, 3), s=S2)


def shared_weights() -> onnx.ModelProto:
    """One kernel in two transposed convolutions, one bias there and in a convolution.

    The kernel is in no convolution: OpenVINO 2026.4 gets a tensor wrong that both operators read.
    """
    nodes = [
        node("ConvTranspose", "x w b", "u", strides=[2, 2]),
        node("Relu", "u", "r"),
        node("ConvTranspose", "r w", "v", strides=[2, 2]),
        node("Relu", "v", "q"),
        node("Conv", "q k b", "y"),
    ]
    return graph(nodes, {"x": ["N", 3, "H", "W"]}, "y", w=whole(3, 3, 2, 2), k=whole(3, 3, 2, 2), b=whole(3))


def weights_behind_nodes() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Constant", [], ["b0"], value_floats=[1.0, 2.0, -3.0]),
        node("Identity", "b0", "b"),
        node("Cast", "h", "c", to=TensorProto.FLOAT),
        node("Identity", "c", "w"),
        node("ConvTranspose", "x w b", "y", strides=[2, 2]),
    ]
    return graph(nodes, X, "y", h=whole(5, 3, 4, 4).astype(np.float16))


def output_in_the_middle() -> onnx.ModelProto:
    nodes = [node("Resize", "x - s", "u", **NEAREST), node("Conv", "u w", "y", pads=[1] * 4)]
    return graph(nodes, X, {"u": 4, "y": 4}, w=whole(3, 5, 3, 3), s=S2)


def inside_branches() -> onnx.ModelProto:
    def body(name: str, w: str) -> Any:
        out = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        return helper.make_graph([node("ConvTranspose", f"x {w}", name, strides=[2, 2])], name, [], [out])

    bodies = {"then_branch": body("a", "w"), "else_branch": body("b", "v")}
    branch = helper.make_node("If", ["cond"], ["y"], name="branch", **bodies)
    nodes = [node("Relu", "x", "r"), branch]
    return graph(nodes, X, "y", cond=np.array(True), w=whole(5, 3, 2, 2), v=whole(5, 3, 4, 4))


def inside_a_loop() -> onnx.ModelProto:
    """Three times: a transposed convolution of the same image, added up."""
    inner = helper.make_graph(
        [
            node("Identity", "go", "again"),
            node("ConvTranspose", "x w", "up", strides=[2, 2]),
            node("Add", "sum up", "more"),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["N", 3, "2H", "2W"]),
        ],
        [
            helper.make_tensor_value_info("again", TensorProto.BOOL, []),
            helper.make_tensor_value_info("more", TensorProto.FLOAT, ["N", 3, "2H", "2W"]),
        ],
    )
    loop = helper.make_node("Loop", ["times", "", "start"], ["y"], name="loop", body=inner)
    nodes = [node("ConvTranspose", "x w", "start", strides=[2, 2]), loop]
    return graph(nodes, X, "y", times=np.array(3), w=whole(5, 3, 2, 2))


def half() -> onnx.ModelProto:
    w = whole(5, 3, 2, 2).astype(np.float16)
    nodes = [node("ConvTranspose", "x w", "u", strides=[2, 2]), node("Relu", "u", "y")]
    return graph(nodes, X, "y", dtype=TensorProto.FLOAT16, w=w)


def old_file() -> onnx.ModelProto:
    """Weights among the graph's inputs, as before IR version 4."""
    x = {**X, "w": [5, 3, 2, 2]}
    nodes = [node("ConvTranspose", "x w", "y", strides=[2, 2])]
    return graph(nodes, x, "y", opset=8, ir_version=3, w=whole(5, 3, 2, 2))


def pooled() -> onnx.ModelProto:
    nodes = [
        node("Resize", "x - s", "u", **NEAREST),
        node("AveragePool", "u", "q", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", "q w b", "y", pads=[1] * 4),
    ]
    return graph(nodes, X, "y", w=whole(3, 5, 3, 3), b=whole(3), s=S2)
