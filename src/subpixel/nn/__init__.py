"""PyTorch layers: the three forms of one layer, periodic shuffling, ICNR and the checkerboard index.

    y = ConvTranspose2d(64, 3, 4, stride=2, padding=1)(x)      # a drop-in for torch.nn.ConvTranspose2d
    layer.to_lr(), layer.to_subpixel(), layer.to_transposed()  # the same function in another form

After Shi et al. 2016 (arXiv 1609.07009). docs/layers.md shows how to use them.
"""

from subpixel.errors import MissingExtra

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise MissingExtra("subpixel.nn needs PyTorch, which is not installed: pip install 'subpixel[torch]'") from None

from subpixel.nn.checkerboard import checkerboard_index, to_op
from subpixel.nn.icnr import icnr_
from subpixel.nn.lr import LRConv1d, LRConv2d, LRConv3d
from subpixel.nn.shuffle import PeriodicShuffle, PeriodicUnshuffle, periodic_shuffle, periodic_unshuffle
from subpixel.nn.transposed import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from subpixel.nn.zero_insertion import SubpixelConv1d, SubpixelConv2d, SubpixelConv3d

__all__ = [
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "LRConv1d",
    "LRConv2d",
    "LRConv3d",
    "PeriodicShuffle",
    "PeriodicUnshuffle",
    "SubpixelConv1d",
    "SubpixelConv2d",
    "SubpixelConv3d",
    "checkerboard_index",
    "icnr_",
    "periodic_shuffle",
    "periodic_unshuffle",
    "to_op",
]
