"""Shapes as far as they follow from the inputs: what a file states in between is not believed."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto

from subpixel.rewriting.graph.view import Types, captured, overridable_of, subgraphs

_COUNTS = (TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL)
"""Types of values that say how many: sizes, pads, repeats, conditions."""


def infer(model: ModelProto) -> ModelProto:
    """A copy of the model with shapes as far as they follow from its inputs.

    Sizes that the file states in between are not believed: exporters leave those of one example where the inputs
    are open. They are taken only where inference finds nothing (custom operators, computed shapes), and of numbers
    only those that no open input can change, nor the numbers that an input holds, nor another turn of a loop. Open
    dimensions without a name get one: "unk__input[axis]".
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    overridable = overridable_of(model)
    for i in reversed(range(len(copy.graph.initializer))):
        if copy.graph.initializer[i].name in overridable:
            del copy.graph.initializer[i]
    weights = {t.name for t in copy.graph.initializer}
    is_open = batch_open = False
    for value in copy.graph.input:
        if value.name in weights:
            continue
        for axis, d in enumerate(value.type.tensor_type.shape.dim):
            if d.dim_value <= 0:
                is_open, batch_open = is_open or axis > 0, True
                if not d.dim_param:
                    d.dim_param = f"unk__{value.name}[{axis}]"
    for graph in _graphs(copy.graph):
        _forget(graph)
        for node in graph.node:
            for value in _carried(node):
                for axis, d in enumerate(value.type.tensor_type.shape.dim):
                    if axis != 1:
                        d.Clear()
    inferred = _inferred(copy)
    doubtful = _doubtful(model.graph, inferred.graph, {value.name for value in model.graph.input} - weights)
    twins = zip(_graphs(model.graph), _graphs(inferred.graph), strict=True)
    if sum([_recall(stated, graph, is_open, batch_open, doubtful) for stated, graph in twins]):
        return _inferred(inferred)
    return inferred


def forget_doubtful(model: ModelProto) -> None:
    """Drop from the file what it states of sizes in between and what does not follow: runtimes believe it."""
    inferred = infer(model)
    for graph, twin in zip(_graphs(model.graph), _graphs(inferred.graph), strict=True):
        types = types_of(twin)
        for i in reversed(range(len(graph.value_info))):
            value = graph.value_info[i]
            tensor = value.type.tensor_type
            known = types.get(value.name, (0, None))[1]
            stated = [d.dim_value for d in tensor.shape.dim]
            if len(stated) != len(known or ()) or any(
                n > 0 and n != m for n, m in zip(stated, known or (), strict=True)
            ):
                del graph.value_info[i]


def _inferred(model: ModelProto) -> ModelProto:
    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # a wrong or unknown operator: what is known stays known
        return model


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for inner in subgraphs(node):
            yield from _graphs(inner)


def _forget(graph: GraphProto) -> None:
    """Drop what the graph states of values that nodes compute."""
    kept = [value for value in graph.value_info if not value.type.HasField("tensor_type")]
    if len(kept) < len(graph.value_info):
        copies = [onnx.ValueInfoProto.FromString(value.SerializeToString()) for value in kept]
        del graph.value_info[:]
        graph.value_info.extend(copies)
    for value in graph.output:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.ClearField("shape")


def _carried(node: NodeProto) -> list[onnx.ValueInfoProto]:
    """Inputs of a loop's body that may have another shape in the next turn."""
    if node.domain or node.op_type not in ("Loop", "Scan"):
        return []
    body = next(iter(subgraphs(node)), None)
    if body is None:  # not well formed, which somebody else says
        return []
    if node.op_type == "Loop":
        return list(body.input[2:])  # after the turn's number and the condition
    scanned = next((a.i for a in node.attribute if a.name == "num_scan_inputs"), 0)
    return list(body.input[: len(body.input) - scanned])


def _doubtful(stated: GraphProto, inferred: GraphProto, numbers: set[str]) -> set[str]:
    """Values, of inner graphs too, whose size an input's numbers or the turn of a loop may decide.

    `numbers` are the values that depend on what inputs hold; it is added to.
    """
    types: Types = {}
    for each in (*_graphs(stated), *_graphs(inferred)):  # the element type of what only the file knows, then the rest
        types |= {name: known for name, known in types_of(each).items() if known[0]}
    dims = {name: known[1] for each in _graphs(inferred) for name, known in types_of(each).items()}
    sizes: set[str] = set()

    def walk(graph: GraphProto) -> None:
        for node in graph.node:
            sizes.update(value.name for value in _carried(node))
            for inner in subgraphs(node):
                numbers.update(value.name for value in inner.input)
                walk(inner)
            names, op = {*node.input, *captured(node)} - {""}, "" if node.domain else node.op_type
            if names & (sizes if op in ("Shape", "Size") else numbers):
                numbers.update(node.output)
            decides = {name for name in names if types.get(name, (0, None))[0] in _COUNTS}
            if op in ("Resize", "Upsample"):
                decides |= {*node.input[1:]}  # scales are floats
            if op == "Loop" or decides & numbers or names & sizes:
                sizes.update(name for name in node.output if None in (dims.get(name) or (None,)))

    walk(stated)
    return sizes


def _recall(stated: GraphProto, graph: GraphProto, is_open: bool, batch_open: bool, doubtful: set[str]) -> bool:
    """Fill in what inference left open from what the file states, where that cannot be another size. Anything?"""
    found = {value.name: value for value in (*graph.input, *graph.value_info, *graph.output)}
    changed = False
    for value in (*stated.value_info, *stated.output):
        tensor = value.type.tensor_type
        if not value.type.HasField("tensor_type") or not tensor.elem_type:
            continue
        own = found.get(value.name)
        if own is None:
            own = graph.value_info.add(name=value.name)
        if not own.type.tensor_type.elem_type:
            own.type.tensor_type.elem_type, changed = tensor.elem_type, True
        if not tensor.HasField("shape"):
            continue
        known = own.type.tensor_type
        if not known.HasField("shape"):
            known.shape.SetInParent()
            for _ in tensor.shape.dim:
                known.shape.dim.add()
            changed = True
        if len(known.shape.dim) != len(tensor.shape.dim):
            continue
        for axis, (mine, theirs) in enumerate(zip(known.shape.dim, tensor.shape.dim, strict=True)):
            if mine.dim_param or mine.dim_value > 0:
                continue
            sure = axis == 1 if is_open else axis > 0 or not batch_open
            if value.name in doubtful and axis != 1:
                continue
            if theirs.dim_param or (theirs.dim_value > 0 and sure):
                mine.CopyFrom(theirs)
                changed = True
    return changed


def types_of(graph: GraphProto) -> Types:
    """Types written in an (inferred) graph, initializers included."""
    types: Types = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        dims = tuple(_dim(d) for d in tensor.shape.dim) if tensor.HasField("shape") else None
        types[value.name] = (tensor.elem_type, dims)
    for weight in graph.initializer:
        if types.get(weight.name, (0, None))[1] is None:
            types[weight.name] = (weight.data_type, tuple(weight.dims))
    return types


def _dim(d: onnx.TensorShapeProto.Dimension) -> int | str | None:
    if d.HasField("dim_value"):
        # exporters write 0 or -1 for "any"
        return int(d.dim_value) if d.dim_value > 0 else None
    return d.dim_param or None
