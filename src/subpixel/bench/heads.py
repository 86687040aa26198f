"""Upsampling sites as networks have them, each a small model: what rewriting is measured on.

`aims`: how many times as fast the rewritten model ought to be on onnxruntime and on OpenVINO.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper


@dataclass(frozen=True)
class Head:
    """A small model with stated sizes. `kept`: the runtime for which it must come out as it is."""

    name: str
    model: Callable[[], onnx.ModelProto]
    aims: dict[str, float]
    kept: str = ""


class _Drawing:
    """Nodes and weights, each node reading the one before it unless told otherwise."""

    def __init__(self, **inputs: Sequence[int]) -> None:
        self.rng = np.random.default_rng(0)
        self.inputs = inputs
        self.last = next(iter(inputs))
        self.nodes: list[NodeProto] = []
        self.weights: dict[str, np.ndarray] = {}

    def add(self, op: str, *others: str | np.ndarray, **attributes: Any) -> _Drawing:
        """A node over the last value and `others`: names of values, or weights."""
        at, names = len(self.nodes), [self.last]
        for i, other in enumerate(others):
            if isinstance(other, str):
                names.append(other)
                continue
            names.append(f"w{at}_{i}")
            self.weights[names[-1]] = np.asarray(other, np.float32)
        self.last = f"y{at}"
        self.nodes.append(helper.make_node(op, names, [self.last], name=f"{op}{at}", **attributes))
        return self

    def conv(self, C: int, O: int, K: int) -> _Drawing:
        """A convolution that keeps the size. Weights as trained networks have them: none zero, sums about one."""
        return self.add("Conv", self.noise(O, C, K, K) / K / C**0.5, self.noise(O), pads=[K // 2] * 4)

    def up(self, s: int, mode: str = "nearest") -> _Drawing:
        """A resize as PyTorch exports it."""
        how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        half = {"coordinate_transformation_mode": "half_pixel"}
        return self.add("Resize", "", np.array([1, 1, s, s]), mode=mode, **(how if mode == "nearest" else half))

    def deconv(self, C: int, O: int, K: int, s: int, p: int = 0, a: int = 0) -> _Drawing:
        """A transposed convolution with a bias."""
        given = {"strides": [s, s], "pads": [p] * 4, "output_padding": [a, a]}
        return self.add("ConvTranspose", self.noise(C, O, K, K) / K / C**0.5, self.noise(O), **given)

    def noise(self, *shape: int) -> np.ndarray:
        return self.rng.standard_normal(shape)

    def model(self) -> onnx.ModelProto:
        """The drawing, checked."""
        rank = len(next(iter(self.inputs.values())))
        kind = TensorProto.FLOAT
        graph = helper.make_graph(
            self.nodes,
            "head",
            [helper.make_tensor_value_info(name, kind, shape) for name, shape in self.inputs.items()],
            [helper.make_tensor_value_info(self.last, kind, [None] * rank)],
            [numpy_helper.from_array(value, name) for name, value in self.weights.items()],
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(made)
        return made


def _resized(C: int, O: int, s: int, K: int, size: tuple[int, int], mode: str = "nearest") -> Callable[[], Any]:
    return lambda: _Drawing(x=(1, C, *size)).up(s, mode).conv(C, O, K).model()


def _deconvolved(C: int, O: int, K: int, s: int, p: int, size: tuple[int, int]) -> Callable[[], Any]:
    return lambda: _Drawing(x=(1, C, *size)).deconv(C, O, K, s, p).model()


def _fsrcnn() -> onnx.ModelProto:
    """FSRCNN (56, 12, 4), Dong et al. 2016: nine layers, the last a transposed convolution 9×9, stride 3."""
    d = _Drawing(x=(1, 1, 360, 640))
    maps = [(1, 56, 5), (56, 12, 1), *[(12, 12, 3)] * 4, (12, 56, 1)]
    for C, O, K in maps:
        d.conv(C, O, K).add("PRelu", np.full((O, 1, 1), 0.2))
    return d.deconv(56, 1, 9, 3, 4, 2).model()


def _istft() -> onnx.ModelProto:
    """The inverse short-time Fourier transform as a transposed convolution: 257 real and imaginary bins to samples."""
    d = _Drawing(x=(1, 514, 400))
    return d.add("ConvTranspose", d.noise(514, 1, 512) / 64, strides=[128]).model()


def _unet() -> onnx.ModelProto:
    """Two levels of a U-Net's decoder: nearest, concatenation with the encoder's maps, 3×3, ReLU."""
    d = _Drawing(x=(1, 128, 48, 64), k=(1, 64, 96, 128), l=(1, 32, 192, 256))
    d.up(2).add("Concat", "k", axis=1).conv(192, 64, 3).add("Relu")
    return d.up(2).add("Concat", "l", axis=1).conv(96, 32, 3).add("Relu").model()


HEADS = (
    Head("nearest ×2, 3×3 64→3", _resized(64, 3, 2, 3, (180, 320)), {"onnxruntime": 3, "openvino": 3}),
    Head("nearest ×4, 9×9 32→3", _resized(32, 3, 4, 9, (90, 160)), {"onnxruntime": 50, "openvino": 20}),
    Head("linear ×4, 3×3 32→1", _resized(32, 1, 4, 3, (180, 320), "linear"), {"onnxruntime": 8, "openvino": 4}),
    Head("FSRCNN ×3, 640×360, whole", _fsrcnn, {"onnxruntime": 1, "openvino": 3}),
    Head("deconvolution k4 s2 p1 64→3", _deconvolved(64, 3, 4, 2, 1, (180, 320)), {"onnxruntime": 1, "openvino": 1.7}),
    Head("istft, 1-D, k512 s128", _istft, {"onnxruntime": 1, "openvino": 2}),
    Head("U-Net decoder, nearest + concat + 3×3", _unet, {"either": 1.2}),
    Head("U-Net k2 s2 64→32", _deconvolved(64, 32, 2, 2, 0, (128, 128)), {"onnxruntime": 1}, kept="onnxruntime"),
)
