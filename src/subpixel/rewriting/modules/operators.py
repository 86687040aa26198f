"""The reader: one function per call, PyTorch call → layers. No algebra here, and no argument left unread."""

from __future__ import annotations

from collections.abc import Callable

from subpixel.rewriting.modules import weighted, weightless
from subpixel.rewriting.modules.calls import Read, refuse_foreign
from subpixel.rewriting.modules.view import Call, ModuleView
from subpixel.rewriting.refusal import Refusal


def read(view: ModuleView, call: Call) -> Read | None:
    """The call as layers, or None where it is no linear layer at all.

    Raises:
        Refusal: a layer, but one that cannot be read exactly.
    """
    if call.op_type not in READERS:
        return None
    refuse_foreign(call)
    return READERS[call.op_type](view, call)


def read_all(view: ModuleView) -> tuple[dict[str, Read], list[tuple[Call, Refusal]]]:
    """Every reading of the graph by its output's name, and what was refused on the way."""
    readings: dict[str, Read] = {}
    refused: list[tuple[Call, Refusal]] = []
    for call in view.calls:
        try:
            reading = read(view, call)
        except Refusal as refusal:
            refused.append((call, refusal))
            continue
        except (ValueError, TypeError, IndexError, AttributeError) as error:
            refused.append((call, Refusal(f"it cannot be read: {error}")))
            continue
        if reading is not None:
            readings[reading.output] = reading
    return readings, refused


READERS: dict[str, Callable[[ModuleView, Call], Read | None]] = {
    "Conv": weighted.conv,
    "ConvTranspose": weighted.conv_transpose,
    "Resize": weightless.resize,
    "DepthToSpace": weightless.depth_to_space,
    "SpaceToDepth": weightless.space_to_depth,
    "Pad": weightless.pad,
    "AveragePool": weightless.average_pool,
    "Identity": weightless.nothing,
}
