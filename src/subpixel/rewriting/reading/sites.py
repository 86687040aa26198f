"""Sites: where a goal asks for another spelling. A site is a sum of terms, each a chain from one value.

A chain alone is a sum of one; sums of several are found in `sums`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from onnx import NodeProto

from subpixel.algebra import Layer, layers
from subpixel.rewriting.graph.view import Wiring
from subpixel.rewriting.reading.chains import UPSAMPLERS, Chain, has
from subpixel.rewriting.reading.operators import maps_of
from subpixel.rewriting.reading.quantised import Stored
from subpixel.rewriting.refusal import Refusal


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


_WEIGHTED = (layers.Convolution, layers.TransposedConvolution, layers.Affine)


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
        side_by_side: the terms' maps stand one after the other instead of being added up.
        refusal: why it cannot be rewritten, where that shows at once.
        stored: how its weights are stored, where they are quantised.
    """

    node: NodeProto
    nodes: tuple[NodeProto, ...]
    output: str
    terms: tuple[Term, ...]
    law: str
    fixed: bool
    side_by_side: bool = False
    refusal: Refusal | None = None
    stored: Stored | None = None

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


def start_of(chain: Chain) -> int | None:
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


def site_of(chain: Chain, law: str | None = None) -> Site:
    """The chain as a site of one term."""
    node = next(n for r in chain.readings if has(r, UPSAMPLERS) for n in r.nodes)
    terms = (Term((chain.source,), chain.layers),)
    site = Site(node, tuple(chain.nodes), chain.output, terms, law or law_of(chain.layers), chain.fixed)
    if not chain.stored:
        return site
    if sum(isinstance(layer, _WEIGHTED) for layer in chain.layers) > 1:
        return replace(site, refusal=Refusal("it is quantised (QDQ): composed kernels would need new scales", "QDQ"))
    return replace(site, stored=chain.stored[0])


def law_of(chain: tuple[Layer, ...]) -> str:
    """The law that a rewrite of this chain rests on."""
    first = next(layer for layer in chain if isinstance(layer, UPSAMPLERS))
    after = chain[next(i for i, layer in enumerate(chain) if layer is first) + 1 :]
    if isinstance(first, layers.PeriodicShuffle) and all(isinstance(a, layers.PeriodicShuffle) for a in after):
        return "A4"  # the shuffle, in another order or spelling
    if isinstance(first, layers.TransposedConvolution):
        plain = all(isinstance(layer, layers.TransposedConvolution | layers.Affine) for layer in chain)
        return ("A2" if max(first.stride) > 1 else "A1") if plain else "A12"
    if isinstance(first, layers.Resize):
        return "A6" if first.mode == "nearest" else "A7"
    return "A9" if isinstance(first, layers.PeriodicShuffle) else "A1"
