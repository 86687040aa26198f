"""Training networks of the zoo (extra: torch). `train` is imported from `subpixel.train.loop`."""

from subpixel.train.config import TrainConfig

__all__ = ["TrainConfig"]
