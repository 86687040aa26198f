"""One network being trained: its weights, the optimizer and the running mean, a step at a time."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from subpixel.errors import MissingExtra
from subpixel.models.module import NetworkModule
from subpixel.models.network import WeightedSum
from subpixel.train.config import TrainConfig
from subpixel.train.processes import Processes


class Descent:
    """SOAP or Adam with a linear warm-up and a cosine to zero; Charbonnier's loss (Charbonnier et al. 1994, ε = 1e-3),
    then the squared error, which PSNR measures; a running mean of the weights is what is kept.

    Attributes:
        module: holds the weights as they are now.
        mean: their running mean, in the order of `module.parameters()`.
    """

    def __init__(self, module: NetworkModule, config: TrainConfig, processes: Processes | None = None) -> None:
        self.module = module
        self.config = config
        self.processes = processes or Processes(next(module.parameters()).device)
        self.parameters = list(module.parameters())
        for parameter in self.parameters:
            if parameter.ndim == 4:  # a fifth faster on the CPU
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        self.optimizer = make_optimizer(config, self.parameters)
        self.mean = [parameter.detach().clone() for parameter in self.parameters]

    def step(self, step: int, lr: NDArray[np.float32], hr: NDArray[np.float32]) -> float:
        """Learn from one batch, LR [N, C, H, W] and HR [N, C, rH, rW]; returns its loss, which may be no number."""
        config = self.config
        warm = min(1.0, (step + 1) / max(1, config.warm_up))
        rate = config.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / config.steps))
        self.optimizer.param_groups[0]["lr"] = rate
        loss = loss_of(
            self.module,
            self.processes.part(lr),
            self.processes.part(hr),
            squared=step >= config.squared_from * config.steps,
            supervision=1 - step / config.steps,
        )
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        value = self.processes.average(loss, self.parameters)
        self.optimizer.step()
        if math.isfinite(value):
            with torch.no_grad():
                decay = min(config.ema, step / (step + 10))
                torch._foreach_lerp_(self.mean, [parameter.detach() for parameter in self.parameters], 1 - decay)
        return value

    def is_sound(self, lr: NDArray[np.float32]) -> bool:
        """Whether the weights, their mean and what both compute of a batch [N, C, H, W] are numbers.

        A step's loss is of the weights before it: that it was finite says nothing of what the step left.
        """
        if not all(bool(torch.isfinite(value).all()) for value in (*self.parameters, *self.mean)):
            return False
        x = torch.from_numpy(lr).to(self.mean[0].device)
        mean = dict(zip((name for name, _ in self.module.named_parameters()), self.mean, strict=True))
        with torch.no_grad():
            results = self.module(x), torch.func.functional_call(self.module, mean, (x,))
        return all(bool(torch.isfinite(result).all()) for result in results)

    def finish(self) -> None:
        """Put the running mean in the place of the weights."""
        with torch.no_grad():
            for parameter, value in zip(self.parameters, self.mean, strict=True):
                parameter.copy_(value)


def loss_of(
    module: NetworkModule, lr: torch.Tensor, hr: torch.Tensor, *, squared: bool, supervision: float
) -> torch.Tensor:
    """Charbonnier's loss or the squared error of one batch; `supervision` is the share of an ensemble's members in it.

    DRCN (Kim et al. 2016, eq. 9) supervises the prediction after every recursion, and less so as it learns.
    """

    def error(guess: torch.Tensor) -> torch.Tensor:
        difference = (guess - hr).square()
        # The factor brings the squared error's gradient near to that of Charbonnier's loss.
        return 30 * difference.mean() if squared else (difference + 1e-6).sqrt().mean()

    guess, remembered = module.forward_and_remember(lr)
    members = [part for step in module.network.steps if isinstance(step, WeightedSum) for part in step.parts]
    if not members:
        return error(guess)
    each = torch.stack([error(remembered[part]) for part in members]).mean()
    return supervision * each + (1 - supervision) * error(guess)


def make_optimizer(config: TrainConfig, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    """SOAP, or Adam.

    Raises:
        MissingExtra: SOAP's library is not installed.
    """
    if config.optimizer == "adam":
        return torch.optim.Adam(parameters, config.learning_rate, betas=(0.9, 0.99), fused=True)
    try:
        from pytorch_optimizer import SOAP
    except ImportError as error:
        raise MissingExtra("training with SOAP needs pytorch-optimizer: pip install 'subpixel[torch]'") from error
    return SOAP(parameters, config.learning_rate, betas=(0.95, 0.95), weight_decay=0.0, precondition_frequency=10)
