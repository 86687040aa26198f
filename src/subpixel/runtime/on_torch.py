"""The session on PyTorch (extra: torch), by a small interpreter of the graph.

It takes the operators of plain super-resolution networks and refuses the others by name. It is there to
compare with, and for machines where PyTorch is what there is; the two other runtimes are faster.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor
from torch.nn import functional as F

from subpixel.errors import InputError
from subpixel.runtime.onnx_file import graph_inputs
from subpixel.runtime.session import Session

if TYPE_CHECKING:
    import onnx

Step = tuple[Callable[..., Tensor], dict[str, Any], list[str], str]


class TorchSession(Session):
    """PyTorch on the CPU, in f32, eagerly."""

    runtime = "torch"

    def __init__(self, graph: "onnx.ModelProto", threads: int) -> None:
        super().__init__(threads, "f32")
        self._values = {
            tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.graph.initializer
        }
        self._steps: list[Step] = []
        for node in graph.graph.node:
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "Constant" and "value" in attributes:
                self._values[node.output[0]] = torch.from_numpy(numpy_helper.to_array(attributes["value"]).copy())
                continue
            if node.op_type not in _OPERATORS or node.domain not in ("", "ai.onnx"):
                where = node.name or node.output[0]
                raise InputError(
                    f"the runtime torch has no operator {node.op_type} (node {where!r}): use onnxruntime or openvino"
                )
            self._steps.append((_OPERATORS[node.op_type], attributes, list(node.input), node.output[0]))
        self._input, self._output = graph_inputs(graph)[0].name, graph.graph.output[0].name

    @torch.inference_mode()
    def _run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)  # PyTorch's count is the whole process's: put back what it was
        try:
            # An optional input that is left out has the empty name.
            values: dict[str, Tensor | None] = {"": None, **self._values, self._input: torch.from_numpy(x)}
            for operator, attributes, inputs, output in self._steps:
                values[output] = operator(*(values[name] for name in inputs), **attributes)
            result = values[self._output]
            assert result is not None
            array: NDArray[np.float32] = result.contiguous().numpy()
            return array
        finally:
            torch.set_num_threads(before)

    def _failures(self) -> tuple[type[Exception], ...]:
        return (TypeError,)  # an attribute or an input that the operator here does not take


def _padded(x: Tensor, pads: list[int], auto_pad: bytes) -> Tensor:
    if auto_pad != b"NOTSET":
        raise ValueError(f"auto_pad {auto_pad.decode()} is not supported by the runtime torch")
    half = len(pads) // 2
    ends = [end for pair in zip(pads[:half][::-1], pads[half:][::-1], strict=True) for end in pair]
    return F.pad(x, ends) if any(pads) else x


def _conv(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    *,
    strides: tuple[int, ...] = (1, 1),
    dilations: tuple[int, ...] = (1, 1),
    group: int = 1,
    pads: tuple[int, ...] = (0, 0, 0, 0),
    auto_pad: bytes = b"NOTSET",
    kernel_shape: object = None,  # the weight's shape says the same
) -> Tensor:
    top, left, bottom, right = pads
    if (top, left) == (bottom, right) and auto_pad == b"NOTSET":
        return F.conv2d(x, w, b, tuple(strides), (top, left), tuple(dilations), group)
    return F.conv2d(_padded(x, list(pads), auto_pad), w, b, tuple(strides), 0, tuple(dilations), group)


def _conv_transpose(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    *,
    strides: tuple[int, ...] = (1, 1),
    dilations: tuple[int, ...] = (1, 1),
    group: int = 1,
    pads: tuple[int, ...] = (0, 0, 0, 0),
    output_padding: tuple[int, ...] = (0, 0),
    kernel_shape: object = None,
) -> Tensor:
    top, left, bottom, right = pads
    if (top, left) == (bottom, right):
        return F.conv_transpose2d(x, w, b, tuple(strides), (top, left), tuple(output_padding), group, tuple(dilations))
    y = F.conv_transpose2d(x, w, b, tuple(strides), 0, tuple(output_padding), group, tuple(dilations))
    return y[:, :, top : y.shape[2] - bottom, left : y.shape[3] - right]


def _depth_to_space(x: Tensor, *, blocksize: int, mode: bytes = b"DCR") -> Tensor:
    if mode == b"CRD":
        return F.pixel_shuffle(x, blocksize)
    n, channels, h, w = x.shape
    r = blocksize
    blocks = x.reshape(n, r, r, channels // r**2, h, w)  # N (ry rx C) H W
    return blocks.permute(0, 3, 4, 1, 5, 2).reshape(n, channels // r**2, h * r, w * r)


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x < 0, x * slope, x)  # ONNX's slope broadcasts from the last axis, PyTorch's from C


_OPERATORS: dict[str, Callable[..., Tensor]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DepthToSpace": _depth_to_space,
    "PRelu": _prelu,
    "Relu": F.relu,
    "Tanh": torch.tanh,
    "Sigmoid": torch.sigmoid,
    "LeakyRelu": lambda x, alpha=0.01: F.leaky_relu(x, alpha),
    "Clip": lambda x, low=None, high=None, **bounds: x.clamp(bounds.get("min", low), bounds.get("max", high)),
    "Add": torch.add,
    "Sub": torch.sub,
    "Mul": torch.mul,
    "Div": torch.div,
    "Concat": lambda *xs, axis: torch.cat(xs, axis),
    "Transpose": lambda x, perm: x.permute(*perm),
    "Identity": lambda x: x,
}
