"""Frames in, frames out: an iterator in the middle of anybody's pipeline."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import InputError, UsageError
from subpixel.media.video.pixels import PixelFormat, asked_format, nearest_planar, planes
from subpixel.upscaling.in_order import in_order
from subpixel.upscaling.pictures import upscale_array
from subpixel.upscaling.planes import PlaneUpscaler
from subpixel.upscaling.target import DEFAULT_MODEL
from subpixel.upscaling.upscaler import Upscaler, open_upscaler

if TYPE_CHECKING:
    import av

Frame = TypeVar("Frame", "av.VideoFrame", NDArray[np.uint8])

_FULL_RANGE = 2
_BYTES_AHEAD = 512 << 20  # of results that wait for their turn


class FrameUpscaler:
    """Enlarges `av.VideoFrame`s of one format and size; safe from `workers` threads at once.

    Attributes:
        seconds: spent so far in "network" and "chroma", over all threads.
        runtime: what computes.
    """

    def __init__(
        self,
        upscaler: Upscaler,
        first: "av.VideoFrame",
        *,
        layout: PixelFormat | None = None,
        size: tuple[int, int] | None = None,
        siting: str = "left",
        full_range: bool | None = None,
        workers: int = 1,
    ) -> None:
        """Prepare for frames like `first`.

        Args:
            upscaler: the method.
            first: planar already, see `pixels.planar`.
            layout: of the result; default: the frame's own.
            size: width and height of the result; default: r times the frame's.
            siting: of chroma.
            full_range: of luma; default: what the frame says.
            workers: how many threads will call.
        """
        source, _ = nearest_planar(first, "the frame")
        self.source, self.target = source, layout or source
        self.shape = first.width, first.height
        self.whole = first.width * upscaler.scale, first.height * upscaler.scale
        self.size = size or self.whole
        if full_range is None:
            full_range = source.is_jpeg or first.color_range == _FULL_RANGE
        # The network's own result: the source's subsampling at the target's depth.
        self._inner = source.with_bits(self.target.bits)
        if source.is_jpeg and self.target == source:
            self._inner = source
        self._resized = not all(0 <= whole - side <= 1 for whole, side in zip(self.whole, self.size, strict=True))
        self._planes = PlaneUpscaler(
            upscaler, source, self._inner, full_range=full_range, siting=siting, workers=workers
        )
        self.runtime = self._planes.runtime
        self.seconds = self._planes.seconds

    def enlarge(self, frame: "av.VideoFrame") -> "av.VideoFrame":
        """The frame enlarged: a new one, with the timestamp and the colour tags of the old.

        Raises:
            InputError: the frame is of another size or format than the first.
        """
        import av

        if (frame.width, frame.height) != self.shape or frame.format.name != self.source.name:
            raise InputError(
                f"a frame of {frame.width}×{frame.height} {frame.format.name} comes after frames of "
                f"{self.shape[0]}×{self.shape[1]} {self.source.name}: enlarge it on its own"
            )
        width, height = self.whole if self._resized else self.size
        large = av.VideoFrame(width, height, self._inner.name)
        self._planes.enlarge(planes(frame, self.source), planes(large, self._inner))
        if self._resized:
            large = large.reformat(width=self.size[0], height=self.size[1], interpolation="LANCZOS")
        if large.format.name != self.target.name:
            large = self._converted(large)
        large.pts, large.duration = frame.pts, frame.duration
        if frame.time_base is not None:
            large.time_base = frame.time_base
        large.color_range, large.colorspace = frame.color_range, frame.colorspace
        large.color_primaries, large.color_trc = frame.color_primaries, frame.color_trc
        return large

    def _converted(self, frame: "av.VideoFrame") -> "av.VideoFrame":
        """Chroma resampled for another subsampling; luma is copied as it is."""
        other = frame.reformat(format=self.target.name, interpolation="LANCZOS")
        planes(other, self.target)[0][...] = planes(frame, self._inner)[0]
        return other


def frames_ahead(workers: int, width: int, height: int, layout: PixelFormat) -> int:
    """How many frames may be under way: a few for each worker, fewer where they are huge."""
    size = sum(rows * columns for rows, columns in layout.plane_shapes(width, height)) * (1 + (layout.bits > 8))
    return max(1, min(2 * workers + 2, _BYTES_AHEAD // max(1, size)))


def upscale_frames(
    frames: Iterable[Frame],
    scale: int | None = None,
    model: str | Path | Upscaler = DEFAULT_MODEL,
    *,
    runtime: str = "auto",
    threads: int | None = None,
    precision: str = "auto",
    pixel_format: str | None = None,
) -> Iterator[Frame]:
    """Enlarge frames one by one as they come: no file, no end needed, constant memory.

    ```python
    with av.open("clip.mp4") as clip:
        for frame in subpixel.upscale_frames(clip.decode(video=0), scale=3):
            ...
    ```

    Args:
        frames: `av.VideoFrame`s, as PyAV decodes them: luma goes through the network, chroma is interpolated,
            timestamps and colour tags stay; or arrays uint8 [H, W, 3] (RGB) or [H, W] (grey), as OpenCV and
            imageio give them. All of one size.
        scale, runtime, precision: as in `subpixel.upscale`.
        model: likewise.
        threads: default: every physical core this process may use. Each frame is computed on one of them.
        pixel_format: of the resulting frames, such as "yuv420p10le"; default: the source's. Not for arrays.

    Yields:
        The enlarged frames in order, of the kind that went in.

    Raises:
        UsageError, InputError, MissingExtra: as `subpixel.upscale`, and for frames that change their size.
    """
    from subpixel.runtime.cores import available_cores

    iterator = iter(frames)
    first = next(iterator, None)
    workers = threads or available_cores()
    arrays = isinstance(first, np.ndarray)
    if isinstance(model, Upscaler):
        upscaler = model
        if scale not in (None, upscaler.scale):
            raise UsageError(f"{upscaler.name} is open for ×{upscaler.scale}, not ×{scale}: open another")
    else:
        own = workers if arrays else 1
        upscaler = open_upscaler(model, scale, runtime=runtime, threads=own, precision=precision)
    if first is None:
        return
    every: Iterable[Any] = chain([first], iterator)
    if arrays:
        if pixel_format is not None:
            raise UsageError("pixel_format is for video frames: arrays stay what they are")
        for array in every:
            yield upscale_array(array, model=upscaler)  # type: ignore[misc]
        return
    layout, _ = nearest_planar(first, "the first frame")  # type: ignore[arg-type]
    target = asked_format(pixel_format) if pixel_format else layout
    shared = FrameUpscaler(upscaler, _planar(first, layout), layout=target, workers=workers)
    ahead = frames_ahead(workers, *shared.size, target)
    inputs = (_planar(frame, layout) for frame in every)
    yield from in_order(shared.enlarge, inputs, workers=workers, ahead=ahead)  # type: ignore[misc]


def _planar(frame: Any, layout: PixelFormat) -> Any:
    if frame.format.name == layout.name:
        return frame
    made = frame.reformat(format=layout.name, interpolation="LANCZOS")
    made.duration = frame.duration
    return made


class Timed:
    """An iterator that knows how long its source took: `seconds`."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = iter(items)
        self.seconds = 0.0

    def __iter__(self) -> "Timed":
        return self

    def __next__(self) -> Any:
        start = perf_counter()
        try:
            return next(self._items)
        finally:
            self.seconds += perf_counter() - start
