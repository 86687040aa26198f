"""ICNR: initialised as a convolution that is then resized by nearest neighbour, so without checkerboards (A13).

Aitken et al. 2017, "Checkerboard artifact free sub-pixel convolution", arXiv 1707.02937, section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import torch
from torch import Tensor, nn

from subpixel.algebra.layers import Order
from subpixel.nn.arguments import Size, per_axis


def icnr_(
    weight: Tensor,
    scale: Size,
    initializer: Callable[[Tensor], object] = nn.init.kaiming_normal_,
    order: Order = "crd",
    bias: Tensor | None = None,
) -> Tensor:
    """Fill `weight` in place so that PS(conv(x)) = nearest(conv(x; W₀)) exactly: W₀ once for every phase (A13).

    The weight is that of an LR convolution or of a convolution before `PixelShuffle`. Give its `bias` too: each
    map's first entry is repeated over the phases; untied, it would bring the checkerboard back.

    Shape: weight `(O·Πs) C/g *M`, bias `(O·Πs)`. `initializer` fills W₀ of shape `O C/g *M` in place.

    Raises:
        ValueError: the maps do not divide into phases, the bias does not fit, or `scale` or `order` is not one.
    """
    d = weight.ndim - 2
    if d < 1:
        raise ValueError(f"`weight` has shape {tuple(weight.shape)}; a convolution's has maps, maps and spatial axes.")
    phases = prod(per_axis("scale", scale, d, 1))
    if order not in ("crd", "dcr"):
        raise ValueError(f"`order` (={order!r}) must be 'crd' (channel, phase) or 'dcr' (phase, channel).")
    if weight.shape[0] % phases:
        raise ValueError(
            f"`weight` has {weight.shape[0]} maps, which `scale` (={scale}) needs to be a multiple of {phases}."
        )
    if bias is not None and tuple(bias.shape) != (weight.shape[0],):
        raise ValueError(f"`bias` has shape {tuple(bias.shape)}; this weight needs ({weight.shape[0]},).")
    maps = weight.shape[0] // phases

    def repeat(once: Tensor) -> Tensor:
        """`o … -> (o φ) …`, or to `(φ o) …`."""
        if order == "crd":
            return once.repeat_interleave(phases, dim=0)
        return once.repeat(phases, *(1,) * (once.ndim - 1))

    with torch.no_grad():
        once = torch.empty_like(weight[:maps], memory_format=torch.contiguous_format)
        initializer(once)
        weight.copy_(repeat(once))
        if bias is not None:
            bias.copy_(repeat(bias[::phases] if order == "crd" else bias[:maps]))
    return weight
