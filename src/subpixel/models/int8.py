"""A network's graph in eight bits: QuantizeLinear and DequantizeLinear around every convolution of known range.

What comes in is unsigned with a zero point of its own tensor, kernels are signed with a scale an output map; the
runtime multiplies bytes and adds 32-bit integers. Results, biases, the skip and the shuffle stay float32.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    import onnx

Ranges = Mapping[str, tuple[float, float]]


def int8_graph(graph: "onnx.ModelProto", ranges: Ranges) -> "onnx.ModelProto":
    """The same graph with its convolutions in eight bits.

    Args:
        graph: of `onnx_graph`; left as it is.
        ranges: by the convolution's name, the least and the largest value of what comes into it; values beyond
            are clipped. A convolution without one stays in f32.
    """
    model = type(graph)()
    model.CopyFrom(graph)
    kernels = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    added: dict[str, NDArray[Any]] = {}
    for node in graph.graph.node:
        name = node.input[1].removesuffix(".weight") if node.op_type == "Conv" else ""
        if name not in ranges:
            nodes.append(node)
            continue
        x, weight = node.input[0], node.input[1]
        scale, zero = steps_of(*ranges[name])
        kernel, scales = quantised(numpy_helper.to_array(kernels[weight]))
        constants: dict[str, NDArray[Any]] = {
            f"{name}.x_scale": scale,
            f"{name}.x_zero": zero,
            f"{name}.int8": kernel,
            f"{name}.int8_scale": scales,
            f"{name}.int8_zero": np.zeros(len(scales), np.int8),
        }
        x_scale, x_zero, *of_kernel = constants
        added |= constants
        del kernels[weight]
        nodes += [
            helper.make_node("QuantizeLinear", [x, x_scale, x_zero], [f"{name}.x_int8"]),
            helper.make_node("DequantizeLinear", [f"{name}.x_int8", x_scale, x_zero], [f"{name}.x"]),
            helper.make_node("DequantizeLinear", of_kernel, [weight], axis=0),
        ]
        convolution = type(node)()
        convolution.CopyFrom(node)
        convolution.input[0] = f"{name}.x"
        nodes.append(convolution)
    del model.graph.node[:]
    del model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(kernels.values())
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in added.items())
    return model


def steps_of(least: float, largest: float) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Scale and zero point of 256 steps from least to largest; 0, which pads a border, is one of them exactly."""
    least, largest = min(least, 0.0), max(largest, 0.0)
    scale = (largest - least) / 255 or 1.0
    return np.asarray(scale, np.float32), np.asarray(round(-least / scale), np.uint8)


def quantised(kernel: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A kernel [O, I, K, K] in -127..127, and the scale of each output map [O]."""
    largest = np.abs(kernel).max((1, 2, 3))
    scales = np.where(largest > 0, largest / 127, 1.0).astype(np.float32)
    return np.round(kernel / scales[:, None, None, None]).clip(-127, 127).astype(np.int8), scales
