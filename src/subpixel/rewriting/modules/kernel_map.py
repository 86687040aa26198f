"""The kernel map of a chain: from the chain's own weights to those of any spelling of it.

Composing, reducing and spelling are linear in each weight. So a chain is planned once, with *all weights at once*:
every weight is replaced by one output map for each of its taps, holding a one there and zeros elsewhere, and one more
for its bias. What the algebra makes of that stands for every weight: a tap is trimmed only where it is zero for all
of them, two border cells are one only where they agree for all of them, and a normal form that is equal is equal for
all of them. Read row by row it is the matrix that takes the real taps to the real kernel: one product in `forward`,
through which gradients flow, whatever the algebra had to do to find it.

A *monomial* is one tap of each weight from some point of the chain on: those that begin with a tap of the first weight
make the kernel, those that begin with a bias make the bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from subpixel.algebra import Layer, layers
from subpixel.rewriting.modules.symbol import Symbol
from subpixel.rewriting.refusal import Refusal

_LARGEST = 1 << 24  # entries of a weight that stands for all weights
_MOST = 1 << 15
"""Monomials times phases of a chain of several weights; border cells multiply it."""
PER_MAP = (layers.Resize, layers.Pad, layers.ZeroInsertion, layers.AveragePool)


@dataclass(frozen=True)
class Factor:
    """One weight of the chain, and how its array becomes `O C T`: output maps, input maps, taps.

    Attributes:
        out_phases: maps of a shuffle after it that it writes; they count as taps. `out_order`: how they count.
        in_phases: maps of an unshuffle before it that it reads, in order crd; they count as taps.
    """

    weight: Symbol
    bias: Symbol | None
    transposed: bool
    groups: int
    out_phases: int
    out_order: layers.Order
    in_phases: int

    @property
    def taps(self) -> int:
        """T: phases written × phases read × taps."""
        return self.out_phases * self.in_phases * prod(self.weight.shape[2:])

    @property
    def maps(self) -> tuple[int, int]:
        """(C, O), phases left out."""
        first, second = self.weight.shape[:2]
        C, O = (first, second * self.groups) if self.transposed else (second * self.groups, first)
        return C // self.in_phases, O // self.out_phases


@dataclass(frozen=True)
class Universal:
    """A chain for all weights at once.

    Attributes:
        chain: its weights numbers.
        factors: the weights that it stands for, in order.
        lead: input maps of a shuffle at its start, in order `lead_order`; 1 without one.
        kernel: how many of its output maps are kernel monomials; they come first.
        biases: after them, for each factor with a bias: (factor, first, stop).
    """

    chain: tuple[Layer, ...]
    factors: tuple[Factor, ...]
    lead: int
    lead_order: layers.Order
    kernel: int
    biases: tuple[tuple[int, int, int], ...]

    @property
    def groups(self) -> int:
        """Groups of the composed layer: the only factor's; several factors are composed densely."""
        return self.factors[0].groups if len(self.factors) == 1 else 1

    @property
    def maps(self) -> tuple[int, int]:
        """(C, O) of the real chain, phases of a shuffle at its start left out."""
        return self.factors[0].maps[0], self.factors[-1].maps[1]


def universal(chain: Sequence[Layer]) -> Universal:
    """The chain with a map for every monomial.

    Raises:
        Refusal: it has no weight, or shuffles that no weight of it takes in.
    """
    at = [i for i, layer in enumerate(chain) if isinstance(layer, layers.Convolution | layers.TransposedConvolution)]
    if not at:
        raise Refusal("there is no weight in it")
    lead = 1
    lead_order: layers.Order = "crd"
    starts = [-1, *at]
    out: list[Layer] = []
    factors: list[Factor] = []
    count, families = 1, {-1: (0, 1)}  # monomials so far, and which of them begin at which factor
    for number, index in enumerate(at):
        between = chain[starts[number] + 1 : index]
        shuffle, unshuffle = _shuffles(between)
        if number == 0 and shuffle is not None:
            lead, lead_order = prod(shuffle.factor), shuffle.order
        if unshuffle is not None and unshuffle.order != "crd":
            raise Refusal("its unshuffle counts maps in another order than PyTorch's", "A4")
        after = chain[index + 1 : at[number + 1] if number + 1 < len(at) else None]
        following, _ = _shuffles(after)
        factor = _factor(chain[index], following, unshuffle)
        out += _plain(between, count)
        layer, count, families = _all_at_once(chain[index], factor, number, count, families)
        factors.append(factor)
        out.append(layer)
    _, leftover = _shuffles(chain[at[-1] + 1 :])
    if leftover is not None:
        raise Refusal("it ends in an unshuffle, which no weight of it takes in", "A11")
    out += _plain(chain[at[-1] + 1 :], count)
    phases = prod(prod(_up(layer)) for layer in chain)
    if len(factors) > 1 and count * phases > _MOST:
        raise Refusal(f"its weights have {count} products of taps in {phases} phases: too many to be composed", "A12")
    biases = tuple((number, *span) for number, span in sorted(families.items()) if number >= 0)
    return Universal(tuple(out), tuple(factors), lead, lead_order, families[-1][1], biases)


def _shuffles(
    between: Sequence[Layer],
) -> tuple[layers.PeriodicShuffle | None, layers.PeriodicUnshuffle | None]:
    """The shuffle and the unshuffle between two weights; at most one of each, in this order."""
    up = [i for i, layer in enumerate(between) if isinstance(layer, layers.PeriodicShuffle)]
    down = [i for i, layer in enumerate(between) if isinstance(layer, layers.PeriodicUnshuffle)]
    if len(up) > 1 or len(down) > 1 or (up and down and up[0] > down[0]):
        raise Refusal("several shuffles stand between two of its weights", "A11")
    known = (*PER_MAP, layers.PeriodicShuffle, layers.PeriodicUnshuffle)
    other = [type(layer).__name__ for layer in between if not isinstance(layer, known)]
    if other:
        raise Refusal(f"a {other[0]} stands between its weights")
    return (between[up[0]] if up else None), (between[down[0]] if down else None)  # type: ignore[return-value]


def _up(layer: Layer) -> tuple[int, ...]:
    """By how much a layer enlarges, per axis."""
    match layer:
        case layers.TransposedConvolution():
            return layer.stride
        case layers.Resize() | layers.PeriodicShuffle() | layers.ZeroInsertion():
            return layer.factor
    return ()


def _factor(layer: Layer, following: layers.PeriodicShuffle | None, before: layers.PeriodicUnshuffle | None) -> Factor:
    assert isinstance(layer, layers.Convolution | layers.TransposedConvolution)
    P = prod(following.factor) if following is not None else 1
    Q = prod(before.factor) if before is not None else 1
    order = following.order if following is not None else "crd"
    if layer.groups > 1 and order == "dcr" and P > 1:
        raise Refusal("its groups mix with the phases of a shuffle in order DCR", "A4")
    transposed = isinstance(layer, layers.TransposedConvolution)
    return Factor(layer.weight, layer.bias, transposed, layer.groups, P, order, Q)


def _plain(between: Sequence[Layer], maps: int) -> list[Layer]:
    """The layers between two weights, for so many maps after a shuffle and before an unshuffle."""
    phases = next((prod(x.factor) for x in between if isinstance(x, layers.PeriodicShuffle)), 1)
    out: list[Layer] = []
    for layer in between:
        if isinstance(layer, layers.PeriodicShuffle):
            phases = 1
            out.append(replace(layer, maps=maps, order="crd"))
        elif isinstance(layer, layers.PeriodicUnshuffle):
            out.append(replace(layer, maps=maps))
            phases = prod(layer.factor)
        else:
            assert isinstance(layer, PER_MAP)
            out.append(replace(layer, maps=maps * phases))
    return out


Span = tuple[int, int]


def _all_at_once(
    layer: Layer, factor: Factor, number: int, N: int, families: dict[int, Span]
) -> tuple[Layer, int, dict[int, Span]]:
    """The layer for N input monomials: every one of them times every tap, and the bias."""
    assert isinstance(layer, layers.Convolution | layers.TransposedConvolution)
    P, Q, K, T = factor.out_phases, factor.in_phases, tuple(layer.weight.shape[2:]), factor.taps
    B = P if factor.bias is not None else 0
    M = N * T + B
    if M * P * N * Q * prod(K) > _LARGEST:
        raise Refusal("its weights have too many taps together to be composed", "A12")
    weight = np.zeros((M, P, N, Q, prod(K)))
    for j in range(N):  # map (j, φ, ψ, k) holds a one at φ, j, ψ, k
        weight[j * T : (j + 1) * T, :, j] = np.eye(T).reshape(T, P, Q, prod(K))
    bias = np.zeros((M, P))
    bias[N * T :] = np.eye(P)[:B]
    flat = weight.reshape(M * P, N * Q, *K)
    if factor.transposed:
        flat = np.swapaxes(flat, 0, 1)
    families = {i: (a * T, b * T) for i, (a, b) in families.items()}
    if B:
        families[number] = (N * T, M)
    new = replace(layer, weight=np.ascontiguousarray(flat), bias=bias.reshape(-1) if B else None, groups=1)
    return new, M, families
