"""A 1×1 convolution moves before any resize: weights that sum to one let sums over maps pass (A7).

This is the only law that reaches align_corners and fractional factors. It needs no kernel of the resize.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from subpixel.algebra import Convolution
from subpixel.rewriting.graph.edit import fresh
from subpixel.rewriting.graph.view import View, extract, standalone
from subpixel.rewriting.proof.compare import compare
from subpixel.rewriting.reading.chains import has
from subpixel.rewriting.reading.reading import Reading, inputs_of
from subpixel.rewriting.refusal import Refusal


def find_commuting(view: View, readings: dict[str, Reading]) -> list[tuple[NodeProto, NodeProto]]:
    """Pairs of a resize and the 1×1 convolution that alone reads it."""
    pairs = []
    for node in view.graph.node:
        if node.op_type not in ("Resize", "Upsample") or node.domain or not view.used_once(node.output[0]):
            continue
        reading = readings.get(view.consumers[node.output[0]][0].output[0])
        if reading is None or not has(reading, Convolution) or reading.source != node.output[0]:
            continue
        conv = reading.layers[0]
        assert isinstance(conv, Convolution)
        plain = all(k == 1 for k in conv.weight.shape[2:]) and not any(p for pair in conv.pads for p in pair)
        if plain and all(s == 1 for s in conv.stride):
            pairs.append((node, reading.nodes[0]))
    return pairs


@dataclass(frozen=True, eq=False)
class Swap:
    """Nodes and weights of the two in their new order; the largest difference met, at how many sizes; what moved."""

    nodes: list[NodeProto]
    weights: dict[str, NDArray[Any]]
    error: float
    sizes: int
    layer: Convolution


def swap(view: View, resize: NodeProto, conv: NodeProto, readings: dict[str, Reading], taken: set[str]) -> Swap:
    """Convolution first, resize second, compared with what was there.

    Raises:
        Refusal: the resize gives fewer samples than it takes, or depends on the number of maps in a way that is not
            known, or the runs differ.
    """
    layer = readings[conv.output[0]].layers[0]
    assert isinstance(layer, Convolution)
    attributes = {a.name: helper.get_attribute_value(a) for a in resize.attribute}
    if attributes.get("coordinate_transformation_mode") == b"tf_crop_and_resize":
        raise Refusal("tf_crop_and_resize extrapolates by a constant: its weights do not sum to one", "A7")
    if _shrinks(view, resize):
        raise Refusal("it gives fewer samples than it takes: the convolution has less to do behind it", "A7")
    names = inputs_of(resize)
    dim, C = layer.weight.ndim - 2, layer.weight.shape[1] * layer.groups
    maps = (view.dims(resize.input[0]) or (None, None))[1]
    if maps != C and (isinstance(maps, int) or names[3:]):
        raise Refusal(f"it may resize the maps: {'an unknown number' if maps is None else maps} to {C}", "A7")
    between = fresh(resize.output[0] + "/convolved", taken)
    weights: dict[str, NDArray[Any]] = {}
    first, second = NodeProto(), NodeProto()
    first.CopyFrom(conv)
    first.input[0], first.output[0] = resize.input[0], between
    second.CopyFrom(resize)
    second.input[0], second.output[0] = between, conv.output[0]
    more: list[NodeProto] = []
    if len(names) > 3 and "axes" not in attributes:
        sizes = view.constant(names[3])
        second.input[3] = fresh(between + "/sizes", taken)
        if sizes is None:
            more = _resized(names[3], second.input[3], layer.weight.shape[0], weights, taken)
        else:
            weights[second.input[3]] = np.array([sizes[0], layer.weight.shape[0], *sizes[2:]], np.int64)
    kind = view.dtype(resize.input[0]) or TensorProto.FLOAT
    lead = (view.dims(resize.input[0]) or (None,))[0]
    nodes = [first, *more, second]
    inputs = [(resize.input[0], kind, [lead if isinstance(lead, int) else None, C, *[None] * dim])]
    constants = {n: v for node in nodes for n in node.input if n and (v := view.constant(n)) is not None}
    worst, count = 0.0, 0
    for size, target in _trials(view, resize, names, dim):
        stated = {}
        if target is not None:  # a computed size, stated for the trial
            batch = lead if isinstance(lead, int) else 2
            stated = {names[3]: np.array([batch, C, *target] if "axes" not in attributes else target, np.int64)}
        before = extract(view, inputs, conv.output[0], stated)
        after = standalone(nodes, inputs, conv.output[0], {**constants, **weights, **stated}, view.opset)
        error, ran = compare(before, after, [{resize.input[0]: size}], 4 * C + 64, False)
        worst, count = max(worst, error), count + ran
    return Swap(nodes, weights, worst, count, layer)


def _shrinks(view: View, resize: NodeProto) -> bool:
    """Does it give fewer samples than it takes, as far as that is known?"""
    before, after = view.size(resize.input[0]), view.size(resize.output[0])
    if before is not None and after is not None:
        return prod(after) < prod(before)
    stated = [float(f) for a in resize.attribute if a.name == "scales" for f in a.floats]
    constants = [v for name in resize.input[1:] if name and (v := view.constant(name)) is not None]
    scales = next((v.reshape(-1).tolist() for v in constants if v.dtype.kind == "f" and v.size), stated)
    return prod(scales) < 1


def _trials(
    view: View, resize: NodeProto, names: list[str], dim: int
) -> list[tuple[tuple[int, ...], tuple[int, ...] | None]]:
    """Sizes to compare at, and what they are resized to where that is computed."""
    small, large = (3, 5, 4)[:dim], (6, 4, 5)[:dim]
    if len(names) > 3 and view.constant(names[3]) is None:
        return [(small, (7, 6, 9)[:dim]), (large, (11, 9, 6)[:dim])]
    size = view.size(resize.input[0])
    if len(names) < 4 or size is None:
        return [(small, None), (large, None)]
    return [(size, None)]  # sizes are stated for one input only


def _resized(old: str, new: str, maps: int, weights: dict[str, NDArray[Any]], taken: set[str]) -> list[NodeProto]:
    """Nodes that state the same sizes with another number of maps."""
    numbers = {"0": 0, "1": 1, "2": 2, "end": np.iinfo(np.int64).max, "maps": maps}
    name = {what: fresh(f"{new}/{what}", taken) for what in (*numbers, "batch", "spatial")}
    weights |= {name[what]: np.array([number]) for what, number in numbers.items()}
    return [
        helper.make_node("Slice", [old, name["0"], name["1"], name["0"]], [name["batch"]]),
        helper.make_node("Slice", [old, name["2"], name["end"], name["0"]], [name["spatial"]]),
        helper.make_node("Concat", [name["batch"], name["maps"], name["spatial"]], [new], axis=0),
    ]
