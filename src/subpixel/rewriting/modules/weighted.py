"""Layers with weights, call by call: convolutions and transposed ones, PyTorch's and those of `subpixel.nn`."""

from __future__ import annotations

from typing import Any, cast

from torch import nn

from subpixel.algebra import (
    Convolution,
    Pad,
    PeriodicShuffle,
    TransposedConvolution,
    ZeroInsertion,
)
from subpixel.algebra.forms import LRForm, SubpixelForm, TransposedForm
from subpixel.algebra.layers import Ints, Pads
from subpixel.nn.convert import Convertible
from subpixel.nn.transposed import ConvTranspose as OurTransposed
from subpixel.rewriting.modules.calls import Read, arguments, ints, one, parameter, weight_symbol
from subpixel.rewriting.modules.view import Call, ModuleView
from subpixel.rewriting.modules.weightless import continued
from subpixel.rewriting.refusal import Refusal

_CONV = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_TRANSPOSED = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")


def conv(view: ModuleView, call: Call) -> Read:
    module, mode = call.module, "zeros"
    if module is not None:
        arguments(call, ("input",))
        conv = cast(nn.Conv2d, module)
        given: dict[str, Any] = {name: getattr(conv, name) for name in _CONV[3:]}
        weight, bias, mode = parameter(call, "weight"), parameter(call, "bias"), conv.padding_mode
    else:
        given = arguments(call, _CONV)
        weight, bias = (weight_symbol(view, call, given.get(name), name) for name in ("weight", "bias"))
    assert weight is not None
    d = weight.ndim - 2
    stride, dilation = ints(given.get("stride", 1), d, "stride"), ints(given.get("dilation", 1), d, "dilation")
    groups = given.get("groups", 1)
    pads = _same(given.get("padding", 0), weight.shape[2:], dilation)
    if mode == "zeros":
        return one(call, Convolution(weight, bias, stride, pads, dilation, groups))
    border = continued(view, call.input[0], mode, pads)
    if border is None:
        raise Refusal(f"its padding_mode {mode!r} continues the input by neither zeros nor its edge", "A12")
    C = weight.shape[1] * groups
    none = ((0, 0),) * d
    return one(call, Pad(C, pads, border), Convolution(weight, bias, stride, none, dilation, groups))  # type: ignore[arg-type]


def _same(padding: Any, K: Ints, dilation: Ints) -> Pads:
    """Padding per axis; torch's "same" puts the odd sample at the end."""
    if padding == "valid":
        return ((0, 0),) * len(K)
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(dilation, K, strict=True)]
        return tuple((n // 2, n - n // 2) for n in total)
    return tuple((p, p) for p in ints(padding, len(K), "padding"))


def conv_transpose(view: ModuleView, call: Call) -> Read:
    module = call.module
    if isinstance(module, Convertible) and (not isinstance(module, OurTransposed) or _is_special(module)):
        return _ours(call, module)
    longest = None
    if module is not None:
        longest = arguments(call, ("input", "output_size")).get("output_size")
        conv = cast(nn.ConvTranspose2d, module)
        given: dict[str, Any] = {name: getattr(conv, name) for name in _TRANSPOSED[3:]}
        weight, bias = parameter(call, "weight"), parameter(call, "bias")
    else:
        given = arguments(call, _TRANSPOSED)
        weight, bias = (weight_symbol(view, call, given.get(name), name) for name in ("weight", "bias"))
    assert weight is not None
    d = weight.ndim - 2
    stride, dilation = ints(given.get("stride", 1), d, "stride"), ints(given.get("dilation", 1), d, "dilation")
    pads = tuple((p, p) for p in ints(given.get("padding", 0), d, "padding"))
    extra = ints(given.get("output_padding", 0), d, "output_padding")
    if longest is not None:  # the most that torch allows is computed, then cut to what is asked for
        extra = tuple(max(s, D) - 1 for s, D in zip(stride, dilation, strict=True))
    layer = TransposedConvolution(weight, bias, stride, pads, extra, dilation, given.get("groups", 1))
    return Read((call.as_node(),), call.input[0], call.output[0], (layer,), longest=longest)


def _is_special(module: OurTransposed) -> bool:
    return module.phase_bias or any(map(any, module.crop))


def _ours(call: Call, module: Convertible) -> Read:
    """Our own layers as the layers that they are made of."""
    arguments(call, ("input",))
    weight, bias = parameter(call, "weight"), parameter(call, "bias")
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
        return one(call, *before, conv, PeriodicShuffle(O, form.scale, form.order), *after)
    if isinstance(form, SubpixelForm):
        conv = Convolution(weight, bias, ones, _positive(form.pads), form.dilation, module.groups)
        between = (Pad(C, _negative(form.pads)),) if _negative(form.pads) != none else ()
        return one(call, ZeroInsertion(C, form.scale, (0,) * d), *between, conv)
    assert isinstance(form, TransposedForm)
    crop = form.crop
    extra = tuple(max(0, -e) for _, e in crop)
    pads = tuple((p, max(0, e)) for p, e in crop)
    return one(call, TransposedConvolution(weight, bias, form.scale, pads, extra, form.dilation, module.groups))


def _positive(pads: Pads) -> Pads:
    """What a convolution pads itself; all of an axis is left to a crop where one end is negative."""
    return tuple((a, b) if min(a, b) >= 0 else (0, 0) for a, b in pads)


def _negative(pads: Pads) -> Pads:
    return tuple((0, 0) if min(a, b) >= 0 else (a, b) for a, b in pads)
