"""The limits that a device profile may state, one function each. A new one is a function and a line in the docs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from onnx import NodeProto, helper

from subpixel.rewriting.graph.sizes import evaluate
from subpixel.rewriting.graph.view import Dims, View
from subpixel.rewriting.reading.reading import inputs_of

# What ONNX says of attributes that a node leaves out.
_DEFAULTS: dict[tuple[str, str], Any] = {
    ("DepthToSpace", "mode"): "DCR",
    ("Resize", "mode"): "nearest",
    ("Upsample", "mode"): "nearest",
    ("Pad", "mode"): "constant",
    ("Resize", "coordinate_transformation_mode"): "half_pixel",
    ("Resize", "nearest_mode"): "round_prefer_floor",
}


@dataclass(frozen=True)
class Facts:
    """What is known of a node."""

    view: View
    node: NodeProto

    def attribute(self, name: str, default: Any = None) -> Any:
        """Its value as numbers, text or lists of them."""
        for a in self.node.attribute:
            if a.name == name:
                value = helper.get_attribute_value(a)
                return value.decode(errors="replace") if isinstance(value, bytes) else value
        return _DEFAULTS.get((self.node.op_type, name), default)

    @property
    def input(self) -> Dims | None:
        """Dimensions of the first input."""
        return self.view.dims(self.node.input[0]) if self.node.input else None

    @property
    def output(self) -> Dims | None:
        """Dimensions of the first output."""
        return self.view.dims(self.node.output[0])

    @property
    def kernel(self) -> list[int] | None:
        """Spatial size of the weight."""
        if len(self.node.input) < 2:
            return None
        dims = self.view.dims(self.node.input[1])
        if dims is None or not all(isinstance(n, int) for n in dims):
            constant = self.view.constant(self.node.input[1])
            return None if constant is None else list(constant.shape[2:])
        return [int(n) for n in dims[2:] if isinstance(n, int)]

    def per_axis(self, name: str) -> list[int]:
        """An attribute with one number per axis, ones where it is left out."""
        return list(self.attribute(name) or [1] * len(self.kernel or ()))

    @property
    def factors(self) -> list[float] | None:
        """Spatial factors of a Resize or Upsample, by its scales or by its shapes."""
        scales = self.attribute("scales")
        names = inputs_of(self.node)
        at = 1 if self.node.op_type == "Upsample" or self.view.opset < 11 else 2
        if scales is None and len(names) > at and names[at]:
            constant = self.view.constant(names[at])
            scales = None if constant is None or not constant.size else [float(v) for v in constant.reshape(-1)]
        if scales is not None:
            axes = self.attribute("axes")
            return [float(s) for i, s in enumerate(scales) if axes is not None or i > 1]
        before, after = self.input, self.output
        if before is None or after is None:
            return None
        pairs = list(zip(before[2:], after[2:], strict=True))
        if not all(isinstance(a, int) and isinstance(b, int) for a, b in pairs):
            return None
        return [float(b) / float(a) for a, b in pairs if isinstance(a, int) and isinstance(b, int)]


def _text(values: Sequence[int]) -> str:
    return "×".join(map(str, values))


def _supported(facts: Facts, value: bool) -> str | None:
    return None if value else f"has no {facts.node.op_type}"


def _axes(facts: Facts, allowed: list[int]) -> str | None:
    dims = facts.input
    if dims is None or len(dims) - 2 in allowed:
        return None
    return f"takes {facts.node.op_type} on {' or '.join(map(str, allowed))} axes, not on {len(dims) - 2}"


def _rank(facts: Facts, most: int) -> str | None:
    ranks = [len(dims) for name in (*facts.node.input, *facts.node.output) if (dims := facts.view.dims(name))]
    ranks.append(len(facts.attribute("perm") or []) if facts.node.op_type == "Transpose" else 0)
    if facts.node.op_type == "Reshape":  # its output's sizes may not be known, but their number is
        ranks.append(len(evaluate(facts.view, facts.node.input[1]) or ()))
    if max(ranks, default=0) <= most:
        return None
    return f"takes tensors of at most {most} dimensions, not {max(ranks)}"


def _kernels(facts: Facts, allowed: list[list[int]]) -> str | None:
    kernel = facts.kernel
    if kernel is None or kernel in allowed:
        return None
    return f"takes kernels of {', '.join(map(_text, allowed))}, not {_text(kernel)}"


def _strides(facts: Facts, allowed: list[list[int]]) -> str | None:
    strides = facts.per_axis("strides")
    if strides in allowed:
        return None
    return f"takes strides of {', '.join(map(_text, allowed))}, not {_text(strides)}"


def _largest_stride(facts: Facts, most: int) -> str | None:
    strides = facts.per_axis("strides")
    return f"takes strides up to {most}, not {_text(strides)}" if max(strides, default=1) > most else None


def _equal_strides(facts: Facts, wanted: bool) -> str | None:
    strides = facts.per_axis("strides")
    return f"takes equal strides, not {_text(strides)}" if wanted and len(set(strides)) > 1 else None


def _largest_dilation(facts: Facts, most: int) -> str | None:
    dilations = facts.per_axis("dilations")
    return f"takes dilations up to {most}, not {_text(dilations)}" if max(dilations, default=1) > most else None


def _groups(facts: Facts, allowed: list[str]) -> str | None:
    groups, dims = int(facts.attribute("group", 1)), facts.input
    maps = dims[1] if dims is not None and len(dims) > 1 else None
    if ("one" in allowed and groups == 1) or ("maps" in allowed and (maps is None or groups == maps)):
        return None
    taken = " or ".join({"one": "one group", "maps": "one group per map"}[which] for which in allowed)
    return f"takes {taken}, not {groups}"


def _output_padding(facts: Facts, allowed: bool) -> str | None:
    return None if allowed or not any(facts.attribute("output_padding") or []) else "takes no output_padding"


def _output_shape(facts: Facts, allowed: bool) -> str | None:
    return None if allowed or not facts.attribute("output_shape") else "takes no output_shape"


def _auto_pad(facts: Facts, allowed: list[str]) -> str | None:
    auto_pad = facts.attribute("auto_pad", "NOTSET")
    return None if auto_pad in allowed else f"takes auto_pad {', '.join(allowed)}, not {auto_pad}"


def _modes(facts: Facts, allowed: list[str]) -> str | None:
    mode = facts.attribute("mode")
    return None if mode in allowed else f"takes {facts.node.op_type} in mode {', '.join(allowed)}, not {mode}"


def _stated_sizes(facts: Facts, modes: list[str]) -> str | None:
    dims = facts.input
    mode = facts.attribute("mode")
    if mode not in modes or (dims is not None and all(isinstance(n, int) for n in dims)):
        return None
    return f"takes mode {mode} for stated sizes only"


def _coordinates(facts: Facts, allowed: list[str]) -> str | None:
    """`mode coordinates [rounding]`, as in "nearest asymmetric floor"."""
    mode = facts.attribute("mode")
    at = [mode, facts.attribute("coordinate_transformation_mode", "asymmetric")]
    if mode == "nearest":
        at.append(facts.attribute("nearest_mode", "floor"))
    return None if " ".join(at) in allowed else f"does not resize as {' '.join(at)}"


def _flags(facts: Facts, unset: list[str]) -> str | None:
    """Attributes that must keep the value of an omitted one."""
    given = [name for name in unset if facts.attribute(name) not in (None, 0, "stretch")]
    return f"takes no {given[0]}" if given else None


def _factors(facts: Facts, allowed: str) -> str | None:
    factors = facts.factors
    if factors is None:
        return "needs a factor that is stated"
    whole = [int(f) for f in factors if f == int(f) and f >= 1]
    if len(whole) < len(factors) or any(f & (f - 1) for f in whole):
        return f"takes factors that are powers of two, not {', '.join(f'{f:g}' for f in factors)}"
    if "equal" in allowed and len(set(whole)) > 1:
        return f"takes equal factors, not {_text(whole)}"
    return None


def _stated_inputs(facts: Facts, wanted: bool) -> str | None:
    """Every input but the first is a constant."""
    if not wanted:
        return None
    names = [name for name in inputs_of(facts.node)[1:] if name]
    computed = [name for name in names if facts.view.constant(name) is None]
    return f"takes constants for all inputs but the first, and {computed[0]!r} is computed" if computed else None


def _stated_shape(facts: Facts, wanted: bool) -> str | None:
    """The shape a Reshape makes is a constant, or follows from stated sizes."""
    if not wanted or len(facts.node.input) < 2 or facts.view.constant(facts.node.input[1]) is not None:
        return None
    sizes = evaluate(facts.view, facts.node.input[1])
    return None if sizes is not None and not any(s.of for s in sizes) else "takes stated shapes only"


LIMITS: dict[str, Callable[[Facts, Any], str | None]] = {
    "supported": _supported,
    "axes": _axes,
    "rank": _rank,
    "kernels": _kernels,
    "strides": _strides,
    "largest_stride": _largest_stride,
    "equal_strides": _equal_strides,
    "largest_dilation": _largest_dilation,
    "groups": _groups,
    "output_padding": _output_padding,
    "output_shape": _output_shape,
    "auto_pad": _auto_pad,
    "modes": _modes,
    "stated_sizes": _stated_sizes,
    "coordinates": _coordinates,
    "unset": _flags,
    "factors": _factors,
    "stated_inputs": _stated_inputs,
    "stated_shape": _stated_shape,
}
