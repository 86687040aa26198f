"""Two small models on the same inputs: equal where the numbers are integers, within the rounding bound elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import ModelProto, helper, numpy_helper

from subpixel.rewriting.proof.running import RunFailure, Runner
from subpixel.rewriting.refusal import Refusal

Sizes = dict[str, tuple[int, ...]]
"""Spatial sizes by input name."""


def compare(
    before: ModelProto,
    after: ModelProto,
    sizes: list[Sizes],
    terms: int,
    exact: bool,
    may_fail: Callable[[Sizes], bool] = lambda size: False,
) -> tuple[float, int]:
    """The largest difference, and at how many sizes both ran.

    With `exact` inputs are small integers, and wherever all sums stay below 2²² results must be equal.
    Otherwise they may differ by 2·n·u·(|w| * |x|), n the number of `terms`; |w| * |x| is the first model run
    on absolute values. Cubic kernels stay signed in it: there |x| is taken as its maximum throughout, times what
    the absolute taps sum to. `may_fail` says at which sizes the second model may refuse to run.

    Raises:
        Refusal: they differ, or only one of them runs.
    """
    a, b, magnitudes, lobes = Runner(before), Runner(after), Runner(_absolute(before)), _cubic_lobes(before)
    inputs = {
        v.name: (
            (v.type.tensor_type.shape.dim[0].dim_value, v.type.tensor_type.shape.dim[1].dim_value),
            helper.tensor_dtype_to_np_dtype(v.type.tensor_type.elem_type),
        )
        for v in before.graph.input
    }
    rng = np.random.default_rng(0)
    worst, count = 0.0, 0
    for at, size in enumerate(sizes):
        feeds = {}
        for name, ((batch, maps), dtype) in inputs.items():
            shape = (batch or 2 + at % 2, maps, *size[name])  # an open batch: two of them, so that none is built in
            feeds[name] = (rng.integers(-4, 5, shape) if exact else rng.standard_normal(shape)).astype(dtype)
        try:
            y = a(feeds)
        except RunFailure:
            continue  # not a legal size of the original
        if not y.size:
            continue
        try:
            z = b(feeds)
        except RunFailure as failure:
            if may_fail(size):
                continue
            raise Refusal(f"the runtime does not take it: {failure}") from failure
        count += 1
        if y.shape != z.shape:
            raise Refusal(f"on inputs of size {size} its shape is {z.shape} instead of {y.shape}")
        unit = np.finfo(y.dtype).eps / 2
        y, z = y.astype(np.float64), z.astype(np.float64)
        positive = {name: np.abs(x) for name, x in feeds.items()}
        if lobes > 1:  # a constant passes through an interpolation as it is
            positive = {name: np.full_like(x, np.abs(x).max()) for name, x in feeds.items()}
        magnitude = lobes * np.abs(magnitudes(positive).astype(np.float64))
        difference = np.abs(y - z)
        if exact and magnitude.max() < 0.25 / unit:
            allowed = np.zeros_like(magnitude)
        else:
            allowed = 2 * terms * unit * np.maximum(magnitude, magnitude.max() / 64)
        if not (difference <= allowed).all():  # NaN included
            raise Refusal(f"on inputs of size {size} it differs by {difference.max():.3g}")
        worst = max(worst, float(difference.max()))
    if not count:
        raise Refusal("at no size do both run, so nothing can be compared")
    return worst, count


def _cubic_lobes(model: ModelProto) -> float:
    """By how much the absolute taps of the model's cubic kernels sum to more than one: 1 + |a|/2 per axis."""
    lobes = 1.0
    for node in model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if attributes.get("mode") == b"cubic":
            axes = len(model.graph.input[0].type.tensor_type.shape.dim) - 2
            lobes *= (1 + abs(attributes.get("cubic_coeff_a", -0.75)) / 2) ** axes
    return lobes


def _absolute(model: ModelProto) -> ModelProto:
    """The same graph with absolute weights: run on |x| it gives |w| * |x|."""
    copy = ModelProto()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        value = numpy_helper.to_array(tensor)
        if value.dtype.kind == "f":
            tensor.CopyFrom(numpy_helper.from_array(np.abs(value), tensor.name))
    for node in copy.graph.node:
        if node.op_type == "Sub":
            node.op_type = "Add"
    return copy
