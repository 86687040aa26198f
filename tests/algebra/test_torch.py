"""PyTorch tensors through the algebra: the same numbers as NumPy's, and gradients that flow."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from exactness.pairs import integers
from subpixel.algebra import (
    Affine,
    Cells,
    Layer,
    Op,
    PeriodicShuffle,
    Resize,
    add,
    adjoint,
    block,
    compose,
    convolution,
    lift,
    reduce,
    same,
    shift,
    split,
    transposed_convolution,
)
from subpixel.algebra.lower import lower, spell

torch = pytest.importorskip("torch", reason="tensors and gradients are PyTorch's")
F = torch.nn.functional

RNG = np.random.default_rng(0)


def draw(*shape: int) -> np.ndarray:
    return integers(RNG, shape).astype(np.float64)


def in_torch(layer: Layer) -> Layer:
    """The layer with tensors that ask for gradients."""
    arrays = {f.name: getattr(layer, f.name) for f in fields(layer)}
    arrays = {name: torch.tensor(a, requires_grad=True) for name, a in arrays.items() if isinstance(a, np.ndarray)}
    return replace(layer, **arrays)  # type: ignore[type-var]


def numbers(layer: Op | Cells) -> Op | Cells:
    return replace(layer, kernel=layer.kernel.detach().numpy(), bias=layer.bias.detach().numpy())


CHAINS: dict[str, list[Layer]] = {
    "convolution, convolution with cells": [
        convolution(draw(2, 3, 3, 2), draw(2), padding=1),
        convolution(draw(2, 2, 3, 3), draw(2), padding=1, dilation=2),
    ],
    "transposed, strided": [
        transposed_convolution(draw(4, 2, 3), draw(4), 2, 1, 1, groups=2),
        convolution(draw(2, 2, 3), draw(2), 3, padding=1, groups=2),
    ],
    "nearest, convolution": [Resize(2, (2, 3), "nearest"), convolution(draw(3, 2, 3, 3), draw(3), padding=1)],
    "linear, convolution": [Resize(2, (4,), "linear"), convolution(draw(3, 2, 3), None, padding=1)],
    "convolution, shuffle": [convolution(draw(8, 2, 3, 3), draw(8), padding=1), PeriodicShuffle(2, (2, 2), "dcr")],
    "affine, transposed": [Affine(draw(3), draw(3), 1), transposed_convolution(draw(3, 2, 4), draw(2), 3, 2)],
}


@pytest.mark.parametrize("name", CHAINS)
def test_the_same_numbers(name: str) -> None:
    """lift, compose and reduce; a layer without weights stays NumPy's and joins a tensor where one comes."""
    first, second = CHAINS[name]
    whole = compose(lift(second), lift(first))
    tensors = compose(lift(in_torch(second)), lift(in_torch(first)))
    assert tensors.kernel.requires_grad
    assert numbers(tensors) == whole
    assert numbers(reduce(tensors)) == reduce(whole)
    small = compose(lift(second), lift(first), size=(4,) * whole.dim)
    assert numbers(compose(lift(in_torch(second)), lift(in_torch(first)), size=(4,) * whole.dim)) == small


def test_the_same_numbers_in_every_other_function() -> None:
    layer = transposed_convolution(draw(4, 2, 5), draw(2), 2, 1)
    ours, theirs = lift(layer), lift(in_torch(layer))
    assert numbers(shift(theirs, (1,))) == shift(ours, (1,))
    assert numbers(block(theirs, (3,))) == block(ours, (3,))
    assert numbers(adjoint(theirs, (6,))) == adjoint(ours, (6,))
    assert numbers(add(theirs, block(ours, (2,)))) == add(ours, block(ours, (2,)))
    assert [numbers(part) for part in split(theirs, 1)] == list(split(ours, 1))
    assert same(theirs, ours)
    for plan in lower(theirs):
        assert same(lift(plan), ours)


def test_dtype_is_kept() -> None:
    layer = convolution(torch.ones(2, 3, 3, dtype=torch.float32), torch.ones(2), padding=1)
    whole = compose(lift(layer), lift(Resize(3, (2,), "linear")))
    assert whole.kernel.dtype == whole.bias.dtype == torch.float32


@pytest.mark.parametrize("name", CHAINS)
def test_the_device_is_kept(name: str) -> None:
    """On a device that is not the CPU (torch's meta device, shapes alone): nothing is made elsewhere."""
    ops = []
    for layer in CHAINS[name]:
        tensors = in_torch(layer)
        arrays = {f.name: getattr(tensors, f.name) for f in fields(tensors)}
        arrays = {name: a.to("meta") for name, a in arrays.items() if isinstance(a, torch.Tensor)}
        ops.append(lift(replace(layer, **arrays)))  # type: ignore[type-var]
    whole = compose(ops[1], ops[0])
    assert whole.kernel.device.type == whole.bias.device.type == "meta"
    assert whole.kernel.shape == compose(lift(CHAINS[name][1]), lift(CHAINS[name][0])).kernel.shape


def test_gradient_through_a_merged_kernel() -> None:
    """A12: one convolution with the merged kernel has the gradients of the two layers, in weights and bias."""
    w1, b1, w2, b2 = (
        torch.tensor(draw(*shape), requires_grad=True) for shape in ((4, 3, 3, 2), (4,), (2, 4, 3, 3), (2,))
    )
    x, weigh = torch.tensor(draw(2, 3, 9, 8)), torch.tensor(draw(2, 2, 5, 5))
    merged = reduce(compose(lift(convolution(w2, b2)), lift(convolution(w1, b1))))
    assert isinstance(merged, Op)
    (layer,) = spell(merged, "shuffle").layers
    y = F.conv2d(x, layer.weight, layer.bias)
    two = F.conv2d(F.conv2d(x, w1, b1), w2, b2)
    torch.testing.assert_close(y, two, rtol=0, atol=0)
    ours = torch.autograd.grad((y * weigh).sum(), (w1, b1, w2, b2))
    theirs = torch.autograd.grad((two * weigh).sum(), (w1, b1, w2, b2))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_gradient_through_border_cells() -> None:
    """Every site convolved with its cell's kernel, joined: the gradients of two zero-padded layers."""
    w1, b1, w2, b2 = (torch.tensor(draw(*shape), requires_grad=True) for shape in ((4, 3, 3), (4,), (2, 4, 5), (2,)))
    L = 9
    x, weigh = torch.tensor(draw(1, 3, L)), torch.tensor(draw(1, 2, L))
    whole = reduce(compose(lift(convolution(w2, b2, padding=2)), lift(convolution(w1, b1, padding=1))))
    assert isinstance(whole, Cells)
    assert whole.count[0] > 3
    (cells,) = whole.sites((L,))
    far = F.pad(x, (8, 8))
    columns = []
    for n, q in enumerate(cells):
        start = 8 + n + whole.low[0]
        kernel = whole.kernel[q].squeeze(1)  # O U C K → O C K
        columns.append(F.conv1d(far[..., start : start + whole.taps[0]], kernel) + whole.bias[q][None])
    y = torch.cat(columns, dim=2)
    two = F.conv1d(F.conv1d(x, w1, b1, padding=1), w2, b2, padding=2)
    torch.testing.assert_close(y, two, rtol=0, atol=0)
    ours = torch.autograd.grad((y * weigh).sum(), (w1, b1, w2, b2))
    theirs = torch.autograd.grad((two * weigh).sum(), (w1, b1, w2, b2))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_gradient_through_a_transposed_convolution_as_lr_convolution_and_shuffle() -> None:
    """Linear in the weights: the kernel map runs inside a forward pass."""
    w, b = torch.tensor(draw(3, 2, 5, 5), requires_grad=True), torch.tensor(draw(2), requires_grad=True)
    x = torch.tensor(draw(1, 3, 4, 6), requires_grad=True)
    op = lift(transposed_convolution(w, b, 2, 2, 1))
    plan = spell(op, "shuffle", crop=(0, 0))
    kernel, _ = plan.layers
    (top, bottom), (left, right) = kernel.pads
    y = F.pixel_shuffle(F.conv2d(F.pad(x, (left, right, top, bottom)), kernel.weight, kernel.bias), 2)
    y = y[..., : 2 * 4, : 2 * 6]
    two = F.conv_transpose2d(x, w, b, 2, 2, 1)
    torch.testing.assert_close(y, two, rtol=0, atol=0)
    weigh = torch.tensor(draw(*two.shape))
    ours = torch.autograd.grad((y * weigh).sum(), (w, b, x))
    theirs = torch.autograd.grad((two * weigh).sum(), (w, b, x))
    for a, b_ in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b_, rtol=0, atol=0)
