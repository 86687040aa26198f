"""The reader: one function per call, PyTorch call → layers. No algebra here, and no argument left unread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.nn.utils import parametrize

from subpixel.algebra import (
    AveragePool,
    Convolution,
    Layer,
    Pad,
    PeriodicShuffle,
    PeriodicUnshuffle,
    Resize,
    TransposedConvolution,
    ZeroInsertion,
)
from subpixel.algebra.forms import LRForm, SubpixelForm, TransposedForm
from subpixel.algebra.layers import Ints, Order, Pads
from subpixel.nn.convert import Convertible
from subpixel.nn.transposed import ConvTranspose as OurTransposed
from subpixel.rewriting.modules.symbol import Symbol
from subpixel.rewriting.modules.tracing import hooks_of
from subpixel.rewriting.modules.view import Call, ModuleView, call_of
from subpixel.rewriting.reading.operators import maps_of
from subpixel.rewriting.reading.reading import Reading
from subpixel.rewriting.refusal import Refusal


@dataclass(frozen=True, eq=False)
class Read(Reading):
    """A reading, and what must hold when it runs.

    Attributes:
        sizes: the layers hold where this value, a list of sizes or a scale, asks for `factor` times the input.
        longest: the layers give as many samples as `output_size` may ask for; it is cut to what it does ask for.
    """

    sizes: Any = None
    factor: Ints = ()
    longest: Any = None


def read(view: ModuleView, call: Call) -> Read | None:
    """The call as layers, or None where it is no linear layer at all.

    Raises:
        Refusal: a layer, but one that cannot be read exactly.
    """
    if call.op_type not in READERS:
        return None
    if call.module is not None:
        if hooks_of(call.module):
            raise Refusal("it has hooks, which a rewritten call would not reach")
        plain = type(call.module).__module__.startswith(("torch.nn.modules", "subpixel.nn"))
        if not plain and not parametrize.is_parametrized(call.module):
            raise Refusal(f"it is a {type(call.module).__module__}.{type(call.module).__name__}, no layer of torch.nn")
    return READERS[call.op_type](view, call)


def read_all(view: ModuleView) -> tuple[dict[str, Read], list[tuple[Call, Refusal]]]:
    """Every reading of the graph by its output's name, and what was refused on the way."""
    readings: dict[str, Read] = {}
    refused: list[tuple[Call, Refusal]] = []
    for call in view.calls:
        try:
            reading = read(view, call)
        except Refusal as refusal:
            refused.append((call, refusal))
            continue
        except (ValueError, TypeError, IndexError, AttributeError) as error:
            refused.append((call, Refusal(f"it cannot be read: {error}")))
            continue
        if reading is not None:
            readings[reading.output] = reading
    return readings, refused


def _one(call: Call, *layers: Layer, **more: Any) -> Read:
    return Read((call.as_node(),), call.input[0], call.output[0], layers, **more)


# --- arguments and weights -----------------------------------------------------------------------------------------


def _arguments(call: Call, names: Sequence[str]) -> dict[str, Any]:
    """Positional and keyword arguments by name."""
    node = call.node
    found = dict(zip(names, node.args, strict=False)) | dict(node.kwargs)
    strange = set(found) - set(names)
    if strange or len(node.args) > len(names):
        raise Refusal(f"its argument {sorted(strange)[0] if strange else len(names)!r} is not known here")
    return found


def _ints(value: Any, d: int, what: str) -> Ints:
    """One whole number per axis, none of them computed in the graph."""
    each = (value,) * d if isinstance(value, int) else value
    if not isinstance(each, tuple | list) or not all(isinstance(n, int) for n in each):
        raise Refusal(f"its {what} is computed when it runs")
    return tuple(each) if len(each) == d else tuple(each) * d


def _weight(view: ModuleView, call: Call, value: Any, what: str) -> Symbol | None:
    """A tensor argument of a function as a symbol."""
    if value is None:
        return None
    if not isinstance(value, fx.Node):
        raise Refusal(f"its {what} is no value of the graph")
    if value.op == "get_attr":
        tensor = view.root
        for part in str(value.target).split("."):
            tensor = getattr(tensor, part)
        shape = tuple(cast(Tensor, tensor).shape)
    elif value.name in view.shapes:
        shape = view.shapes[value.name]
    else:
        raise Refusal(f"its {what} is computed: give `inputs` for its shape to be known")
    return Symbol(value.name, shape)


def _parameter(call: Call, name: str) -> Symbol | None:
    """A module's parameter as a symbol; its name is a path that begins with a dot."""
    tensor = getattr(call.module, name)
    if tensor is None:
        return None
    if not tensor.is_floating_point():
        raise Refusal(f"its {name} is of type {tensor.dtype}")
    target = str(call.node.target)
    return Symbol("." + (f"{target}.{name}" if target else name), tuple(tensor.shape))


# --- layers with weights -------------------------------------------------------------------------------------------

_CONV = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_TRANSPOSED = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")


def _conv(view: ModuleView, call: Call) -> Read:
    module, mode = call.module, "zeros"
    if module is not None:
        _arguments(call, ("input",))
        conv = cast(nn.Conv2d, module)
        given: dict[str, Any] = {name: getattr(conv, name) for name in _CONV[3:]}
        weight, bias, mode = _parameter(call, "weight"), _parameter(call, "bias"), conv.padding_mode
    else:
        given = _arguments(call, _CONV)
        weight, bias = (_weight(view, call, given.get(name), name) for name in ("weight", "bias"))
    assert weight is not None
    d = weight.ndim - 2
    stride, dilation = _ints(given.get("stride", 1), d, "stride"), _ints(given.get("dilation", 1), d, "dilation")
    groups = given.get("groups", 1)
    pads = _same(given.get("padding", 0), weight.shape[2:], dilation)
    if mode == "zeros":
        return _one(call, Convolution(weight, bias, stride, pads, dilation, groups))
    border = _continued(view, call.input[0], mode, pads)
    if border is None:
        raise Refusal(f"its padding_mode {mode!r} continues the input by neither zeros nor its edge", "A12")
    C = weight.shape[1] * groups
    none = ((0, 0),) * d
    return _one(call, Pad(C, pads, border), Convolution(weight, bias, stride, none, dilation, groups))  # type: ignore[arg-type]


def _same(padding: Any, K: Ints, dilation: Ints) -> Pads:
    """Padding per axis; torch's "same" puts the odd sample at the end."""
    if padding == "valid":
        return ((0, 0),) * len(K)
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(dilation, K, strict=True)]
        return tuple((n // 2, n - n // 2) for n in total)
    return tuple((p, p) for p in _ints(padding, len(K), "padding"))


def _conv_transpose(view: ModuleView, call: Call) -> Read:
    module = call.module
    if isinstance(module, Convertible) and (not isinstance(module, OurTransposed) or _is_special(module)):
        return _ours(call, module)
    longest = None
    if module is not None:
        longest = _arguments(call, ("input", "output_size")).get("output_size")
        conv = cast(nn.ConvTranspose2d, module)
        given: dict[str, Any] = {name: getattr(conv, name) for name in _TRANSPOSED[3:]}
        weight, bias = _parameter(call, "weight"), _parameter(call, "bias")
    else:
        given = _arguments(call, _TRANSPOSED)
        weight, bias = (_weight(view, call, given.get(name), name) for name in ("weight", "bias"))
    assert weight is not None
    d = weight.ndim - 2
    stride, dilation = _ints(given.get("stride", 1), d, "stride"), _ints(given.get("dilation", 1), d, "dilation")
    pads = tuple((p, p) for p in _ints(given.get("padding", 0), d, "padding"))
    extra = _ints(given.get("output_padding", 0), d, "output_padding")
    if longest is not None:  # the most that torch allows is computed, then cut to what is asked for
        extra = tuple(max(s, D) - 1 for s, D in zip(stride, dilation, strict=True))
    layer = TransposedConvolution(weight, bias, stride, pads, extra, dilation, given.get("groups", 1))
    return Read((call.as_node(),), call.input[0], call.output[0], (layer,), longest=longest)


def _is_special(module: OurTransposed) -> bool:
    return module.phase_bias or any(map(any, module.crop))


def _ours(call: Call, module: Convertible) -> Read:
    """Our own layers as the layers that they are made of."""
    _arguments(call, ("input",))
    weight, bias = _parameter(call, "weight"), _parameter(call, "bias")
    assert weight is not None
    form, d = module.geometry, len(module.geometry.scale)
    ones, none, C, O = (1,) * d, ((0, 0),) * d, module.in_channels, module.out_channels
    if bias is not None and (module.phase_bias and not isinstance(form, LRForm)):
        raise Refusal("its bias differs by phase, which no layer after it takes in", "A5")
    if isinstance(form, LRForm):
        if bias is not None and not module.phase_bias:
            raise Refusal("its bias is tied over the phases of its shuffle", "A5")
        conv = Convolution(weight, bias, ones, _positive(form.pads), form.dilation, module.groups)
        before = (Pad(C, _negative(form.pads)),) if _negative(form.pads) != none else ()
        crop = tuple((-a, -b) for a, b in form.crop)
        after = (Pad(O, crop),) if crop != none else ()
        return _one(call, *before, conv, PeriodicShuffle(O, form.scale, form.order), *after)
    if isinstance(form, SubpixelForm):
        conv = Convolution(weight, bias, ones, _positive(form.pads), form.dilation, module.groups)
        between = (Pad(C, _negative(form.pads)),) if _negative(form.pads) != none else ()
        return _one(call, ZeroInsertion(C, form.scale, (0,) * d), *between, conv)
    assert isinstance(form, TransposedForm)
    crop = form.crop
    extra = tuple(max(0, -e) for _, e in crop)
    pads = tuple((p, max(0, e)) for p, e in crop)
    return _one(call, TransposedConvolution(weight, bias, form.scale, pads, extra, form.dilation, module.groups))


def _positive(pads: Pads) -> Pads:
    """What a convolution pads itself; all of an axis is left to a crop where one end is negative."""
    return tuple((a, b) if min(a, b) >= 0 else (0, 0) for a, b in pads)


def _negative(pads: Pads) -> Pads:
    return tuple((0, 0) if min(a, b) >= 0 else (a, b) for a, b in pads)


# --- layers without weights ----------------------------------------------------------------------------------------

_RESIZE = ("input", "size", "scale_factor", "mode", "align_corners", "recompute_scale_factor", "antialias")


def _resize(view: ModuleView, call: Call) -> Read:
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
    return _one(call, *layers)


def resize_arguments(call: Call) -> dict[str, Any]:
    """What F.interpolate would be called with."""
    module = call.module
    if module is not None:
        _arguments(call, ("input",))
        names = ("size", "scale_factor", "mode", "align_corners", "recompute_scale_factor")
        return {name: getattr(module, name) for name in names}
    if call.node.target is F.interpolate:
        return _arguments(call, _RESIZE)
    names = ("input", "size", "scale_factor", "mode", "align_corners")
    given = _arguments(call, names)
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


def _depth_to_space(view: ModuleView, call: Call) -> Read:
    C, each, order = _shuffle(view, call, "upscale_factor")
    return _one(call, PeriodicShuffle(C // int(np.prod(each)), each, order))


def _space_to_depth(view: ModuleView, call: Call) -> Read:
    C, each, order = _shuffle(view, call, "downscale_factor")
    return _one(call, PeriodicUnshuffle(C, each, order))


def _shuffle(view: ModuleView, call: Call, torchs_name: str) -> tuple[int, Ints, Order]:
    """Maps that go in, factor and order of PyTorch's shuffle, whose factor has the given name, or of ours."""
    if call.module is not None:
        _arguments(call, ("input",))
        factor = getattr(call.module, torchs_name, None) or cast(Any, call.module).factor
        order = getattr(call.module, "order", "crd")
    else:
        given = _arguments(call, _shuffle_names(call))
        factor, order = given.get("factor", given.get(torchs_name)), given.get("order", "crd")
    C, d = maps_of(view, call.input[0]), len(view.dims(call.input[0]) or ()) - 2
    return C, _ints(factor, d, "factor"), cast(Order, order)


def _shuffle_names(call: Call) -> tuple[str, ...]:
    label = call.label
    if label.startswith("periodic"):
        return ("x", "factor", "order")
    return ("input", "upscale_factor" if "un" not in label else "downscale_factor")


def _pad(view: ModuleView, call: Call) -> Read | None:
    value: Any = 0
    if call.module is not None:
        _arguments(call, ("input",))
        module = cast(Any, call.module)
        flat = module.padding
        kinds = {"Replication": "replicate", "Reflection": "reflect", "Constant": "constant", "Zero": "constant"}
        mode = next((m for k, m in kinds.items() if type(module).__name__.startswith(k)), "circular")
        value = getattr(module, "value", 0)
    else:
        given = _arguments(call, ("input", "pad", "mode", "value"))
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
        return _one(call, Pad(C, pads))
    border = _continued(view, call.input[0], mode, pads)
    if border is None:
        raise Refusal(f"its mode {mode!r} (value {value}) continues the input by neither zeros nor its edge", "A12")
    return _one(call, Pad(C, pads, border))  # type: ignore[arg-type]


def _continued(view: ModuleView, source: str, mode: str, pads: Pads) -> str | None:
    """ "edge" where the padding repeats the edge: by itself, or as it reflects the copies of nearest ×s (A15)."""
    if mode == "replicate":
        return "edge"
    if mode != "reflect" or source not in view.producers:
        return None
    before = call_of(view.producers[source])
    if before.op_type != "Resize":
        return None
    try:
        reading = read(view, before)
    except Refusal:
        return None
    if reading is None or len(reading.layers) != 1 or not isinstance(resize := reading.layers[0], Resize):
        return None
    fits = resize.mode == "nearest" and all(0 <= max(p) <= s - 1 for p, s in zip(pads, resize.factor, strict=True))
    return "edge" if fits else None


def _average_pool(view: ModuleView, call: Call) -> Read:
    names = ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
    if call.module is not None:
        _arguments(call, ("input",))
        given = {name: getattr(call.module, name, None) for name in names[1:]}
    else:
        given = _arguments(call, names)
    d = len(view.dims(call.input[0]) or ()) - 2
    K = _ints(given["kernel_size"], d, "kernel_size")
    stride = K if not given.get("stride") else _ints(given["stride"], d, "stride")
    pads = _ints(given.get("padding") or 0, d, "padding")
    counts = given.get("count_include_pad")
    if given.get("ceil_mode") or given.get("divisor_override"):
        raise Refusal("it rounds its length up, or divides by a number of its own")
    if counts is False and any(pads):
        raise Refusal("it leaves padding out of its mean, so its weights differ at the border")
    return _one(call, AveragePool(maps_of(view, call.input[0]), K, stride, tuple((p, p) for p in pads)))


def _nothing(view: ModuleView, call: Call) -> Read:
    return _one(call)


READERS: dict[str, Callable[[ModuleView, Call], Read | None]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Resize": _resize,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Pad": _pad,
    "AveragePool": _average_pool,
    "Identity": _nothing,
}
