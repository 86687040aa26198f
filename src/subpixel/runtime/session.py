"""One interface over the runtimes: a graph goes in, arrays [N, C, H, W] go through."""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import InputError, MissingExtra, UsageError
from subpixel.runtime.cores import available_cores

if TYPE_CHECKING:
    import onnx

RUNTIMES = ("onnxruntime", "openvino", "torch")
PRECISIONS = ("f32", "bf16", "int8")
MAX_THREADS = 256  # far more, and the runtimes fail or end the process


class Session(ABC):
    """A graph that is ready to run. Made by `open_session`; one call of `run` at a time.

    Attributes:
        runtime: "onnxruntime", "openvino" or "torch".
        threads: how many threads a run uses.
        precision: "f32", "bf16" or "int8", that of the arithmetic; arrays are float32 in any case.
    """

    runtime: str

    def __init__(self, threads: int, precision: str) -> None:
        self.threads = threads
        self.precision = precision

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """The graph's output for x [N, C, H, W]: a fresh array, never overwritten by a later run.

        Raises:
            InputError: the runtime refuses the graph at this size; the message carries its reason.
        """
        failures: tuple[type[Exception], ...] = (RuntimeError, ValueError, *self._failures())
        try:
            return self._run(np.ascontiguousarray(x, np.float32)).astype(np.float32, copy=False)
        except failures as error:
            size = "×".join(map(str, x.shape))
            reason = first_line(error)
            raise InputError(f"{self.runtime} cannot run this network on {size}: {reason}") from error

    @abstractmethod
    def _run(self, x: NDArray[np.float32]) -> NDArray[np.float32]: ...

    def _failures(self) -> tuple[type[Exception], ...]:
        """The runtime's own exceptions, where they are no RuntimeError."""
        return ()


def open_session(
    model: "onnx.ModelProto | str | Path",
    *,
    runtime: str = "auto",
    threads: int | None = None,
    precision: str = "auto",
    close: Sequence[str] = (),
    int8: "onnx.ModelProto | None" = None,
) -> Session:
    """Make a graph ready to run.

    Args:
        model: an ONNX graph or a file with one: a single float input [N, C, H, W], a single output.
        runtime: "onnxruntime", "openvino", "torch", or "auto": the faster of the first two, measured once
            per machine and remembered.
        threads: default: one for every physical core this process may use.
        precision: "f32"; "bf16" (OpenVINO, on processors that compute in it); "int8" (OpenVINO, where `int8` is
            given); or "auto": the fastest of f32 and those that are `close`, measured once per machine and remembered.
        close: precisions of which the caller knows that they cost this network next to nothing.
        int8: the graph with its convolutions in eight bits, where the network was calibrated.

    Raises:
        UsageError: an unknown runtime or precision, or one that this machine does not have.
        MissingExtra: the runtime is not installed.
        InputError: the file is no ONNX graph, or no runtime takes it.
    """
    from subpixel.runtime.onnx_file import read_graph

    if runtime not in ("auto", *RUNTIMES):
        raise UsageError(f"unknown runtime {runtime!r}: choose auto, {', '.join(RUNTIMES)}")
    if precision not in ("auto", *PRECISIONS):
        raise UsageError(f"unknown precision {precision!r}: choose auto, {', '.join(PRECISIONS)}")
    if threads is not None and not 1 <= threads <= MAX_THREADS:
        raise UsageError(f"threads must be from 1 to {MAX_THREADS}, not {threads}")
    graph = read_graph(model)
    threads = threads or available_cores()
    if precision != "auto":
        precisions: tuple[str, ...] = (precision,)
    else:
        precisions = ("f32", *close) if runtime in ("auto", "openvino") else ("f32",)
    if precision == "int8" and int8 is None:
        raise UsageError("precision int8 needs a network that was calibrated for it, and this one was not: use f32")
    graphs = {precision: int8 if int8 and precision == "int8" else graph for precision in precisions}
    if runtime != "auto" and len(precisions) == 1:
        return open_on(runtime, graphs[precisions[0]], threads, precisions[0])
    from subpixel.runtime.choice import CANDIDATES, choose

    runtime, precision = choose(graphs, threads, CANDIDATES if runtime == "auto" else (runtime,))
    return open_on(runtime, graphs[precision], threads, precision)


def installed(runtime: str) -> bool:
    """Whether the runtime's package is there, without importing it."""
    return find_spec(runtime) is not None


def open_on(runtime: str, graph: "onnx.ModelProto", threads: int, precision: str) -> Session:
    """Open a session on one named runtime; arguments as in `open_session`, already resolved (int8: that graph)."""
    if not installed(runtime):
        if runtime == "torch":
            raise MissingExtra("runtime torch needs PyTorch: pip install 'subpixel[torch]'")
        raise MissingExtra(f"runtime {runtime} is not installed here: pip install {runtime}, or use runtime auto")
    if precision != "f32" and runtime != "openvino":
        raise UsageError(f"precision {precision} needs the runtime openvino, not {runtime}")
    if runtime == "onnxruntime":
        from subpixel.runtime.on_onnxruntime import OnnxRuntimeSession

        return OnnxRuntimeSession(graph, threads)
    if runtime == "openvino":
        from subpixel.runtime.on_openvino import OpenVinoSession

        return OpenVinoSession(graph, threads, precision)
    from subpixel.runtime.on_torch import TorchSession

    return TorchSession(graph, threads)


def first_line(error: Exception) -> str:
    """A runtime's message in one line, without its own prefixes of file, line and error number."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    noise = ("Exception from", "Check '", "FrontEnd API failed", "Model wasn't", "-- Conv")
    rules = [line.removeprefix("-- ") for line in lines if line.startswith("-- No conversion rule")]
    telling = rules + [line for line in lines if not line.startswith(noise)]
    line = (telling or lines or [type(error).__name__])[0]
    line = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", line)
    return line if len(line) <= 200 else line[:197] + "..."
