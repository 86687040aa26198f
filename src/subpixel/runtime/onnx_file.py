"""Reads an ONNX file that may come from anybody: what is wrong with it is said in one sentence."""

import os
from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, EncodeError  # type: ignore[import-untyped]

from subpixel.errors import InputError


def read_graph(model: onnx.ModelProto | str | Path) -> onnx.ModelProto:
    """The graph with all its weights in memory, after the checks that a stranger's file needs.

    Raises:
        InputError: missing, empty, truncated, no ONNX, more than one input or output, or weights in a file
            outside the model's own folder (CVE-2025-51480: that file could be anything).
    """
    if isinstance(model, onnx.ModelProto):
        name, graph = model.graph.name or "the model", model
        if any(onnx.external_data_helper.uses_external_data(tensor) for tensor in _tensors(graph)):
            raise InputError(f"{name} keeps weights in another file: give the path of its .onnx file instead")
    else:
        name, graph = str(model), _read_file(Path(model))
    if not graph.graph.node or not graph.graph.output:
        raise InputError(f"{name} is not an ONNX network: it has no nodes")
    inputs = graph_inputs(graph)
    if len(inputs) != 1 or len(graph.graph.output) != 1:
        raise InputError(
            f"{name} has {len(inputs)} inputs and {len(graph.graph.output)} outputs: "
            "a network that enlarges pictures has one of each"
        )
    return graph


def graph_inputs(graph: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """The inputs that a caller must feed: old files list their weights among the inputs too."""
    weights = {tensor.name for tensor in graph.graph.initializer}
    return [value for value in graph.graph.input if value.name not in weights]


def serialised(graph: onnx.ModelProto) -> bytes:
    """The graph as a file's bytes.

    Raises:
        InputError: it is larger than protobuf's limit.
    """
    try:
        content: bytes = graph.SerializeToString()
        return content
    except (EncodeError, ValueError) as error:
        raise InputError("the network is larger than 2 GB, the limit of an ONNX file in memory") from error


def _read_file(path: Path) -> onnx.ModelProto:
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder: name an .onnx file in it")
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not content:
        raise InputError(f"{path} is empty (0 bytes): fetch it again")
    graph = onnx.ModelProto()
    try:
        graph.ParseFromString(content)
    except DecodeError as error:
        raise InputError(f"{path} is not an ONNX file, or it is cut short: fetch it again") from error
    folder = path.resolve().parent
    external = [t for t in _tensors(graph) if onnx.external_data_helper.uses_external_data(t)]
    for tensor in external:
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        target = Path(os.path.realpath(folder / location))  # resolve() raises where links form a loop
        if not target.is_relative_to(folder):
            raise InputError(
                f"{path} asks for weights outside its own folder ({location}): refused; "
                "save the network with its weights inside"
            )
        if not target.is_file():
            raise InputError(f"{path} keeps weights in {location}, which is missing: fetch that file too")
    if external:
        try:
            onnx.load_external_data_for_model(graph, str(folder))
        except (OSError, ValueError, onnx.checker.ValidationError) as error:
            raise InputError(f"{path}: its weights in another file cannot be read: {error}") from error
    return graph


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor a file carries: weights, constants in attributes, and those of subgraphs and functions."""
    pending: list[onnx.GraphProto | onnx.FunctionProto] = [model.graph, *model.functions]
    while pending:
        part = pending.pop()
        if isinstance(part, onnx.GraphProto):
            yield from part.initializer
            for sparse in part.sparse_initializer:
                yield from (sparse.values, sparse.indices)
        for node in part.node:
            for attribute in node.attribute:
                yield from attribute.tensors
                if attribute.HasField("t"):
                    yield attribute.t
                pending += attribute.graphs
                if attribute.HasField("g"):
                    pending.append(attribute.g)
