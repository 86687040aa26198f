"""Sums of chains: a convolution over a concatenation (A8), and an addition of two that meet on one lattice (A15)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from onnx import NodeProto

from subpixel.algebra import Layer, layers
from subpixel.rewriting.graph.view import Wiring
from subpixel.rewriting.reading.chains import UPSAMPLERS, Chain, has
from subpixel.rewriting.reading.operators import maps_of
from subpixel.rewriting.reading.reading import Reading
from subpixel.rewriting.reading.sites import Site, Term, start_of
from subpixel.rewriting.refusal import Refusal


def sum_sites(view: Wiring, chains: list[Chain]) -> list[Site]:
    """Every sum of a graph in which an upsampling is a term."""
    ends: dict[str, Chain] = {}
    for chain in chains:
        for i, reading in enumerate(chain.readings):
            if view.consumers[reading.output] and not has(reading, layers.Convolution):
                ends.setdefault(reading.output, chain.part(0, i + 1))
    ends.update({chain.output: chain for chain in chains})
    found = [_concat_site(view, chain, ends) for chain in chains]
    adds = [n for n in view.producers.values() if n.op_type == "Add" and n.domain in ("", "ai.onnx")]
    found += [_add_site(view, node, ends) for node in adds]
    return [site for site in found if site is not None]


def _up_chain(view: Wiring, name: str, ends: dict[str, Chain], shared: bool) -> Chain | None:
    """The chain that ends in this value with an upsampling, from where its site begins."""
    chain = ends.get(name)
    if chain is None:
        return None
    start = start_of(chain)
    if start is None:
        return None
    part = chain.part(start)
    shared = shared or not view.used_once(name)
    if shared and not all(has(r, layers.Resize) or not r.layers for r in part.readings):
        return None
    return part


# --- A8: a convolution over a concatenation ------------------------------------------------------------------------


@dataclass
class _Split:
    """Terms collected while the inputs of a concatenation are gone through."""

    terms: list[Term] = field(default_factory=list)
    nodes: list[NodeProto] = field(default_factory=list)
    named: NodeProto | None = None
    fixed: bool = False

    def take(self, up: Chain) -> None:
        """An input that is an upsampling."""
        self.named = self.named or _upsampling(up)
        self.nodes += up.nodes
        self.fixed = self.fixed or up.fixed


def _concat_site(view: Wiring, chain: Chain, ends: dict[str, Chain]) -> Site | None:
    """conv(concat(up(x), skip)) = conv(up(x)) + conv(skip), and what follows it linearly."""
    head, concat = chain.readings[0], view.producers.get(chain.source)
    if concat is None or concat.op_type != "Concat":
        return None
    shared = not view.used_once(chain.source)
    axes = [a.i for a in concat.attribute if a.name == "axis"]
    rank = len(view.dims(concat.output[0]) or view.dims(concat.input[0]) or ())
    if axes not in ([1], [1 - rank]) or len(head.layers) != 1:
        return None
    conv = head.layers[0]
    if not isinstance(conv, layers.Convolution):
        return None
    if conv.groups > 1 and not isinstance(conv.weight, np.ndarray):
        return None  # a module's weight is known when it runs; it is taken by columns, not by rows
    counts: list[int] = []
    refusal: Refusal | None = None
    try:
        counts = [maps_of(view, name) for name in concat.input]
    except Refusal as why:
        refusal = why
    if refusal is None and sum(counts) != conv.weight.shape[1] * conv.groups:
        return None
    ups = [_up_chain(view, name, ends, shared) for name in concat.input]
    tail = _scales(chain)
    scales = tuple(layer for reading in tail for layer in reading.layers)
    split = _Split(fixed=head.fixed)
    for up in ups:
        if up is not None:
            split.take(up)
    if split.named is None:
        return None
    nodes = (*split.nodes, concat, *head.nodes, *(node for reading in tail for node in reading.nodes))
    output = tail[-1].output if tail else head.output
    terms: list[Term] = []
    if refusal is not None:
        pass
    elif conv.groups == 1:
        terms = _added(concat, counts, ups, conv, scales)
    else:
        terms = _beside(concat, counts, ups, conv, scales)
        if not terms:
            refusal = Refusal("groups of the convolution straddle the boundary of the concatenation", "A8")
    if head.stored is not None or any(up is not None and up.stored for up in ups):
        refusal = Refusal("it is quantised (QDQ): composed kernels would need new scales", "QDQ")
    return Site(
        split.named,
        nodes,
        output,
        tuple(terms),
        "A8",
        split.fixed,
        side_by_side=conv.groups > 1,
        refusal=refusal,
    )


def _added(
    concat: NodeProto,
    counts: list[int],
    ups: list[Chain | None],
    conv: layers.Convolution,
    scales: tuple[Layer, ...],
) -> list[Term]:
    """One term per upsampling, and one for all that is not upsampled; the bias goes to one of them only."""
    terms: list[Term] = []
    rest: list[tuple[str, range]] = []
    at = 0
    for name, count, up in zip(concat.input, counts, ups, strict=True):
        maps = range(at, at + count)
        part = replace(conv, weight=conv.weight[:, list(maps)], bias=None)
        at += count
        if up is None:
            rest.append((name, maps))
        else:
            terms.append(Term((up.source,), (*up.layers, part, *_linear(scales)), meets=up.layers))
    if rest:
        whole = replace(conv, weight=conv.weight[:, [m for _, maps in rest for m in maps]])
        return [*terms, Term(tuple(name for name, _ in rest), (whole, *scales), keep=True)]
    before = terms[0].layers[: len(terms[0].layers) - len(scales) - 1]
    first = replace(conv, weight=conv.weight[:, list(range(counts[0]))])
    return [replace(terms[0], layers=(*before, first, *scales)), *terms[1:]]


def _beside(
    concat: NodeProto,
    counts: list[int],
    ups: list[Chain | None],
    conv: layers.Convolution,
    scales: tuple[Layer, ...],
) -> list[Term]:
    """A grouped convolution whose groups end where the inputs do: one per input. Empty where they do not."""
    per_group, rows = conv.weight.shape[1], conv.weight.shape[0] // conv.groups
    if any(count % per_group for count in counts):
        return []
    terms, at = [], 0
    for name, count, up in zip(concat.input, counts, ups, strict=True):
        groups = count // per_group
        own = slice(at * rows, (at + groups) * rows)
        at += groups
        bias = None if conv.bias is None else conv.bias[own]
        part = replace(conv, weight=conv.weight[own], bias=bias, groups=groups)
        own_scales = tuple(
            replace(a, scale=a.scale[own], shift=a.shift[own]) for a in scales if isinstance(a, layers.Affine)
        )
        if up is None:
            terms.append(Term((name,), (part, *own_scales), keep=True))
        else:
            terms.append(Term((up.source,), (*up.layers, part, *own_scales), meets=up.layers))
    return terms


def _scales(chain: Chain) -> list[Reading]:
    """What follows the head of the chain and only scales or shifts its maps: it can be done to every term."""
    kept = []
    for reading in chain.readings[1:]:
        if not all(isinstance(layer, layers.Affine) for layer in reading.layers):
            break
        kept.append(reading)
    return kept


def _linear(chain: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """The layers without their shifts: a sum takes its shift once."""
    return tuple(replace(a, shift=a.shift * 0) if isinstance(a, layers.Affine) else a for a in chain)


# --- A15: an addition of two upsamplings ---------------------------------------------------------------------------


def _add_site(view: Wiring, node: NodeProto, ends: dict[str, Chain]) -> Site | None:
    """PS(x) + resize(z) = PS(x + convolution of z): a global skip is added before the shuffle."""
    if len(set(node.input)) < len(node.input):
        return None
    ups = [up for name in node.input if (up := _up_chain(view, name, ends, False)) is not None]
    learned = (layers.PeriodicShuffle, layers.TransposedConvolution)
    if len(ups) != len(node.input) or not any(up.has(learned) for up in ups):
        return None
    dims = [view.dims(name) for name in node.input]
    if len({None if d is None else (len(d), d[1]) for d in dims}) != 1 or dims[0] is None:
        return None  # one of them is broadcast over the maps of the other
    terms = tuple(Term((up.source,), up.layers, meets=up.layers) for up in ups)
    named = _upsampling(next((up for up in ups if not up.has(learned)), ups[0]))  # the skip, where there is one
    nodes = (*(n for up in ups for n in up.nodes), node)
    if any(up.stored for up in ups):
        return None  # quantised: added up at low resolution, its numbers would need new scales
    return Site(named, nodes, node.output[0], terms, "A15", any(up.fixed for up in ups))


def _upsampling(chain: Chain) -> NodeProto:
    return next(n for r in chain.readings if has(r, UPSAMPLERS) for n in r.nodes)
