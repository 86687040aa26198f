"""Clocks: which of some models is fastest in a runtime, measured in turns so that a slow moment meets all alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from statistics import median
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from subpixel.errors import MissingExtra, UsageError
from subpixel.rewriting.choice.duel import Duel, fight

Feeds = dict[str, NDArray[Any]]
Run = Callable[[], object]


class Clock(Protocol):
    """What `rewrite(goal="fastest")` measures with; a test may bring its own."""

    identity: str
    """Machine, runtime, version, threads: timings with another identity say nothing here."""

    def race(self, models: Sequence[ModelProto], feeds: Feeds, names: Sequence[str]) -> list[float | None]:
        """Milliseconds per run of each model, None for one that the runtime does not take. `names` are for the log."""
        ...

    def duel(self, before: ModelProto, after: ModelProto, feeds: Feeds) -> Duel | None:
        """The original and the rewritten whole, round by round; None where the runtime does not take one of them."""
        ...


class RuntimeClock:
    """Median milliseconds in onnxruntime or OpenVINO, the models run in turns."""

    def __init__(self, runtime: str = "onnxruntime", threads: int | None = None, seconds: float = 1.0) -> None:
        from subpixel.runtime.cores import available_cores
        from subpixel.runtime.session import MAX_THREADS, installed

        if runtime not in _OPENERS:
            raise UsageError(f"unknown runtime {runtime!r} to measure in: choose {', '.join(_OPENERS)}")
        if not installed(runtime):
            raise MissingExtra(f"runtime {runtime} is not installed here: pip install {runtime}")
        if threads is not None and not 1 <= threads <= MAX_THREADS:
            raise UsageError(f"threads must be from 1 to {MAX_THREADS}, not {threads}")
        self.runtime, self.threads, self.seconds = runtime, threads or available_cores(), seconds
        self.identity = f"{machine()}, {runtime} {_version(runtime)}, {self.threads} threads, at rest between runs"

    def race(self, models: Sequence[ModelProto], feeds: Feeds, names: Sequence[str]) -> list[float | None]:
        """See `Clock`. Stops after `seconds` of running, after 40 rounds at the latest."""
        return take_turns([self._ready(model, feeds) for model in models], self.seconds)

    def duel(self, before: ModelProto, after: ModelProto, feeds: Feeds) -> Duel | None:
        """See `Clock`. Stops after `seconds` of running, not before 8 rounds and after 40 at the latest."""
        a, b = self._ready(before, feeds), self._ready(after, feeds)
        return None if a is None or b is None else fight(a, b, self.seconds)

    def _ready(self, model: ModelProto, feeds: Feeds) -> Run | None:
        try:
            run = _OPENERS[self.runtime](model, feeds, self.threads)
            run()  # the first run at a size allocates
            run()
        except Exception:  # whatever a runtime has against a model, it is no candidate
            return None
        return run


def take_turns(runs: Sequence[Run | None], seconds: float) -> list[float | None]:
    """Median milliseconds of each, run one after the other in rounds: at most 40, at least 5, about `seconds` long."""
    times: list[list[float]] = [[] for _ in runs]
    start = perf_counter()
    for round_ in range(40):
        for run, taken in zip(runs, times, strict=True):
            if run is not None:
                before = perf_counter()
                run()
                taken.append(perf_counter() - before)
        if round_ >= 4 and perf_counter() - start > seconds:
            break
    return [1e3 * median(taken) if taken else None for taken in times]


def _onnxruntime(model: ModelProto, feeds: Feeds, threads: int) -> Run:
    import onnxruntime

    from subpixel.runtime.onnxruntime_options import session_options

    options = session_options(threads)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, feeds)


def _openvino(model: ModelProto, feeds: Feeds, threads: int) -> Run:
    from subpixel.runtime import on_openvino  # imports openvino without its telemetry

    openvino = vars(on_openvino)["openvino"]
    core = openvino.Core()
    options = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
    }
    read = core.read_model(BytesIO(model.SerializeToString()))
    request = core.compile_model(read, "CPU", options).create_infer_request()
    return lambda: request.infer(feeds, share_inputs=True)


_OPENERS: dict[str, Callable[[ModelProto, Feeds, int], Run]] = {"onnxruntime": _onnxruntime, "openvino": _openvino}


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


def machine() -> str:
    from subpixel.runtime.choice import _processor

    return _processor()


def noise(shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Input to measure with: numbers of ordinary size, neither zeros nor denormal."""
    return np.random.default_rng(0).standard_normal(tuple(shape)).astype(dtype)
