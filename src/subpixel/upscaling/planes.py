"""A frame's planes through an upscaler: luma by the network, chroma by interpolation at its own position.

No trip through RGB, and integers in and out: conversion, rounding and clipping are in the graphs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import InputError
from subpixel.media.tiles import along, balanced
from subpixel.media.video.pixels import PixelFormat
from subpixel.runtime.integer_planes import PlaneSession, Samples, on_integers, shuffle_into
from subpixel.runtime.session import in_pairs
from subpixel.upscaling.interpolation import SITINGS, interpolation_graph
from subpixel.upscaling.upscaler import BicubicUpscaler, NetworkUpscaler, Upscaler

if TYPE_CHECKING:
    import onnx

Plane = NDArray[Any]  # uint8 or uint16
Run = Callable[[list[Plane], list[Plane]], None]

CHROMA_KERNEL = "cubic"
_AREA = 1 << 20  # LR pixels in one run: 64 maps of them are 268 MB; larger frames go in strips
_BLACK, _SWING = 16.0, 219.0  # of studio luma, in 8 bits


@dataclass(frozen=True)
class _Form:
    """A network on integers, and the factors of the shuffle that its result still lacks, down and across."""

    graph: "onnx.ModelProto"
    shuffle: tuple[int, int]


class PlaneUpscaler:
    """Enlarges the planes of frames of one format; safe from `workers` threads at once.

    Attributes:
        runtime: "onnxruntime", "openvino", or what the upscaler computes with where its graph takes no integers.
        seconds: spent so far in "network" and "chroma", over all threads.
    """

    def __init__(
        self,
        upscaler: Upscaler,
        source: PixelFormat,
        target: PixelFormat,
        *,
        full_range: bool,
        siting: str = "left",
        workers: int = 1,
    ) -> None:
        """Make the graphs.

        Args:
            upscaler: the method.
            source, target: of equal subsampling; depths may differ.
            full_range: luma is 0..2^bits - 1, not 16..235 times 2^(bits-8).
            siting: where chroma lies, a key of `interpolation.SITINGS`.
            workers: how many threads will call.
        """
        self.scale = upscaler.scale
        self.seconds = {"network": 0.0, "chroma": 0.0}
        self._lock = Lock()
        self._workers = workers
        self._luma = self._luma_run(upscaler, source, target, full_range)
        self._chroma: Run | None = None
        if source.has_chroma:
            where = SITINGS[siting]
            taken, given = (_chroma_samples(layout.bits, full_range) for layout in (source, target))
            self._chroma = self._interpolation((source.across, source.down), where, CHROMA_KERNEL, taken, given)

    def enlarge(self, source: list[Plane], target: list[Plane]) -> None:
        """Fill the planes of a frame from those of a frame r times smaller.

        Raises:
            InputError: the network does not run on this size.
        """
        start = perf_counter()
        self._luma(source[:1], target[:1])
        middle = perf_counter()
        if self._chroma is not None:
            self._chroma(source[1:], target[1:])
        end = perf_counter()
        with self._lock:
            self.seconds["network"] += middle - start
            self.seconds["chroma"] += end - middle

    def _luma_run(self, upscaler: Upscaler, source: PixelFormat, target: PixelFormat, full_range: bool) -> Run:
        if isinstance(upscaler, BicubicUpscaler):
            taken, given = (Samples(layout.bits, 1 / ((1 << layout.bits) - 1), 0.0) for layout in (source, target))
            if not full_range:
                taken, given = (Samples(layout.bits, 2.0 ** (8 - layout.bits), 0.0) for layout in (source, target))
            self.runtime = "onnxruntime"
            return self._interpolation((1, 1), (0.0, 0.0), "cubic", taken, given)
        self.runtime = upscaler.runtime
        if isinstance(upscaler, NetworkUpscaler) and upscaler.takes_planes and self.runtime != "torch":
            white = upscaler.contract.white
            taken, given = (_luma_samples(layout.bits, full_range, white) for layout in (source, target))
            assert upscaler.graph is not None
            graph, shuffle = on_integers(upscaler.graph, taken, given)
            plain, pairs = _Form(graph, (shuffle, shuffle)), None
            if upscaler.pairs is not None:
                graph, _ = on_integers(upscaler.pairs, taken, given)
                pairs = _Form(graph, (self.scale, 2 * self.scale))
            return self._network(upscaler, plain, pairs)
        return self._through_floats(upscaler, source.bits, target, full_range)

    def _network(self, upscaler: NetworkUpscaler, plain: "_Form", pairs: "_Form | None") -> Run:
        scale, halo = self.scale, upscaler.contract.halo or 0
        sessions: dict[tuple[int, int], PlaneSession] = {}  # of the forms that frames have asked for, by their shuffle

        def session_of(form: _Form) -> PlaneSession:
            with self._lock:
                if form.shuffle not in sessions:
                    opened = PlaneSession(form.graph, upscaler.runtime, self._workers, upscaler.precision)
                    sessions[form.shuffle] = opened
                return sessions[form.shuffle]

        session_of(pairs or plain)  # what cannot be opened shows now

        def run(sources: list[Plane], targets: list[Plane]) -> None:
            (source,), (target,) = sources, targets
            height, width = source.shape
            form = pairs if pairs is not None and in_pairs(width) else plain
            session, (down, across) = session_of(form), form.shuffle
            window = balanced(height, max(_AREA // width, 4 * halo + 1), halo)
            for strip in along(height, window, halo):
                piece = np.ascontiguousarray(source[strip.start : strip.stop])
                result = session.run(piece[None, None])[0]
                expected = (down * across, scale * len(piece) // down, scale * width // across)
                if result.shape != expected:
                    raise InputError(f"the network turned {width}×{len(piece)} pixels into another size than ×{scale}")
                shuffle_into(target[strip.target(scale)], result[:, strip.kept(scale // down)], form.shuffle)

        return run

    def _interpolation(
        self,
        subsampling: tuple[int, int],
        siting: tuple[float, float],
        kernel: str,
        taken: Samples,
        given: Samples,
    ) -> Run:
        graph, (above, below, left, right) = interpolation_graph(self.scale, subsampling, siting, kernel)
        integers, _ = on_integers(graph, taken, given)
        session = PlaneSession(integers, "onnxruntime", self._workers)

        def run(sources: list[Plane], targets: list[Plane]) -> None:
            for source, target in zip(sources, targets, strict=True):
                # Mirrored, as imresize continues a picture.
                padded = np.pad(source, ((above, below), (left, right)), mode="symmetric")
                shuffle_into(target, session.run(padded[None, None])[0], (self.scale, self.scale))

        return run

    def _through_floats(self, upscaler: Upscaler, bits: int, target: PixelFormat, full_range: bool) -> Run:
        """For graphs that want sizes of their own, colour, or another runtime: as pictures go, one at a time."""
        lock = Lock()
        taken, given = (_luma_samples(depth, full_range, 1.0) for depth in (bits, target.bits))

        def run(sources: list[Plane], targets: list[Plane]) -> None:
            y = sources[0].astype(np.float32) * np.float32(taken.gain * 255) + np.float32(taken.offset * 255)
            with lock:
                large = upscaler.upscale_luma(y)
            values = (large / np.float32(255) - np.float32(given.offset)) / np.float32(given.gain)
            np.rint(values, out=values)
            np.clip(values, 0, given.white, out=values)
            rows, columns = targets[0].shape
            targets[0][...] = values[:rows, :columns]

        return run


def _luma_samples(bits: int, full_range: bool, white: float) -> Samples:
    """How a network's range (Y of BT.601 in 16..235 over 255, times `white`) reads luma of this depth."""
    if full_range:
        return Samples(bits, white * _SWING / 255 / ((1 << bits) - 1), white * _BLACK / 255)
    return Samples(bits, white * 2.0 ** (8 - bits) / 255, 0.0)


def _chroma_samples(bits: int, full_range: bool) -> Samples:
    """Chroma around zero, in 8-bit steps: only the depth's own grey must stay grey."""
    grey = 1 << (bits - 1)
    step = 255 / ((1 << bits) - 1) if full_range else 2.0 ** (8 - bits)
    return Samples(bits, step, -grey * step)
