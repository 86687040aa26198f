"""Initial weights: a network starts as the interpolation that it is to improve on."""

import torch
from torch import nn

from subpixel.models.module import NetworkModule
from subpixel.models.network import AddRemembered, Convolution, PeriodicShuffle, TransposedConvolution


def initialise(module: NetworkModule, seed: int, *, near_identity: bool = False) -> None:
    """Draw the weights: He's normal, the last layer a tenth as large and, before a shuffle or as a transposed
    convolution, tied over the r² phases (ICNR: Aitken et al. 2017). Without a skip of its own, map 0 of every layer
    hands the picture through.

    Luma is never negative, so ReLU lets it pass, and the untrained network repeats each LR pixel r² times, or is
    the interpolation before or the linear one behind it. Training then learns what is missing from that: at x3,
    2,500 steps give 30.78 dB on held-out pictures, against 30.38 with ICNR alone and 30.23 with neither.

    Args:
        module: of whose weights nothing is kept.
        seed: of what is drawn.
        near_identity: layers with as many maps out as in, the last apart, begin as the identity and a part of He's
            normal that falls with the root of their number. A deep stack then hands on what the layers before it
            found, as if each had a skip around it that is merged into its kernel (Ding et al. 2021, arXiv 2101.03697).
            docs/LOG.md has what it gives.
    """
    generator = torch.Generator().manual_seed(seed)
    steps = module.network.steps
    layers = [step for step in steps if isinstance(step, Convolution | TransposedConvolution)]
    transposed = {f"{step.name}.weight": step for step in layers if isinstance(step, TransposedConvolution)}
    with torch.no_grad():
        for name, shape in module.network.parameters().items():
            weight = module.weight(name)
            if name in transposed:
                draw_transposed(weight, transposed[name], generator)
            elif len(shape) == 4:
                nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
            elif name.endswith(".slope"):
                weight.zero_()  # begins as ReLU
            elif name.endswith(".weight"):
                weight.fill_(1 / shape[0])  # an ensemble begins as the mean
        if not layers:
            return
        if near_identity:
            square = [s.name for s in layers[:-1] if isinstance(s, Convolution) and s.inputs == s.outputs]
            for name in sorted(set(square)):  # a shared layer once
                add_identity(module.weight(f"{name}.weight"), 0.5 * len(square) ** -0.5)
        last = module.weight(f"{layers[-1].name}.weight")
        last.mul_(0.1)
        if isinstance(layers[-1], TransposedConvolution):
            tie_phases(last, layers[-1])
        shuffles = [step.scale for step in steps[steps.index(layers[-1]) :] if isinstance(step, PeriodicShuffle)]
        if shuffles:
            last.copy_(last[:: shuffles[0] ** 2].repeat_interleave(shuffles[0] ** 2, dim=0))
        if module.network.channels > 1 or any(isinstance(step, AddRemembered) for step in steps):
            return
        for step in layers[:-1]:
            if isinstance(step, Convolution):
                hand_through(module.weight(f"{step.name}.weight")[0])
        if isinstance(layers[-1], TransposedConvolution):
            interpolate(last[0, 0], layers[-1])
        else:
            for phase in last:
                hand_through(phase[:1])  # beside what the other maps add


def add_identity(weight: torch.Tensor, factor: float) -> None:
    """Make weights [C, C, K, K] so many times as large and let every map hand itself on besides."""
    maps, middle = torch.arange(len(weight)), weight.shape[-1] // 2
    weight.mul_(factor)
    weight[maps, maps, middle, middle] += 1


def hand_through(weight: torch.Tensor) -> None:
    """Make one output map's weights [C, K, K] copy input map 0 and nothing else."""
    middle = weight.shape[-1] // 2
    weight.zero_()
    weight[0, middle, middle] = 1


def draw_transposed(weight: torch.Tensor, layer: TransposedConvolution, generator: torch.Generator) -> None:
    """He's normal for weights [C, O, K, K]: an output sample sees C·(K/s)² of them, not O·K²."""
    seen = layer.inputs * (layer.kernel / layer.stride) ** 2
    weight.normal_(0, (2 / seen) ** 0.5, generator=generator)


def tie_phases(weight: torch.Tensor, layer: TransposedConvolution) -> None:
    """Give the taps of [C, O, K, K] that meet the same LR pixel, each in its own phase, one value (law A13)."""
    taps = torch.arange(layer.kernel) - layer.padding
    first = layer.padding + layer.stride * torch.div(taps, layer.stride, rounding_mode="floor")
    first.clamp_(min=0)  # a phase may lack the tap that the others have
    weight.copy_(weight[:, :, first][:, :, :, first])


def interpolate(kernel: torch.Tensor, layer: TransposedConvolution) -> None:
    """Make one map's kernel [K, K] linear interpolation by the stride, as far as K taps can hold it (law A7)."""
    taps = torch.arange(layer.kernel, dtype=kernel.dtype)
    distance = ((taps - layer.padding + 0.5) / layer.stride - 0.5).abs()
    row = (1 - distance).clamp(min=0)
    kernel.copy_(row[:, None] * row)
