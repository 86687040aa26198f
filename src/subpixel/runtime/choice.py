"""Which runtime, at which precision, is the fastest for a graph on this machine: measured once, then remembered."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import platformdirs

from subpixel.errors import InputError, SubpixelError, UsageError
from subpixel.runtime.onnx_file import graph_inputs
from subpixel.runtime.session import Session, installed, open_on

if TYPE_CHECKING:
    import onnx

# PyTorch takes a second to import and has been slower wherever it was measured: it runs only when named.
CANDIDATES = ("onnxruntime", "openvino")
_BUDGET = 1.2  # seconds of measuring, all candidates together
_SIZES = ((64, 64), (64, 128), (192, 320), (384, 640))  # multiples of 64, which U-Nets and the like ask for


def choose(
    graphs: Mapping[str, "onnx.ModelProto"], threads: int, runtimes: Sequence[str] = CANDIDATES
) -> tuple[str, str]:
    """Runtime and precision of the fastest of the installed ones that take a network.

    Args:
        graphs: the network's graph by precision.
        threads: of a run.
        runtimes: by name.

    Raises:
        InputError: none of them takes it; the message is the first one's.
        UsageError: a lower precision without OpenVINO.
    """
    # Another runtime than OpenVINO computes in f32 alone; what the processor lacks is refused when it is opened.
    every = [(name, precision) for precision in graphs for name in runtimes]
    candidates = [(name, p) for name, p in every if installed(name) and (p == "f32" or name == "openvino")]
    if not candidates and "f32" not in graphs:
        raise UsageError(
            f"precision {next(iter(graphs))} needs openvino, which is not installed: pip install openvino, "
            "or leave precision at f32"
        )
    if len(candidates) == 1:
        return candidates[0]
    question = {
        "processor": _processor(),
        "versions": {name: _version(name) for name in sorted({name for name, _ in candidates})},
        "threads": threads,
        "between runs": "at rest",  # answers from before onnxruntime's threads stopped with the run are no answers
        "candidates": candidates,
        "sizes": _SIZES,
        "graphs": {precision: _fingerprint(graph) for precision, graph in graphs.items()},
    }
    digest = sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()[:24]
    path = cache_folder() / "runtime" / f"{digest}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):  # no answer, or a damaged one: measure
        noted = json.loads(path.read_text())
        answer = (str(noted["runtime"]), str(noted["precision"]))
        if answer in candidates:
            return answer
    milliseconds = _measure(graphs, candidates, threads)
    answer = min(milliseconds, key=lambda candidate: milliseconds[candidate])
    with suppress(OSError):  # nowhere to remember it: measured again next time
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        times = {f"{name}, {precision}": time for (name, precision), time in milliseconds.items()}
        partial.write_text(
            json.dumps({"runtime": answer[0], "precision": answer[1], "ms": times, **question}, indent=1)
        )
        partial.replace(path)
    return answer


def cache_folder() -> Path:
    """Where measurements are kept: $SUBPIXEL_CACHE, else the user's cache folder."""
    return Path(os.environ.get("SUBPIXEL_CACHE") or platformdirs.user_cache_dir("subpixel", appauthor=False))


def _measure(
    graphs: Mapping[str, "onnx.ModelProto"], candidates: list[tuple[str, str]], threads: int
) -> dict[tuple[str, str], float]:
    """Median milliseconds of each candidate that works, in turns, at the largest size that fits the budget.

    A size that the network refuses ends the measuring; if none takes the smallest, the first that opens is
    all there is to know.
    """
    graph = next(iter(graphs.values()))  # the same sizes in any precision
    opened: list[tuple[str, str]] = []
    sessions: dict[tuple[str, str], Session] = {}
    refusal: SubpixelError | None = None
    for candidate in candidates:
        try:
            session = open_on(candidate[0], graphs[candidate[1]], threads, candidate[1])
            opened.append(candidate)
            _time(session, _picture(graph, _SIZES[0]))
            sessions[candidate] = session
        except SubpixelError as error:
            refusal = refusal or error
    if not opened:
        raise refusal or InputError("no runtime is installed: pip install onnxruntime")
    if len(sessions) < 2:
        return dict.fromkeys(sessions or opened[:1], 0.0)
    start = perf_counter()
    x = _picture(graph, _SIZES[0])
    times = {name: [_time(session, x)] for name, session in sessions.items()}
    for size, larger in pairwise(_SIZES):
        growth = larger[0] * larger[1] / (size[0] * size[1])
        left, slowest = _BUDGET - (perf_counter() - start), max(map(max, times.values()))
        if slowest * 2 * growth * len(sessions) > left:  # two runs of each at the larger size would not fit
            break
        try:
            y = _picture(graph, larger)
            for session in sessions.values():
                _time(session, y)  # the first run at a size allocates
            times = {name: [_time(session, y)] for name, session in sessions.items()}
            x = y
        except InputError:
            break
    while len(next(iter(times.values()))) < 9 and perf_counter() - start < _BUDGET:
        for name, session in sessions.items():
            times[name].append(_time(session, x))
    return {name: round(1e3 * median(values), 3) for name, values in times.items()}


def _time(session: Session, x: np.ndarray) -> float:
    start = perf_counter()
    session.run(x)
    return perf_counter() - start


def _picture(graph: "onnx.ModelProto", size: tuple[int, int]) -> np.ndarray:
    """Noise of the graph's own shape, with `size` where the graph leaves height and width open."""
    dims = graph_inputs(graph)[0].type.tensor_type.shape.dim
    default = (1, 1, *size)
    shape = [d.dim_value or default[axis] for axis, d in enumerate(dims)]
    return np.random.default_rng(0).random(shape, np.float32)


def _fingerprint(graph: "onnx.ModelProto") -> str:
    """What decides the time: operators, attributes and shapes, not the weights' values."""
    lines = [f"{v.name} {v.type}" for v in graph_inputs(graph)]
    shapes = {t.name: f"{t.data_type}{list(t.dims)}" for t in graph.graph.initializer}
    for node in graph.graph.node:
        values = [shapes.get(name, name) for name in node.input]
        attributes = [
            f"{a.name}={list(a.t.dims)}" if a.HasField("t") else str(a)
            for a in sorted(node.attribute, key=lambda a: a.name)
        ]
        lines.append(f"{node.op_type} {values} {attributes} {list(node.output)}")
    return sha256("\n".join(lines).encode()).hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _processor() -> str:
    """The processor's model name where the system tells it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
