"""The three forms of a layer as PyTorch modules, forward alone or with the backward pass that training needs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from subpixel.nn import ConvTranspose2d

if TYPE_CHECKING:
    from subpixel.study.speed import Point


def torch_runs(
    point: "Point",
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    x: NDArray[np.float32],
    *,
    training: bool,
    threads: int,
) -> dict[str, Callable[[], Any]]:
    """Every form, ready to run: it returns the output as an array; `training` adds the gradients of input and
    parameters."""
    torch.set_num_threads(threads)
    p, a = point.padding
    layer = ConvTranspose2d(point.inputs, point.outputs, point.kernel, point.stride, p, a)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        assert layer.bias is not None
        layer.bias.copy_(torch.from_numpy(bias))
    modules: dict[str, nn.Module] = {
        "transposed": layer,
        "zero-insertion": layer.to_subpixel(),
        "lr-shuffle": layer.to_lr(),
        "upscale-convolve": _Rival(point, layer),
    }
    run = _trained if training else _forward
    return {form: run(module, torch.from_numpy(x)) for form, module in modules.items()}


class _Rival(nn.Module):
    """Nearest neighbour, then a convolution of as many taps at HR."""

    def __init__(self, point: "Point", layer: ConvTranspose2d) -> None:
        super().__init__()
        self.stride, K = point.stride, point.kernel
        self.pads = [(K - 1) // 2, K // 2] * 2
        self.conv = nn.Conv2d(point.inputs, point.outputs, K)
        with torch.no_grad():
            self.conv.weight.copy_(layer.weight.transpose(0, 1))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(F.pad(F.interpolate(x, scale_factor=self.stride), self.pads))
        return y


def _forward(module: nn.Module, x: Tensor) -> Callable[[], Any]:
    def run() -> Any:
        with torch.no_grad():
            return module(x).numpy()

    return run


def _trained(module: nn.Module, x: Tensor) -> Callable[[], Any]:
    x = x.clone().requires_grad_()
    gradient = torch.ones_like(module(x).detach())

    def run() -> Any:
        module.zero_grad()
        x.grad = None
        y = module(x)
        y.backward(gradient)
        return y.detach().numpy()

    return run
