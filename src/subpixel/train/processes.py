"""The processes that train one network together, a device each: each takes its part of a batch, gradients are averaged.

Lightning Fabric starts them and carries the numbers between them; a single device needs neither.
"""

import logging
from typing import TYPE_CHECKING

import torch
from numpy.typing import NDArray

from subpixel.errors import MissingExtra, UsageError
from subpixel.train.config import TrainConfig

if TYPE_CHECKING:
    import numpy as np
    from lightning_fabric import Fabric


class Processes:
    """This process among those of a run.

    Attributes:
        device: where this one computes.
        rank: its number, 0 for the one that writes and reports.
        count: how many there are.
    """

    def __init__(self, device: torch.device, fabric: "Fabric | None" = None) -> None:
        self.device, self._fabric = device, fabric
        self.rank = fabric.global_rank if fabric is not None else 0
        self.count = fabric.world_size if fabric is not None else 1

    def part(self, batch: "NDArray[np.float32]") -> torch.Tensor:
        """This process's share of a batch [N, ...], on its device; N is a multiple of `count`."""
        size = len(batch) // self.count
        return torch.from_numpy(batch[self.rank * size : (self.rank + 1) * size]).to(self.device)

    def average(self, loss: torch.Tensor, parameters: list[torch.nn.Parameter]) -> float:
        """Replace gradients by their mean over the processes; returns the mean loss, the same in all of them."""
        if self._fabric is None:
            return float(loss.item())
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([loss.detach().reshape(1), *(gradient.reshape(-1) for gradient in gradients)])
        mean = self._fabric.all_reduce(flat, reduce_op="mean")
        assert isinstance(mean, torch.Tensor)
        done = 1
        for gradient in gradients:
            gradient.copy_(mean[done : done + gradient.numel()].view_as(gradient))
            done += gradient.numel()
        return float(mean[0].item())


def processes(config: TrainConfig) -> Processes:
    """The device of a run, or the processes of its several: every one but the first is started here.

    Raises:
        UsageError: a GPU, or as many, that are not here.
        MissingExtra: several devices without Lightning Fabric.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    kind = ("cuda" if gpus else "cpu") if config.device == "auto" else config.device
    if kind == "cuda" and not gpus:
        raise UsageError("PyTorch finds no GPU here: leave the device at auto, or take cpu")
    if config.devices == 1:
        return Processes(torch.device(kind))
    if kind == "cuda" and config.devices > gpus:
        raise UsageError(f"there are {gpus} GPUs here, not {config.devices}: ask for as many as there are")
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise MissingExtra("several devices need Lightning Fabric: pip install 'subpixel[devices]'") from error
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it tells every process's number
    fabric = Fabric(accelerator=kind, devices=config.devices, strategy="ddp")
    fabric.launch()
    return Processes(fabric.device, fabric)
