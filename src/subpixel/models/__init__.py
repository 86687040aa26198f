"""The zoo: networks as plain data, their weights, and the graphs made from them."""

from subpixel.models.network import Network
from subpixel.models.table import table, table_of
from subpixel.models.trained import TrainedNetwork, load, read_weights
from subpixel.models.zoo import ZOO, ModelDescriptor, build, describe

__all__ = [
    "ZOO",
    "ModelDescriptor",
    "Network",
    "TrainedNetwork",
    "build",
    "describe",
    "load",
    "read_weights",
    "table",
    "table_of",
]
