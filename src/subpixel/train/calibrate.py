"""What a weight file needs for eight bits: maps of equal range, and the range of every convolution's input.

Training does it at its end; `python -m subpixel.train.calibrate FOLDER LIST WEIGHTS.safetensors...` for weights that
are there, on the pictures that LIST names.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from subpixel.models.files import Weights, read_tensors, write_tensors
from subpixel.models.network import Activation, AddRemembered, Convolution, Network, PeriodicShuffle, Remember
from subpixel.models.onnx_graph import onnx_graph
from subpixel.models.trained import read_weights
from subpixel.train.config import TrainConfig
from subpixel.train.patches import Pair
from subpixel.train.pictures import read_training_set

if TYPE_CHECKING:
    import onnx

PERCENTILE = 99.997  # of an input's values that lie inside its range; the rest is clipped
_CROP, _PICTURES = 192, 48  # LR pixels a side at most, and how many pictures: 1.8 million values a map


def calibrated(network: Network, weights: Weights, pictures: Sequence[Pair]) -> tuple[Weights, dict[str, Any] | None]:
    """The weights with maps of equal range, which compute the same, and what goes into the header.

    Its keys: ranges, method, pictures. The weights as they were and None where the network is no plain stack of
    convolutions at LR.

    Args:
        network: its steps.
        weights: by name.
        pictures: to look at, never those of an evaluation.
    """
    if not _is_stack(network):
        return weights, None
    side = min(_CROP, int(np.median([min(pair.lr.shape) for pair in pictures])))
    crops = [_crop(pair.lr, side) for pair in pictures if min(pair.lr.shape) >= side][:_PICTURES]
    equal = equalised(network, weights, _largest(network, weights, crops))
    ranges = _ranges(onnx_graph(network, equal), crops)
    # The first one stays in f32: with one map to read it gains no time, and luma is finer than bytes.
    names = [step.name for step in network.steps if isinstance(step, Convolution)][1:]
    return equal, {
        "ranges": {name: list(ranges[name]) for name in names},
        "method": f"onnxruntime.quantization, percentile {PERCENTILE}",
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


def _is_stack(network: Network) -> bool:
    """Convolutions with ReLU or PReLU between, a skip over all and a shuffle at most."""
    kinds = (Convolution, Activation, Remember, AddRemembered, PeriodicShuffle)
    layers = [step for step in network.steps if isinstance(step, Convolution)]
    names = [step.name for step in layers]
    return (
        all(isinstance(step, kinds) for step in network.steps)
        and all(step.kind in ("relu", "prelu") for step in network.steps if isinstance(step, Activation))
        and len(set(names)) == len(names)
        and _adds_only_at_the_end(network)
    )


def _adds_only_at_the_end(network: Network) -> bool:
    steps = network.steps
    last = max((index for index, step in enumerate(steps) if isinstance(step, Convolution)), default=0)
    inside = steps[1:last] if isinstance(steps[0], Remember) else steps[:last]
    return not any(isinstance(step, Remember | AddRemembered | PeriodicShuffle) for step in inside)


def _crop(lr: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """The middle of a picture as the network takes it, [1, 1, side, side]."""
    top, left = ((length - side) // 2 for length in lr.shape)
    return np.ascontiguousarray(lr[None, None, top : top + side, left : left + side])


def _inputs(graph: "onnx.ModelProto") -> dict[str, str]:
    """By a convolution's name, the tensor that comes into it."""
    return {node.input[1].removesuffix(".weight"): node.input[0] for node in graph.graph.node if node.op_type == "Conv"}


def _largest(
    network: Network, weights: Weights, crops: Sequence[NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """By a convolution's name, the 99.99th percentile of each map's magnitude, which a single pixel does not decide."""
    import onnxruntime
    from onnx import helper

    from subpixel.runtime.onnxruntime_options import session_options

    graph = onnx_graph(network, weights)
    inputs = _inputs(graph)
    inner = {name: tensor for name, tensor in inputs.items() if tensor != graph.graph.input[0].name}
    graph.graph.output.extend(helper.make_empty_tensor_value_info(tensor) for tensor in inner.values())
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), session_options(), providers=["CPUExecutionProvider"]
    )
    found = [session.run(list(inner.values()), {"lr": crop}) for crop in crops]
    maps = {name: np.stack([each[index][0] for each in found], 1) for index, name in enumerate(inner)}
    largest = {name: np.quantile(np.abs(m.reshape(len(m), -1)), 0.9999, axis=1) for name, m in maps.items()}
    return {name: value.astype(np.float32) for name, value in largest.items()}


def _ranges(graph: "onnx.ModelProto", crops: Sequence[NDArray[np.float32]]) -> dict[str, tuple[float, float]]:
    """By a convolution's name, the range of what comes into it, by onnxruntime's own calibration."""
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod
    from onnxruntime.quantization.calibrate import create_calibrator

    class Crops(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left: Iterator[NDArray[np.float32]] = iter(crops)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            crop = next(self.left, None)
            return None if crop is None else {"lr": crop}

    import onnx

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "graph.onnx"
        onnx.save(graph, file)
        calibrator = create_calibrator(
            file,
            ["Conv"],
            augmented_model_path=str(Path(folder) / "augmented.onnx"),
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"symmetric": False, "percentile": PERCENTILE, "num_bins": 4096},
        )
        with redirect_stdout(None):  # it reports how it counts
            calibrator.collect_data(Crops())
            found = calibrator.compute_data().data
    ends = {name: found[tensor].range_value for name, tensor in _inputs(graph).items()}
    return {name: (float(least.item()), float(most.item())) for name, (least, most) in ends.items()}


def write_ranges(path: Path, pictures: Sequence[Pair]) -> bool:
    """Calibrate a weight file on pictures; whether its network is one that can be. The figures have to be made anew.

    Raises:
        InputError: no weight file of ours.
    """
    trained = read_weights(path)
    weights, found = calibrated(trained.network, trained.weights, pictures)
    if found is None:
        return False
    _, header = read_tensors(path)
    write_tensors(path, dict(weights), header | {"int8": found})
    return True


if __name__ == "__main__":
    folder, names, *files = map(Path, sys.argv[1:])
    for file in files:
        trained = read_weights(file)
        config = TrainConfig((folder,), file, trained.scale, trained.name, pictures=names)
        print(file, "calibrated" if write_ranges(file, read_training_set(config).learn) else "cannot be calibrated")
