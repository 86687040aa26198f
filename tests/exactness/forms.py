"""One random layer in all its forms: computed, differentiated, converted to and fro, and held against torch."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
import torch

from exactness import reference
from subpixel import nn
from subpixel.algebra import adjoint, apply
from subpixel.algebra.forms import LRForm, tap_index

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
SUBPIXEL = (nn.SubpixelConv1d, nn.SubpixelConv2d, nn.SubpixelConv3d)
LR = (nn.LRConv1d, nn.LRConv2d, nn.LRConv3d)
TORCH = (torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d)


def check_forms(rng: np.random.Generator) -> str | None:
    """Draw one layer and check it. None where all is equal, else what was not."""
    kind = rng.choice(["transposed", "subpixel", "lr"], p=[0.6, 0.2, 0.2])
    case = {"transposed": draw_transposed, "subpixel": draw_subpixel, "lr": draw_lr}[kind](rng)
    checks = {"transposed": check_transposed, "subpixel": check_subpixel, "lr": check_lr}[kind]
    for what, same in checks(case, rng):
        if not same:
            return f"{what}: {case.layer!r} on {tuple(case.x.shape)}"
    return None


@dataclass
class Case:
    """A layer, an input, and the output size asked for, if any."""

    layer: torch.nn.Module
    x: torch.Tensor
    output_size: list[int] | None = None


@dataclass
class Run:
    """An output, and the gradients of ⟨output, v⟩ for one v."""

    y: torch.Tensor
    x: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor | None


# --- drawing -----------------------------------------------------------------------------------------------------


def draw_transposed(rng: np.random.Generator) -> Case:
    """A transposed convolution that torch accepts, sometimes with a crop or a bias per phase on top."""
    while True:
        d, maps = _maps(rng)
        K, s, dilation = _ints(rng, d, 1, 6 - d), _ints(rng, d, 1, 6 - d), _dilation(rng, d)
        padding = tuple(int(rng.integers(0, e * (k - 1) + 2)) for k, e in zip(K, dilation, strict=True))
        extra = tuple(int(rng.integers(0, max(a, b))) for a, b in zip(s, dilation, strict=True))
        crop = _pairs(rng, d, -2, 3) if rng.random() < 0.15 else 0
        layer = TRANSPOSED[d - 1](
            *maps[:2], K, s, padding, extra, maps[2], bool(rng.random() < 0.85), dilation,
            dtype=torch.float64, phase_bias=bool(rng.random() < 0.25), crop=crop,
        )  # fmt: skip
        case = Case(_whole_numbers(layer, rng), _input(rng, d, maps[0]))
        size = case.x.shape[-d:]
        if min(layer.geometry.output_size(size)) < 1:
            continue
        if rng.random() < 0.2:
            shortest = [n - a for n, a in zip(layer.geometry.output_size(size), extra, strict=True)]
            case.output_size = [n + int(rng.integers(0, a)) for n, a in zip(shortest, s, strict=True)]
            if min(case.output_size) < 1:
                continue
        return case


def draw_subpixel(rng: np.random.Generator) -> Case:
    """A sub-pixel convolution with its own (start, end) padding, negative ones among them."""
    while True:
        d, maps = _maps(rng)
        layer = SUBPIXEL[d - 1](
            *maps[:2], _ints(rng, d, 1, 6 - d), _ints(rng, d, 1, 6 - d), _pairs(rng, d, -2, 5), _dilation(rng, d),
            maps[2], bool(rng.random() < 0.85), bool(rng.random() < 0.4), dtype=torch.float64,
        )  # fmt: skip
        case = Case(_whole_numbers(layer, rng), _input(rng, d, maps[0]))
        if min(layer.geometry.output_size(case.x.shape[-d:])) >= 1:
            return case


def draw_lr(rng: np.random.Generator) -> Case:
    """An LR convolution in either order, with tied and untied bias, padding and crop on either side."""
    while True:
        d, maps = _maps(rng)
        order = "dcr" if maps[2] == 1 and rng.random() < 0.5 else "crd"
        s = _ints(rng, d, 1, 6 - d)
        layer = LR[d - 1](
            *maps[:2], _ints(rng, d, 1, 5 - d), s, _pairs(rng, d, -1, 4), _dilation(rng, d), maps[2],
            bool(rng.random() < 0.85), bool(rng.random() < 0.6), order,
            tuple((int(rng.integers(0, n + 1)), int(rng.integers(0, n + 1))) for n in s), dtype=torch.float64,
        )  # fmt: skip
        case = Case(_whole_numbers(layer, rng), _input(rng, d, maps[0]))
        size = case.x.shape[-d:]
        if min(layer.geometry.output_size(size)) >= 1:
            return case


def _maps(rng: np.random.Generator) -> tuple[int, tuple[int, int, int]]:
    """Axes and (C, O, groups), C ≠ O."""
    d, groups = int(rng.choice([1, 2, 3], p=[0.4, 0.4, 0.2])), int(rng.choice([1, 2]))
    C, O = rng.choice([1, 2, 3], 2, replace=False)
    return d, (int(C) * groups, int(O) * groups, groups)


def _ints(rng: np.random.Generator, d: int, low: int, high: int) -> tuple[int, ...]:
    return tuple(int(n) for n in rng.integers(low, high + 1, d))


def _dilation(rng: np.random.Generator, d: int) -> tuple[int, ...]:
    return _ints(rng, d, 1, 4 if d < 3 else 2) if rng.random() < 0.5 else (1,) * d


def _pairs(rng: np.random.Generator, d: int, low: int, high: int) -> tuple[tuple[int, int], ...]:
    return tuple((int(a), int(b)) for a, b in rng.integers(low, high, (d, 2)))


def _input(rng: np.random.Generator, d: int, maps: int) -> torch.Tensor:
    """Down to one pixel; sometimes without a batch axis."""
    batch = () if rng.random() < 0.1 else (int(rng.integers(1, 3)),)
    return _integers(rng, (*batch, maps, *_ints(rng, d, 1, 6 - d)))


def _integers(rng: np.random.Generator, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(rng.integers(-9, 10, shape).astype(np.float64))


def _whole_numbers(layer: torch.nn.Module, rng: np.random.Generator) -> torch.nn.Module:
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(_integers(rng, tuple(parameter.shape)))
    return layer


# --- checking ----------------------------------------------------------------------------------------------------

Checks = Iterator[tuple[str, bool]]


def check_transposed(case: Case, rng: np.random.Generator) -> Checks:
    """Against torch's function in every form; all conversions and back; adjoint; torch's class."""
    layer, x, d = case.layer, case.x, case.layer.dim
    extra = layer.output_padding
    if case.output_size is not None:
        shortest = [n - a for n, a in zip(layer.geometry.output_size(x.shape[-d:]), extra, strict=True)]
        extra = tuple(n - m for n, m in zip(case.output_size, shortest, strict=True))

    def by_torch(x, weight, bias):
        return reference.transposed(
            x, weight, bias, layer.stride, layer.padding, extra, layer.groups, layer.dilation, layer.crop
        )

    v = _integers(rng, tuple(by_torch(x, layer.weight, layer.bias).shape))
    want = differentiate(by_torch, x, layer.weight, layer.bias, v)
    for form in ("transposed", "subpixel", "lr"):
        layer.form = form
        got = run(layer, x, v, case.output_size)
        yield from compare(f"form={form!r}", got, want)
    layer.form = "transposed"
    u = reference.adjoint_of_transposed(
        v, layer.weight, layer.stride, layer.padding, layer.groups, layer.dilation, layer.crop, x.shape[-d:]
    )
    yield "adjoint, torch's convolution", torch.equal(u, want.x)
    plain = want.y - reference.with_bias(torch.zeros_like(want.y), layer.bias, layer.stride)
    yield "adjoint, ⟨Ax, v⟩ = ⟨x, A*v⟩", bool((plain * v).sum() == (x * u).sum())
    if case.output_size is not None:
        return
    yield from check_conversions(layer, x, v, want, rng)
    if not layer.phase_bias and not any(map(any, layer.crop)):
        theirs = TORCH[d - 1](
            layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding,
            layer.output_padding, layer.groups, layer.bias is not None, layer.dilation, dtype=torch.float64,
        )  # fmt: skip
        theirs.load_state_dict(layer.state_dict())
        yield "torch's class with our state_dict", torch.equal(theirs(x), want.y)
        blank = TRANSPOSED[d - 1].from_torch(copy.deepcopy(theirs), form="lr")
        yield "from_torch", torch.equal(blank(x), want.y) and _same_parameters(blank, layer)


def check_subpixel(case: Case, rng: np.random.Generator) -> Checks:
    """Against zero insertion written out; all conversions and back."""
    layer, x = case.layer, case.x

    def written_out(x, weight, bias):
        return reference.subpixel(x, weight, bias, layer.scale, layer.padding, layer.groups, layer.dilation)

    v = _integers(rng, tuple(written_out(x, layer.weight, layer.bias).shape))
    want = differentiate(written_out, x, layer.weight, layer.bias, v)
    yield from compare("forward", run(layer, x, v), want)
    yield from check_conversions(layer, x, v, want, rng)


def check_lr(case: Case, rng: np.random.Generator) -> Checks:
    """Against convolution and shuffling written out; all conversions and back."""
    layer, x = case.layer, case.x

    def written_out(x, weight, bias):
        if bias is not None and not layer.phase_bias:
            phases = torch.stack([bias] * prod(layer.scale), dim=int(layer.order == "crd"))
            bias = phases.reshape(-1)
        return reference.lr(
            x, weight, bias, layer.scale, layer.padding, layer.groups, layer.dilation, layer.crop, layer.order
        )

    v = _integers(rng, tuple(written_out(x, layer.weight, layer.bias).shape))
    want = differentiate(written_out, x, layer.weight, layer.bias, v)
    yield from compare("forward", run(layer, x, v), want)
    yield from check_conversions(layer, x, v, want, rng)


def check_conversions(layer, x, v, want: Run, rng: np.random.Generator) -> Checks:
    """Every form from this one, directly and through another; back again; and as the algebra's `Op`."""
    paths = {
        "to_transposed": layer.to_transposed(),
        "to_subpixel": layer.to_subpixel(),
        "to_lr": layer.to_lr(),
        "to_lr(aligned)": layer.to_lr(aligned=True),
        "to_lr, to_subpixel": layer.to_lr().to_subpixel(),
        "to_transposed, to_lr": layer.to_transposed().to_lr(),
        "to_subpixel, to_transposed": layer.to_subpixel().to_transposed(),
    }
    back = {nn.transposed.ConvTranspose: "to_transposed", nn.lr.LRConv: "to_lr"}
    home = next((name for kind, name in back.items() if isinstance(layer, kind)), "to_subpixel")
    for path, other in paths.items():
        got = run(other, x, v)
        yield f"{path}: output", torch.equal(got.y, want.y)
        yield f"{path}: gradient of the input", _equal(got.x, want.x)
        yield f"{path}: gradient of the weight", _same_weight_gradient(layer, want.weight, other, got.weight)
        yield f"{path}: gradient of the bias", _same_bias_gradient(layer, want.bias, other, got.bias)
        if not (path == "to_lr(aligned)" and home == "to_lr"):  # which is an LR convolution already
            returned = getattr(other, home)()
            yield f"{path}, {home}: geometry", returned.geometry == layer.geometry
            yield f"{path}, {home}: parameters", _same_parameters(returned, layer)
        other.origins = ()
        forgetful = getattr(other, home)()
        yield f"{path}, forget, {home}: output", torch.equal(forgetful(x), want.y)
    aligned = paths["to_lr(aligned)"]
    yield "to_lr(aligned): no crop at the start", all(start == 0 for start, _ in aligned.crop)
    if x.ndim == layer.dim + 2 and rng.random() < 0.25:
        op = nn.to_op(layer)
        yield "Op: output", np.array_equal(apply(op, x.numpy()), want.y.numpy())
        turned = adjoint(op, tuple(x.shape[2:]))
        yield "Op: adjoint", np.array_equal(apply(turned, v.numpy()), want.x.numpy())


def run(layer, x, v, output_size=None) -> Run:
    """The layer's output, and its gradients for v."""
    more = () if output_size is None else (output_size,)
    x = x.clone().requires_grad_()
    layer.zero_grad()
    y = layer(x, *more)
    if y.shape != v.shape:
        return Run(y, x, layer.weight, layer.bias)
    (y * v).sum().backward()
    return Run(y.detach(), x.grad, layer.weight.grad, None if layer.bias is None else layer.bias.grad)


def differentiate(function, x, weight, bias, v) -> Run:
    """The same of a function of input, weight and bias."""
    leaves = [None if t is None else t.detach().clone().requires_grad_() for t in (x, weight, bias)]
    y = function(*leaves)
    (y * v).sum().backward()
    return Run(y.detach(), *(None if t is None else t.grad for t in leaves))


def compare(what: str, got: Run, want: Run) -> Checks:
    """Output and all gradients, by equality."""
    yield f"{what}: output", _equal(got.y, want.y)
    yield f"{what}: gradient of the input", _equal(got.x, want.x)
    yield f"{what}: gradient of the weight", _equal(got.weight, want.weight)
    yield f"{what}: gradient of the bias", _equal(got.bias, want.bias)


def _same_weight_gradient(layer, mine, other, theirs) -> bool:
    """Taps that are one tap have one gradient; what the other form has beyond them does not count."""
    index = torch.from_numpy(tap_index(other.geometry, layer.geometry))
    here = layer.geometry.taps_of(mine, layer.groups).flatten(2)
    there = other.geometry.taps_of(theirs, other.groups).flatten(2)
    return bool((index >= 0).all()) and torch.equal(there[..., index], here)


def _same_bias_gradient(layer, mine, other, theirs) -> bool:
    if mine is None or theirs is None:
        return mine is theirs
    return torch.equal(*(_by_output_phase(grad, of) for grad, of in ((mine, layer), (theirs, other))))


def _by_output_phase(bias, layer):
    """A bias as `O` or `O *s`, found sample by sample: what a crop of whole maps of phases says."""
    form = layer.geometry
    if not layer.phase_bias or not isinstance(form, LRForm):
        return bias
    O, P, out = layer.out_channels, prod(form.scale), torch.empty(layer.out_channels, *form.scale, dtype=bias.dtype)
    for number, phase in enumerate(np.ndindex(*form.scale)):
        seen_in = tuple((f - a) % s for f, (a, _), s in zip(phase, form.crop, form.scale, strict=True))
        out[(slice(None), *seen_in)] = bias[number::P] if form.order == "crd" else bias[number * O : (number + 1) * O]
    return out


def _same_parameters(a, b) -> bool:
    return _equal(a.weight, b.weight) and _equal(a.bias, b.bias)


def _equal(a: torch.Tensor | None, b: torch.Tensor | None) -> bool:
    return a is b if a is None or b is None else torch.equal(a, b)
