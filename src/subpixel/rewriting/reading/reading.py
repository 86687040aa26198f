"""What a reader hands on: nodes of the graph, as layers of `subpixel.algebra`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from onnx import NodeProto, helper

from subpixel.algebra import Layer
from subpixel.rewriting.graph.external import are_finite
from subpixel.rewriting.graph.view import View
from subpixel.rewriting.reading.quantised import Stored
from subpixel.rewriting.refusal import Refusal


@dataclass(frozen=True, eq=False)
class Reading:
    """Nodes that are layers: `output` = layers(`source`).

    Attributes:
        nodes: in the order in which they run; usually one.
        layers: what they are; none for a node that changes nothing (Identity).
        fixed: the layers hold for the sizes that the graph states and for no others.
        stored: how weight and bias are stored, where they are quantised.
    """

    nodes: tuple[NodeProto, ...]
    source: str
    output: str
    layers: tuple[Layer, ...]
    fixed: bool = False
    stored: Stored | None = None


class Attributes:
    """A node's attributes, taken one by one: whatever nobody took makes the node unreadable."""

    def __init__(self, node: NodeProto) -> None:
        self._left: dict[str, Any] = {a.name: helper.get_attribute_value(a) for a in node.attribute}

    def take(self, name: str, default: Any = None) -> Any:
        """The attribute's value, byte strings as text."""
        value = self._left.pop(name, default)
        return value.decode(errors="replace") if isinstance(value, bytes) else value

    def finish(self) -> None:
        """Raise Refusal if any attribute is left."""
        if self._left:
            raise Refusal(f"its attribute {sorted(self._left)[0]!r} is not known here")


def inputs_of(node: NodeProto) -> list[str]:
    """Input names with the omitted ones at the end cut off."""
    names = list(node.input)
    while names and not names[-1]:
        names.pop()
    return names


def weight_of(view: View, name: str, what: str) -> NDArray[Any]:
    """A constant float input in its own type: kernels are widened where they are composed (`writing.join`).

    Raises:
        Refusal: computed, quantised, of another type, or with numbers that are none.
    """
    value = view.constant(name)
    if value is None:
        if view.is_quantised(name):
            raise Refusal(f"its {what} is quantised (DequantizeLinear): composed kernels would need new scales")
        raise Refusal(f"its {what} {name!r} {not_constant(view, name)}")
    if value.dtype.kind != "f":
        raise Refusal(f"its {what} has type {value.dtype}, not a floating-point one")
    if not are_finite(value):
        raise Refusal(f"its {what} holds NaN or infinite values")
    return value


def integers_of(view: View, name: str, what: str) -> list[int]:
    """A constant integer input.

    Raises:
        Refusal: computed, or no integers.
    """
    value = view.constant(name)
    if value is None:
        raise Refusal(f"its {what} {name!r} {not_constant(view, name)}")
    if value.dtype.kind not in "iu":
        raise Refusal(f"its {what} has type {value.dtype}, not an integer one")
    return [int(v) for v in value.reshape(-1)]


def not_constant(view: View, name: str) -> str:
    """Why an input that should be constant is not, to go on with after its name."""
    if view.is_overridable(name):
        return "is an input of the model too: whoever runs it may replace it, unless --constant-weights says otherwise"
    return "is computed, not constant"
