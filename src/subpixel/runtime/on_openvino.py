"""The session on OpenVINO, where its wheel exists."""

import sys
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import InputError, UsageError
from subpixel.runtime.onnx_file import serialised
from subpixel.runtime.session import Session, first_line

if TYPE_CHECKING:
    import onnx

# Importing openvino reports the import to a server, through this package; where it is missing, openvino
# carries on with a stub of its own.
_absent = "openvino_telemetry" not in sys.modules and "openvino" not in sys.modules
if _absent:
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
import openvino  # noqa: E402

if _absent:
    del sys.modules["openvino_telemetry"]

# Two threads whose first `infer` comes at the same moment wait for each other for good, in `to_dtype` (a guard in
# C++ against the interpreter's lock, it seems). Later calls are safe, so the first one happens here.
openvino.Type.f32.to_dtype()


class OpenVinoSession(Session):
    """OpenVINO on the CPU, one stream, tuned for a single picture's latency.

    Height and width stay dynamic: compiled for one shape it is no faster (docs/upscaling.md has the figures),
    and a folder of pictures would be compiled again for every size.
    """

    runtime = "openvino"

    def __init__(self, graph: "onnx.ModelProto", threads: int, precision: str) -> None:
        super().__init__(threads, precision)
        core = openvino.Core()
        if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise UsageError("this processor does not compute in bf16: use precision f32 or auto")
        options = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # pinned threads of two processes would sit on the same cores
        }
        try:
            model = core.read_model(BytesIO(serialised(graph)))
            self._request = core.compile_model(model, "CPU", options).create_infer_request()
        except RuntimeError as error:
            raise InputError(f"openvino cannot open this network: {first_line(error)}") from error

    def _run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        # Inputs are shared (no copy); outputs are copied, because the next run writes over the request's own.
        output: NDArray[np.float32] = self._request.infer([x], share_inputs=True)[0]
        return output
