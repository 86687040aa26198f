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

# Rows, columns: unequal, so that swapped axes show; the second for networks that refuse what is no multiple of 64.
_PROBES = ((32, 40), (64, 128))
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
        graph: planar, as `planar.as_planar` makes it.
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
    shape, found = _probe(session, channels, size)
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


def _probe(session: Session, channels: int, size: tuple[int | None, int | None]) -> tuple[tuple[int, int], int]:
    """A size that the network takes, and its scale; the larger probe costs six times as much."""
    refusal: InputError | None = None
    for rows, columns in _PROBES:
        shape = (size[0] or rows, size[1] or columns)
        try:
            return shape, _scale(session.run(_flat(channels, shape, 0.5)), channels, shape)
        except InputError as error:
            refusal = refusal or error
    assert refusal is not None
    raise refusal


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
    """The smallest power of two that height and width must be multiples of, up to 64.

    Raises:
        InputError: no such power will do.
    """
    for multiple in (1, 2, 4, 8, 16, 32, 64):
        shape = (5 * multiple, 7 * multiple) if multiple < 64 else (192, 64)  # odd multiples; 64 at less cost
        try:
            y = session.run(_flat(channels, shape, 0.5))
        except InputError:
            continue
        if y.shape[2:] == (shape[0] * factor, shape[1] * factor):
            return multiple
    raise InputError(
        "the network takes only certain sizes, and multiples of 64 do not satisfy it: "
        "export it with a fixed height and width"
    )
