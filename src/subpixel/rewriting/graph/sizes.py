"""Sizes as symbols: what a computed shape says about the tensor it shapes, when sizes are not known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import helper

from subpixel.rewriting.graph.view import View


@dataclass(frozen=True)
class Size:
    """times · (the product of some dimensions), a dimension being a symbol or "tensor[axis]"."""

    times: int
    of: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "·".join([*([str(self.times)] if self.times != 1 or not self.of else []), *self.of])

    def __mul__(self, other: Size) -> Size:
        return Size(self.times * other.times, tuple(sorted(self.of + other.of)))

    def over(self, other: Size) -> Size | None:
        """The quotient, where it is exact."""
        left = list(self.of)
        for symbol in other.of:
            if symbol not in left:
                return None
            left.remove(symbol)
        if other.times == 0 or self.times % other.times:
            return None
        return Size(self.times // other.times, tuple(left))


Sizes = tuple[Size, ...]


def dims_of(view: View, name: str) -> Sizes | None:
    """The tensor's dimensions, unknown ones as symbols."""
    dims = view.dims(name)
    if dims is None:
        return None
    return tuple(
        Size(n) if isinstance(n, int) else Size(1, (n if isinstance(n, str) else f"{name}[{axis}]",))
        for axis, n in enumerate(dims)
    )


def evaluate(view: View, name: str, depth: int = 32) -> Sizes | None:
    """A vector of integers that is computed from shapes; None where it is anything else."""
    constant = view.constant(name)
    if constant is not None:
        if constant.dtype.kind not in "iuf" or not np.isfinite(constant).all() or (constant % 1).any():
            return None  # floor(2.05 · size) is no multiple of the size
        return tuple(Size(int(v)) for v in constant.reshape(-1))
    node = view.producers.get(name)
    if node is None or node.domain or depth == 0:
        return None
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    if node.op_type == "Shape":
        dims = dims_of(view, node.input[0])
        return None if dims is None else dims[attributes.get("start", 0) : attributes.get("end")]
    values = [evaluate(view, i, depth - 1) if i else None for i in node.input]
    first = values[0] if values else None
    if first is None:
        return None
    match node.op_type:
        case "Identity" | "Cast" | "Unsqueeze" | "Squeeze" | "Reshape" | "Floor":
            return first
        case "Concat":
            return None if None in values else tuple(s for v in values if v is not None for s in v)
        case "Gather" if values[1] is not None:
            if any(s.of for s in values[1]):
                return None  # which one is asked for depends on the input
            at = [s.times for s in values[1]]
            return tuple(first[i] for i in at) if all(-len(first) <= i < len(first) for i in at) else None
        case "Slice":
            start, stop, step = (view.constant(node.input[i]) if len(node.input) > i else None for i in (1, 2, 4))
            if start is None or stop is None or (step is not None and step.reshape(-1)[0] != 1):
                return None
            return first[int(start.reshape(-1)[0]) : int(stop.reshape(-1)[0])]
        case "Mul" | "Div" if values[1] is not None:
            return _elementwise(node.op_type, first, values[1])
    return None


def _elementwise(op: str, a: Sizes, b: Sizes) -> Sizes | None:
    n = max(len(a), len(b))
    if len(a) not in (1, n) or len(b) not in (1, n):
        return None
    a, b = (v * n if len(v) == 1 else v for v in (a, b))
    if op == "Mul":
        return tuple(x * y for x, y in zip(a, b, strict=True))
    out = [x.over(y) for x, y in zip(a, b, strict=True)]
    return None if None in out else tuple(x for x in out if x is not None)
