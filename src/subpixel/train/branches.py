"""Re-parameterised training: beside each convolution a branch that merges into its kernel.

A 1x1 convolution to more maps, then one of the layer's own size, has more weights to learn by and computes nothing new:
law A12 merges it exactly, because the 1x1 layer has neither padding nor bias (Ding et al. 2021, arXiv 2101.03697; Zhang
et al. 2021, "Edge-oriented convolution block", ECBSR). docs/LOG.md has what it gave.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from subpixel.models.module import NetworkModule
from subpixel.models.network import Convolution, Network


class BranchedModule(NetworkModule):
    """A `NetworkModule` whose convolutions have branches; they begin as nothing and are merged in every step.

    Merging the kernels costs O·D·C·K² multiplications a step, once, instead of a convolution more for every pixel.

    Args:
        network: the steps.
        multiple: maps inside a branch, as a multiple of the larger of the layer's own numbers.
        weights: of the plain network, by name.
        seed: of the branches' first weights.
    """

    def __init__(
        self,
        network: Network,
        multiple: int,
        weights: Mapping[str, NDArray[np.float32]] | None = None,
        *,
        seed: int = 0,
    ) -> None:
        super().__init__(network, weights)
        layers = {step.name: step for step in network.steps if isinstance(step, Convolution)}
        self.branched = frozenset(layers)
        for name, step in layers.items():
            maps = multiple * max(step.inputs, step.outputs)
            wide = torch.empty(maps, step.inputs, 1, 1)
            self.register_parameter(f"{name}_wide", nn.Parameter(wide))
            narrow = torch.empty(step.outputs, maps, step.kernel, step.kernel)
            self.register_parameter(f"{name}_narrow", nn.Parameter(narrow))
        # The 1x1 layers keep the size of what they read; the others are zero, so that nothing is added yet.
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name in sorted(self.branched):
                wide, narrow = self.branch(name)
                wide.normal_(0, wide.shape[1] ** -0.5, generator=generator)
                narrow.zero_()

    def branch(self, name: str) -> tuple[Tensor, Tensor]:
        """The kernels beside a layer: [D, C, 1, 1], then [O, D, K, K]."""
        # Not `get_parameter`: `functional_call` puts plain tensors in their place, to score the running mean.
        wide, narrow = getattr(self, f"{name}_wide"), getattr(self, f"{name}_narrow")
        assert isinstance(wide, Tensor)
        assert isinstance(narrow, Tensor)
        return wide, narrow

    def merged(self, name: str) -> Tensor:
        """The one kernel [O, C, K, K] that a layer and its branch are (law A12)."""
        wide, narrow = self.branch(name)
        return self.weight(f"{name}.weight") + torch.einsum("odhw,dc->ochw", narrow, wide[:, :, 0, 0])

    def convolve(self, step: Convolution, x: Tensor) -> Tensor:
        return F.conv2d(x, self.merged(step.name), self.weight(f"{step.name}.bias"), padding=step.kernel // 2)

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """The plain network's, branches merged."""
        kernels = {f"{name}.weight": self.merged(name).detach().cpu().numpy().copy() for name in self.branched}
        return super().weights() | kernels
