"""How much memory a run of a graph takes, by the sizes of what lies between its layers."""

from typing import TYPE_CHECKING

from subpixel.runtime.onnx_file import graph_inputs

if TYPE_CHECKING:
    import onnx

_PROBE = 64  # pixels a side; the answer is for each of them
_BYTES = {1: 4, 10: 2, 11: 8, 7: 8, 6: 4}  # of a value, by ONNX's number of its type
_UNKNOWN = 4096.0  # bytes for each pixel of a graph whose shapes do not follow from its input's
_ROUND_MAPS_TO = 16  # runtimes pad maps to blocks


def bytes_per_pixel(graph: "onnx.ModelProto") -> float:
    """Bytes of intermediate results that are alive at once, at most, for each pixel of the input."""
    import onnx

    probe = onnx.ModelProto()
    probe.CopyFrom(graph)
    shape = graph_inputs(probe)[0].type.tensor_type.shape
    fixed = [d.dim_value for d in shape.dim]
    rows, columns = fixed[2] or _PROBE, fixed[3] or _PROBE
    for dim, length in zip(shape.dim, (1, fixed[1] or 3, rows, columns), strict=True):
        dim.dim_value = length
    for result in probe.graph.output:
        result.type.tensor_type.ClearField("shape")
    try:
        known = onnx.shape_inference.infer_shapes(probe, data_prop=True)
    except Exception:  # graphs that onnx cannot follow
        return _UNKNOWN
    sizes = {
        value.name: _size(value) for value in (*known.graph.value_info, *known.graph.output, graph_inputs(known)[0])
    }
    last = {name: n for n, node in enumerate(known.graph.node) for name in node.input}
    alive = {graph_inputs(known)[0].name}
    most = 0
    for n, node in enumerate(known.graph.node):
        alive.update(node.output)
        if any(name not in sizes or sizes[name] is None for name in node.output if name in last):
            return _UNKNOWN
        most = max(most, sum(sizes.get(name) or 0 for name in alive))
        alive = {name for name in alive if last.get(name, n + 1 if name in sizes else 0) > n}
    return most / (rows * columns)


def _size(value: "onnx.ValueInfoProto") -> int | None:
    """Bytes of a tensor; None where its shape is open."""
    kind = value.type.tensor_type
    lengths = [d.dim_value for d in kind.shape.dim]
    if not lengths or 0 in lengths:
        return None
    if len(lengths) == 4 and lengths[1] > 4:
        lengths[1] = -(-lengths[1] // _ROUND_MAPS_TO) * _ROUND_MAPS_TO
    size = _BYTES.get(kind.elem_type, 8)
    for length in lengths:
        size *= length
    return size
