"""Edits of a graph: new nodes in the place of old ones, and whatever nobody reads any more taken out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, helper, numpy_helper

from subpixel.rewriting.graph.external import is_apart, without_weights
from subpixel.rewriting.graph.view import View, subgraphs


@dataclass(frozen=True, eq=False)
class Edit:
    """`nodes` compute the value `output` anew; they stand where the node that computed it stood."""

    output: str
    nodes: Sequence[NodeProto]
    weights: dict[str, NDArray[Any]]


def apply_edits(graph: GraphProto, edits: Sequence[Edit], ir_version: int, read: Collection[str] = ()) -> None:
    """Make the edits; drop nodes and weights that only the old nodes read, or that an edit wrote and no one reads.

    What nobody read before the edits is the caller's own affair and stays. `read` is what was read before the graphs
    inside this one were edited: what only their old nodes read goes, too.
    """
    before = read_in(graph)
    if not edits and before.issuperset(read):
        return
    at = {edit.output: edit for edit in edits}
    ours = {name for edit in edits for node in edit.nodes for name in node.output}
    ours |= {name for edit in edits for name in edit.weights}
    mortal = before.union(read, ours)
    nodes: list[NodeProto] = []
    for node in graph.node:
        edit = next((at[name] for name in node.output if name in at), None)
        if edit is None:
            nodes.append(node)
            continue
        for name, array in edit.weights.items():
            tensor = numpy_helper.from_array(np.ascontiguousarray(array), name)
            if ir_version < 4:  # weights had to be graph inputs then; a constant node needs none
                nodes.append(helper.make_node("Constant", [], [name], name=f"{name}_node", value=tensor))
            else:
                graph.initializer.append(tensor)
        nodes += edit.nodes
    kept: list[NodeProto] = []
    needed = {value.name for value in graph.output}
    for node in reversed(nodes):
        outputs = [name for name in node.output if name]
        if not outputs or any(name in needed or name not in mortal for name in outputs):
            kept.append(node)
            needed |= _read([node])
    _replace(graph.node, kept[::-1])
    still = read_in(graph)
    gone = {t.name for t in graph.initializer if t.name not in still and t.name in mortal}
    if ir_version >= 4:  # a default of an input that the caller may feed
        gone -= {value.name for value in graph.input}
    _replace(graph.initializer, [t for t in graph.initializer if t.name not in gone])
    _replace(graph.input, [v for v in graph.input if v.name not in gone])
    written = {name for node in graph.node for name in node.output} - set(at)
    _replace(graph.value_info, [v for v in graph.value_info if v.name in written])


def names_in(view: View) -> set[str]:
    """Every name in use in this graph, around it and inside it."""
    taken = set(view.types)

    def add(graph: GraphProto) -> None:
        taken.update(t.name for t in graph.initializer)
        taken.update(v.name for v in (*graph.input, *graph.output))
        for node in graph.node:
            taken.update((node.name, *node.input, *node.output))
            for inner in subgraphs(node):
                add(inner)

    add(view.graph)
    return taken if view.outer is None else taken | names_in(view.outer)


def fresh(name: str, taken: set[str]) -> str:
    """The name, or with a number if somebody has it; it is taken from now on."""
    free, count = name, 1
    while free in taken:
        count += 1
        free = f"{name}_{count}"
    taken.add(free)
    return free


def read_in(graph: GraphProto) -> set[str]:
    """Values that somebody reads, in the graph or in one inside it, or that it gives."""
    return _read(graph.node) | {value.name for value in graph.output}


def _read(nodes: Sequence[NodeProto]) -> set[str]:
    """Values that the nodes read, those read from inside nested graphs included."""
    names: set[str] = set()
    for node in nodes:
        names.update(node.input)
        for inner in subgraphs(node):
            names |= read_in(inner)
    return names


def _replace(field: Any, items: Sequence[Any]) -> None:
    """The items of a repeated field, and no others."""
    if len(items) == len(field) and all(a is b for a, b in zip(items, field, strict=True)):
        return
    copies = [type(item)() for item in items]
    for new, item in zip(copies, items, strict=True):
        new.CopyFrom(item)
    del field[:]
    field.extend(copies)


def check(model: onnx.ModelProto) -> str | None:
    """What the ONNX checker has against the model, in one line."""
    try:
        onnx.checker.check_model(without_weights(model) if is_apart(model) else model)
    except onnx.checker.ValidationError as error:
        return str(error).splitlines()[0]
    return None
