"""Any picture network as one of float32 planes."""

import onnx
from onnx import TensorProto, helper

from subpixel.errors import InputError, UsageError
from subpixel.runtime.onnx_file import graph_inputs


def as_planar(graph: onnx.ModelProto, channels: int | None = None) -> tuple[onnx.ModelProto, int]:
    """The same network with a float32 input and output [N, C, H, W], and C.

    Args:
        graph: input float16, float32 or float64, [N, C, H, W] or [N, H, W, C].
        channels: 1 or 3, where the graph leaves it open (default then: 3).

    Raises:
        InputError: the input is no picture of 1 or 3 channels.
        UsageError: `channels` contradicts the graph.
    """
    value = graph_inputs(graph)[0]
    tensor = value.type.tensor_type
    kinds = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
    if tensor.elem_type not in kinds:
        kind = TensorProto.DataType.Name(tensor.elem_type).lower()
        raise InputError(f"the network's input {value.name!r} is of type {kind}: only floating point is taken")
    dims = [d.dim_value for d in tensor.shape.dim]  # 0 where open
    if len(dims) != 4 or dims[0] > 1:
        shape = "×".join(str(d or "?") for d in dims) or "unknown"
        raise InputError(
            f"the network's input {value.name!r} has the shape {shape}: one picture has 1×C×H×W or 1×H×W×C"
        )
    last = dims[1] not in (1, 3) and dims[3] in (1, 3)
    found = dims[3] if last else dims[1]
    if found not in (0, 1, 3):
        raise InputError(f"the network takes {found} channels: only 1 (luma) and 3 (RGB) are understood")
    if channels and found and channels != found:
        raise UsageError(f"the network has {found} channels, not {channels}")

    planar = onnx.ModelProto()
    planar.CopyFrom(graph)
    channels = found or channels or 3
    graph_inputs(planar)[0].type.tensor_type.shape.dim[3 if last else 1].dim_value = channels
    if tensor.elem_type == TensorProto.FLOAT and not last:
        return planar, channels

    body = planar.graph
    source, result = graph_inputs(planar)[0], body.output[0]
    inner, outer = source.name, result.name
    before, after = [], []
    name = "subpixel_input"
    source.name, source.type.tensor_type.elem_type = name, TensorProto.FLOAT
    if tensor.elem_type != TensorProto.FLOAT:
        cast = inner if not last else "subpixel_input_cast"
        before.append(helper.make_node("Cast", [name], [cast], to=tensor.elem_type))
        name = cast
    if last:
        before.append(helper.make_node("Transpose", [name], [inner], perm=[0, 2, 3, 1]))
        shape = source.type.tensor_type.shape
        order = [shape.dim[axis] for axis in (0, 3, 1, 2)]
        source.type.tensor_type.shape.CopyFrom(onnx.TensorShapeProto(dim=order))
        after.append(helper.make_node("Transpose", [outer], ["subpixel_planar"], perm=[0, 3, 1, 2]))
        outer = "subpixel_planar"
    if result.type.tensor_type.elem_type != TensorProto.FLOAT:
        after.append(helper.make_node("Cast", [outer], ["subpixel_output"], to=TensorProto.FLOAT))
        outer = "subpixel_output"
    result.CopyFrom(helper.make_tensor_value_info(outer, TensorProto.FLOAT, [None] * 4))
    nodes = [*before, *body.node, *after]
    del body.node[:]
    body.node.extend(nodes)
    return planar, channels
