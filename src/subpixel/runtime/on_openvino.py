"""The session on OpenVINO, where its wheel exists."""

import sys
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

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
        if precision == "int8" and not adds_bytes_exactly():
            raise UsageError(
                "this processor has no instruction that adds up products of bytes without clipping (VNNI): "
                "use precision f32 or auto"
            )
        options = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": hint(precision),
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


def hint(precision: str) -> str:
    """OpenVINO's name for it; what is no byte in an int8 graph is computed in f32."""
    return "f32" if precision == "int8" else precision


@cache
def adds_bytes_exactly() -> bool:
    """Whether a convolution of bytes gives the sum it should.

    Without VNNI, x86 adds pairs of products in 16 bits, which clip: 2 · 255 · 127 does not fit.
    """
    maps = 16
    constants: dict[str, NDArray[Any]] = {
        "one": np.asarray(1, np.float32),
        "zero": np.asarray(0, np.uint8),
        "kernel": np.full((maps, maps, 3, 3), 127, np.int8),
        "ones": np.ones(maps, np.float32),
        "zeros": np.zeros(maps, np.int8),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "one", "zero"], ["bytes"]),
        helper.make_node("DequantizeLinear", ["bytes", "one", "zero"], ["values"]),
        helper.make_node("DequantizeLinear", ["kernel", "ones", "zeros"], ["weights"], axis=0),
        helper.make_node("Conv", ["values", "weights"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, maps, None, None]) for name in "xy"]
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "bytes", ends[:1], ends[1:], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    core, options = openvino.Core(), {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": hint("int8")}
    compiled = core.compile_model(core.read_model(BytesIO(serialised(model))), "CPU", options)
    sums = compiled([np.full((1, maps, 16, 16), 255, np.float32)])[0]
    return bool((sums == 9 * maps * 255 * 127).all())
