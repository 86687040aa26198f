"""A site's forms as programs: its terms made universal, joined, spelled as for ONNX, compiled for PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import torch
from torch import Tensor

from subpixel.algebra import Cells, Layer, Op, Plan, layers
from subpixel.rewriting.modules.calls import Read
from subpixel.rewriting.modules.kernel_map import Universal, universal
from subpixel.rewriting.modules.program import Program, compile_form
from subpixel.rewriting.modules.proving import ModuleProof, Reference, prove, read_back
from subpixel.rewriting.modules.site import Addend, RunSite
from subpixel.rewriting.modules.symbol import ONES, Symbol
from subpixel.rewriting.modules.view import Call, ModuleView, call_of, changed_by, is_inplace, is_view
from subpixel.rewriting.reading.sites import Site, Term, takes
from subpixel.rewriting.refusal import Refusal
from subpixel.rewriting.writing.build import FREE
from subpixel.rewriting.writing.forms import Form, forms
from subpixel.rewriting.writing.join import join

OPSET = 18  # `forms` prefers the order that ONNX has a node for: from opset 11 on PyTorch's own


@dataclass(frozen=True, eq=False)
class Candidate:
    """One way to run a site."""

    name: str
    run: RunSite
    macs: int


class PlannedSite:
    """A site of a region, its terms for all weights at once, and what stands between it and its call.

    Raises:
        Refusal: it cannot be rewritten; on construction.
    """

    def __init__(
        self, view: ModuleView, site: Site, readings: dict[str, Read], goal: str, growth: float | None
    ) -> None:
        self.view, self.site, self.goal, self.growth = view, site, goal, growth
        if site.refusal is not None:
            raise site.refusal
        self.reads = {
            call_of(node).output[0]: readings[call_of(node).output[0]]
            for node in site.nodes
            if call_of(node).output[0] in readings
        }
        self.sized = [read for read in self.reads.values() if read.sizes is not None]
        self.longest = next((read for read in self.reads.values() if read.longest is not None), None)
        self._check_sizes()
        self.universals = [universal(_weighted(term.layers)) for term in site.terms]
        self.wholes = [join(u.chain) for u in self.universals]
        named = {s.name: s for u in self.universals for s in _symbols(u) if s.name != ONES}
        self.symbols = list(named.values())
        check_inplace(view, {call_of(node).output[0] for node in site.nodes}, self.arguments, site.output)
        self.reference = Reference(view, site, self.reads)
        self._unchanged = Reference(view, site, self.reads, substitute=False)

    @property
    def call(self) -> Call:
        """The call that gives the site its name."""
        return call_of(self.site.node)

    @cached_property
    def weights_before(self) -> int:
        """Numbers stored by the site's weights."""
        return sum(
            prod(f.weight.shape) + (prod(f.bias.shape) if f.bias is not None else 0)
            for u in self.universals
            for f in u.factors
            if f.weight.name != ONES
        )

    def candidates(self) -> list[Candidate]:
        """The forms of the site, fewest multiplications first; for several terms their n-th forms together.

        Raises:
            Refusal: there is none; the reason is that of the first.
        """
        choices = [
            [_as_it_is(whole, u)] if term.keep else [f for f in self._forms(whole, u) if ", DCR" not in f.name]
            for term, u, whole in zip(self.site.terms, self.universals, self.wholes, strict=True)
        ]
        found: list[Candidate] = []
        first: Refusal | None = None
        for at in range(max(map(len, choices))):
            picked = [c[min(at, len(c) - 1)] for c in choices]
            try:
                found.append(self._candidate(picked))
            except Refusal as refusal:
                first = first or refusal
        if not found:
            raise first or Refusal("no spelling fits")
        return found

    def _forms(self, whole: Op | Cells, u: Universal) -> list[Form]:
        return forms(whole, u.chain, self.goal, OPSET)

    def _candidate(self, picked: Sequence[Form]) -> Candidate:
        addends, macs, weights = [], 0, 0
        for term, u, form in zip(self.site.terms, self.universals, picked, strict=True):
            read_back(form, u)
            program = compile_form(form, u)
            size = u.maps[1] * (u.maps[0] // u.groups) * program.matrix.shape[1]
            weights += size
            macs += _macs(self.view, term, u, form, program)
            addends.append((term, program))
        if self.growth is not None and weights > FREE and weights > self.growth * self.weights_before:
            raise Refusal(
                f"its weights would grow from {self.weights_before} to {weights} numbers, "
                f"beyond the cap of {self.growth:g}×",
                "cap",
            )
        name = "; ".join(form.name for form, term in zip(picked, self.site.terms, strict=True) if not term.keep)
        return Candidate(name, self._run_site(name, addends), macs)

    def _run_site(self, name: str, addends: list[tuple[Term, Program]]) -> RunSite:
        at = {ONES: -1, **{name: i for i, name in enumerate(self.arguments)}}
        built = []
        for term, program in addends:
            values = tuple(
                (at[f.weight.name], None if f.bias is None else at[f.bias.name]) for f in program.universal.factors
            )
            built.append(Addend(tuple(at[source] for source in term.sources), program, values))
        return RunSite(name, self.wholes[0].dim, tuple(built), tuple(map(self._path, self.arguments)))

    def _path(self, argument: str) -> str | None:
        """Where in the region's module an argument is kept; None for what is computed."""
        if argument.startswith("."):
            return argument[1:]
        node = self.view.nodes[argument]
        return str(node.target) if node.op == "get_attr" else None

    def as_it_is(self, *arguments: Tensor) -> Tensor:
        """The calls of the site, their modules as they are; to be timed."""
        return self._unchanged(dict(zip(self.arguments, arguments, strict=True)), {})

    @cached_property
    def arguments(self) -> list[str]:
        """What a call of the site is given: sources, then weights, by name."""
        return [*self.site.sources, *(s.name for s in self.symbols)]

    def prove(self, candidate: Candidate) -> ModuleProof:
        """See `proving.prove`.

        Raises:
            Refusal: it does not compute what the site does.
        """
        values = {}
        for symbol in self.symbols:
            tensor = tensor_of(self.view, symbol)
            if tensor is None:  # computed in the graph: any numbers will do
                tensor = torch.randn(symbol.shape)
            if not tensor.is_floating_point():
                raise Refusal(f"its weights are of type {tensor.dtype}")
            values[symbol.name] = tensor.detach().cpu()
        for addend in candidate.run.addends:
            for value in values.values():
                _refuse_rounding(addend.program, value)
        return prove(self.view, self.site, self.reference, candidate.run, self.symbols, values)

    # --- what must hold when it runs -------------------------------------------------------------------------------

    @property
    def span(self) -> tuple[int, ...] | None:
        """For a site that is cut to an `output_size`: how many lengths are legal, per axis."""
        if self.longest is None:
            return None
        layer = self.longest.layers[0]
        assert isinstance(layer, layers.TransposedConvolution)
        return tuple(a + 1 for a in layer.output_padding)

    def _check_sizes(self) -> None:
        starts = {term.sources[0] for term in self.site.terms if not term.keep}
        for read in self.sized:
            if read.source not in starts:
                raise Refusal("its `size` is asked for in the middle of a chain, where it cannot be checked", "A7")
        if self.longest is not None and self.longest.output != self.site.output:
            raise Refusal("its output_size is asked for in the middle of a chain", "A12")


def check_inplace(view: ModuleView, chosen: set[str], sources: Sequence[str], output: str) -> None:
    """Nothing that a site reads, or computes on its way, may change while its calls run.

    Sources and weights are read where the last of the `chosen` calls was, and what the others wrote is no longer there.

    Raises:
        Refusal: a call between the first and the last of them may change such a value.
    """
    order = [call.output[0] for call in view.calls]
    first, last = min(order.index(n) for n in chosen), max(order.index(n) for n in chosen)
    paths = {name[1:] for name in sources if name.startswith(".")}
    named = {node.name for node in view.graph.nodes if node.op == "get_attr" and str(node.target) in paths}
    shares = {*sources, *named, *chosen} - {output}
    size = 0
    while size < len(shares):  # their views, and what they are views of
        size = len(shares)
        for call in [*view.calls, *reversed(view.calls)]:
            if not is_view(call):
                continue
            if shares & set(call.input):
                shares.add(call.output[0])
            if call.output[0] in shares:
                shares.update(call.input)
    stop = len(order) if output in shares else last + 1  # an output with memory of its own may change
    for call in view.calls[first:stop]:
        if call.output[0] not in chosen and is_inplace(call) and shares & changed_by(call):
            raise Refusal(f"{call.name} may change what it reads before it is used: call it out of place")


def tensor_of(view: ModuleView, symbol: Symbol) -> Tensor | None:
    """The tensor behind a symbol now; None where it is computed."""
    if symbol.name.startswith("."):
        path = symbol.name[1:]
    else:
        node = view.nodes[symbol.name]
        if node.op != "get_attr":
            return None
        path = str(node.target)
    value: Any = view.root
    for part in path.split("."):
        value = getattr(value, part)
    assert isinstance(value, Tensor)
    return value


def _weighted(chain: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """The chain, with a 1×1 convolution of ones on every map at its end where it has no weight (a shuffle alone)."""
    if any(isinstance(layer, layers.Convolution | layers.TransposedConvolution) for layer in chain):
        return chain
    maps, dim = getattr(chain[-1], "maps", 0), takes(chain[0])[1]
    if not maps:
        raise Refusal("there is no weight in it")
    ones = (1,) * dim
    weight = Symbol(ONES, (maps, 1, *ones))
    return (*chain, layers.Convolution(weight, None, ones, ((0, 0),) * dim, ones, maps))


def _symbols(u: Universal) -> Iterator[Symbol]:
    for factor in u.factors:
        yield factor.weight
        if factor.bias is not None:
            yield factor.bias


def _as_it_is(whole: Op | Cells, u: Universal) -> Form:
    """A convolution at its own resolution."""
    assert isinstance(whole, Op)
    (conv,) = u.chain
    assert isinstance(conv, layers.Convolution)
    plan = Plan("as it is", (conv,), (0,) * whole.dim, whole.lengths)
    return Form("as it is", whole, plan, int(prod(conv.weight.shape)))


def _macs(view: ModuleView, term: Term, u: Universal, form: Form, program: Program) -> int:
    """Multiplications per sample of the first source's batch; 0 where sizes are not known."""
    shape = view.shapes.get(term.sources[0])
    if shape is None:
        return 0
    size = shape[2:]
    sites = size
    if form.plan is None or form.plan.spelling not in ("transposed", "overlap-add", "convolve first"):
        out = form.layer.output_size(size)
        sites = tuple(-(-(n + c) // U) for n, c, U in zip(out, program.crop, form.layer.up, strict=True))
    real = u.maps[1] * (u.maps[0] // u.groups) * u.lead
    per_site = (
        program.matrix.shape[1] // u.lead if form.plan is not None else int(prod(form.layer.up) * prod(form.layer.taps))
    )
    return shape[0] * real * per_site * prod(sites)


def _refuse_rounding(program: Program, weight: Tensor) -> None:
    """Half precision: kernels that add weights up would be rounded."""
    if weight.dtype in (torch.float16, torch.bfloat16):
        columns = (program.matrix != 0).sum(0)
        if (columns > 1).any() or not ((program.matrix == 0) | (program.matrix == 1)).all():
            kind = str(weight.dtype).removeprefix("torch.")
            raise Refusal(f"its composed weights are no {kind} numbers: rounding would change what it computes")
