"""What a weight file needs for eight bits: maps of equal range, and the range of every convolution's input.

Training does it at its end; `python -m subpixel.train.calibrate FOLDER LIST WEIGHTS.safetensors...` for weights that
are there, on the pictures that LIST names.
"""

import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import UsageError, in_one_sentence
from subpixel.models.files import Weights, read_tensors, write_tensors
from subpixel.models.network import Convolution, Network
from subpixel.models.onnx_graph import onnx_graph
from subpixel.models.stack import is_stack
from subpixel.models.trained import read_weights
from subpixel.train.config import TrainConfig
from subpixel.train.patches import Pair
from subpixel.train.pictures import read_training_set

if TYPE_CHECKING:
    import onnx

PERCENTILE = 99.997  # of an input's values that lie inside its range; the rest is clipped
_CROP, _PICTURES = 192, 48  # LR pixels a side at most, and how many pictures: 1.8 million values a map
_BINS = 4096  # of a histogram


def calibrated(network: Network, weights: Weights, pictures: Sequence[Pair]) -> tuple[Weights, dict[str, Any] | None]:
    """The weights with maps of equal range, which compute the same, and what goes into the header.

    Its keys: ranges, method, pictures. The weights as they were and None where the network is no plain stack of
    convolutions at LR.

    Args:
        network: its steps.
        weights: by name.
        pictures: to look at, each once and 48 of them at most, spread over the set; never those of an evaluation.
    """
    if not is_stack(network):
        return weights, None
    whole: dict[str, Pair] = {}  # each picture once, at the largest of its sizes
    for pair in sorted(pictures, key=lambda pair: -pair.lr.size):
        whole.setdefault(pair.picture or pair.name, pair)
    side = min(_CROP, int(np.median([min(pair.lr.shape) for pair in whole.values()])))
    wide = [whole[name] for name in sorted(whole) if min(whole[name].lr.shape) >= side]
    spread = range(len(wide)) if len(wide) <= _PICTURES else np.linspace(0, len(wide) - 1, _PICTURES).astype(int)
    crops = [_crop(wide[index].lr, side) for index in spread]
    equal = equalised(network, weights, _largest(network, weights, crops))
    ranges = _ranges(onnx_graph(network, equal), crops)
    # The first one stays in f32: with one map to read it gains no time, and luma is finer than bytes.
    names = [step.name for step in network.steps if isinstance(step, Convolution)][1:]
    return equal, {
        "ranges": {name: list(ranges[name]) for name in names},
        "method": f"percentile {PERCENTILE}, as onnxruntime.quantization finds it",
        "pictures": len(crops),
    }


def equalised(network: Network, weights: Weights, largest: dict[str, NDArray[np.float32]]) -> Weights:
    """The same function with maps of about equal range between the layers.

    What lies between two convolutions is homogeneous, f(s·x) = s·f(x) for s > 0, so a map may be divided by s where it
    is made and multiplied where it is read (Nagel et al. 2019, arXiv 1906.04721, section 4.1). s is the root of the
    map's largest value over the largest weight that reads it; powers of two, so that no bit of f32 changes.

    Args:
        network: a plain stack.
        weights: by name.
        largest: by a convolution's name, the largest magnitude of each map [I] that comes into it.
    """
    result = {name: np.array(value, np.float32) for name, value in weights.items()}
    layers = [step.name for step in network.steps if isinstance(step, Convolution)]
    for made, read in pairwise(layers):
        reads = np.abs(result[f"{read}.weight"]).max((0, 2, 3))
        with np.errstate(divide="ignore", invalid="ignore"):
            power = np.log2(largest[read] / reads) / 2
        power = np.where(np.isfinite(power), power, 0.0)
        s = np.exp2(np.round(power - power.mean())).astype(np.float32)
        result[f"{made}.weight"] /= s[:, None, None, None]
        result[f"{made}.bias"] /= s
        result[f"{read}.weight"] *= s[:, None, None]
    return result


def _crop(lr: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """The middle of a picture as the network takes it, [1, 1, side, side]."""
    top, left = ((length - side) // 2 for length in lr.shape)
    return np.ascontiguousarray(lr[None, None, top : top + side, left : left + side])


def _inputs(graph: "onnx.ModelProto") -> dict[str, str]:
    """By a convolution's name, the tensor that comes into it."""
    return {node.input[1].removesuffix(".weight"): node.input[0] for node in graph.graph.node if node.op_type == "Conv"}


def _maps(
    graph: "onnx.ModelProto", crops: Sequence[NDArray[np.float32]], *, as_written: bool = False
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """What comes into every convolution but the first, [C, side, side] by its name: one crop at a time, for the maps of
    all of them are gigabytes.

    Args:
        graph: the network.
        crops: each [1, 1, side, side].
        as_written: run the graph's nodes one by one, none fused, as onnxruntime's calibration does.
    """
    import onnxruntime
    from onnx import helper

    from subpixel.runtime.onnxruntime_options import session_options

    inner = {name: tensor for name, tensor in _inputs(graph).items() if tensor != graph.graph.input[0].name}
    watched = type(graph)()
    watched.CopyFrom(graph)
    watched.graph.output.extend(helper.make_empty_tensor_value_info(tensor) for tensor in inner.values())
    options = session_options(optimise=not as_written)
    session = onnxruntime.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    for crop in crops:
        found = session.run(list(inner.values()), {"lr": crop})
        yield {name: maps[0] for name, maps in zip(inner, found, strict=True)}


def _largest(
    network: Network, weights: Weights, crops: Sequence[NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """By a convolution's name, the 99.99th percentile of each map's magnitude, which a single pixel does not decide."""
    place = (sum(crop.size for crop in crops) - 1) * 0.9999
    above = sum(crop.size for crop in crops) - int(place)  # values a map that have to be kept
    top: dict[str, NDArray[np.float32]] = {}
    for maps in _maps(onnx_graph(network, weights), crops):
        for name, m in maps.items():
            values = np.abs(m.reshape(len(m), -1))
            if name in top:
                values = np.concatenate([top[name], values], 1)
            top[name] = np.sort(values, 1)[:, -above:]
    return {name: (m[:, 0] + (m[:, min(1, above - 1)] - m[:, 0]) * np.float32(place % 1)) for name, m in top.items()}


def _ranges(graph: "onnx.ModelProto", crops: Sequence[NDArray[np.float32]]) -> dict[str, tuple[float, float]]:
    """By a convolution's name, the range of what comes into it.

    It is what onnxruntime's percentile calibration finds, which holds the maps of all crops at once; here they are
    looked at twice, for the ends and for the histogram between them.
    """
    ends: dict[str, tuple[np.float32, np.float32]] = {}
    for maps in _maps(graph, crops, as_written=True):
        for name, m in maps.items():
            least, most = ends.get(name, (np.float32(np.inf), np.float32(-np.inf)))
            ends[name] = min(least, m.min()), max(most, m.max())
    counts = {name: np.zeros(_BINS, np.int64) for name in ends}
    edges: dict[str, NDArray[np.float32]] = {}
    for maps in _maps(graph, crops, as_written=True):
        for name, m in maps.items():
            # In f32, as the maps are: bins between ends in f64 lie elsewhere by a rounding.
            far: Any = np.float32(max(abs(ends[name][0]), abs(ends[name][1])))
            found, edges[name] = np.histogram(m, _BINS, range=(-far, far))
            counts[name] += found
    clipped = (100.0 - PERCENTILE) / 200.0
    ranges = {}
    for name, (least, most) in ends.items():
        part = np.cumsum(counts[name] / counts[name].sum())
        left, right = (edges[name][np.searchsorted(part, share)] for share in (clipped, 1.0 - clipped))
        ranges[name] = float(max(left, least)), float(min(right, most))
    return ranges


def write_ranges(path: Path, pictures: Sequence[Pair]) -> bool:
    """Calibrate a weight file on pictures; whether its network is one that can be.

    The figures in int8 are of the ranges that were there: they are taken out, and `write_figures` makes them anew.

    Raises:
        InputError: no weight file of ours.
    """
    trained = read_weights(path)
    weights, found = calibrated(trained.network, trained.weights, pictures)
    if found is None:
        return False
    _, header = read_tensors(path)
    figures = [{k: v for k, v in figure.items() if k != "int8_psnr"} for figure in header.get("figures") or []]
    write_tensors(path, dict(weights), header | {"int8": found, "figures": figures})
    return True


def main(arguments: Sequence[str]) -> None:
    """Calibrate the weight files that are named, and say so.

    Raises:
        UsageError: too few arguments.
        InputError: a file or folder that cannot be read for what it should be.
    """
    if len(arguments) < 3:
        raise UsageError("usage: python -m subpixel.train.calibrate FOLDER LIST WEIGHTS.safetensors...")
    folder, names, *files = map(Path, arguments)
    for file in files:
        trained = read_weights(file)
        config = TrainConfig((folder,), file, trained.scale, trained.name, pictures=names)
        done = write_ranges(file, read_training_set(config).learn)
        print(f"{file} calibrated; its figures in int8 are to be made anew" if done else f"{file} cannot be calibrated")


if __name__ == "__main__":
    with in_one_sentence(2):
        main(sys.argv[1:])
