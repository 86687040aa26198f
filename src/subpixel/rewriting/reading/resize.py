"""The reader's part for Resize and the old Upsample: every opset, every mode, and which of them have a kernel."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from subpixel.algebra import Resize, nearest_offset
from subpixel.rewriting.graph.sizes import dims_of, evaluate
from subpixel.rewriting.graph.view import View
from subpixel.rewriting.reading.reading import Attributes, Reading, inputs_of, not_constant
from subpixel.rewriting.refusal import Refusal

_MODES = {"nearest": "nearest", "linear": "linear", "bilinear": "linear", "cubic": "cubic"}


def resize(view: View, node: NodeProto, attributes: Attributes) -> Reading:
    """Resize, opset 10 on."""
    names = inputs_of(node)
    mode = attributes.take("mode", "nearest")
    if view.opset < 11:  # no choice of coordinates yet: those of Upsample
        factor, fixed = _factor(view, node, names[1], None, None)
        return _reading(view, node, mode, factor, "asymmetric", "floor", fixed=fixed)
    coordinate = attributes.take("coordinate_transformation_mode", "half_pixel")
    rounding = attributes.take("nearest_mode", "round_prefer_floor")
    cubic_a = attributes.take("cubic_coeff_a", -0.75)
    exclude, antialias = attributes.take("exclude_outside", 0), attributes.take("antialias", 0)
    axes, policy = attributes.take("axes"), attributes.take("keep_aspect_ratio_policy", "stretch")
    attributes.take("extrapolation_value")  # read by tf_crop_and_resize only, which is refused
    scales = names[2] if len(names) > 2 else ""
    sizes = names[3] if len(names) > 3 else ""
    if policy != "stretch":
        raise Refusal(f"its keep_aspect_ratio_policy {policy!r} makes the factor depend on the size", "A7")
    factor, fixed = _factor(view, node, scales, sizes, axes)
    if antialias and mode != "nearest":
        raise Refusal("its antialias mode renormalises at the border", "A7")
    if exclude and mode == "cubic":
        raise Refusal("its exclude_outside renormalises at the border", "A7")
    return _reading(view, node, mode, factor, coordinate, rounding, cubic_a, fixed=fixed)


def upsample(view: View, node: NodeProto, attributes: Attributes) -> Reading:
    """Upsample, opset 7 (scales as attribute) and 9 (as input); by definition asymmetric, rounded down."""
    mode = attributes.take("mode", "nearest")
    if view.opset < 9:
        scales = attributes.take("scales")
        if scales is None:
            raise Refusal("its opset is older than 7")
        factor, fixed = _whole(np.asarray(scales)), False
    else:
        factor, fixed = _factor(view, node, inputs_of(node)[1], None, None)
    return _reading(view, node, mode, factor, "asymmetric", "floor", fixed=fixed)


def _reading(
    view: View,
    node: NodeProto,
    mode: str,
    factor: tuple[int, ...],
    coordinate: str,
    rounding: str,
    cubic_a: float = -0.75,
    fixed: bool = False,
) -> Reading:
    dims = view.dims(node.input[0])
    C = dims[1] if dims is not None and len(dims) > 2 else None
    if not isinstance(C, int):
        raise Refusal(f"the number of maps of {node.input[0]!r} is not known: give the model's input shapes")
    if factor[0] != 1 or factor[1] != 1:
        raise Refusal("it resizes batch or maps")
    s = factor[2:]
    if mode not in _MODES:
        raise Refusal(f"its mode {mode!r} is not known")
    if all(f == 1 for f in s) and coordinate not in ("tf_half_pixel_for_nn", "tf_crop_and_resize"):
        return Reading((node,), node.input[0], node.output[0], (), fixed)
    if coordinate == "align_corners":
        raise Refusal("align_corners has no shift-covariant kernel: only a 1×1 convolution moves past it", "A7")
    if mode == "nearest":
        try:
            offset = tuple(nearest_offset(f, coordinate, rounding) for f in s)  # type: ignore[arg-type]
        except ValueError as error:
            raise Refusal(str(error), "A6") from error
        if any(f == 1 and c for f, c in zip(s, offset, strict=True)):
            raise Refusal("its rounding moves an axis of factor 1 by a sample: runtimes disagree on that", "A6")
        return Reading((node,), node.input[0], node.output[0], (Resize(C, s, "nearest", offset=offset),), fixed)
    if coordinate in ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric"):
        layer = Resize(C, s, _MODES[mode], "half_pixel", cubic_a=cubic_a)  # type: ignore[arg-type]
    elif coordinate == "asymmetric":
        layer = Resize(C, s, _MODES[mode], "asymmetric", cubic_a=cubic_a)  # type: ignore[arg-type]
    else:
        raise Refusal(f"its coordinates {coordinate!r} have no shift-covariant kernel", "A7")
    return Reading((node,), node.input[0], node.output[0], (layer,), fixed)


def _factor(
    view: View, node: NodeProto, scales: str, sizes: str | None, axes: list[int] | None
) -> tuple[tuple[int, ...], bool]:
    """Whole factors over all dimensions, and whether they hold for the graph's own size only."""
    dims = view.dims(node.input[0])
    if scales:
        value = view.constant(scales)
        if value is None:
            raise Refusal(f"its scales value {scales!r} {not_constant(view, scales)}")
        if value.size:
            return _spread(_whole(value), axes, dims), False
    if not sizes:
        raise Refusal("it has neither scales nor sizes")
    before, wanted = dims_of(view, node.input[0]), evaluate(view, sizes)
    if before is None:
        raise Refusal(f"the shape of {node.input[0]!r} is not known: give the model's input shapes")
    if wanted is None or (len(wanted) != len(before) and axes is None):
        after = view.dims(node.output[0])  # what shape inference makes of it
        wanted = dims_of(view, node.output[0]) if after is not None and None not in after else None
    if wanted is None:
        raise Refusal(f"its factor cannot be proved: its sizes {sizes!r} are computed in a way that is not read", "A7")
    factor, fixed, batch = [1] * len(before), False, before[0]
    for axis, size in zip(axes if axes is not None else range(len(wanted)), wanted, strict=True):
        axis %= len(before)
        if axis == 0:
            batch = size
            continue
        times = size.over(before[axis])
        if times is None and not size.of and not before[axis].of:
            ratio = f"{size.times}/{before[axis].times}"
            raise Refusal(f"its factor {ratio} is no whole number: only 1×1 convolutions move past it", "A7")
        if times is None or times.of or times.times < 1:
            asked = f"{size} samples are asked for along axis {axis}, of {before[axis]}"
            raise Refusal(f"its factor cannot be proved: {asked}", "A7")
        factor[axis] = times.times
        fixed = fixed or (axis > 1 and not before[axis].of)
    if batch != before[0] and batch.of:
        raise Refusal("its factor cannot be proved: its sizes may resize the batch")
    if batch != before[0]:
        stated = "an open one" if before[0].of else f"{before[0].times}"
        raise Refusal(f"its sizes give {batch.times} for the batch, which is {stated}: they may resize it")
    return tuple(factor), fixed


def _whole(scales: np.ndarray) -> tuple[int, ...]:
    values = [float(v) for v in scales.reshape(-1)]
    if any(v < 1 or v % 1 for v in values):
        raise Refusal(f"its factors {values} are not whole numbers ≥ 1: only 1×1 convolutions move past it", "A7")
    return tuple(int(v) for v in values)


def _spread(factor: tuple[int, ...], axes: list[int] | None, dims: object) -> tuple[int, ...]:
    if axes is None:
        return factor
    if not isinstance(dims, tuple):
        raise Refusal("its axes are given but its shape is not known")
    whole = [1] * len(dims)
    for axis, f in zip(axes, factor, strict=True):
        whole[axis] = f
    return tuple(whole)
