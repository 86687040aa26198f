"""Sites: where a goal asks for another spelling. A site is a sum of terms, each a chain from one value.

A chain alone is a sum of one. A convolution over a concatenation is a sum over its inputs (A8), and so is an
addition of two chains that meet on one lattice (A15).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from onnx import NodeProto

from subpixel.algebra import Layer, layers
from subpixel.rewriting.graph.view import Wiring
from subpixel.rewriting.reading.chains import UPSAMPLERS, Chain, has
from subpixel.rewriting.reading.operators import maps_of
from subpixel.rewriting.reading.reading import Reading


def takes(layer: Layer) -> tuple[int, int]:
    """How many maps a layer takes, on how many axes."""
    match layer:
        case layers.Convolution():
            return layer.weight.shape[1] * layer.groups, layer.weight.ndim - 2
        case layers.TransposedConvolution():
            return layer.weight.shape[0], layer.weight.ndim - 2
        case layers.Affine():
            return layer.scale.shape[0], layer.dim
        case layers.PeriodicShuffle():
            return layer.maps * prod(layer.factor), len(layer.factor)
        case layers.Pad():
            return layer.maps, len(layer.pads)
        case layers.AveragePool():
            return layer.maps, len(layer.kernel_size)
        case layers.Resize() | layers.PeriodicUnshuffle() | layers.ZeroInsertion():
            return layer.maps, len(layer.factor)
    raise TypeError(f"{type(layer).__name__} is not read from graphs")


GOALS = ("fastest", "lr", "deconv")


@dataclass(frozen=True, eq=False)
class Term:
    """One addend: `layers` over a value, or over several that are concatenated first."""

    sources: tuple[str, ...]
    layers: tuple[Layer, ...]
    keep: bool = False
    """A convolution at its own resolution: written as it is."""
    meets: tuple[Layer, ...] = ()
    """The first of the layers, up to where the terms' lengths must be equal."""


@dataclass(frozen=True, eq=False)
class Site:
    """What is replaced (`nodes`, up to the value `output`), and the sum of terms that it computes.

    Attributes:
        node: the upsampling node that gives the site its name.
        law: the law that the rewrite rests on.
        fixed: holds for the sizes stated in the graph only.
    """

    node: NodeProto
    nodes: tuple[NodeProto, ...]
    output: str
    terms: tuple[Term, ...]
    law: str
    fixed: bool

    @property
    def sources(self) -> list[str]:
        """The values read, each once."""
        return list(dict.fromkeys(name for term in self.terms for name in term.sources))

    def shape(self, view: Wiring, name: str) -> list[int | None]:
        """What is certain of a source's shape: maps and number of axes, the batch where it is stated."""
        first = (view.dims(name) or (None,))[0]
        batch = first if isinstance(first, int) else None
        for term in self.terms:
            if term.sources == (name,):
                maps, dim = takes(term.layers[0])
                return [batch, maps, *[None] * dim]
        return [batch, maps_of(view, name), *[None] * (len(view.dims(name) or ()) - 2)]


def find_sites(view: Wiring, chains: list[Chain], goal: str) -> list[Site]:
    """The sites of a goal, none overlapping another."""
    if goal == "deconv":
        return [site for chain in chains for site in _deconv_sites(chain)]
    taken: set[str] = set()
    sites = []
    for site in [*_concat_sites(view, chains), *(s for chain in chains for s in _lr_sites(chain))]:
        outputs = {node.output[0] for node in site.nodes if not _is_free(node)}
        if not outputs & taken:
            taken |= outputs
            sites.append(site)
    return sites


def _is_free(node: NodeProto) -> bool:
    """A resize, or a concatenation of some, may belong to several sites: it has no weights to double."""
    return node.op_type in ("Resize", "Upsample", "Concat")


# --- goal lr -----------------------------------------------------------------------------------------------------


def _lr_sites(chain: Chain) -> list[Site]:
    """From the first upsampling on to the end: everything after it moves before it."""
    start = _start(chain)
    if start is None:
        return []
    chain = _trimmed(chain.part(start))
    if not _has_work(chain):
        return []
    return [_site(chain)]


def _start(chain: Chain) -> int | None:
    """Where the site of a chain begins: at its first upsampling, or at the convolution that feeds a shuffle."""
    first = next((i for i, r in enumerate(chain.readings) if has(r, UPSAMPLERS)), None)
    if first is None or not has(chain.readings[first], layers.PeriodicShuffle):
        return first
    # convolution + PS is one layer: take the convolution along
    at = first
    while at > 0 and all(isinstance(layer, layers.Affine) for layer in chain.readings[at - 1].layers):
        at -= 1
    if at > 0 and has(chain.readings[at - 1], layers.Convolution) and len(chain.readings[at - 1].layers) == 1:
        return at - 1
    return first


def _trimmed(chain: Chain) -> Chain:
    """Without readings at the end that do nothing, or only pad for somebody else."""
    readings = chain.readings
    while len(readings) > 1 and not has(readings[-1], (*UPSAMPLERS, layers.Convolution, layers.AveragePool)):
        pads = [
            p for layer in readings[-1].layers if isinstance(layer, layers.Pad) for pair in layer.pads for p in pair
        ]
        if readings[-1].layers and max(pads, default=0) <= 0:
            break  # a scale or shift folds into what comes before it, a crop costs nothing
        readings = readings[:-1]
    return Chain(readings)


def _has_work(chain: Chain) -> bool:
    """A transposed convolution, or a convolution after an upsampling?"""
    seen = False
    for layer in chain.layers:
        if isinstance(layer, layers.TransposedConvolution):
            return True
        if seen and isinstance(layer, layers.Convolution | layers.AveragePool):
            return True
        seen = seen or isinstance(layer, UPSAMPLERS)
    return False


def _site(chain: Chain, law: str | None = None) -> Site:
    node = next(n for r in chain.readings if has(r, UPSAMPLERS) for n in r.nodes)
    terms = (Term((chain.source,), chain.layers),)
    return Site(node, tuple(chain.nodes), chain.output, terms, law or law_of(chain.layers), chain.fixed)


def law_of(chain: tuple[Layer, ...]) -> str:
    """The law that a rewrite of this chain rests on."""
    first = next(layer for layer in chain if isinstance(layer, UPSAMPLERS))
    if isinstance(first, layers.TransposedConvolution):
        plain = all(isinstance(layer, layers.TransposedConvolution | layers.Affine) for layer in chain)
        return ("A2" if max(first.stride) > 1 else "A1") if plain else "A12"
    if isinstance(first, layers.Resize):
        return "A6" if first.mode == "nearest" else "A7"
    return "A9" if isinstance(first, layers.PeriodicShuffle) else "A1"


def candidate_sites(view: Wiring, chains: list[Chain]) -> list[Site]:
    """Every site that might be spelled faster, overlapping ones included: whole chains, and up to each upsampling."""
    sites = _concat_sites(view, chains)
    for chain in chains:
        start = _start(chain)
        if start is None:
            continue
        whole = _trimmed(chain.part(start))
        weighted = (layers.Convolution, layers.TransposedConvolution)
        ends = [i + 1 for i, r in enumerate(whole.readings) if has(r, UPSAMPLERS)]
        for stop in dict.fromkeys([len(whole.readings), *ends[:1]]):
            part = _with_scales(whole, stop)
            if part.has(weighted):
                sites.append(_site(part))
    unique = {tuple(id(n) for n in site.nodes): site for site in sites}
    return list(unique.values())


def _with_scales(chain: Chain, stop: int) -> Chain:
    """The chain up to `stop` and the scales, shifts and crops right after it."""
    rest = chain.readings[stop:]
    while rest and all(isinstance(layer, layers.Affine | layers.Pad) for layer in rest[0].layers):
        if any(p > 0 for layer in rest[0].layers if isinstance(layer, layers.Pad) for pair in layer.pads for p in pair):
            break
        stop, rest = stop + 1, rest[1:]
    return chain.part(0, stop)


# --- A8: a convolution over a concatenation ------------------------------------------------------------------------


def _concat_sites(view: Wiring, chains: list[Chain]) -> list[Site]:
    """conv(concat(up(x), skip)) = conv(up(x)) + conv(skip), and what follows it linearly."""
    by_output = {chain.output: chain for chain in chains}
    ends: dict[str, Chain] = {}
    for chain in chains:
        for i, reading in enumerate(chain.readings):
            if view.consumers[reading.output] and not has(reading, layers.Convolution):
                ends.setdefault(reading.output, chain.part(0, i + 1))
    ends.update(by_output)
    sites = []
    for chain in chains:
        site = _concat_site(view, chain, ends)
        if site is not None:
            sites.append(site)
    return sites


def _concat_site(view: Wiring, chain: Chain, ends: dict[str, Chain]) -> Site | None:
    head, concat = chain.readings[0], view.producers.get(chain.source)
    if concat is None or concat.op_type != "Concat":
        return None
    shared = not view.used_once(chain.source)
    if [(a.name, a.i) for a in concat.attribute] not in ([("axis", 1)],) or len(head.layers) != 1:
        return None
    conv = head.layers[0]
    if not isinstance(conv, layers.Convolution) or conv.groups > 1:
        return None  # groups that end at the boundary stay convolutions side by side: nothing to split
    counts = [maps_of(view, name) for name in concat.input]
    if sum(counts) != conv.weight.shape[1]:
        return None
    tail = _scales(chain)
    scales = tuple(layer for reading in tail for layer in reading.layers)
    terms: list[Term] = []
    nodes: list[NodeProto] = []
    rest: list[tuple[str, range]] = []
    named: NodeProto | None = None
    at, fixed = 0, head.fixed
    for name, count in zip(concat.input, counts, strict=True):
        maps = range(at, at + count)
        part = replace(conv, weight=conv.weight[:, list(maps)], bias=None)
        at += count
        up = _up_chain(view, name, ends, shared)
        if up is None:
            rest.append((name, maps))
            continue
        named = named or next(n for r in up.readings if has(r, UPSAMPLERS) for n in r.nodes)
        nodes += up.nodes
        fixed = fixed or up.fixed
        terms.append(Term((up.source,), (*up.layers, part, *_linear(scales)), meets=up.layers))
    if named is None:
        return None
    if rest:  # the bias goes to one of the terms only
        whole = replace(conv, weight=conv.weight[:, [m for _, maps in rest for m in maps]])
        terms.append(Term(tuple(name for name, _ in rest), (whole, *scales), keep=True))
    else:
        before = terms[0].layers[: len(terms[0].layers) - len(scales) - 1]
        first = replace(conv, weight=conv.weight[:, list(range(counts[0]))])
        terms[0] = replace(terms[0], layers=(*before, first, *scales))
    nodes += [concat, *head.nodes, *(node for reading in tail for node in reading.nodes)]
    output = tail[-1].output if tail else head.output
    return Site(named, tuple(nodes), output, tuple(terms), "A8", fixed)


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


def _up_chain(view: Wiring, name: str, ends: dict[str, Chain], shared: bool) -> Chain | None:
    """The chain that ends in this value with an upsampling, from where its site begins."""
    chain = ends.get(name)
    if chain is None:
        return None
    start = _start(chain)
    if start is None:
        return None
    part = chain.part(start)
    shared = shared or not view.used_once(name)
    if shared and not all(has(r, layers.Resize) or not r.layers for r in part.readings):
        return None
    return part


# --- goal deconv -----------------------------------------------------------------------------------------------------


def _deconv_sites(chain: Chain) -> list[Site]:
    """Every shuffle with the convolution before it, and every resize with the convolution after it."""
    sites = []
    used = 0
    for i, reading in enumerate(chain.readings):
        if i < used:
            continue
        if has(reading, layers.PeriodicShuffle):
            start = _start(chain.part(used, i + 1))
            part = chain.part(used + (start or 0), i + 1)
            sites.append(_site(part, "A5"))
            used = i + 1
        elif has(reading, (layers.Resize, layers.ZeroInsertion)):
            stop = next((j for j in range(i + 1, len(chain.readings)) if _stops(chain.readings[j])), None)
            if stop is not None and has(chain.readings[stop], layers.Convolution):
                sites.append(_site(chain.part(i, stop + 1), None))
                used = stop + 1
    return sites


def _stops(reading: Reading) -> bool:
    return has(reading, (layers.Convolution, *UPSAMPLERS, layers.PeriodicUnshuffle, layers.AveragePool))
