"""The HR network in LR space (law A9), with weights that stay tied while it learns."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from subpixel.algebra import Op, PeriodicShuffle, Resize, compose, convolution, lift, reduce
from subpixel.models.module import NetworkModule
from subpixel.models.network import Activation, AddRemembered, Convolution, Interpolation, Network
from subpixel.train.initialise import initialise


class TiedModule(NetworkModule):
    """A network that enlarges by nearest neighbour first, computed at LR: r² times the maps, then one shuffle.

    Its parameters are the HR network's, drawn from `seed` as the HR network draws them; every LR kernel is made
    from them in `forward`, a linear map, so that gradients reach them.
    """

    def __init__(self, network: Network, seed: int) -> None:
        super().__init__(network)
        initialise(self, seed)
        r = network.scale
        layers = [step for step in network.steps if isinstance(step, Convolution)]
        self.low: dict[str, int] = {}
        for index, layer in enumerate(layers):
            first = lift(PeriodicShuffle(1, (r, r)) if index else Resize(1, (r, r), "nearest"))
            table, self.low[layer.name] = lifted_taps(layer.kernel, first)
            self.register_buffer(f"{layer.name}_table", torch.from_numpy(table))

    def lifted(self, name: str) -> tuple[Tensor, Tensor]:
        """A layer's LR weight [O·r², C or C·r², M, M] and bias [O·r²]."""
        weight, table = self.weight(f"{name}.weight"), getattr(self, f"{name}_table")
        O, C = weight.shape[:2]
        kernel = torch.einsum("ock,kpsmn->opcsmn", weight.reshape(O, C, -1), table)
        P, S, M = table.shape[1], table.shape[2], table.shape[3]
        return kernel.reshape(O * P, C * S, M, M), self.weight(f"{name}.bias").repeat_interleave(P)

    def forward_and_remember(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """As the HR network's."""
        picture = x
        for step in self.network.steps:
            match step:
                case Convolution(name=name):
                    weight, bias = self.lifted(name)
                    before, after = -self.low[name], weight.shape[-1] - 1 + self.low[name]
                    x = F.conv2d(F.pad(x, [before, after] * 2), weight, bias)
                case Activation(name=name):
                    x = F.prelu(x, self.weight(f"{name}.slope"))
                case AddRemembered():
                    (skip,) = (step for step in self.network.steps if isinstance(step, Interpolation))
                    alone = NetworkModule(Network("skip", self.network.scale, (skip,)))
                    x = F.pixel_shuffle(x, self.network.scale) + alone(picture)
        return x, {}


def lifted_taps(K: int, first: Op) -> tuple[np.ndarray, int]:
    """What each of K × K taps at HR becomes behind `first`, a shuffle or a resize of one map, as LR taps.

    Shape: `K² P S M M`, P phases that come out, S maps that `first` takes. Returns the table and where tap 0 reads.
    """
    one_hot = np.eye(K * K, dtype=np.float32).reshape(K * K, 1, K, K)
    op = reduce(compose(lift(convolution(one_hot, padding=K // 2)), first))
    if not isinstance(op, Op) or len(set(op.low)) > 1:
        raise ValueError("the lifted layer has border cells: it is no single LR convolution")
    kernel = np.asarray(op.kernel)  # K² r r S M M
    return np.ascontiguousarray(kernel.reshape(K * K, -1, *kernel.shape[3:]), np.float32), op.low[0]
