"""One network on every runtime and in OpenCV, in turns: what `subpixel bench` does.

Everything computes the same luma from the same picture, with the same weights and the same number of threads.
"""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import InputError, SubpixelError
from subpixel.models import TrainedNetwork, load
from subpixel.progress import track
from subpixel.runtime import open_session
from subpixel.runtime.cores import available_cores

Run = Callable[[], NDArray[Any]]


def bench(
    model: str = "espcn",
    scale: int = 3,
    *,
    size: tuple[int, int] = (640, 360),
    threads: int | None = None,
    rounds: int = 15,
) -> dict[str, Any]:
    """Time a network of the zoo in every way that this machine has.

    Args:
        model: a name of the zoo that has weights.
        scale: 2, 3, ...
        size: of the LR picture, width and height.
        threads: of every row; default: one for every physical core.
        rounds: each runs everything once; the figures are medians over them.

    Returns:
        model, scale, size, threads, rounds; rows (name, ms, ms_min, ms_max, ratio to the fastest, difference: the
        largest from onnxruntime's result in 8-bit steps), fastest first; missing (name, reason).

    Raises:
        UsageError, InputError: see `models.load`.
    """
    network = load(model, scale)
    threads = threads or available_cores()
    ways, missing = _ways(network, _luma(*size), threads)
    expected = ways["onnxruntime"]()
    results = {name: run() for name, run in ways.items()}  # warms up, too
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in track(range(rounds), "measuring", unit="rounds"):
        for name, run in ways.items():
            start = perf_counter()
            run()
            times[name].append(1e3 * (perf_counter() - start))
    fastest = min(median(values) for values in times.values())
    rows = [
        {
            "name": name,
            "ms": round(median(values), 2),
            "ms_min": round(min(values), 2),
            "ms_max": round(max(values), 2),
            "ratio": round(median(values) / fastest, 2),
            "difference": round(float(np.abs(results[name] - expected).max()), 3),
        }
        for name, values in times.items()
    ]
    return {
        "model": model,
        "scale": scale,
        "size": list(size),
        "threads": threads,
        "rounds": rounds,
        "rows": sorted(rows, key=lambda row: row["ms"]),
        "missing": missing,
    }


def _luma(width: int, height: int) -> NDArray[np.uint8]:
    """Waves and a little noise, far from black and white: no way has to clip what it gives."""
    rows, columns = np.mgrid[:height, :width]
    waves = 127.5 + 50 * np.sin(rows / 9) * np.cos(columns / 13)
    noise = np.random.default_rng(0).normal(0, 5, (height, width))
    picture: NDArray[np.uint8] = np.clip(waves + noise, 0, 255).astype(np.uint8)
    return picture


def _ways(
    network: TrainedNetwork, picture: NDArray[np.uint8], threads: int
) -> tuple[dict[str, Run], list[dict[str, str]]]:
    """What can be run here, each giving luma in 0..255, and what cannot and why."""
    graph = network.to_onnx()
    x = (picture / np.float32(255)).astype(np.float32)[None, None]
    ways: dict[str, Run] = {}
    missing: list[dict[str, str]] = []
    settings = {"onnxruntime": ("onnxruntime", "f32"), "openvino": ("openvino", "f32")}
    settings |= {"openvino, bf16": ("openvino", "bf16"), "PyTorch": ("torch", "f32")}
    int8 = network.to_int8()
    if int8 is not None:
        settings["openvino, int8"] = ("openvino", "int8")
    for name, (runtime, precision) in settings.items():
        try:
            session = open_session(
                graph,
                runtime=runtime,
                threads=threads,
                precision=precision,
                int8=int8,
                int8_even=network.to_int8_pairs(),
            )
            ways[name] = lambda session=session: session.run(x)[0, 0] * 255  # type: ignore[misc]
        except SubpixelError as error:
            missing.append({"name": name, "reason": str(error)})
    for name, opener in (("OpenCV dnn", _opencv_dnn), ("OpenCV dnn_superres", _opencv_superres)):
        try:
            ways[name] = opener(network, picture, threads)
        except SubpixelError as error:
            missing.append({"name": name, "reason": str(error)})
    return ways, missing


def _opencv(threads: int, part: str) -> Any:
    if find_spec("cv2") is None:
        raise InputError("OpenCV is not installed: pip install 'subpixel[bench]'")
    import cv2

    if not hasattr(cv2, part):
        raise InputError(f"this OpenCV has no {part}: pip install 'subpixel[bench]'")
    cv2.setNumThreads(threads)
    return cv2


def _opencv_dnn(network: TrainedNetwork, picture: NDArray[np.uint8], threads: int) -> Run:
    """OpenCV's network module on our own ONNX graph: the network and nothing else, as the runtimes above."""
    cv2 = _opencv(threads, "dnn")
    try:
        net = cv2.dnn.readNetFromONNX(np.frombuffer(network.to_onnx().SerializeToString(), np.uint8))
    except cv2.error as error:
        raise InputError(f"OpenCV cannot read the network: {error.err}") from error
    x = (picture / np.float32(255)).astype(np.float32)[None, None]

    def run() -> NDArray[Any]:
        net.setInput(x)
        return np.asarray(net.forward()[0, 0] * 255)

    return run


def _opencv_superres(network: TrainedNetwork, picture: NDArray[np.uint8], threads: int) -> Run:
    """OpenCV's upscaler as its users call it, 8-bit grey in and out, on the same weights."""
    cv2 = _opencv(threads, "dnn_superres")
    from subpixel.bench.frozen_graph import frozen_graph

    content = frozen_graph(network)
    upscaler = cv2.dnn_superres.DnnSuperResImpl_create()
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{network.name}.pb"
        path.write_bytes(content)
        upscaler.readModel(str(path))
    upscaler.setModel("espcn", network.scale)  # one network from LR luma to HR luma, whichever it is
    return lambda: np.asarray(upscaler.upsample(picture), np.float32)
