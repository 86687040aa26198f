"""`View`: one graph of a model as the readers see it: producers, consumers, constants, shapes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from subpixel.rewriting.graph.external import array_of
from subpixel.rewriting.refusal import Refusal

Dims = tuple[int | str | None, ...]
Types = dict[str, tuple[int, Dims | None]]
"""Element type and dimensions by value name; a dimension is a number, a symbol, or not known."""

Place = tuple[tuple[str, int], ...]
"""Where a graph stands inside a model: per level the value that the node around it writes, and its number there."""

# What stands between a weight and its initializer in exported graphs. Anything else is not looked through.
_FOLDED = frozenset(
    "Identity Cast Unsqueeze Squeeze Reshape Transpose Concat Gather Slice Neg Add Sub Mul Div Sqrt Floor".split()  # noqa: SIM905
)


class Wiring(Protocol):
    """What chains and sites ask of a graph, be it a model's or a module's: who writes and reads which value.

    Of a node they read `name`, `op_type`, `domain`, `input`, `output`, and of a Concat its `attribute` axis.
    """

    producers: dict[str, NodeProto]
    consumers: dict[str, list[NodeProto]]

    def used_once(self, name: str) -> bool:
        """Is the value read by one node and shown to nobody else?"""
        ...

    def dims(self, name: str) -> Dims | None:
        """Dimensions as far as they are known, or None where not even their number is."""
        ...


class View:
    """A graph (the model's own, or a branch or loop body), read only.

    Attributes:
        graph: what is looked at. opset: version of the standard operators.
        consumers: nodes that read a value, those in nested graphs included.
        place: the way to it from the model's graph; branches may call their values by the same names.

    Initializers named in `overridable` are defaults of inputs, not constants.
    """

    def __init__(
        self,
        graph: GraphProto,
        opset: int,
        types: Types,
        outer: View | None = None,
        overridable: frozenset[str] = frozenset(),
        place: Place = (),
    ) -> None:
        self.graph, self.opset, self.types, self.outer, self.place = graph, opset, types, outer, place
        self.producers: dict[str, NodeProto] = {name: node for node in graph.node for name in node.output if name}
        self.consumers: dict[str, list[NodeProto]] = defaultdict(list)
        for node in graph.node:
            for name in (*node.input, *captured(node)):
                if name:
                    self.consumers[name].append(node)
        self.outputs = {value.name for value in graph.output}
        # of a loop's body: given anew in every turn, whatever the graph around calls by the same name
        self._given = frozenset(value.name for value in graph.input) if outer is not None else frozenset()
        self._overridable = overridable
        self._initializers = {t.name: t for t in graph.initializer if t.name not in overridable}
        self._constants: dict[str, NDArray[Any] | None] = {}

    def used_once(self, name: str) -> bool:
        """Is the value read by one node and shown to nobody else?"""
        return len(self.consumers[name]) == 1 and name not in self.outputs

    def is_read(self, name: str) -> bool:
        """Does a node read the value, or the graph give it?"""
        return bool(self.consumers[name]) or name in self.outputs

    def dims(self, name: str) -> Dims | None:
        """Dimensions as far as they are known, or None where not even their number is."""
        return self.types.get(name, (0, None))[1]

    def dtype(self, name: str) -> int:
        """ONNX element type; 0 where not known."""
        return self.types.get(name, (0, None))[0]

    def size(self, name: str) -> tuple[int, ...] | None:
        """Spatial dimensions, where all are numbers."""
        dims = self.dims(name)
        if dims is None or len(dims) < 3 or not all(isinstance(n, int) for n in dims[2:]):
            return None
        return tuple(int(n) for n in dims[2:] if isinstance(n, int))

    def constant(self, name: str) -> NDArray[Any] | None:
        """The value's numbers, where they do not depend on any input."""
        if name not in self._constants:
            self._constants[name] = None  # a graph with a cycle ends here
            self._constants[name] = self._evaluate(name)
        return self._constants[name]

    def is_overridable(self, name: str) -> bool:
        """Is it an input's default, which whoever runs the model may replace?"""
        if name in self._overridable:
            return True
        return self.outer is not None and name not in self._given and self.outer.is_overridable(name)

    def is_quantised(self, name: str) -> bool:
        """Does the value come out of a DequantizeLinear?"""
        node = self.producers.get(name)
        return node is not None and node.op_type == "DequantizeLinear"

    def _evaluate(self, name: str) -> NDArray[Any] | None:
        if name in self._given:
            return None
        if name in self._initializers:
            return array_of(self._initializers[name])
        node = self.producers.get(name)
        if node is None:
            return self.outer.constant(name) if self.outer is not None else None
        if node.op_type == "Constant" and not node.domain:
            return _constant_of(node)
        if node.op_type == "Shape" and not node.attribute:
            dims = self.dims(node.input[0])
            whole = dims is not None and all(isinstance(n, int) for n in dims)
            return np.array(dims, np.int64) if whole else None
        if node.domain or node.op_type not in _FOLDED or not node.input or len(node.output) != 1:
            return None
        values = {i: self.constant(i) for i in node.input if i}
        if any(value is None for value in values.values()):
            return None
        graph = helper.make_graph(
            [node], "constant", [onnx.ValueInfoProto(name=i) for i in values], [onnx.ValueInfoProto(name=name)]
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        try:
            results: list[Any] = ReferenceEvaluator(model).run(None, values)  # type: ignore[assignment]
            return np.asarray(results[0])
        except Exception:  # whatever the evaluator does not take is no constant to us
            return None


def subgraphs(node: NodeProto) -> list[GraphProto]:
    """The graphs that a node holds: branches of If, bodies of Loop and Scan."""
    held = [a.g for a in node.attribute if a.type == AttributeProto.GRAPH]
    return held + [g for a in node.attribute for g in a.graphs]


def captured(node: NodeProto) -> Iterator[str]:
    """Values that the node's nested graphs may read from around them."""
    for graph in subgraphs(node):
        yield from (value.name for value in graph.output)
        for inner in graph.node:
            yield from inner.input
            yield from captured(inner)


def opset_of(model: ModelProto) -> int:
    """Version of the standard operators that the model asks for."""
    return next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 1)


def overridable_of(model: ModelProto) -> frozenset[str]:
    """Initializers that are inputs too: defaults from IR version 4 on, before that the only way to have weights."""
    if model.ir_version < 4:
        return frozenset()
    return frozenset(t.name for t in model.graph.initializer) & {value.name for value in model.graph.input}


def with_constant_weights(model: ModelProto) -> ModelProto:
    """A copy in which no initializer is an input too, so that nobody can replace it: what exporters that list every
    weight among the inputs mean. The model itself before IR version 4, when every weight had to be one.
    """
    if model.ir_version < 4:
        return model
    copy = ModelProto()
    copy.CopyFrom(model)
    named = {t.name for t in copy.graph.initializer}
    inputs = [value for value in copy.graph.input if value.name not in named]
    del copy.graph.input[:]
    copy.graph.input.extend(inputs)
    return copy


def _constant_of(node: NodeProto) -> NDArray[Any] | None:
    for a in node.attribute:
        if a.name == "value":
            return np.asarray(numpy_helper.to_array(a.t))
        if a.name in ("value_float", "value_floats"):
            return np.asarray(helper.get_attribute_value(a), np.float32)
        if a.name in ("value_int", "value_ints"):
            return np.asarray(helper.get_attribute_value(a), np.int64)
    return None


Input = tuple[str, int, list[int | None] | None]
"""Name, element type and shape of a graph input."""


def extract(
    view: View, inputs: Sequence[Input], output: str, constants: dict[str, NDArray[Any]] | None = None
) -> ModelProto:
    """What computes `output` from `inputs`, as a model of its own.

    `constants` replaces the numbers of constants by name.

    Raises:
        Refusal: the output depends on another value too.
    """
    sources = {name for name, _, _ in inputs}
    nodes: list[NodeProto] = []
    weights: dict[str, NDArray[Any]] = {}
    seen: set[int] = set()

    def need(name: str) -> None:
        if not name or name in sources or name in weights:
            return
        value = (constants or {}).get(name)
        value = view.constant(name) if value is None else value
        if value is not None:
            weights[name] = value
            return
        node = view.producers.get(name)
        if node is None or subgraphs(node):
            raise Refusal(f"it depends on {name!r} in a way that is not read")
        if id(node) in seen:
            return
        seen.add(id(node))
        for other in node.input:
            need(other)
        nodes.append(node)

    need(output)
    return standalone(nodes, inputs, output, weights, view.opset)


def standalone(
    nodes: Sequence[NodeProto], inputs: Sequence[Input], output: str, weights: dict[str, NDArray[Any]], opset: int
) -> ModelProto:
    """Nodes from some values to `output` as a model."""
    graph = helper.make_graph(
        nodes,
        "site",
        [helper.make_tensor_value_info(*each) for each in inputs],
        [onnx.ValueInfoProto(name=output)],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
