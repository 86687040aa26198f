"""Two small models on the same inputs: equal where the numbers are integers, within the rounding bound elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from onnx import ModelProto, helper, numpy_helper

from subpixel.rewriting.proof.running import RunFailure, Runner
from subpixel.rewriting.refusal import Refusal

Sizes = dict[str, tuple[int, ...]]
"""Spatial sizes by input name."""


class Comparison:
    """Two models, to be run on the same random inputs.

    With `exact` inputs are small integers, and wherever all sums stay below 2²² results must be equal.
    Otherwise they may differ by 2·n·u·(|w| * |x|), n the number of `terms`; |w| * |x| is the first model run
    on absolute values. Cubic kernels stay signed in it: there |x| is taken as its maximum throughout, times what
    the absolute taps sum to.
    """

    def __init__(self, before: ModelProto, after: ModelProto, terms: int, exact: bool) -> None:
        self.terms, self.exact = terms, exact
        self._before, self._after, self._magnitudes = Runner(before), Runner(after), Runner(_absolute(before))
        self._lobes = _cubic_lobes(before)
        self._inputs = {
            v.name: (
                (v.type.tensor_type.shape.dim[0].dim_value, v.type.tensor_type.shape.dim[1].dim_value),
                helper.tensor_dtype_to_np_dtype(v.type.tensor_type.elem_type),
            )
            for v in before.graph.input
        }
        self._rng = np.random.default_rng(0)

    def over(self, sizes: Sequence[Sizes], may_fail: Callable[[Sizes], bool] = lambda size: False) -> tuple[float, int]:
        """The largest difference, and at how many sizes both ran. `may_fail`: where the second may refuse to run.

        Raises:
            Refusal: they differ, or only one of them runs, or none at any size.
        """
        found = [self.at(size, number, may_fail(size)) for number, size in enumerate(sizes)]
        ran = [error for error in found if error is not None]
        if not ran:
            raise Refusal("at no size do both run, so nothing can be compared")
        return max(ran), len(ran)

    def at(self, size: Sizes, number: int = 0, may_fail: bool = False) -> float | None:
        """The largest difference at one size; None where there is nothing to compare, or the second refuses it.

        Raises:
            Refusal: they differ, or the second does not run and may not fail.
        """
        feeds = {}
        for name, ((batch, maps), dtype) in self._inputs.items():
            shape = (batch or 2 + number % 2, maps, *size[name])  # an open batch: two, so that none is built in
            numbers = self._rng.integers(-4, 5, shape) if self.exact else self._rng.standard_normal(shape)
            feeds[name] = numbers.astype(dtype)
        try:
            y = self._before(feeds)
        except RunFailure:
            return None  # not a legal size of the original
        if not y.size:
            return None
        try:
            z = self._after(feeds)
        except RunFailure as failure:
            if may_fail:
                return None
            raise Refusal(f"the runtime does not take it: {failure}") from failure
        if y.shape != z.shape:
            raise Refusal(f"on inputs of size {size} its shape is {z.shape} instead of {y.shape}")
        unit = np.finfo(y.dtype).eps / 2
        y, z = y.astype(np.float64), z.astype(np.float64)
        positive = {name: np.abs(x) for name, x in feeds.items()}
        if self._lobes > 1:  # a constant passes through an interpolation as it is
            positive = {name: np.full_like(x, np.abs(x).max(initial=0)) for name, x in feeds.items()}
        magnitude = self._lobes * np.abs(self._magnitudes(positive).astype(np.float64))
        difference = np.abs(y - z)
        if self.exact and magnitude.max() < 0.25 / unit:
            allowed = np.zeros_like(magnitude)
        else:
            allowed = 2 * self.terms * unit * np.maximum(magnitude, magnitude.max() / 64)
        if not (difference <= allowed).all():  # NaN included
            raise Refusal(f"on inputs of size {size} it differs by {difference.max():.3g}")
        return float(difference.max())


def compare(
    before: ModelProto,
    after: ModelProto,
    sizes: Sequence[Sizes],
    terms: int,
    exact: bool,
    may_fail: Callable[[Sizes], bool] = lambda size: False,
) -> tuple[float, int]:
    """See `Comparison.over`."""
    return Comparison(before, after, terms, exact).over(sizes, may_fail)


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
