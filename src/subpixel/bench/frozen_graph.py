"""A network as a frozen TensorFlow graph, the only kind of file that OpenCV's dnn_superres reads.

Protocol buffers are written by hand here: field numbers from TensorFlow's graph.proto, node_def.proto,
attr_value.proto, tensor.proto and tensor_shape.proto. TensorFlow itself is not needed.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import InputError
from subpixel.models.network import Activation, Convolution, PeriodicShuffle

if TYPE_CHECKING:
    from subpixel.models import TrainedNetwork

_FLOAT = 1  # DataType.DT_FLOAT


def frozen_graph(trained: "TrainedNetwork") -> bytes:
    """The file's bytes: input "input" [N, H, W, 1], the last node's output [N, rH, rW, 1], in 0..1.

    Raises:
        InputError: the network has steps other than convolutions, ReLU, tanh and a shuffle to one channel.
    """
    nodes = [_node("input", "Placeholder", [], dtype=_type(), shape=_shape_attribute([-1, -1, -1, 1]))]
    x = "input"
    for index, step in enumerate(trained.network.steps):
        name = f"step{index}"
        match step:
            case Convolution():
                weight = trained.weights[f"{step.name}.weight"].transpose(2, 3, 1, 0)  # O C K K -> K K C O
                nodes.append(_constant(f"{name}/weight", weight))
                nodes.append(_constant(f"{name}/bias", trained.weights[f"{step.name}.bias"]))
                settings = {"strides": _integers([1, 1, 1, 1]), "padding": _text("SAME"), "T": _type()}
                nodes.append(_node(f"{name}/convolution", "Conv2D", [x, f"{name}/weight"], **settings))
                nodes.append(_node(name, "BiasAdd", [f"{name}/convolution", f"{name}/bias"], T=_type()))
            case Activation(kind="relu" | "tanh" as kind):
                nodes.append(_node(name, {"relu": "Relu", "tanh": "Tanh"}[kind], [x], T=_type()))
            case PeriodicShuffle(scale=r) if index == len(trained.network.steps) - 1:
                # TensorFlow's order is DCR; to a single channel it is the same as CRD (law A4).
                nodes.append(_node(name, "DepthToSpace", [x], T=_type(), block_size=_integer(r)))
            case _:
                raise InputError(f"{trained.name} has a step {type(step).__name__} that dnn_superres cannot read")
        x = name
    return b"".join(_bytes(1, node) for node in nodes)


def _varint(value: int) -> bytes:
    value &= 2**64 - 1  # negative numbers are written as their 64-bit two's complement
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _shape(sizes: list[int]) -> bytes:
    return b"".join(_bytes(2, _number(1, size)) for size in sizes)


# AttrValue: list = 1, s = 2, i = 3, type = 6, shape = 7, tensor = 8


def _type() -> bytes:
    return _number(6, _FLOAT)


def _text(value: str) -> bytes:
    return _bytes(2, value.encode())


def _integer(value: int) -> bytes:
    return _number(3, value)


def _integers(values: list[int]) -> bytes:
    return _bytes(1, _bytes(3, b"".join(map(_varint, values))))


def _shape_attribute(sizes: list[int]) -> bytes:
    return _bytes(7, _shape(sizes))


def _constant(name: str, value: NDArray[np.float32]) -> bytes:
    content = np.ascontiguousarray(value, "<f4").tobytes()
    tensor = _number(1, _FLOAT) + _bytes(2, _shape(list(value.shape))) + _bytes(4, content)
    return _node(name, "Const", [], dtype=_type(), value=_bytes(8, tensor))


def _node(name: str, operator: str, inputs: list[str], **attributes: bytes) -> bytes:
    parts = [_bytes(1, name.encode()), _bytes(2, operator.encode()), *(_bytes(3, i.encode()) for i in inputs)]
    entries = [_bytes(1, key.encode()) + _bytes(2, value) for key, value in attributes.items()]
    return b"".join([*parts, *(_bytes(5, entry) for entry in entries)])
