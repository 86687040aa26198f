"""Where chains are cut into sites: what each goal asks for, and shorter cuts to fall back on."""

from __future__ import annotations

from onnx import NodeProto

from subpixel.algebra import layers
from subpixel.rewriting.graph.view import Wiring
from subpixel.rewriting.reading.chains import UPSAMPLERS, Chain, has
from subpixel.rewriting.reading.reading import Reading
from subpixel.rewriting.reading.sites import Site, site_of, start_of
from subpixel.rewriting.reading.sums import sum_sites

GOALS = ("fastest", "lr", "deconv")
_WEIGHTED = (layers.Convolution, layers.TransposedConvolution)


def find_sites(view: Wiring, chains: list[Chain], goal: str) -> list[list[Site]]:
    """The sites of goal `lr` or `deconv`, none overlapping another; each with shorter cuts, should it be refused."""
    taken: set[str] = set()
    found = []
    if goal == "deconv":
        for site in (site for chain in chains for site in _deconv_sites(chain)):
            if site.output not in taken:  # a shuffle that several layers read heads several chains
                taken.add(site.output)
                found.append([site])
        return found
    for cuts in [*([site] for site in sum_sites(view, chains)), *(_lr_cuts(chain) for chain in chains)]:
        outputs = {node.output[0] for site in cuts[:1] for node in site.nodes if not is_free(node)}
        if cuts and not outputs & taken:
            taken |= outputs
            found.append(cuts)
    return found


def every_site(view: Wiring, chains: list[Chain]) -> list[Site]:
    """All that might be spelled another way, overlapping ones included: from every upsampling, every cut after it."""
    sites = sum_sites(view, chains)
    for chain in chains:
        at = 0
        while at < len(chain.readings):
            start = start_of(chain.part(at))
            if start is None:
                break
            sites += [site_of(part) for part in _cuts(chain.part(at + start)) if part.has(_WEIGHTED)]
            at = next(i for i in range(at + start, len(chain.readings)) if has(chain.readings[i], UPSAMPLERS)) + 1
        sites += _deconv_sites(chain)
    unique = {tuple(id(n) for n in site.nodes): site for site in reversed(sites)}
    return list(reversed(unique.values()))


def sites_at(view: Wiring, chains: list[Chain], node: NodeProto) -> list[Site]:
    """Every site that this node is part of, the node alone first; a resize last, since a kernel after it is cheaper."""
    alone = [site for site in _single_sites(chains) if any(n is node for n in site.nodes)]
    found = [site for site in every_site(view, chains) if any(n is node for n in site.nodes)]
    found = sorted((s for s in found if len(s.nodes) > 1), key=lambda site: len(site.nodes))
    return [*found, *alone] if node.op_type in ("Resize", "Upsample") else [*alone, *found]


def _single_sites(chains: list[Chain]) -> list[Site]:
    """Each upsampling by itself."""
    readings = [(chain, i) for chain in chains for i, r in enumerate(chain.readings) if has(r, UPSAMPLERS)]
    return [site_of(chain.part(i, i + 1)) for chain, i in readings]


def like(view: Wiring, site: Site, chains: list[Chain]) -> list[Site]:
    """The site found again in another graph: the one that reads and writes what it does."""
    found = [*every_site(view, chains), *_single_sites(chains)]
    found += [cut for chain in chains for cut in _lr_cuts(chain)]  # pooling has no weights
    same = [copy for copy in found if copy.output == site.output and copy.sources == site.sources]
    return [copy for copy in same if len(copy.terms) == len(site.terms)][:1]


def is_free(node: NodeProto) -> bool:
    """A resize, a shuffle, or a concatenation may belong to several sites: it has no weights to double."""
    return node.op_type in ("Resize", "Upsample", "Concat", "DepthToSpace", "Reshape", "Transpose")


def _lr_cuts(chain: Chain) -> list[Site]:
    """From the first upsampling on, everything after it moves before it: up to the end, or as far as it goes."""
    start = start_of(chain)
    if start is None:
        return []
    parts = _cuts(chain.part(start))
    if chain.stored:  # quantised numbers take no scale: those after them stay where they are
        parts += [part.part(0, stop) for part in parts for stop in range(len(part.readings) - 1, 0, -1)]
    return [site_of(part) for part in parts if _has_work(part)]


def _cuts(chain: Chain) -> list[Chain]:
    """The chain up to its end, and up to each layer from its first upsampling on, long ones first."""
    first = next(i for i, r in enumerate(chain.readings) if has(r, UPSAMPLERS))
    found: dict[int, Chain] = {}
    for stop in range(len(chain.readings), first, -1):
        part = _with_scales(chain, len(_trimmed(chain.part(0, stop)).readings))
        found.setdefault(len(part.readings), part)
    return list(found.values())


def _trimmed(chain: Chain) -> Chain:
    """Without readings at the end that do nothing, or only pad for somebody else."""
    readings = chain.readings
    while len(readings) > 1 and not has(readings[-1], (*UPSAMPLERS, layers.Convolution, layers.AveragePool)):
        if readings[-1].layers and not _pads(readings[-1]):
            break  # a scale or shift folds into what comes before it, a crop costs nothing
        readings = readings[:-1]
    return Chain(readings)


def _with_scales(chain: Chain, stop: int) -> Chain:
    """The chain up to `stop` and the scales, shifts and crops right after it."""
    rest = chain.readings[stop:]
    while rest and all(isinstance(layer, layers.Affine | layers.Pad) for layer in rest[0].layers):
        if _pads(rest[0]):
            break
        stop, rest = stop + 1, rest[1:]
    return chain.part(0, stop)


def _pads(reading: Reading) -> bool:
    """Does it add any sample?"""
    return any(p > 0 for layer in reading.layers if isinstance(layer, layers.Pad) for pair in layer.pads for p in pair)


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


def _deconv_sites(chain: Chain) -> list[Site]:
    """Every shuffle with the convolution before it, and every resize with the convolution after it."""
    sites = []
    used = 0
    for i, reading in enumerate(chain.readings):
        if i < used:
            continue
        if has(reading, layers.PeriodicShuffle):
            start = start_of(chain.part(used, i + 1))
            stop = i + 1
            while stop < len(chain.readings) and has(chain.readings[stop], layers.PeriodicShuffle):
                stop += 1  # PS ∘ PS is one PS
            sites.append(site_of(chain.part(used + (start or 0), stop), "A5"))
            used = stop
        elif has(reading, (layers.Resize, layers.ZeroInsertion)):
            last = next((j for j in range(i + 1, len(chain.readings)) if _stops(chain.readings[j])), None)
            if last is not None and has(chain.readings[last], layers.Convolution):
                sites.append(site_of(chain.part(i, last + 1), None))
                used = last + 1
    return sites


def _stops(reading: Reading) -> bool:
    return has(reading, (layers.Convolution, *UPSAMPLERS, layers.PeriodicUnshuffle, layers.AveragePool))
