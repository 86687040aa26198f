"""A network as a PyTorch module. The only file of `subpixel.models` that imports PyTorch."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from subpixel.models.network import (
    Activation,
    AddRemembered,
    Convolution,
    Interpolation,
    Network,
    PeriodicShuffle,
    Recall,
    Remember,
    Repetition,
    TransposedConvolution,
    WeightedSum,
)


class NetworkModule(nn.Module):
    """Runs a `Network`: x [N, C, H, W] to [N, C, rH, rW]. Parameters are named as in the weight file, with
    "_" for ".".

    Args:
        network: the steps.
        weights: their values by name; left out, PyTorch's usual initialisation from its global seed.
    """

    def __init__(self, network: Network, weights: Mapping[str, NDArray[np.float32]] | None = None) -> None:
        super().__init__()
        self.network = network
        for name, shape in network.parameters().items():
            if weights is not None:
                value = torch.from_numpy(np.array(weights[name], np.float32))
            elif len(shape) == 4:
                value = nn.init.kaiming_normal_(torch.empty(shape), nonlinearity="relu")
            else:
                value = torch.full(shape, 0.25 if name.endswith(".slope") else 0.0)
            self.register_parameter(name.replace(".", "_"), nn.Parameter(value))

    def weight(self, name: str) -> Tensor:
        """The parameter that the weight file calls `name`."""
        value = getattr(self, name.replace(".", "_"))
        assert isinstance(value, Tensor)
        return value

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """A copy of every parameter, by the weight file's name."""
        return {name: self.weight(name).detach().cpu().numpy().copy() for name in self.network.parameters()}

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_and_remember(x)[0]

    def convolve(self, step: Convolution, x: Tensor) -> Tensor:
        """One convolution, padded with zeros so that the map keeps its size."""
        weight, bias = self.weight(f"{step.name}.weight"), self.weight(f"{step.name}.bias")
        return F.conv2d(x, weight, bias, padding=step.kernel // 2)

    def forward_and_remember(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The result, and what every `Remember` kept, by its name (DRCN's predictions are supervised)."""
        remembered: dict[str, Tensor] = {}
        for step in self.network.steps:
            match step:
                case Convolution():
                    x = self.convolve(step, x)
                case TransposedConvolution(name=name, stride=s):
                    x = F.conv_transpose2d(
                        x,
                        self.weight(f"{name}.weight"),
                        self.weight(f"{name}.bias"),
                        stride=s,
                        padding=step.padding,
                        output_padding=step.output_padding,
                    )
                case Activation(kind="relu"):
                    x = F.relu(x)
                case Activation(kind="tanh"):
                    x = torch.tanh(x)
                case Activation(name=name):
                    x = F.prelu(x, self.weight(f"{name}.slope"))
                case PeriodicShuffle(scale=r):
                    x = F.pixel_shuffle(x, r)
                case Interpolation(scale=r):
                    kernel = torch.from_numpy(step.phases).to(x)[:, None].repeat(x.shape[1], 1, 1, 1)
                    border = [kernel.shape[-1] // 2] * 4
                    phases = F.conv2d(F.pad(x, border, mode="replicate"), kernel, groups=x.shape[1])
                    x = F.pixel_shuffle(phases, r)
                case Repetition(scale=r):
                    x = x.repeat_interleave(r, 2).repeat_interleave(r, 3)
                case Recall(name=name):
                    x = remembered[name]
                case WeightedSum(name=name, parts=parts):
                    weight = self.weight(f"{name}.weight")
                    x = torch.stack([weight[d] * remembered[part] for d, part in enumerate(parts)]).sum(0)
                case Remember(name=name):
                    remembered[name] = x
                case AddRemembered(name=name, repeat=repeat):
                    x = x + remembered[name].repeat_interleave(repeat, dim=1)
        return x, remembered
