"""The session on onnxruntime, which is always installed."""

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from subpixel.errors import InputError
from subpixel.runtime.onnx_file import serialised
from subpixel.runtime.onnxruntime_options import session_options
from subpixel.runtime.session import Session, first_line

if TYPE_CHECKING:
    import onnx


class OnnxRuntimeSession(Session):
    """onnxruntime on the CPU, in f32. It allocates every output anew: nothing is shared between runs."""

    runtime = "onnxruntime"

    def __init__(self, graph: "onnx.ModelProto", threads: int) -> None:
        super().__init__(threads, "f32")
        onnxruntime.disable_telemetry_events()
        try:
            self._session = onnxruntime.InferenceSession(
                serialised(graph), session_options(threads), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's exceptions share no class but Exception
            raise InputError(f"onnxruntime cannot open this network: {first_line(error)}") from error
        self._input = self._session.get_inputs()[0].name

    def _run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        output: NDArray[np.float32] = self._session.run(None, {self._input: x})[0]
        return output

    def _failures(self) -> tuple[type[Exception], ...]:
        state = onnxruntime.capi.onnxruntime_pybind11_state
        return (state.InvalidArgument, state.RuntimeException, state.Fail, state.NotImplemented)
