"""Layers without weights, call by call: resizes, shuffles, padding, pooling."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch.nn.functional as F

from subpixel.algebra import (
    AveragePool,
    Pad,
    PeriodicShuffle,
    PeriodicUnshuffle,
    Resize,
)
from subpixel.algebra.layers import Ints, Order, Pads
from subpixel.rewriting.modules.calls import Read, arguments, ints, one, refuse_foreign
from subpixel.rewriting.modules.view import Call, ModuleView, call_of
from subpixel.rewriting.reading.operators import maps_of
from subpixel.rewriting.refusal import Refusal

_RESIZE = ("input", "size", "scale_factor", "mode", "align_corners", "recompute_scale_factor", "antialias")


def resize(view: ModuleView, call: Call) -> Read:
    given = resize_arguments(call)
    mode = given.get("mode") or "nearest"
    size, scale = given.get("size"), given.get("scale_factor")
    if mode == "area":
        raise Refusal("its mode 'area' is pooling", "A7")
    if given.get("antialias"):
        raise Refusal("its antialias mode renormalises at the border", "A7")
    if given.get("align_corners"):
        raise Refusal("align_corners has no shift-covariant kernel: only a 1×1 convolution moves past it", "A7")
    C, d = maps_of(view, call.input[0]), len(view.dims(call.input[0]) or ()) - 2
    kind = {"linear": "linear", "bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}.get(mode, "nearest")
    if size is not None:
        factor = _factor_of_size(view, call, d)
        layer = Resize(C, factor, kind)  # type: ignore[arg-type]
        _check_nearest(kind, factor)
        return Read((call.as_node(),), call.input[0], call.output[0], (layer,), sizes=size, factor=factor)
    each: tuple[Any, ...] = tuple(scale) if isinstance(scale, tuple | list) else (scale,) * d
    if not all(isinstance(s, int | float) for s in each):
        raise Refusal("its scale_factor is computed when it runs", "A7")
    if any(s < 1 or s % 1 for s in each):
        raise Refusal(f"its factors {list(each)} are not whole numbers ≥ 1: only 1×1 convolutions move past it", "A7")
    factor = tuple(int(s) for s in each)
    _check_nearest(kind, factor)
    layers = () if all(f == 1 for f in factor) else (Resize(C, factor, kind),)  # type: ignore[arg-type]
    return one(call, *layers)


def resize_arguments(call: Call) -> dict[str, Any]:
    """What F.interpolate would be called with."""
    module = call.module
    if module is not None:
        arguments(call, ("input",))
        names = ("size", "scale_factor", "mode", "align_corners", "recompute_scale_factor")
        return {name: getattr(module, name) for name in names}
    if call.node.target is F.interpolate:
        return arguments(call, _RESIZE)
    names = ("input", "size", "scale_factor", "mode", "align_corners")
    given = arguments(call, names)
    if call.node.target is F.upsample_bilinear:
        return {**given, "mode": "bilinear", "align_corners": True}
    return given


def _factor_of_size(view: ModuleView, call: Call, d: int) -> Ints:
    """The factor that the shapes of `inputs` show; it is checked again whenever the module runs."""
    before, after = view.shapes.get(call.input[0]), view.shapes.get(call.output[0])
    if before is None or after is None:
        raise Refusal("its factor cannot be known from its `size`: give `inputs`", "A7")
    pairs = list(zip(after[2:], before[2:], strict=True))
    if any(a % b for a, b in pairs):
        raise Refusal(f"its factor {'×'.join(f'{a}/{b}' for a, b in pairs)} is no whole number", "A7")
    return tuple(a // b for a, b in pairs)


def _check_nearest(kind: str, factor: Ints) -> None:
    """PyTorch reads x[⌊j·fl(1/s)⌋], which is x[⌊j/s⌋] for all but a few factors (49 is the first in float32: 41)."""
    if kind != "nearest":
        return
    for s in factor:
        j = np.arange(s * 4096, dtype=np.int64)
        with_scale = np.floor(j.astype(np.float32) * np.float32(1.0 / s)).astype(np.int64)
        if (with_scale != j // s).any():
            raise Refusal(f"PyTorch's nearest ×{s} reads other samples than ⌊j/{s}⌋, by rounding", "A6")


def depth_to_space(view: ModuleView, call: Call) -> Read:
    C, each, order = _shuffle(view, call, "upscale_factor")
    return one(call, PeriodicShuffle(C // int(np.prod(each)), each, order))


def space_to_depth(view: ModuleView, call: Call) -> Read:
    C, each, order = _shuffle(view, call, "downscale_factor")
    return one(call, PeriodicUnshuffle(C, each, order))


def _shuffle(view: ModuleView, call: Call, torchs_name: str) -> tuple[int, Ints, Order]:
    """Maps that go in, factor and order of PyTorch's shuffle, whose factor has the given name, or of ours."""
    if call.module is not None:
        arguments(call, ("input",))
        factor = getattr(call.module, torchs_name, None) or cast(Any, call.module).factor
        order = getattr(call.module, "order", "crd")
    else:
        given = arguments(call, _shuffle_names(call))
        factor, order = given.get("factor", given.get(torchs_name)), given.get("order", "crd")
    C, d = maps_of(view, call.input[0]), len(view.dims(call.input[0]) or ()) - 2
    return C, ints(factor, d, "factor"), cast(Order, order)


def _shuffle_names(call: Call) -> tuple[str, ...]:
    label = call.label
    if label.startswith("periodic"):
        return ("x", "factor", "order")
    return ("input", "upscale_factor" if "un" not in label else "downscale_factor")


def pad(view: ModuleView, call: Call) -> Read | None:
    value: Any = 0
    if call.module is not None:
        arguments(call, ("input",))
        module = cast(Any, call.module)
        flat = module.padding
        kinds = {"Replication": "replicate", "Reflection": "reflect", "Constant": "constant", "Zero": "constant"}
        mode = next((m for k, m in kinds.items() if type(module).__name__.startswith(k)), "circular")
        value = getattr(module, "value", 0)
    else:
        given = arguments(call, ("input", "pad", "mode", "value"))
        flat, mode, value = given.get("pad"), given.get("mode", "constant"), given.get("value") or 0
    if not isinstance(flat, tuple | list) or not all(isinstance(n, int) for n in flat):
        raise Refusal("its amounts are computed when it runs")
    d = len(view.dims(call.input[0]) or ()) - 2
    if d < 1:
        raise Refusal(f"the shape of {call.input[0]!r} is not known: give `inputs`")
    pairs = [(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)][::-1]
    if len(pairs) > d:
        return None  # pads batch or maps: no layer of ours
    pads = tuple([(0, 0)] * (d - len(pairs)) + pairs)
    C = maps_of(view, call.input[0])
    if mode == "constant" and value == 0:
        return one(call, Pad(C, pads))
    border = continued(view, call.input[0], mode, pads)
    if border is None:
        raise Refusal(f"its mode {mode!r} (value {value}) continues the input by neither zeros nor its edge", "A12")
    return one(call, Pad(C, pads, border))  # type: ignore[arg-type]


def continued(view: ModuleView, source: str, mode: str, pads: Pads) -> str | None:
    """ "edge" where the padding repeats the edge: by itself, or as it reflects the copies of nearest ×s (A15)."""
    if mode == "replicate":
        return "edge"
    if mode != "reflect" or source not in view.producers:
        return None
    before = call_of(view.producers[source])
    if before.op_type != "Resize":
        return None
    try:
        refuse_foreign(before)
        reading = resize(view, before)
    except Refusal:
        return None
    if len(reading.layers) != 1 or not isinstance(layer := reading.layers[0], Resize):
        return None
    fits = layer.mode == "nearest" and all(0 <= max(p) <= s - 1 for p, s in zip(pads, layer.factor, strict=True))
    return "edge" if fits else None


def average_pool(view: ModuleView, call: Call) -> Read:
    names = ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
    if call.module is not None:
        arguments(call, ("input",))
        given = {name: getattr(call.module, name, None) for name in names[1:]}
    else:
        given = arguments(call, names)
    d = len(view.dims(call.input[0]) or ()) - 2
    K = ints(given["kernel_size"], d, "kernel_size")
    stride = K if not given.get("stride") else ints(given["stride"], d, "stride")
    pads = ints(given.get("padding") or 0, d, "padding")
    counts = given.get("count_include_pad")
    if given.get("ceil_mode") or given.get("divisor_override"):
        raise Refusal("it rounds its length up, or divides by a number of its own")
    if counts is False and any(pads):
        raise Refusal("it leaves padding out of its mean, so its weights differ at the border")
    return one(call, AveragePool(maps_of(view, call.input[0]), K, stride, tuple((p, p) for p in pads)))


def nothing(view: ModuleView, call: Call) -> Read:
    return one(call)
