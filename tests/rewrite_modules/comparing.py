"""Modules on integers: equal means equal, in values and in gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


@torch.no_grad()
def integers(module: nn.Module, largest: int = 2, seed: int = 0) -> nn.Module:
    """The module in float64 with small integers for parameters, the same ones every time; returns it."""
    rng = torch.Generator().manual_seed(seed)
    module.double()
    for parameter in module.parameters():
        parameter.copy_(torch.randint(-largest, largest + 1, parameter.shape, generator=rng))
    return module


def integer_input(shape: Sequence[int], seed: int = 1) -> Tensor:
    """Small integers in float64."""
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(-3, 4, tuple(shape), generator=rng).double()


def results(module: nn.Module, *inputs: Tensor) -> dict[str, Tensor]:
    """The output, and the gradients of every input and parameter for integers from above."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    y = module(*leaves)
    y.backward(torch.ones_like(y).cumsum(-1) - 2)
    found = {"output": y.detach()}
    found |= {f"input {i}": x.grad for i, x in enumerate(leaves) if x.grad is not None}
    found |= {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}
    module.zero_grad(set_to_none=True)
    return found


def assert_equal(a: nn.Module, b: nn.Module, *inputs: Tensor) -> None:
    """Bit for bit, output and gradients; the numbers stay where float64 holds integers exactly."""
    _compare(a, b, inputs, lambda x, y: bool((x == y).all()))
    for name, value in results(a, *inputs).items():
        assert float(value.abs().max()) < 2**52, f"{name} is too large to be exact"


def assert_close(a: nn.Module, b: nn.Module, *inputs: Tensor, relative: float = 1e-12) -> None:
    """Within `relative` of the largest number: for what has no integers (norms, tanh)."""
    _compare(a, b, inputs, lambda x, y: float((x - y).abs().max()) <= relative * max(1.0, float(x.abs().max())))


def _compare(a: nn.Module, b: nn.Module, inputs: tuple[Tensor, ...], agree: Callable[[Tensor, Tensor], bool]) -> None:
    first, second = results(a, *inputs), results(b, *inputs)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert value.shape == second[name].shape, name
        assert agree(value, second[name]), f"{name} differs by {float((value - second[name]).abs().max())}"
