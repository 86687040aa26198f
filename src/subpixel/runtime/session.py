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
    int8_even: "onnx.ModelProto | None" = None,
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
        int8_even: a faster one of the same results for pictures of even width, where there is one.

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
    eight = int8 if int8_even is None else int8_even
    graphs = {precision: eight if eight and precision == "int8" else graph for precision in precisions}
    if runtime != "auto" and len(precisions) == 1:
        precision = precisions[0]
    else:
        from subpixel.runtime.choice import CANDIDATES, choose

        runtime, precision = choose(graphs, threads, CANDIDATES if runtime == "auto" else (runtime,))
    session = open_on(runtime, graphs[precision], threads, precision)
    if precision == "int8" and int8 is not None and int8_even is not None:
        return EvenOrOdd(session, int8)
    return session


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


def in_pairs(width: int) -> bool:
    """Whether rows of this many pixels go as pairs: an even number, but not one pair alone.

    OpenVINO 2026.4 computes some int8 convolutions wrongly where maps have a single column.
    """
    return width % 2 == 0 and width > 2


class EvenOrOdd(Session):
    """A session for widths that go `in_pairs`, and another, opened when it is first asked for, for the rest."""

    def __init__(self, even: Session, odd: "onnx.ModelProto") -> None:
        super().__init__(even.threads, even.precision)
        self.runtime, self._even, self._graph = even.runtime, even, odd
        self._odd: Session | None = None

    def _run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        if in_pairs(x.shape[-1]):
            return self._even._run(x)
        if self._odd is None:
            self._odd = open_on(self.runtime, self._graph, self.threads, self.precision)
        return self._odd._run(x)

    def _failures(self) -> tuple[type[Exception], ...]:
        return self._even._failures()


def first_line(error: Exception) -> str:
    """A runtime's message in one line, without its own prefixes of file, line and error number."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    noise = ("Exception from", "Check '", "FrontEnd API failed", "Model wasn't", "-- Conv")
    rules = [line.removeprefix("-- ") for line in lines if line.startswith("-- No conversion rule")]
    telling = rules + [line for line in lines if not line.startswith(noise)]
    line = (telling or lines or [type(error).__name__])[0]
    line = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", line)
    return line if len(line) <= 200 else line[:197] + "..."
