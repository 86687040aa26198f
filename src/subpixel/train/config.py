"""Every setting of a training run, in one frozen value."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from subpixel.errors import UsageError
from subpixel.upscaling.target import DEFAULT_MODEL


@dataclass(frozen=True)
class TrainConfig:
    """What a training run does. Two runs on the CPU with equal configs and pictures give equal weights.

    Args:
        folders: where the pictures are, searched with their subfolders.
        output: the weight file to write, `.safetensors`.
        scale: any integer from 2 to 64.
        model: a name of the zoo that has weights to train.
        pictures: a list file that restricts the folders to the names it gives, one relative path a line; what
            follows a tab is the picture's licence and goes into the weight file's header.
        held_out: relative paths kept for validation; none given, every 20th picture by name.
        figures: folders of benchmark pictures, evaluated once at the end for the header.
        steps: optimiser steps in all.
        batch: patches a step.
        patch: side of a patch in LR pixels.
        optimizer: soap (Vyas et al. 2024, arXiv 2409.11321) or adam. SOAP runs Adam in the eigenbasis of Shampoo's
            preconditioner, which for kernels this small costs a tenth of a step; docs/LOG.md has the comparison.
        learning_rate: the optimizer's at the peak; a cosine takes it to zero.
        warm_up: steps of linear warm-up.
        squared_from: fraction of the steps after which the squared error replaces Charbonnier's loss; 1 never.
        ema: decay of the running mean of the weights, which is what is saved.
        branches: beside each convolution, a 1x1 layer to so many times its maps and one back, merged into one kernel
            (law A12); 0 none.
        sizes: parts of its size at which every picture is learnt from; shrunk, soft originals are sharp.
        initial: a weight file of the same model at any scale to start from, or the checkpoint of a run; layers of
            another shape or stride start fresh.
        seed: of the initial weights and of every batch.
        device: where to run; auto takes the GPU when there is one.
        devices: how many GPUs, or processes on the CPU, share every batch; they give what one gives but for the
            rounding of sums.
        threads: of PyTorch on the CPU; None leaves its default.
        checkpoint_every: steps between checkpoints.
        resume: go on from the checkpoint of a run that was cut off; one that is finished is left as it is.
    """

    folders: tuple[Path, ...]
    output: Path
    scale: int
    model: str = DEFAULT_MODEL
    pictures: Path | None = None
    held_out: tuple[str, ...] = ()
    figures: tuple[Path, ...] = ()
    steps: int = 50_000
    batch: int = 16
    patch: int = 32
    optimizer: Literal["soap", "adam"] = "soap"
    learning_rate: float = 1e-2
    warm_up: int = 100
    squared_from: float = 0.9
    ema: float = 0.999
    branches: int = 0
    sizes: tuple[float, ...] = (1.0, 0.5, 0.25)
    initial: Path | None = None
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = 1
    threads: int | None = None
    checkpoint_every: int = 2_000
    resume: bool = False

    def __post_init__(self) -> None:
        if self.scale < 2:
            raise UsageError(f"a network can be trained for any integer scale from 2, not for {self.scale}")
        for name in ("steps", "batch", "patch", "checkpoint_every", "devices"):
            if getattr(self, name) < 1:
                raise UsageError(f"`{name}` (={getattr(self, name)}) must be at least 1")
        for name in ("seed", "warm_up", "branches"):
            if getattr(self, name) < 0:
                raise UsageError(f"`{name}` (={getattr(self, name)}) must not be negative")
        if not self.learning_rate > 0:
            raise UsageError(f"`learning_rate` (={self.learning_rate}) must be positive")
        for name in ("ema", "squared_from"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"`{name}` (={getattr(self, name)}) must lie in 0..1")
        parts = set(self.sizes)
        if not parts or len(parts) < len(self.sizes) or not all(0 < part <= 1 for part in parts):
            given = ", ".join(f"{size:g}" for size in self.sizes) or "none"
            raise UsageError(
                f"`sizes` (={given}; --size) must be different parts of a picture's size, above 0 and at most 1"
            )
        if self.batch % self.devices:
            raise UsageError(f"a batch of {self.batch} cannot be shared by {self.devices} devices: choose a multiple")
        if self.output.suffix != ".safetensors":
            raise UsageError(f"weights are written as .safetensors, so {self.output} needs that ending")
        if not self.folders:
            raise UsageError("no folder of training pictures was given")

    @property
    def checkpoint(self) -> Path:
        """Stands beside the output while the run lasts."""
        return self.output.with_suffix(".checkpoint.safetensors")

    def recipe(self) -> dict[str, object]:
        """The settings that decide the weights, as JSON values; a checkpoint of another recipe is refused."""
        elsewhere = {"folders", "output", "pictures", "figures", "device", "devices", "threads", "resume"}
        kept = {key: value for key, value in asdict(self).items() if key not in elsewhere}
        kept |= {"held_out": list(self.held_out), "sizes": list(self.sizes)}
        kept["initial"] = self.initial.name if self.initial else None
        del kept["checkpoint_every"]
        return kept
