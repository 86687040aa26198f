"""How far a graph looks: what decides the halo of a tile.

Position n of a tensor that lies on a lattice `up` times finer than the input depends on input positions
n/up - low to n/up + high. A picture cut into tiles that overlap by that much gives every pixel the same
numbers as the whole picture does; a graph with an operator that looks everywhere, or that this file does not
know, has no bound, and is never cut.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import helper, numpy_helper

from subpixel.runtime.onnx_file import graph_inputs

if TYPE_CHECKING:
    import onnx

_POINTWISE = frozenset(
    """
    Abs Add BatchNormalization Cast Ceil Clip Concat Div Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity
    LeakyRelu Max Min Mish Mul Neg Pow PRelu Reciprocal Relu Round Selu Sigmoid Softplus Softsign Sqrt Sub
    Swish Tanh
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True)
class _Axis:
    """One axis of a tensor against the input's: length = up · input + grow."""

    up: int = 1
    low: Fraction = Fraction(0)
    high: Fraction = Fraction(0)
    grow: int = 0

    def window(self, before: int, after: int, grow: int) -> "_Axis":
        """Output n reads n - before .. n + after of this tensor."""
        return replace(
            self,
            low=self.low + Fraction(before, self.up),
            high=self.high + Fraction(after, self.up),
            grow=self.grow + grow,
        )

    def finer(self, factor: int, before: int, after: int, grow: int) -> "_Axis":
        """Output j of a lattice `factor` times finer reads ⌊j/factor⌋ - before .. ⌊j/factor⌋ + after."""
        wide = self.window(before + 1, after, 0)  # j/factor lies up to one position above its floor
        return replace(wide, up=self.up * factor, grow=self.grow * factor + grow)


_Axes = tuple[_Axis, _Axis]


class _Unbounded(Exception):
    """An operator whose reach is not known."""


def halo(graph: "onnx.ModelProto") -> int | None:
    """Input pixels beyond a tile's edge that its output depends on; None where there is no known bound."""
    constants = {t.name: t for t in graph.graph.initializer}
    reached: dict[str, _Axes] = {graph_inputs(graph)[0].name: (_Axis(), _Axis())}
    turned: set[str] = set()  # tensors that lie as [N, H, W, C]
    try:
        for node in graph.graph.node:
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "Constant":
                if "value" not in attributes:
                    raise _Unbounded
                constants[node.output[0]] = attributes["value"]
                continue
            moving = [reached[name] for name in node.input if name in reached]
            if not moving or node.domain not in ("", "ai.onnx"):
                raise _Unbounded
            if node.op_type == "Transpose":
                _turn(node, attributes, turned)
                reached[node.output[0]] = moving[0]
                continue
            if turned.intersection(node.input):
                raise _Unbounded
            values = [numpy_helper.to_array(constants[name]) if name in constants else None for name in node.input]
            reached[node.output[0]] = _after(node.op_type, attributes, moving, values)
        axes = reached[graph.graph.output[0].name]
    except (_Unbounded, KeyError):
        return None
    if any(axis.grow for axis in axes):
        return None
    return max(0, *(ceil(max(axis.low, axis.high)) for axis in axes))


def _turn(node: "onnx.NodeProto", attributes: dict[str, Any], turned: set[str]) -> None:
    """Follow a tensor from [N, C, H, W] to [N, H, W, C] and back; between the two nothing may happen to it."""
    was = node.input[0] in turned
    if list(attributes.get("perm", ())) != ([0, 3, 1, 2] if was else [0, 2, 3, 1]):
        raise _Unbounded
    if not was:
        turned.add(node.output[0])


def _after(
    operator: str, attributes: dict[str, Any], moving: list[_Axes], values: Sequence[np.ndarray | None]
) -> _Axes:
    if operator in _POINTWISE:
        if operator == "Concat" and attributes["axis"] != 1:
            raise _Unbounded
        if operator != "BatchNormalization" and any(v is not None and _differs_in_place(v) for v in values):
            raise _Unbounded
        return _joined(moving)
    if operator not in _READERS or len(moving) != 1:
        raise _Unbounded
    first, second = (_READERS[operator](attributes, values, axis) for axis in (0, 1))
    return first(moving[0][0]), second(moving[0][1])


def _differs_in_place(constant: np.ndarray) -> bool:
    """Whether a broadcast constant differs over height or width: a tile would meet other values of it."""
    return constant.size > 1 and (constant.ndim < 3 or constant.shape[-2:] != (1, 1))


def _joined(moving: list[_Axes]) -> _Axes:
    """Tensors added, multiplied or concatenated: they must lie on one lattice."""
    joined = []
    for axis in zip(*moving, strict=True):
        if len({(a.up, a.grow) for a in axis}) != 1:
            raise _Unbounded
        joined.append(replace(axis[0], low=max(a.low for a in axis), high=max(a.high for a in axis)))
    return joined[0], joined[1]


_Move = Callable[[_Axis], _Axis]


def _span(attributes: dict[str, Any], kernel: int, axis: int) -> tuple[int, int, int, int]:
    """Stride, reach d·(K-1), padding at the start and at the end, of one axis."""
    stride = attributes.get("strides", (1, 1))[axis]
    reach = attributes.get("dilations", (1, 1))[axis] * (kernel - 1)
    pads = attributes.get("pads", (0, 0, 0, 0))
    start, end = pads[axis], pads[axis + 2]
    match attributes.get("auto_pad", b"NOTSET"):
        case b"SAME_UPPER" if stride == 1:
            start, end = reach // 2, reach - reach // 2
        case b"SAME_LOWER" if stride == 1:
            start, end = reach - reach // 2, reach // 2
        case b"VALID":
            start = end = 0
        case b"NOTSET":
            pass
        case _:
            raise _Unbounded
    return stride, reach, start, end


def _convolution(attributes: dict[str, Any], values: Sequence[np.ndarray | None], axis: int) -> _Move:
    weight = values[1] if len(values) > 1 else None
    kernel = attributes["kernel_shape"][axis] if weight is None else weight.shape[2 + axis]
    stride, reach, start, end = _span(attributes, kernel, axis)
    if stride != 1:
        raise _Unbounded  # tiles would have to start at multiples of the stride
    return lambda x: x.window(start, reach - start, start + end - reach)


def _transposed(attributes: dict[str, Any], values: Sequence[np.ndarray | None], axis: int) -> _Move:
    weight = values[1]
    if weight is None or "output_shape" in attributes:
        raise _Unbounded
    stride, reach, start, end = _span(attributes, weight.shape[2 + axis], axis)
    extra = attributes.get("output_padding", (0, 0))[axis]
    # y[j] reads x[i] where 0 <= j + start - s·i <= reach; the length is s·(L-1) + reach + 1 - start - end + extra
    before, after = max(0, (reach - start) // stride), (start + stride - 1) // stride
    return lambda x: x.finer(stride, before, after, reach + 1 - stride - start - end + extra)


def _shuffle(attributes: dict[str, Any], values: Sequence[np.ndarray | None], axis: int) -> _Move:
    return lambda x: x.finer(attributes["blocksize"], 0, 0, 0)


def _resize(attributes: dict[str, Any], values: Sequence[np.ndarray | None], axis: int) -> _Move:
    """Resize (x, roi, scales) and the older Upsample (x, scales), by whole factors."""
    scales = next((v for v in values[::-1] if v is not None and v.size == 4), None)
    local = attributes.get("coordinate_transformation_mode", b"half_pixel") in (
        b"half_pixel",
        b"pytorch_half_pixel",
        b"asymmetric",
    )
    if scales is None or scales.dtype.kind != "f" or not local or scales[2 + axis] % 1:
        raise _Unbounded
    reach = {b"nearest": 1, b"linear": 1, b"cubic": 2}[attributes.get("mode", b"nearest")]
    return lambda x: x.finer(int(scales[2 + axis]), reach, reach, 0)


def _pad(attributes: dict[str, Any], values: Sequence[np.ndarray | None], axis: int) -> _Move:
    pads = attributes.get("pads") if len(values) < 2 or values[1] is None else values[1]
    if pads is None or len(pads) != 8:
        raise _Unbounded
    start, end = int(pads[2 + axis]), int(pads[6 + axis])
    return lambda x: x.window(start, -start, start + end)


_READERS: dict[str, Callable[[dict[str, Any], Sequence[np.ndarray | None], int], _Move]] = {
    "Conv": _convolution,
    "AveragePool": _convolution,
    "MaxPool": _convolution,
    "ConvTranspose": _transposed,
    "DepthToSpace": _shuffle,
    "Resize": _resize,
    "Upsample": _resize,
    "Pad": _pad,
}
