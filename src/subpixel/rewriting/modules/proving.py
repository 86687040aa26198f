"""The proof of a site of a module: one normal form for all weights; values and gradients equal on integers.

The kernel map is linear in every weight and was found for all of them at once, so the normal form of the spelling read
back says all there is about weights and sizes. Reader and program might still share a mistake: so the calls of
the site and the program both run, in float64, on small integers, at sizes down to the smallest, and the results and
the gradients of every input and weight must be equal, bit for bit. With the module's own weights they must agree
within 2·n·u·(|w| * |x|).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn
from torch.nn.utils import parametrize

from subpixel.algebra import Layer, Op, layers, lift, same
from subpixel.rewriting.modules.calls import Read
from subpixel.rewriting.modules.kernel_map import Universal
from subpixel.rewriting.modules.site import RunSite
from subpixel.rewriting.modules.symbol import Symbol
from subpixel.rewriting.modules.view import Call, ModuleView, call_of
from subpixel.rewriting.proof.prove import is_dyadic
from subpixel.rewriting.proof.sizes import trial_sizes
from subpixel.rewriting.reading.sites import Site, takes
from subpixel.rewriting.refusal import Refusal
from subpixel.rewriting.writing.forms import Form
from subpixel.rewriting.writing.plans import made

SIZES = 8
Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class ModuleProof:
    """At how many sizes both ran, whether they had to be equal, and the largest error on the module's own weights."""

    sizes: int
    exact: bool
    max_error: float


def read_back(form: Form, universal: Universal) -> None:
    """Lifted again, the spelling is the chain, for all weights and sizes.

    All monomials are compared at once, as one map that is their sum with random integers for factors: composing every
    one of them with a shuffle would multiply matrices of zeros.

    Raises:
        Refusal: it is another function.
    """
    if not isinstance(form.layer, Op) or form.plan is None or form.plan.spelling == "convolve first":
        return
    M = form.layer.maps[1]
    factors = np.random.default_rng(0).integers(1, 1 << 20, M).astype(np.float64)
    orders = [layer.order for layer in form.plan.layers if isinstance(layer, layers.PeriodicShuffle)]
    summed = tuple(_summed(layer, factors, orders[-1] if orders else "crd") for layer in form.plan.layers)
    kernel, bias = (np.tensordot(factors, a, 1)[None] for a in (form.layer.kernel, form.layer.bias))
    try:
        read = lift(replace(form.plan, layers=summed))
    except ValueError as error:
        raise Refusal(f"the layers of this form cannot be read back: {error}") from error
    if not same(read, replace(form.layer, kernel=kernel, bias=bias)):
        raise Refusal("read back, the layers of this form are another function")


def _summed(layer: Layer, factors: NDArray[np.float64], order: str) -> Layer:
    """A layer of a plan to M maps as one to their sum."""

    def total(array: NDArray[np.float64], axis: int = 0) -> NDArray[np.float64]:
        """(M F) … to F …, or (F M) … in order dcr, at `axis`."""
        M, shape = len(factors), list(array.shape)
        F = shape[axis] // M
        split = array.reshape(*shape[:axis], *((M, F) if order == "crd" else (F, M)), *shape[axis + 1 :])
        return np.tensordot(factors, split, (0, axis if order == "crd" else axis + 1))

    match layer:
        case layers.Convolution():
            bias = None if layer.bias is None else total(np.asarray(layer.bias))
            return replace(layer, weight=total(np.asarray(layer.weight)), bias=bias)
        case layers.TransposedConvolution():
            weight = np.tensordot(factors, np.asarray(layer.weight), (0, 1))[:, None]
            return replace(layer, weight=weight, bias=None if layer.bias is None else total(np.asarray(layer.bias)))
        case layers.PhaseConvolutions():
            each = tuple(
                None if c is None else replace(c, weight=np.tensordot(factors, np.asarray(c.weight), 1)[None])
                for c in layer.convolutions
            )
            bias = np.tensordot(factors, np.asarray(layer.bias), 1)[None]
            return replace(layer, convolutions=each, bias=bias, maps=(layer.maps[0], 1))
        case layers.PhaseBias():
            return replace(layer, bias=np.tensordot(factors, np.asarray(layer.bias), 1)[None])
        case layers.PeriodicShuffle() | layers.OverlapAdd():
            return replace(layer, maps=1)
    return layer  # on the input's maps


class Reference:
    """The calls of a site as they were, run with other weights where `substitute` says so, else with their own."""

    def __init__(self, view: ModuleView, site: Site, sizes: dict[str, Read], substitute: bool = True) -> None:
        self.substitute = substitute
        chosen = {call_of(node).output[0]: call_of(node) for node in site.nodes}
        self.calls = [call for call in view.calls if call.output[0] in chosen]
        self.modules = {call.output[0]: _plain(call) for call in self.calls if call.module is not None}
        self.sizes, self.output, self.view = sizes, site.output, view

    def __call__(self, sources: Tensors, weights: Tensors) -> Tensor:
        """The site's output. `weights` by the names of their symbols."""
        values: dict[str, Any] = {**sources, **weights}
        for call in self.calls:
            values[call.output[0]] = self._run(call, values)
        result: Tensor = values[self.output]
        return result

    def _run(self, call: Call, values: dict[str, Any]) -> Any:
        node = call.node
        read = self.sizes.get(call.output[0])
        args, kwargs = list(node.args), dict(node.kwargs)
        if read is not None and read.sizes is not None:
            x = values[call.input[0]]
            size = [L * f for L, f in zip(x.shape[2:], read.factor, strict=True)]
            args, kwargs = [args[0]] if args else [], {**kwargs, "size": size}
            kwargs |= dict(zip(("scale_factor", "mode", "align_corners"), node.args[2:], strict=False))
        if read is not None and read.longest is not None:
            layer = read.layers[0]
            assert isinstance(layer, layers.TransposedConvolution)
            size = [made((layer,), axis, L) for axis, L in enumerate(values[call.input[0]].shape[2:])]
            args, kwargs = args[:1], {"output_size": size}
        given = fx.node.map_arg((tuple(args), kwargs), lambda n: values[n.name])
        if call.module is None:
            target: Any = node.target
            return target(*given[0], **given[1])
        module = self.modules[call.output[0]]
        if not self.substitute:
            return call.module(*given[0], **given[1])
        own = {
            name: values[f".{path}"]
            for name in ("weight", "bias")
            if (path := f"{node.target}.{name}".lstrip(".")) and f".{path}" in values
        }
        return torch.func.functional_call(module, own, given[0], given[1])


def _plain(call: Call) -> nn.Module:
    """The module without parametrizations, so that its weight can be any tensor."""
    module = call.module
    assert module is not None
    if not parametrize.is_parametrized(module):
        return module
    # remove_parametrizations would take the property off the class, which a copy shares with its original
    kind = type(module).__mro__[1]
    plain = cast(nn.Module, object.__new__(kind))
    plain.__dict__.update(module.__dict__)
    names = list(cast(nn.ModuleDict, module.parametrizations))
    plain.__dict__["_modules"] = {name: m for name, m in module._modules.items() if name != "parametrizations"}
    own = {name: nn.Parameter(getattr(module, name).detach()) for name in names}
    plain.__dict__["_parameters"] = {**module._parameters, **own}
    return plain


@contextmanager
def one_thread() -> Iterator[None]:
    """Small tensors are not worth more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@one_thread()
def prove(
    view: ModuleView,
    site: Site,
    reference: Reference,
    run: RunSite,
    symbols: Sequence[Symbol],
    values: Tensors,
) -> ModuleProof:
    """Show that `run` computes what the site does. `values` are the module's own weights.

    Raises:
        Refusal: it does not, or the original does not run.
    """
    rng = torch.Generator().manual_seed(0)
    needs: dict[str, tuple[int, ...]] = {}
    for addend, term in zip(run.addends, site.terms, strict=True):
        for name in term.sources:
            needs[name] = tuple(map(max, addend.program.least, needs.get(name, addend.program.least)))
    sizes = trial_sizes(site, needs)[-SIZES:]
    exact = is_dyadic(site)
    whole = {s.name: _integers(tuple(values[s.name].shape), rng, 1, 4) for s in symbols}
    count = 0
    for number, size in enumerate(sizes):
        sources = {name: _integers((2, *_shape(site, view, name, size)), rng, 0, 5) for name in site.sources}
        count += _equal(reference, run, sources, whole, exact, number >= len(sizes) - 2)
    if not count:
        raise Refusal("at no size do both run, so nothing can be compared")
    worst = 0.0
    dtype = next((value.dtype for value in values.values()), torch.float32)
    terms = sum(4 * (term_size(a.program.universal) * prod(a.program.least) + 8) for a in run.addends)
    for size in sizes[-2:]:
        sources = {
            name: torch.randn((2, *_shape(site, view, name, size)), generator=rng).to(dtype) for name in site.sources
        }
        worst = max(worst, _close(reference, run, sources, values, terms))
    return ModuleProof(count, exact, worst)


def term_size(universal: Universal) -> int:
    """How many products one output sample may sum."""
    return universal.maps[0] * universal.lead * universal.kernel


def _shape(site: Site, view: ModuleView, name: str, size: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    for term in site.terms:
        if term.sources == (name,):
            return takes(term.layers[0])[0], *size[name]
    dims = view.dims(name)
    if dims is None or not isinstance(dims[1], int):
        raise Refusal(f"the number of maps of {name!r} is not known: give `inputs`")
    return dims[1], *size[name]


def _integers(shape: tuple[int, ...], rng: torch.Generator, low: int, high: int) -> Tensor:
    signs = torch.randint(0, 2, shape, generator=rng) * 2 - 1
    return (torch.randint(low, high, shape, generator=rng) * signs).double()


def _equal(
    reference: Reference,
    run: RunSite,
    sources: Tensors,
    weights: Tensors,
    exact: bool,
    gradients: bool,
) -> int:
    """1 where both ran and agree, 0 where the site is too short for `run`."""
    inputs = {**sources, **weights}
    arguments = [t.requires_grad_() for t in inputs.values()]
    if not run.fits(*arguments):
        return 0
    y, z = reference(sources, weights), run(*arguments)
    if y.shape != z.shape:
        raise Refusal(f"on inputs of size {_sizes(sources)} its shape is {tuple(z.shape)} instead of {tuple(y.shape)}")
    compared = [(y, z)]
    if gradients and y.numel():
        seed = torch.ones_like(y).cumsum(-1) - 3  # integers, not all the same
        pairs = (torch.autograd.grad(out, arguments, seed, allow_unused=True) for out in (y, z))
        compared += [(a, b) for a, b in zip(*pairs, strict=True) if a is not None or b is not None]
    for a, b in compared:
        if a is None or b is None:
            raise Refusal("a gradient of it does not arrive")
        a, b = a.detach(), b.detach()
        allowed = 0.0 if exact else 1e-9 * float(a.abs().max()) + 1e-12
        if not bool(((a - b).abs() <= allowed).all()):  # NaN included
            worst = float((a - b).abs().max())
            raise Refusal(f"on inputs of size {_sizes(sources)} it differs by {worst:.3g}")
    return 1


@torch.no_grad()
def _close(reference: Reference, run: RunSite, sources: Tensors, weights: Tensors, terms: int) -> float:
    arguments = [*sources.values(), *weights.values()]
    if not run.fits(*arguments):
        return 0.0
    y, z = reference(sources, weights).double(), run(*arguments).double()
    positive = reference({n: t.abs() for n, t in sources.items()}, {n: t.abs() for n, t in weights.items()})
    magnitude = positive.abs().double()
    unit = torch.finfo(arguments[0].dtype).eps / 2
    difference = (y - z).abs()
    if not bool((difference <= 2 * terms * unit * magnitude.clamp(min=float(magnitude.max()) / 64)).all()):
        raise Refusal(f"on inputs of size {_sizes(sources)} it differs by {float(difference.max()):.3g}")
    return float(difference.max())


def _sizes(sources: Tensors) -> str:
    return ", ".join("×".join(map(str, t.shape[2:])) for t in sources.values())
