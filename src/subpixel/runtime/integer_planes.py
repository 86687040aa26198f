"""Networks on integer planes, as video frames have them: u8 or u16 in and out, several frames at once.

Conversion, scaling, rounding and clipping go into the graph, and a last periodic shuffle comes off it: its
phases are copied straight into the frame by whoever asked. Every call computes on one thread, so that frames
share the cores instead of the layers of one frame: no barrier, no idle core, and the same bits for any number
of threads.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from subpixel.errors import InputError, UsageError
from subpixel.runtime.onnx_file import graph_inputs, serialised
from subpixel.runtime.session import first_line

Plane = NDArray[Any]  # uint8 or uint16


@dataclass(frozen=True)
class Samples:
    """How integers of a plane stand for real numbers: real = gain · integer + offset.

    Attributes:
        bits: integers lie in 0..2^bits - 1; up to 8 are held in a byte, up to 16 in two.
        gain, offset: into the graph's own range.
    """

    bits: int
    gain: float
    offset: float

    @property
    def white(self) -> int:
        return (1 << self.bits) - 1

    @property
    def kind(self) -> int:
        return int(TensorProto.UINT8 if self.bits <= 8 else TensorProto.UINT16)


def on_integers(graph: onnx.ModelProto, source: Samples, target: Samples) -> tuple[onnx.ModelProto, int]:
    """The same network from integers to integers, and by how much its result is still to be shuffled.

    A last DepthToSpace to one channel is taken off: the graph then gives [N, r², H, W], phase r·dy + dx, and r
    is returned. Else it gives the whole plane and 1 is returned.

    Args:
        graph: one float input and output [N, 1, H, W].
        source, target: what goes in and what shall come out.
    """
    model = onnx.ModelProto()
    model.CopyFrom(graph)
    body = model.graph
    taken, given = graph_inputs(model)[0], body.output[0]
    nodes, shuffle = list(body.node), 1
    last = nodes[-1]
    if last.op_type == "DepthToSpace" and last.output[0] == given.name:
        shuffle = next(attribute.i for attribute in last.attribute if attribute.name == "blocksize")
        inner_result = last.input[0]
        nodes.pop()
    else:
        inner_result = given.name
    inner = taken.name
    real = f"{inner}_real"
    for node in nodes:
        for index, name in enumerate(node.input):
            if name == inner:
                node.input[index] = real
    taken.type.tensor_type.elem_type = source.kind
    head = [helper.make_node("Cast", [inner], ["planes_cast"], to=TensorProto.FLOAT)]
    constants = {"planes_gain": source.gain, "planes_least": 0.0}
    head.append(helper.make_node("Mul", ["planes_cast", "planes_gain"], ["planes_scaled" if source.offset else real]))
    if source.offset:
        constants["planes_offset"] = source.offset
        head.append(helper.make_node("Add", ["planes_scaled", "planes_offset"], [real]))

    tail = []
    x = inner_result
    constants |= {"planes_gain_out": 1 / target.gain, "planes_most": float(target.white)}
    if target.offset:
        constants["planes_offset_out"] = -target.offset
        tail.append(helper.make_node("Add", [x, "planes_offset_out"], ["planes_centred"]))
        x = "planes_centred"
    if target.kind == TensorProto.UINT8 and target.bits == 8:
        # One pass that scales, rounds and clips.
        constants["planes_step"] = target.gain
        body.initializer.append(numpy_helper.from_array(np.asarray(0, np.uint8), "planes_zero"))
        tail.append(helper.make_node("QuantizeLinear", [x, "planes_step", "planes_zero"], ["planes_integer"]))
    else:
        tail.append(helper.make_node("Mul", [x, "planes_gain_out"], ["planes_wide"]))
        tail.append(helper.make_node("Round", ["planes_wide"], ["planes_round"]))
        tail.append(helper.make_node("Clip", ["planes_round", "planes_least", "planes_most"], ["planes_clipped"]))
        tail.append(helper.make_node("Cast", ["planes_clipped"], ["planes_integer"], to=target.kind))
    used = {name for node in head + tail for name in node.input}
    for name, value in constants.items():
        if name in used:
            body.initializer.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
    body.output[0].CopyFrom(helper.make_tensor_value_info("planes_integer", target.kind, [None] * 4))
    del body.node[:]
    body.node.extend([*head, *nodes, *tail])
    return model, shuffle


class PlaneSession:
    """A graph of integer planes, ready to run in several threads at once, each run on its own thread.

    Attributes:
        runtime: "onnxruntime" or "openvino".
        precision: "f32", "bf16" or "int8".
    """

    def __init__(self, graph: onnx.ModelProto, runtime: str, workers: int, precision: str = "f32") -> None:
        """Open it; arguments as in `runtime.open_session`, already resolved.

        Raises:
            InputError: the runtime does not take the graph.
            UsageError: another runtime.
        """
        self.runtime, self.precision = runtime, precision
        self._input = graph_inputs(graph)[0].name
        if runtime == "onnxruntime":
            self._open_onnxruntime(graph)
        elif runtime == "openvino":
            self._open_openvino(graph, workers)
        else:
            raise UsageError(f"runtime {runtime} does not compute on integer planes: use onnxruntime or openvino")

    def _open_onnxruntime(self, graph: onnx.ModelProto) -> None:
        import onnxruntime

        from subpixel.runtime.onnxruntime_options import session_options

        onnxruntime.disable_telemetry_events()
        options = session_options(1)  # whoever calls computes
        try:
            session = onnxruntime.InferenceSession(serialised(graph), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions share no class but Exception
            raise InputError(f"onnxruntime cannot open this network: {first_line(error)}") from error
        self._run: Callable[[Plane], Any] = lambda x: session.run(None, {self._input: x})[0]

    def _open_openvino(self, graph: onnx.ModelProto, workers: int) -> None:
        from subpixel.runtime import on_openvino

        options = {
            "INFERENCE_NUM_THREADS": workers,
            "NUM_STREAMS": workers,
            "INFERENCE_PRECISION_HINT": on_openvino.hint(self.precision),
            "ENABLE_CPU_PINNING": False,  # the encoder wants its share of every core
        }
        try:
            core = on_openvino.openvino.Core()  # type: ignore[attr-defined]
            compiled = core.compile_model(core.read_model(BytesIO(serialised(graph))), "CPU", options)
        except RuntimeError as error:
            raise InputError(f"openvino cannot open this network: {first_line(error)}") from error
        local = threading.local()

        def run(x: Plane) -> Any:
            if not hasattr(local, "request"):
                local.request = compiled.create_infer_request()
            return local.request.infer([x], share_inputs=True, share_outputs=True)[0]

        self._run = run

    def run(self, x: Plane) -> Plane:
        """The graph's output for x [N, 1, H, W]; valid until the same thread's next call.

        Raises:
            InputError: the runtime refuses the graph at this size.
        """
        try:
            y: Plane = self._run(x)
        except Exception as error:  # the runtimes' exceptions share no class but Exception
            size = "×".join(map(str, x.shape))
            raise InputError(f"{self.runtime} cannot run this network on {size}: {first_line(error)}") from error
        return y


def shuffle_into(out: Plane, phases: Plane, factor: tuple[int, int]) -> None:
    """Periodic shuffling by a × b of [ab, H, W], phase b·dy + dx, into a plane [aH, bW] that is there already.

    A plane that is a little smaller gets what it has room for.
    """
    down, along = factor
    for phase in range(down * along):
        part = out[phase // along :: down, phase % along :: along]
        part[...] = phases[phase, : part.shape[0], : part.shape[1]]
