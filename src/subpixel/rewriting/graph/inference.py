"""Shapes as far as they follow from the inputs: what a file states in between is not believed."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
from onnx import GraphProto, ModelProto

from subpixel.rewriting.graph.view import Types, overridable_of, subgraphs


def infer(model: ModelProto) -> ModelProto:
    """A copy of the model with shapes as far as they follow from its inputs.

    Sizes that the file states in between are not believed: exporters leave those of one example where the inputs
    are open. They are taken only where inference finds nothing (custom operators, computed shapes), and of numbers
    only those that no open input can change. Open dimensions without a name get one: "unk__input[axis]".
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
    inferred = _inferred(copy)
    twins = zip(_graphs(model.graph), _graphs(inferred.graph), strict=True)
    if sum([_recall(stated, graph, is_open, batch_open) for stated, graph in twins]):
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


def _recall(stated: GraphProto, graph: GraphProto, is_open: bool, batch_open: bool) -> bool:
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
