"""Lifting (A9, A10): a shuffle moves behind pointwise functions, so that the convolution after them moves before it.

Any network that convolves after an upsampling is a network in low-resolution space with more maps. Dense
kernels make that expensive (×s² multiplications at least), so it is done where the caller asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, numpy_helper

from subpixel.algebra import Convolution, Pad, PeriodicShuffle
from subpixel.rewriting.graph.edit import names_in
from subpixel.rewriting.graph.view import View
from subpixel.rewriting.reading.chains import has, read_all
from subpixel.rewriting.reading.reading import Reading

_POINTWISE = frozenset(
    """
    Abs Celu Elu Erf Exp Gelu HardSigmoid HardSwish LeakyRelu Mish Neg Relu Selu Sigmoid Softplus Softsign Tanh
    """.split()  # noqa: SIM905
)


def swaps(view: View) -> Iterator[list[NodeProto]]:
    """Runs of nodes that can trade places: a shuffle, perhaps its crop, and the pointwise function behind them.

    Only where a convolution follows: otherwise there is nothing to gain.
    """
    readings, _ = read_all(view)
    for reading in readings.values():
        if not has(reading, PeriodicShuffle) or len(reading.nodes) > 1:
            continue
        run, output = [reading.nodes[0]], reading.output
        while view.used_once(output):
            node = view.consumers[output][0]
            after = readings.get(node.output[0])
            if after is not None and len(run) == 1 and _is_crop(after.layers):
                run.append(node)
                output = node.output[0]
                continue
            if node.domain or not _is_pointwise(view, node, reading) or not view.used_once(node.output[0]):
                break
            follower = readings.get(view.consumers[node.output[0]][0].output[0])
            if follower is not None and has(follower, Convolution):
                yield [*run, node]
            break


def _is_pointwise(view: View, node: NodeProto, shuffle: Reading) -> bool:
    """The same function of every number of a map, a PRelu with one slope for all or one for each map among them."""
    if node.op_type != "PRelu":
        return node.op_type in _POINTWISE
    slope = view.constant(node.input[1])
    return slope is not None and (slope.size == 1 or slopes_before(shuffle, slope) is not None)


def slopes_before(reading: Reading, slope: NDArray[Any]) -> NDArray[Any] | None:
    """A PRelu's slopes for the maps that are shuffled: each map's own for all of its phases. None for other shapes.

    Shape: slope `O *1` or `1 O *1` to `(O φ) *1`, or `(φ O) *1`, as the shuffle counts its maps.
    """
    (shuffle,) = (layer for layer in reading.layers if isinstance(layer, PeriodicShuffle))
    O, phases, ones = shuffle.maps, prod(shuffle.factor), (1,) * len(shuffle.factor)
    if slope.shape not in ((O, *ones), (1, O, *ones)):
        return None
    flat = slope.reshape(O)
    return (np.repeat(flat, phases) if shuffle.order == "crd" else np.tile(flat, phases)).reshape(-1, *ones)


def swapped(model: ModelProto, run: list[NodeProto], view: View) -> ModelProto:
    """A copy of the model in which the last node of the run stands first."""
    copy = ModelProto()
    copy.CopyFrom(model)
    first, last = run[0], run[-1]
    taken = names_in(view)
    early = _fresh(first.input[0] + "/early", taken)
    by_output = {node.output[0]: node for node in copy.graph.node}
    moved = NodeProto()
    moved.CopyFrom(last)
    moved.input[0], moved.output[0] = first.input[0], early
    slope = view.constant(moved.input[1]) if moved.op_type == "PRelu" else None
    if slope is not None and slope.size > 1:
        repeated = slopes_before(read_all(view)[0][first.output[0]], slope)
        assert repeated is not None, "`swaps` yields no other"
        moved.input[1] = _fresh(first.input[0] + "/slopes", taken)
        copy.graph.initializer.append(numpy_helper.from_array(repeated, moved.input[1]))
    by_output[first.output[0]].input[0] = early
    end = by_output[run[-2].output[0]]
    end.output[0] = last.output[0]
    nodes = []
    for node in copy.graph.node:
        if node is by_output[last.output[0]]:
            continue  # the function, where it stood
        if node.input and node.input[0] == early:
            nodes.append(moved)
        nodes.append(node)
    kept = [NodeProto() for _ in nodes]
    for new, node in zip(kept, nodes, strict=True):
        new.CopyFrom(node)
    del copy.graph.node[:]
    copy.graph.node.extend(kept)
    stale = {n.output[0] for n in run}
    infos = [v for v in copy.graph.value_info if v.name not in stale]
    kept_infos = [type(v)() for v in infos]
    for new_info, v in zip(kept_infos, infos, strict=True):
        new_info.CopyFrom(v)
    del copy.graph.value_info[:]
    copy.graph.value_info.extend(kept_infos)
    return copy


def _fresh(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _is_crop(chain: tuple[object, ...]) -> bool:
    return bool(chain) and all(isinstance(x, Pad) and all(p <= 0 for q in x.pads for p in q) for x in chain)
