"""`subpixel study speed`: what the three forms of one layer cost, on each runtime and in training.

All forms compute the same function; that they do is checked before they are timed. Beside them stands the papers'
rival, nearest neighbour and then a convolution of as many taps at HR, which is another function.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.progress import Progress
from subpixel.study.alone import writes_alone
from subpixel.study.lines import Line
from subpixel.study.results import ResultFile, circumstances, processor
from subpixel.study.resuming import refuse_others
from subpixel.study.values import Needs, is_count, is_text, is_times

FILE = "speed.jsonl"
NEEDS: Needs = {
    "runtime": is_text,
    "pass": is_text,
    "stride": is_count,
    "ms": is_times,
    "threads": is_count,
    "rounds": is_count,
}
"""What a line must have to go on from it."""

FORMS = {"transposed": "transposed", "zero-insertion": "zero insertion", "lr-shuffle": "shuffle"}
"""The three forms, and what the algebra calls their spellings."""
RIVAL = "upscale-convolve"

PLACES = (("onnxruntime", "forward"), ("openvino", "forward"), ("torch", "forward"), ("torch", "training"))
"""(runtime, pass)."""

ROUNDS, QUICK_ROUNDS = 7, 3

MOST_MACS = 4e9
"""Layers of which zero insertion multiplies more are left out."""
LEAST_SECONDS = 2e-3
"""A form that is faster runs several times for one measurement."""
RNG_SEED = 0

Run = Callable[[], Any]


@dataclass(frozen=True)
class Point:
    """One layer: a transposed convolution of K × K taps and what is equal to it.

    Attributes:
        kernel, stride: K and s; the output has s times the input's size.
        inputs, outputs: maps.
        size: width and height of the input.
    """

    kernel: int
    stride: int
    inputs: int
    outputs: int
    size: tuple[int, int]

    @property
    def padding(self) -> tuple[int, int]:
        """Of the transposed convolution, at the start, and its output padding: s·(L-1) + K - 2p + a = s·L."""
        p = (self.kernel - self.stride + 1) // 2
        return p, 2 * p - (self.kernel - self.stride)

    def macs(self, form: str) -> int:
        """Multiplications, zeros and padding counted as data."""
        pixels = self.size[0] * self.size[1]
        times = self.stride**2 if form in ("zero-insertion", RIVAL) else 1
        return pixels * self.inputs * self.outputs * self.kernel**2 * times

    def key(self, runtime: str, what: str, threads: int) -> str:
        layer = f"k{self.kernel}s{self.stride}/{self.inputs}-{self.outputs}maps/{self.size[0]}x{self.size[1]}"
        return f"{runtime}/{what}/{layer}/{threads}threads"


KERNELS = (*((m * s, s) for s in (2, 3, 4) for m in (1, 2, 3)), (3, 2), (5, 2))
"""(K, s): multiples of the stride, and the odd kernels of generators and decoders."""
QUICK_KERNELS = ((6, 2), (9, 3), (12, 4))
CHANNELS = ((32, 1), (64, 3), (16, 16), (64, 32))
SIZES = ((32, 32), (96, 96))


def grid(quick: bool = False) -> list[Point]:
    """Every layer that is timed: those of which no form multiplies more than `MOST_MACS`."""
    kernels, channels, sizes = (QUICK_KERNELS, CHANNELS[:2], SIZES[:1]) if quick else (KERNELS, CHANNELS, SIZES)
    points = [Point(K, s, C, O, size) for (K, s), (C, O), size in product(kernels, channels, sizes)]
    return [point for point in points if point.macs("zero-insertion") <= MOST_MACS]


@writes_alone
def study_speed(
    output: Path,
    *,
    points: Sequence[Point] | None = None,
    places: Sequence[tuple[str, str]] = PLACES,
    threads: int = 1,
    rounds: int = ROUNDS,
    shown: Callable[[str], None] = lambda line: None,
) -> list[Line]:
    """Time what `output`/speed.jsonl lacks; runtimes that are not installed are left out.

    Args:
        points: default: the full grid.
        places: runtimes and passes.
        rounds: each runs every form once; the figures are medians over them.

    Raises:
        InputError: the file is no result file, or holds medians over another number of rounds; it holds times of
            another processor and lacks some.
    """
    from subpixel.runtime.session import installed

    results = ResultFile(output / FILE, lambda line: NEEDS)
    refuse_others(results, {"rounds": rounds}, results.path)
    missing = [
        (point, runtime, what)
        for point in (grid() if points is None else points)
        for runtime, what in places
        if point.key(runtime, what, threads) not in results and installed(runtime)
    ]
    if missing:
        refuse_others(results, {"processor": processor()}, results.path)
    with Progress("study speed", len(missing), unit="layers") as progress:
        for point, runtime, what in missing:
            ms = timed(ready(point, runtime, what, threads), rounds)
            line = {
                "key": point.key(runtime, what, threads),
                "runtime": runtime,
                "pass": what,
                "kernel": point.kernel,
                "stride": point.stride,
                "inputs": point.inputs,
                "outputs": point.outputs,
                "size": list(point.size),
                "threads": threads,
                "rounds": rounds,
                "ms": ms,
                "fastest": min(FORMS, key=lambda form: ms[form]),
                **circumstances(),
            }
            results.add(line)
            progress.advance()
    shown(f"{len(missing)} layers timed")
    return list(results)


def timed(runs: dict[str, Run], rounds: int) -> dict[str, float]:
    """Median milliseconds of each, in turns."""
    repeats: dict[str, int] = {}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for name, run in runs.items():
        run()
        start = perf_counter()
        run()
        repeats[name] = max(1, round(LEAST_SECONDS / max(1e-6, perf_counter() - start)))
    for _ in range(rounds):
        for name, run in runs.items():
            start = perf_counter()
            for _ in range(repeats[name]):
                run()
            times[name].append(1e3 * (perf_counter() - start) / repeats[name])
    return {name: round(median(values), 4) for name, values in times.items()}


def ready(point: Point, runtime: str, what: str, threads: int) -> dict[str, Run]:
    """The forms of a layer and the rival, ready to run; the forms are checked to be equal.

    Raises:
        AssertionError: two forms give different numbers.
    """
    rng = np.random.default_rng(RNG_SEED)
    scale = 1 / (point.kernel * point.inputs**0.5)
    weight = (scale * rng.standard_normal((point.inputs, point.outputs, point.kernel, point.kernel))).astype(np.float32)
    bias = rng.standard_normal(point.outputs).astype(np.float32)
    x = rng.standard_normal((1, point.inputs, point.size[1], point.size[0])).astype(np.float32)
    if runtime == "torch":
        from subpixel.study.learning.layers import torch_runs

        runs = torch_runs(point, weight, bias, x, training=what == "training", threads=threads)
    else:
        runs = _onnx_runs(point, weight, bias, x, runtime, threads)
    expected = runs["transposed"]()
    for form in FORMS:
        y = runs[form]()
        assert y.shape == expected.shape, f"{form} gives another size"
        assert np.abs(y - expected).max() < 1e-3, f"{form} computes something else"
    return runs


def _onnx_runs(
    point: Point,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    x: NDArray[np.float32],
    runtime: str,
    threads: int,
) -> dict[str, Run]:
    from subpixel.runtime.session import open_session
    from subpixel.study.layer_graphs import onnx_layer

    runs: dict[str, Run] = {}
    for form in (*FORMS, RIVAL):
        session = open_session(onnx_layer(point, weight, bias, form), runtime=runtime, threads=threads, precision="f32")
        runs[form] = lambda session=session: session.run(x)  # type: ignore[misc]
    return runs
