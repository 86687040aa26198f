"""`freeze`: kernels computed once from the parameters as they are, for inference."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from subpixel.rewriting.modules.rewritten import sites_of


def freeze(module: nn.Module) -> nn.Module:
    """A copy of a rewritten module whose kernels are baked: `forward` no longer computes them from the parameters.

    The parameters stay, so the state dict is the same, but take no gradients. Loading a state dict, `.to(...)` and the
    like bake again; whoever changes a parameter in another way calls `freeze` again. A weight that `forward` itself
    computes cannot be baked and is not.
    """
    frozen = copy.deepcopy(module).requires_grad_(False)
    bake(frozen)
    for inner in {id(m): m for m, _ in sites_of(frozen)}.values():
        inner.register_load_state_dict_post_hook(_bake_again)  # type: ignore[no-untyped-call]
    return frozen


@torch.no_grad()
def bake(module: nn.Module) -> None:
    """Compute the kernels of every rewritten site in `module` now."""
    for inner, site in sites_of(module):
        values = [None if path is None else _look_up(inner, path) for path in site.paths]
        needed = {i for addend in site.addends for pair in addend.values for i in pair if i is not None}
        if all(i >= 0 and values[i] is not None for i in needed):
            site.baked = site.weights(values)


def _bake_again(module: nn.Module, incompatible: Any) -> None:
    bake(module)


def _look_up(module: nn.Module, path: str) -> Tensor:
    value: Any = module
    for part in path.split("."):
        value = getattr(value, part)
    assert isinstance(value, Tensor)
    return value
