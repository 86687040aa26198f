"""Initial values of layers that are convolutions at heart: drawn as torch's own draw them."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import init


def fill_as_convolution(weight: Tensor, bias: Tensor | None) -> None:
    """Kaiming-uniform weights and bias as in `torch.nn.Conv2d`, in the same order from the same generator.

    A bias per map and phase, `O *s`, starts the same in every phase.
    """
    if weight.is_meta:
        return
    init.kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is None:
        return
    bound = 1 / math.sqrt(weight[0].numel())
    if bias.ndim == 1:
        init.uniform_(bias, -bound, bound)
        return
    with torch.no_grad():
        tied = init.uniform_(bias.new_empty(bias.shape[0]), -bound, bound)
        bias.copy_(tied.reshape(-1, *(1,) * (bias.ndim - 1)).expand_as(bias))
