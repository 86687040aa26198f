"""One layer in each of its forms as an ONNX model, spelled by the algebra and written as the rewriter writes."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from subpixel.algebra import Plan, Resize, ZeroInsertion, convolution, lift, spell, transposed_convolution
from subpixel.rewriting.writing.plans import made
from subpixel.rewriting.writing.writer import Writer
from subpixel.study.speed import FORMS, RIVAL

if TYPE_CHECKING:
    from subpixel.study.speed import Point

OPSET = 17


def onnx_layer(point: "Point", weight: NDArray[np.float32], bias: NDArray[np.float32], form: str) -> ModelProto:
    """The layer's form for one size of its input. Weight `C O K K` of the transposed convolution, bias `O`."""
    p, a = point.padding
    op = lift(transposed_convolution(weight, bias, point.stride, p, a))
    if form == RIVAL:
        K, s = point.kernel, point.stride
        at_hr = convolution(weight.swapaxes(0, 1), bias, padding=[((K - 1) // 2, K // 2)] * 2)
        plan = Plan("upscale", (Resize(point.inputs, (s, s), "nearest"), at_hr), (0, 0), op.lengths)
    else:
        plan = spell(op, FORMS[form])
    size = (point.size[1], point.size[0])
    writer = Writer(OPSET, np.dtype(np.float32), {"x"}, form)
    y = "x"
    for layer in plan.layers:
        y = insert_zeros(writer, layer, y, size) if isinstance(layer, ZeroInsertion) else writer.layer(layer, y)
    cuts = []
    for axis, (start, length) in enumerate(zip(plan.crop, op.output_size(size), strict=True)):
        cuts.append((start, made(plan.layers, axis, size[axis]) - start - length))
    y = writer.crop(y, cuts)
    graph = helper.make_graph(
        writer.nodes,
        form,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, point.inputs, *size])],
        [helper.make_tensor_value_info(y, TensorProto.FLOAT, [None] * 4)],
        writer.tensors(),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def insert_zeros(writer: Writer, layer: ZeroInsertion, x: str, size: tuple[int, int]) -> str:
    """Zero insertion as nodes, for maps of `size` only: an axis of one beside each, zeros put there, folded back."""
    (H, W), (s, t) = size, layer.factor
    apart = writer.add("Reshape", [x, writer.integers([1, layer.maps, H, 1, W, 1])])
    padded = writer.add("Pad", [apart, writer.integers([0] * 9 + [s - 1, 0, t - 1])])
    y = writer.add("Reshape", [padded, writer.integers([1, layer.maps, H * s, W * t])])
    return writer.crop(y, [(0, s - 1 - layer.tail[0]), (0, t - 1 - layer.tail[1])])
