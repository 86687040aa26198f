"""A network together with its weights and their story."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from subpixel.errors import InputError, UsageError
from subpixel.models.files import Weights, read_tensors
from subpixel.models.header import check_header
from subpixel.models.network import Network
from subpixel.models.zoo import MAX_SCALE, ZOO, build, describe

if TYPE_CHECKING:
    import onnx

    from subpixel.models.int8 import Ranges

WEIGHTS = Path(__file__).parent / "weights"
# What a precision may cost in dB, on every set that the header has figures of, to be taken by `auto`.
MAY_COST = {"bf16": 0.05, "int8": 0.1}


@dataclass(frozen=True)
class TrainedNetwork:
    """What `load` and `read_weights` give.

    Attributes:
        network: its steps.
        weights: float32 arrays by name.
        header: the story: recipe, training pictures with licences, date, figures with their protocol.
    """

    network: Network
    weights: Weights
    header: dict[str, Any]

    @property
    def name(self) -> str:
        return self.network.name

    @property
    def scale(self) -> int:
        return self.network.scale

    @property
    def close_precisions(self) -> tuple[str, ...]:
        """Those that cost next to nothing (`MAY_COST`) on every set that the header has figures of."""
        figures = self.header.get("figures") or []
        close = []
        for precision, may_cost in MAY_COST.items():
            key = f"{precision}_psnr"
            losses = [f["psnr"] - f[key] for f in figures if None not in (f["psnr"], f.get(key))]
            if figures and len(losses) == len(figures) and max(losses) < may_cost:
                close.append(precision)
        return tuple(close)

    @property
    def int8_ranges(self) -> "Ranges | None":
        """What calibration found of each convolution's input; None where there was none."""
        stated = self.header.get("int8")
        return None if stated is None else {name: (least, most) for name, (least, most) in stated["ranges"].items()}

    def to_onnx(self) -> "onnx.ModelProto":
        """The ONNX graph: float32 "lr" [N, 1, H, W] to "hr" [N, 1, rH, rW], Y / 255, the story inside."""
        return self._graph

    def to_int8(self) -> "onnx.ModelProto | None":
        """The same with its convolutions in eight bits; None where the weights were not calibrated."""
        from subpixel.models.int8 import int8_graph

        ranges = self.int8_ranges
        return None if ranges is None else int8_graph(self._graph, ranges)

    def to_int8_pairs(self, *, shuffled: bool = True) -> "onnx.ModelProto | None":
        """`to_int8` on pairs of pixels, the same integers for pictures of even width; None where nothing is gained.

        Args:
            shuffled: without it the graph ends before the last shuffle, with phases [N, 2r², H, W/2].
        """
        from subpixel.models.int8 import int8_graph
        from subpixel.models.pairs import gains_from_pairs, pair_graph

        ranges = self.int8_ranges
        if ranges is None or not gains_from_pairs(self.network):
            return None
        return int8_graph(pair_graph(self.network, self.weights, shuffled=shuffled), ranges)

    @cached_property
    def _graph(self) -> "onnx.ModelProto":
        from subpixel.models.onnx_graph import onnx_graph

        story = {key: json.dumps(value, ensure_ascii=False) for key, value in self.header.items()}
        return onnx_graph(self.network, self.weights, {"model": self.name, "scale": str(self.scale), **story})


def load(name: str, scale: int) -> TrainedNetwork:
    """A shipped network.

    Raises:
        UsageError: an unknown or weightless model, an impossible scale, or one without shipped weights.
        InputError: the package's own weight file is damaged.
    """
    build(name, scale)
    shipped = describe(name).shipped
    if scale not in shipped:
        scales = ", ".join(f"x{r}" for r in shipped)
        raise UsageError(
            f"{name} comes with weights for {scales or 'no scale'}, not x{scale}:"
            f" train them with `subpixel train FOLDER --model {name} --scale {scale}`"
        )
    return read_weights(WEIGHTS / f"{name}_x{scale}.safetensors")


def read_weights(path: str | Path) -> TrainedNetwork:
    """A network from a weight file: a shipped one or what `subpixel train` wrote.

    Raises:
        InputError: the file is missing, damaged, not a weight file, or of a network this version has not.
    """
    path = Path(path)
    tensors, header = read_tensors(path)
    stated = header.get("network")
    if not isinstance(stated, dict):
        raise InputError(f"{path} does not say which network its weights are for: train it anew")
    network = _network_of(path, stated)
    for name, shape in network.parameters().items():
        if name not in tensors or tensors[name].shape != shape or tensors[name].dtype != np.float32:
            raise InputError(f"{path} holds no float32 {name!r} of shape {shape}: the file is damaged")
        if not np.isfinite(tensors[name]).all():
            raise InputError(f"{path} holds values in {name!r} that are no numbers: train it anew")
    check_header(path, header)
    return TrainedNetwork(network, {name: tensors[name] for name in network.parameters()}, header)


def _network_of(path: Path, stated: dict[str, Any]) -> Network:
    """The zoo's network of that name and scale, if it is the one the header states step for step."""
    name, scale = stated.get("name"), stated.get("scale")
    known = isinstance(name, str) and name in ZOO and ZOO[name].build is not None
    if not known or not isinstance(scale, int) or not 2 <= scale <= MAX_SCALE:
        raise InputError(f"{path} is for a network {name!r} x{scale}, which this version of subpixel has not")
    network = build(str(name), scale)
    if json.loads(json.dumps(network.config())) != stated:
        raise InputError(f"{path} is for another form of {name} x{scale} than this version of subpixel has")
    return network
