"""Weights for a network that has none, to time it: its speed does not depend on what they are."""

from typing import TYPE_CHECKING

import numpy as np

from subpixel.models.network import Network

if TYPE_CHECKING:
    from subpixel.models.files import Weights


def random_weights(network: Network) -> "Weights":
    """The same normal ones every time, of a trained network's size: 1 / √(inputs of a sum), by name.

    Subnormal numbers, which slow a processor, do not arise.
    """
    rng = np.random.default_rng(0)
    shapes = network.parameters()
    fan = {name: max(1, int(np.prod(shape[1:]))) for name, shape in shapes.items()}
    return {n: (rng.standard_normal(s) / np.sqrt(fan[n])).astype(np.float32) for n, s in shapes.items()}
