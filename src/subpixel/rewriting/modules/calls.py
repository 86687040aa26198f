"""What every reader of calls needs: the reading, arguments by name, weights as symbols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, fx
from torch.nn.utils import parametrize

from subpixel.algebra import (
    Layer,
)
from subpixel.algebra.layers import Ints
from subpixel.rewriting.modules.symbol import Symbol
from subpixel.rewriting.modules.tracing import hooks_of
from subpixel.rewriting.modules.view import Call, ModuleView
from subpixel.rewriting.reading.reading import Reading
from subpixel.rewriting.refusal import Refusal


@dataclass(frozen=True, eq=False)
class Read(Reading):
    """A reading, and what must hold when it runs.

    Attributes:
        sizes: the layers hold where this value, a list of sizes or a scale, asks for `factor` times the input.
        longest: the layers give as many samples as `output_size` may ask for; it is cut to what it does ask for.
    """

    sizes: Any = None
    factor: Ints = ()
    longest: Any = None


def refuse_foreign(call: Call) -> None:
    """Modules that somebody listens to, or that are not PyTorch's own, may do something else.

    Raises:
        Refusal: it is one of these.
    """
    if call.module is None:
        return
    if hooks_of(call.module):
        raise Refusal("it has hooks, which a rewritten call would not reach")
    plain = type(call.module).__module__.startswith(("torch.nn.modules", "subpixel.nn"))
    if not plain and not parametrize.is_parametrized(call.module):
        raise Refusal(f"it is a {type(call.module).__module__}.{type(call.module).__name__}, no layer of torch.nn")


def one(call: Call, *layers: Layer, **more: Any) -> Read:
    return Read((call.as_node(),), call.input[0], call.output[0], layers, **more)


def arguments(call: Call, names: Sequence[str]) -> dict[str, Any]:
    """Positional and keyword arguments by name."""
    node = call.node
    found = dict(zip(names, node.args, strict=False)) | dict(node.kwargs)
    strange = set(found) - set(names)
    if strange or len(node.args) > len(names):
        raise Refusal(f"its argument {sorted(strange)[0] if strange else len(names)!r} is not known here")
    return found


def ints(value: Any, d: int, what: str) -> Ints:
    """One whole number per axis, none of them computed in the graph."""
    each = (value,) * d if isinstance(value, int) else value
    if not isinstance(each, tuple | list) or not all(isinstance(n, int) for n in each):
        raise Refusal(f"its {what} is computed when it runs")
    return tuple(each) if len(each) == d else tuple(each) * d


def weight_symbol(view: ModuleView, call: Call, value: Any, what: str) -> Symbol | None:
    """A tensor argument of a function as a symbol."""
    if value is None:
        return None
    if not isinstance(value, fx.Node):
        raise Refusal(f"its {what} is no value of the graph")
    if value.op == "get_attr":
        tensor = view.root
        for part in str(value.target).split("."):
            tensor = getattr(tensor, part)
        shape = tuple(cast(Tensor, tensor).shape)
    elif value.name in view.shapes:
        shape = view.shapes[value.name]
    else:
        raise Refusal(f"its {what} is computed: give `inputs` for its shape to be known")
    return Symbol(value.name, shape)


def parameter(call: Call, name: str) -> Symbol | None:
    """A module's parameter as a symbol; its name is a path that begins with a dot."""
    tensor = getattr(call.module, name)
    if tensor is None:
        return None
    if not tensor.is_floating_point():
        raise Refusal(f"its {name} is of type {tensor.dtype}")
    target = str(call.node.target)
    return Symbol("." + (f"{target}.{name}" if target else name), tuple(tensor.shape))
