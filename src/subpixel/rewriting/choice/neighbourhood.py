"""A site with what stands around it, as a model to time: alone it would miss layout changes and fusions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from subpixel.errors import InputError, UsageError
from subpixel.rewriting.choice.clock import Feeds, noise
from subpixel.rewriting.graph.view import View, subgraphs
from subpixel.runtime.onnxruntime_options import session_options

FEW = 4096
"""Numbers at most of a value that is remembered as it was."""


class Value(NamedTuple):
    """What a value inside a model was for one set of inputs.

    Attributes:
        shape: of the tensor.
        dtype: its type.
        numbers: the tensor itself where it says how others are computed (a target shape, indices, a condition) rather
            than being a map: integers and truth values, `FEW` at most.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    numbers: NDArray[Any] | None = None

    @classmethod
    def of(cls, x: NDArray[Any]) -> Value:
        """What is remembered of a tensor."""
        dtype = np.dtype(x.dtype.str)  # onnxruntime's int64 is C's long long, which OpenVINO does not know
        return cls(x.shape, dtype, x.astype(dtype) if dtype.kind in "iub" and x.size <= FEW else None)


Values = dict[str, Value]
"""By value name, for one set of inputs."""


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """A model of the site and its direct neighbours, and the values that it is fed with."""

    model: ModelProto
    inputs: tuple[str, ...]

    def feeds(self, values: Values) -> Feeds:
        """Noise of the real shapes; shapes, indices and conditions as they were, which noise would make nonsense of."""
        return {
            name: noise(value.shape, value.dtype) if value.numbers is None else value.numbers
            for name, value in ((name, values[name]) for name in self.inputs)
        }


def around(
    view: View, nodes: Sequence[NodeProto], sources: Sequence[str], output: str, ir_version: int
) -> Neighbourhood:
    """The site's nodes, those that write its sources, and those that read its output."""
    chosen = {id(node): node for node in nodes}
    near = [view.producers[name] for name in sources if name in view.producers] + view.consumers[output]
    for node in near:
        if not node.domain and not subgraphs(node) and all(view.constant(o) is None for o in node.output if o):
            chosen[id(node)] = node
    inside = [node for node in view.graph.node if id(node) in chosen]
    written = {name for node in inside for name in node.output}
    weights = {}
    inputs: list[str] = []
    for node in inside:
        for name in node.input:
            if not name or name in written or name in weights or name in inputs:
                continue
            value = view.constant(name)
            if value is None:
                inputs.append(name)
            else:
                weights[name] = value
    read = {name for node in inside for name in node.input}
    outside = {id(n) for n in view.graph.node} - set(chosen)
    ends = [
        name
        for name in written
        if name and (name in view.outputs or name not in read or any(id(n) in outside for n in view.consumers[name]))
    ]
    graph = helper.make_graph(
        inside,
        "neighbourhood",
        [onnx.ValueInfoProto(name=name) for name in inputs],
        [onnx.ValueInfoProto(name=name) for name in sorted(ends)],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", view.opset)], ir_version=max(ir_version, 4))
    return Neighbourhood(model, tuple(inputs))


def with_types(model: ModelProto, values: Values) -> ModelProto:
    """The model with the types of its inputs written in."""
    for value in model.graph.input:
        was = values[value.name]
        dtype = helper.np_dtype_to_tensor_dtype(was.dtype)
        value.CopyFrom(helper.make_tensor_value_info(value.name, dtype, was.shape))
    return model


def whole_shapes(given: Any, option: str = "inputs") -> dict[str, Sequence[int]] | None:
    """Shapes by input name as a caller gives them: lists of whole numbers.

    Raises:
        UsageError: they are anything else.
    """
    if given is None:
        return None
    try:
        shapes: dict[str, Sequence[int]] = {str(name): [index(n) for n in shape] for name, shape in given.items()}
    except (AttributeError, TypeError):
        shapes = {"": [0]}
    if any(n < 1 for shape in shapes.values() for n in shape):
        like = '{"x": [1, 3, 224, 224]}'
        raise UsageError(f"`{option}` must give whole shapes by input name, such as {like}, not {given!r}")
    return shapes


def input_feeds(model: ModelProto, inputs: dict[str, Sequence[int]] | None) -> Feeds:
    """Noise for the model's inputs.

    Raises:
        InputError: a size is open and not given.
        UsageError: what is given fits no input.
    """
    feeds: Feeds = {}
    weights = {t.name for t in model.graph.initializer}
    given = whole_shapes(inputs) or {}
    for stated in model.graph.input:
        if stated.name in weights:
            continue
        value = onnx.ValueInfoProto.FromString(stated.SerializeToString())
        tensor = value.type.tensor_type
        if not value.type.HasField("tensor_type") or not tensor.elem_type:
            kind = value.type.WhichOneof("value") or "value without a type"
            kind = kind.removesuffix("_type").replace("_", " ")
            raise InputError(
                f"input {value.name!r} is a {kind}, and only tensors can be made up: it cannot be run here"
            )
        if not tensor.HasField("shape"):
            if value.name not in given:
                ask = f"give its whole shape, for example --input {value.name}=1x3x224x224"
                raise InputError(f"input {value.name!r} has no stated shape: {ask}")
            for _ in given[value.name]:
                tensor.shape.dim.add()
        dims = [d.dim_value if d.dim_value > 0 else None for d in tensor.shape.dim]
        named = value.name in given
        shape: list[int | None] = [*given.pop(value.name, [])] or [
            1 if i == 0 and n is None else n for i, n in enumerate(dims)
        ]
        if (
            None in shape
            or len(shape) != len(dims)
            or any(n is not None and n != s for n, s in zip(dims, shape, strict=True))
        ):
            stated = "×".join("?" if n is None else str(n) for n in dims)
            fitting = "x".join(str(n or (224 if i else 1)) for i, n in enumerate(dims))
            kind = UsageError if named else InputError
            raise kind(f"input {value.name!r} has shape {stated}: give its whole shape, --input {value.name}={fitting}")
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        whole = [int(n) for n in shape if n is not None]
        feeds[value.name] = (
            noise(whole, dtype) if dtype.kind == "f" else np.full(whole, "" if dtype.kind == "O" else 0, dtype)
        )
    if given:
        raise UsageError(f"the model has no input {sorted(given)[0]!r}: it has {', '.join(sorted(feeds))}")
    return feeds


def values_of(model: ModelProto, names: Sequence[str], feeds: Feeds) -> Values:
    """What values inside the model are, found by running it once.

    Raises:
        InputError: onnxruntime does not run the model.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    have = {value.name for value in copy.graph.output}
    inner = [name for name in names if name not in feeds]
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inner if name not in have)
    try:
        session = onnxruntime.InferenceSession(
            copy.SerializeToString(), session_options(), providers=["CPUExecutionProvider"]
        )
        found = session.run(inner, feeds) if inner else session.run(None, feeds)[:0]
    except Exception as error:  # onnxruntime's exceptions share no class but Exception
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"onnxruntime does not run the model, so nothing can be timed: {reason}") from error
    return {name: Value.of(x) for name, x in [*feeds.items(), *zip(inner, found, strict=True)]}
