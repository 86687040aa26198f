"""Widths at which a family takes as long as the network that sets the budget, found by measuring in turns.

A runtime computes channels in blocks, so time rises in steps: the widest network that is no slower is taken, and
the ratio that was measured stands beside it.
"""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from subpixel.models.network import Network
from subpixel.models.onnx_graph import onnx_graph
from subpixel.progress import Progress
from subpixel.runtime.session import Session, open_session
from subpixel.study.families import FAMILIES, LAYERS, build, widths_of
from subpixel.study.results import Line, ResultFile, circumstances

FILE = "equal_time.jsonl"
RUNTIMES = ("onnxruntime", "openvino")
SLACK = 1.03
"""How much of the budget's time a network may take: what the medians of a few rounds can tell apart."""
WIDEST = 96
CONFIRMED = 25
"""Rounds, at least, of the measurement that is stored."""


def ratios(
    networks: Sequence[Network], runtime: str, *, size: tuple[int, int], threads: int, rounds: int
) -> tuple[list[float], float]:
    """How long each network takes in units of the first's time, and that in milliseconds.

    All run once a round, and the ratio is the median over rounds, so that load falls on all alike.
    """
    sessions = [_session(network, runtime, threads) for network in networks]
    x = np.random.default_rng(0).random((1, 1, size[1], size[0]), np.float32)
    times: list[list[float]] = []
    for index in range(rounds + 1):
        once = []
        for session in sessions:
            start = perf_counter()
            session.run(x)
            once.append(perf_counter() - start)
        if index:  # the first warms up
            times.append(once)
    found = [median(once[at] / once[0] for once in times) for at in range(len(networks))]
    return found, 1e3 * median(once[0] for once in times)


def _session(network: Network, runtime: str, threads: int) -> Session:
    rng = np.random.default_rng(0)
    weights = {
        name: (0.1 * rng.standard_normal(shape)).astype(np.float32) for name, shape in network.parameters().items()
    }
    return open_session(onnx_graph(network, weights), runtime=runtime, threads=threads, precision="f32")


def widest_as_fast(
    family: str, reference: Network, runtime: str, *, size: tuple[int, int], threads: int, rounds: int
) -> tuple[Network, float]:
    """The widest network of a family that is no slower than `reference`, and the ratio of their times.

    By halving, from the widths 1 to `WIDEST`; every step is measured anew beside the reference.
    """

    def measured(width: int) -> tuple[Network, float]:
        network = build(family, reference.scale, (width,) * (LAYERS - 1))
        found, _ = ratios([reference, network], runtime, size=size, threads=threads, rounds=rounds)
        return network, found[1]

    low, best = 1, measured(1)  # of what is too slow at any width, the narrowest stands with its ratio
    high = 2
    while high <= WIDEST:
        tried = measured(high)
        if tried[1] > SLACK:
            break
        low, best, high = high, tried, 2 * high
    high = min(high, WIDEST + 1)
    while high - low > 1:
        middle = (low + high) // 2
        tried = measured(middle)
        if tried[1] <= SLACK:
            low, best = middle, tried
        else:
            high = middle
    return best


def search(
    output: Path,
    scales: Sequence[int],
    maps: Sequence[int],
    *,
    size: tuple[int, int] = (320, 180),
    threads: int = 1,
    rounds: int = 7,
) -> ResultFile:
    """Find what `output`/equal_time.jsonl lacks: a network of every family for every runtime, scale and budget.

    Raises:
        InputError: the file is no result file.
    """
    from subpixel.runtime.session import installed

    results = ResultFile(output / FILE, needs=("widths", "ms", "ratio"))
    wanted = [
        (scale, runtime, budget, family)
        for scale in scales
        for runtime in RUNTIMES
        if installed(runtime)
        for budget in maps
        for family in FAMILIES
        if key_of(scale, runtime, budget, family) not in results
    ]
    with Progress("study: widths of equal time", len(wanted), unit="networks") as progress:
        for scale, runtime, budget, family in wanted:
            reference = build("nearest-first", scale, (budget,) * (LAYERS - 1))
            confirmed = max(rounds, CONFIRMED)
            if family == "nearest-first":
                _, ms = ratios([reference], runtime, size=size, threads=threads, rounds=confirmed)
                network, ratio = reference, 1.0
            else:
                network, _ = widest_as_fast(family, reference, runtime, size=size, threads=threads, rounds=rounds)
                # Anew with more rounds, since the search has picked what chance favoured. Milliseconds of two sessions
                # cannot be compared: the budget's, times the ratio of networks run in turns, can.
                (_, ratio), _ = ratios([reference, network], runtime, size=size, threads=threads, rounds=confirmed)
                ms = ratio * results.lines[key_of(scale, runtime, budget, "nearest-first")]["ms"]
            results.add(_line(network, scale, runtime, budget, family, ratio, ms, size, threads))
            progress.advance()
    return results


def key_of(scale: int, runtime: str, budget: int, family: str) -> str:
    """The key of a line of equal_time.jsonl."""
    return f"x{scale}/{runtime}/{budget}maps/{family}"


def _line(
    network: Network,
    scale: int,
    runtime: str,
    budget: int,
    family: str,
    ratio: float,
    ms: float,
    size: tuple[int, int],
    threads: int,
) -> Line:
    return {
        "key": key_of(scale, runtime, budget, family),
        "scale": scale,
        "runtime": runtime,
        "budget": budget,
        "family": family,
        "widths": list(widths_of(network)),
        "macs_per_lr_pixel": network.macs_per_lr_pixel,
        "ratio": round(ratio, 3),
        "ms": round(ms, 3),
        "size": list(size),
        "threads": threads,
        **circumstances(),
    }
