"""Periodic shuffling (PS) and its inverse, for any number of axes, a factor per axis and both orders (A4).

PS turns factor maps on the LR lattice into the phases of one map: ESPCN, arXiv 1609.05158, eq. 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch.nn.functional as F
from torch import Tensor, nn

from subpixel.algebra.layers import Order
from subpixel.nn.arguments import Size, per_axis


def periodic_shuffle(x: Tensor, factor: Size, order: Order = "crd") -> Tensor:
    """y[o, U·n + φ] = x[(o, φ), n]: depth to space.

    `order` says how the maps of x count: "crd" `(o *φ)`, as torch's PixelShuffle and ONNX's CRD; "dcr" `(*φ o)`, as
    TensorFlow, Keras and ONNX's default. A single integer `factor` means all axes after batch and maps; give
    one per axis for an input without a batch axis.

    Shape: `… (o·ΠU) *L` to `… o *(L·U)`.

    Raises:
        ValueError: the maps of `x` do not divide into phases, or `factor` or `order` is not one.
    """
    factor = _factor(x, factor, order)
    d, P = len(factor), prod(factor)
    lead, maps, size = x.shape[: -d - 1], x.shape[-d - 1], x.shape[-d:]
    if maps % P:
        raise ValueError(f"`x` has {maps} maps, which `factor` (={factor}) needs to be a multiple of {P}.")
    O, b = maps // P, len(lead)
    if _is_pixel_shuffle(factor, O, order):
        return F.pixel_shuffle(x, factor[0])
    crd = order == "crd"
    split = x.reshape(*lead, *((O, *factor) if crd else (*factor, O)), *size)
    o, phases, sites = (b if crd else b + d), (b + 1 if crd else b), b + 1 + d
    pairs = [j for i in range(d) for j in (sites + i, phases + i)]
    y = split.permute(*range(b), o, *pairs)  # … o (n φ)…
    return y.reshape(*lead, O, *(n * U for n, U in zip(size, factor, strict=True)))


def periodic_unshuffle(x: Tensor, factor: Size, order: Order = "crd") -> Tensor:
    """The inverse of `periodic_shuffle`: space to depth.

    Shape: `… o *(L·U)` to `… (o·ΠU) *L`.

    Raises:
        ValueError: a length of `x` is no multiple of its factor, or `factor` or `order` is not one.
    """
    factor = _factor(x, factor, order)
    d, P = len(factor), prod(factor)
    lead, O, size = x.shape[: -d - 1], x.shape[-d - 1], x.shape[-d:]
    if any(L % U for L, U in zip(size, factor, strict=True)):
        raise ValueError(f"`x` has spatial size {tuple(size)}, which `factor` (={factor}) must divide: pad it.")
    if _is_pixel_shuffle(factor, O, order):
        return F.pixel_unshuffle(x, factor[0])
    b = len(lead)
    sites = [L // U for L, U in zip(size, factor, strict=True)]
    split = x.reshape(*lead, O, *(j for pair in zip(sites, factor, strict=True) for j in pair))
    n, phases = range(b + 1, b + 1 + 2 * d, 2), range(b + 2, b + 2 + 2 * d, 2)
    first = [b, *phases] if order == "crd" else [*phases, b]
    return split.permute(*range(b), *first, *n).reshape(*lead, O * P, *sites)


class PeriodicShuffle(nn.Module):
    """`periodic_shuffle` as a layer; torch.nn.PixelShuffle for any number of axes, any factors, both orders."""

    def __init__(self, factor: int | Sequence[int], order: Order = "crd") -> None:
        super().__init__()
        self.factor, self.order = _check(factor, order)

    def forward(self, input: Tensor) -> Tensor:
        """Shape: `… (o·ΠU) *L` to `… o *(L·U)`."""
        return periodic_shuffle(input, self.factor, self.order)

    def extra_repr(self) -> str:
        return f"factor={self.factor}, order={self.order!r}"


class PeriodicUnshuffle(nn.Module):
    """`periodic_unshuffle` as a layer; the inverse of `PeriodicShuffle`."""

    def __init__(self, factor: int | Sequence[int], order: Order = "crd") -> None:
        super().__init__()
        self.factor, self.order = _check(factor, order)

    def forward(self, input: Tensor) -> Tensor:
        """Shape: `… o *(L·U)` to `… (o·ΠU) *L`."""
        return periodic_unshuffle(input, self.factor, self.order)

    def extra_repr(self) -> str:
        return f"factor={self.factor}, order={self.order!r}"


def _is_pixel_shuffle(factor: tuple[int, ...], maps: int, order: Order) -> bool:
    """Whether torch's own does the same: two axes, one factor, crd (or a single map, where orders agree)."""
    return len(factor) == 2 and factor[0] == factor[1] and (order == "crd" or maps == 1)


def _factor(x: Tensor, factor: Size, order: Order) -> tuple[int, ...]:
    factor, _ = _check(factor, order)
    d = x.ndim - 2 if isinstance(factor, int) else len(factor)
    if d < 1 or x.ndim < d + 1:
        axes = "a batch, maps and spatial axes" if isinstance(factor, int) else f"maps and {d} spatial axes"
        raise ValueError(f"`x` has shape {tuple(x.shape)}; with `factor` (={factor}) it needs {axes}.")
    return per_axis("factor", factor, d, 1)


def _check(factor: Size, order: Order) -> tuple[Size, Order]:
    per_axis("factor", factor, max(1, len(factor)) if isinstance(factor, Sequence) else 1, 1)
    if order not in ("crd", "dcr"):
        raise ValueError(f"`order` (={order!r}) must be 'crd' (channel, phase) or 'dcr' (phase, channel).")
    return (factor if isinstance(factor, int) else tuple(factor)), order
