"""What a super-resolution network takes and gives, found out from a stranger's graph.

The graph's shapes tell channels, layout and fixed sizes; small flat pictures sent through it tell scale and
value range: at the right range a flat picture comes back flat at its own value.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import InputError, UsageError
from subpixel.runtime.onnx_file import graph_inputs
from subpixel.runtime.session import Session

if TYPE_CHECKING:
    import onnx

_PROBE = (32, 40)  # rows, columns: unequal, so that swapped axes show, and multiples of 8
_TOLERANCE = 0.08  # of the range: a network may shift a flat picture a little, the wrong range shifts it far


@dataclass(frozen=True)
class Contract:
    """What a network takes and gives.

    Attributes:
        scale: HR rows for each LR row.
        channels: 1 or 3.
        colour: "y" (BT.601 studio swing luma, 16..235), "rgb" or "bgr".
        white: the value that stands for 255: 1.0 or 255.0.
        enlarges: False for networks such as SRCNN, which take the bicubic enlargement and keep its size.
        size: height and width where the graph fixes them.
        multiple: height and width must be multiples of it.
        halo: LR pixels around a tile that its output depends on; None where that is not known.
    """

    scale: int
    channels: int
    colour: str
    white: float
    enlarges: bool = True
    size: tuple[int | None, int | None] = (None, None)
    multiple: int = 1
    halo: int | None = None

    def __post_init__(self) -> None:
        if (self.channels, self.colour) not in ((1, "y"), (3, "rgb"), (3, "bgr")):
            raise UsageError(
                f"colour {self.colour!r} does not go with {self.channels} channels: 1 is y, 3 is rgb or bgr"
            )


def as_planar(graph: "onnx.ModelProto", channels: int | None = None) -> "tuple[onnx.ModelProto, int]":
    """The same network with a float32 input and output [N, C, H, W], and C.

    Args:
        graph: input float16, float32 or float64, [N, C, H, W] or [N, H, W, C].
        channels: 1 or 3, where the graph leaves it open (default then: 3).

    Raises:
        InputError: the input is no picture of 1 or 3 channels.
        UsageError: `channels` contradicts the graph.
    """
    import onnx
    from onnx import TensorProto, helper

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


def find_contract(
    session: Session,
    graph: "onnx.ModelProto",
    channels: int,
    *,
    scale: int | None = None,
    white: float | None = None,
    colour: str | None = None,
) -> Contract:
    """What is not given is found by sending small flat pictures through the network.

    Args:
        session: a session on `graph`.
        graph: planar, as `as_planar` makes it.
        channels: 1 or 3.
        scale: needed for networks that keep the size (SRCNN), else checked against what is found.
        white: 1.0 or 255.0.
        colour: default "y" for one channel, "rgb" for three: RGB and BGR cannot be told apart.

    Raises:
        InputError: the output is no picture, or the network does not give back a flat one at either range.
        UsageError: an option contradicts the network, or one that it needs is missing.
    """
    from subpixel.runtime.receptive_field import halo

    dims = [d.dim_value or None for d in graph_inputs(graph)[0].type.tensor_type.shape.dim]
    size = (dims[2], dims[3])
    shape = (size[0] or _PROBE[0], size[1] or _PROBE[1])
    found = _scale(session.run(_flat(channels, shape, 0.5)), channels, shape)
    if found == 1 and scale is None:
        raise UsageError("the network keeps the size, so it takes an enlarged picture: say by --scale how much")
    if found > 1 and scale not in (None, found):
        raise UsageError(f"the network enlarges ×{found}, not ×{scale}: leave --scale out")
    return Contract(
        scale=scale or found,
        channels=channels,
        colour=colour or {1: "y", 3: "rgb"}[channels],
        white=white or _white(session, channels, shape),
        enlarges=found > 1,
        size=size,
        multiple=1 if any(size) else _multiple(session, channels, found),
        halo=halo(graph),
    )


def _flat(channels: int, shape: tuple[int, int], value: float) -> NDArray[np.float32]:
    return np.full((1, channels, *shape), value, np.float32)


def _scale(y: NDArray[np.float32], channels: int, shape: tuple[int, int]) -> int:
    if y.ndim != 4 or y.shape[:2] != (1, channels):
        took, gave = f"1×{channels}×{shape[0]}×{shape[1]}", "×".join(map(str, y.shape))
        raise InputError(f"the network turns a picture {took} into {gave}, which is not a picture")
    factors = {y.shape[2] / shape[0], y.shape[3] / shape[1]}
    if len(factors) > 1 or min(factors) % 1 or min(factors) < 1:
        raise InputError(
            f"the network turns {shape[0]}×{shape[1]} pixels into {y.shape[2]}×{y.shape[3]}: "
            "only whole factors, the same for both axes, are understood"
        )
    return int(min(factors))


def _white(session: Session, channels: int, shape: tuple[int, int]) -> float:
    """The range at which flat pictures come back at their own value.

    At the wrong range a network's biases count 255 times too much or hardly at all. Too much shows at once;
    hardly at all may pass, so 255 has to be clearly the better one.
    """
    one, many = (_flat_error(session, channels, shape, white) for white in (1.0, 255.0))
    white, error = (255.0, many) if many < one / 4 else (1.0, one)
    if not error <= _TOLERANCE:
        raise InputError(
            "the network does not give back a flat picture at its own value, neither for values in 0..1 "
            "nor in 0..255: say by --value-range which it takes"
        )
    return white


def _flat_error(session: Session, channels: int, shape: tuple[int, int], white: float) -> float:
    """The largest shift of a flat picture, as a fraction of the range; the border is left out of it."""
    shifts = []
    for level in (0.1, 0.3, 0.5, 0.7, 0.9):
        y = session.run(_flat(channels, shape, level * white)) / white
        rows, columns = y.shape[2] // 4, y.shape[3] // 4
        middle = y[:, :, rows : y.shape[2] - rows, columns : y.shape[3] - columns]
        shifts.append(np.abs(np.median(middle, axis=(2, 3)) - level).max())
    return float(np.max(shifts))  # NaN stays NaN


def _multiple(session: Session, channels: int, factor: int) -> int:
    """The smallest power of two that height and width must be multiples of, up to 64."""
    for multiple in (1, 2, 4, 8, 16, 32):
        shape = (5 * multiple, 7 * multiple)
        try:
            y = session.run(_flat(channels, shape, 0.5))
        except InputError:
            continue
        if y.shape[2:] == (shape[0] * factor, shape[1] * factor):
            return multiple
    return 64
