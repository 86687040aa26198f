"""Chains: layers with nothing but linear work between them, and each value between them read once."""

from __future__ import annotations

from dataclasses import dataclass

from onnx import NodeProto

from subpixel.algebra import Layer, layers
from subpixel.rewriting.graph.view import View, Wiring
from subpixel.rewriting.reading.operators import READERS, read
from subpixel.rewriting.reading.patterns import read_pattern
from subpixel.rewriting.reading.quantised import Stored
from subpixel.rewriting.reading.reading import Reading
from subpixel.rewriting.refusal import Refusal

UPSAMPLERS = (layers.TransposedConvolution, layers.Resize, layers.PeriodicShuffle, layers.ZeroInsertion)
UPSAMPLING_OPS = ("ConvTranspose", "Resize", "Upsample", "DepthToSpace")


def is_upsampling(node: NodeProto) -> bool:
    """Is it an operator of ONNX itself that enlarges? Somebody else's may be called the same."""
    return node.op_type in UPSAMPLING_OPS and node.domain in ("", "ai.onnx")


@dataclass(frozen=True, eq=False)
class Chain:
    """Readings in the order in which they run; each reads what the one before wrote."""

    readings: tuple[Reading, ...]

    @property
    def source(self) -> str:
        """Name of the value that the chain reads."""
        return self.readings[0].source

    @property
    def output(self) -> str:
        """Name of the value that the chain writes."""
        return self.readings[-1].output

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers in order."""
        return tuple(layer for reading in self.readings for layer in reading.layers)

    @property
    def fixed(self) -> bool:
        """Does it hold for the sizes stated in the graph only?"""
        return any(reading.fixed for reading in self.readings)

    @property
    def stored(self) -> tuple[Stored, ...]:
        """How the weights of its layers are stored, those that are quantised."""
        return tuple(reading.stored for reading in self.readings if reading.stored is not None)

    @property
    def nodes(self) -> list[NodeProto]:
        """All nodes in order."""
        return [node for reading in self.readings for node in reading.nodes]

    def part(self, start: int, stop: int | None = None) -> Chain:
        """The readings from `start` up to `stop`."""
        return Chain(self.readings[start:stop])

    def has(self, kind: type | tuple[type, ...]) -> bool:
        """Is any of the layers of this kind?"""
        return any(isinstance(layer, kind) for layer in self.layers)


def has(reading: Reading, kind: type | tuple[type, ...]) -> bool:
    """Is any layer of the reading of this kind?"""
    return any(isinstance(layer, kind) for layer in reading.layers)


def read_all(view: View) -> tuple[dict[str, Reading], list[tuple[NodeProto, Refusal]]]:
    """Every reading of the graph by its output's name, and what was refused on the way."""
    readings: dict[str, Reading] = {}
    refused: list[tuple[NodeProto, Refusal]] = []
    for node in view.graph.node:
        if not node.output or node.domain not in ("", "ai.onnx"):
            continue
        try:
            reading = read_pattern(view, node) or read(view, node)
        except Refusal as refusal:
            refused.append((node, refusal))
            continue
        except (ValueError, TypeError, IndexError, ZeroDivisionError) as error:
            # an algebra value that cannot be built, an input that is not there: the node is not well formed
            if node.op_type in READERS:
                refused.append((node, Refusal(f"it is not well formed: {_said(error, node)}")))
            continue
        if reading is not None:
            readings[reading.output] = reading
    return readings, refused


def _said(error: Exception, node: NodeProto) -> str:
    """What is wrong with a node; Python's own words for an input that is not there are none."""
    if isinstance(error, ValueError) and str(error):
        return str(error).rstrip(".")
    return f"its {len(node.input)} inputs and its attributes are not those of a {node.op_type}"


def find_chains(view: Wiring, readings: dict[str, Reading]) -> list[Chain]:
    """The longest chains. Read several times, a resize or a shuffle heads one for each reader: it has no weights."""
    after: dict[str, list[Reading]] = {}
    for reading in readings.values():
        after.setdefault(reading.source, []).append(reading)
    chains = []
    for reading in readings.values():
        before = readings.get(reading.source)
        joined = before is not None and view.used_once(before.output)
        shared = before is not None and not joined and has(before, (layers.Resize, layers.PeriodicShuffle))
        if joined:
            continue
        out = [before, reading] if shared and before is not None else [reading]
        while view.used_once(out[-1].output) and out[-1].output in after:
            out.append(after[out[-1].output][0])
        chains.append(Chain(tuple(out)))
    return chains
