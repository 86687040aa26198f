"""A picture file enlarged into another: by rows where its format allows that, frame by frame where it moves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Any

from subpixel.errors import InputError, SubpixelError
from subpixel.media.animation import MOVING, Frame, Timing, read_frames, write_frames
from subpixel.media.formats.raster import Raster
from subpixel.media.image import (
    MAX_MEGAPIXELS,
    RowReader,
    check_size,
    open_rows,
    output_format,
    read_header,
    read_picture,
)
from subpixel.media.picture import PictureRows
from subpixel.media.writing import Encoding, check_output, write_rows
from subpixel.upscaling.choice import Upscalers
from subpixel.upscaling.memory import check_frames, check_unpacked, parse_memory, window_within
from subpixel.upscaling.pictures import enlarge, target_of
from subpixel.upscaling.strips import enlarged, grid
from subpixel.upscaling.target import DEFAULT_MODEL, Target, factor_of
from subpixel.upscaling.upscaler import Upscaler

Advance = Callable[[int], object]


@dataclass(frozen=True)
class Limits:
    """Attributes:
    megapixels: the largest result; None: 268, or with a bound on the memory none.
    memory: bytes that the process may have in memory; None: no bound.
    """

    megapixels: float | None = None
    memory: int | None = None

    @property
    def largest(self) -> float:
        if self.megapixels is not None:
            return self.megapixels
        return MAX_MEGAPIXELS if self.memory is None else float("inf")


@dataclass
class Done:
    """What became of one file."""

    width: int
    height: int
    seconds_network: float
    seconds_total: float
    notices: list[str] = field(default_factory=list)


def upscale_file(
    source: str | Path,
    output: str | Path,
    scale: float | None = None,
    model: str | Path = DEFAULT_MODEL,
    *,
    size: str | tuple[int, int] | None = None,
    memory: str | int | None = None,
    max_megapixels: float | None = None,
    quality: int | None = None,
    lossless: bool = False,
    chroma: str = "4:4:4",
    compression: int | None = None,
    **settings: Any,
) -> Done:
    """Enlarge one picture file into another, whole or not at all: what `subpixel upscale` does for each.

    16 bits a channel stay 16, animations move, and metadata goes along.

    Args:
        source: what it holds decides its format.
        output: its ending decides the result's.
        scale, model, size: as in `subpixel.upscale`.
        memory: bound of the process's memory, in bytes or as "512M"; then files are read and written in strips.
        max_megapixels: the largest result; default 268, none with `memory`.
        quality, lossless, chroma, compression: see `media.writing.Encoding`.
        settings: runtime, threads, precision, channels, value_range, colour: as in `subpixel.upscale`.

    Raises:
        UsageError: an impossible argument.
        InputError, OutputError: the file cannot be used, or the result not written; nothing is left then.
    """
    encoding = Encoding(quality, lossless, chroma, compression)
    limits = Limits(max_megapixels, parse_memory(memory) if isinstance(memory, str) else memory)
    upscalers, target = Upscalers(model, **settings), target_of(scale, size)
    if target is None:
        target = Target(Fraction(upscalers.default().scale))
    return enlarge_file(Path(source), Path(output), upscalers, target, encoding=encoding, limits=limits)


def enlarge_file(
    source: Path,
    output: Path,
    upscalers: Upscalers,
    target: Target,
    *,
    encoding: Encoding | None = None,
    limits: Limits | None = None,
    advance: Advance = lambda pixels: None,
) -> Done:
    """Enlarge one file into another, whole or not at all.

    Args:
        source: what it holds decides its format.
        output: its ending decides the result's.
        target: how large.
        advance: called after each tile, with how many of the source's pixels are done by it.

    Raises:
        InputError, OutputError: the file cannot be used, or the result not written; nothing is left then.
    """
    start, limits = perf_counter(), limits or Limits()
    try:
        header = read_header(source)
        if header is None:
            read_picture(source, max_megapixels=limits.largest)  # says what is wrong
            raise InputError(f"{source} is damaged: fetch it again")
        size = target.size(*header.size, str(source))
        check_size(str(source), header.size, float(factor_of(header.size, size)), limits.largest)
        upscaler = upscalers.for_target(target, header.size, size)
        if limits.memory is not None:
            check_unpacked(limits.memory, header, str(source))
        before = upscaler.seconds
        if not (header.moves and output_format(output) in MOVING):
            done = _still(source, output, upscalers, target, encoding, limits, advance)
        else:
            done = _moving(source, output, upscaler, size, header.frames, encoding, limits, advance)
        done.seconds_network = upscaler.seconds - before
    except MemoryError as error:
        raise InputError(
            f"{source} is too large for this machine's memory: bound it with --memory, or cut the picture into parts"
        ) from error
    done.seconds_total = perf_counter() - start
    return done


def _still(
    source: Path,
    output: Path,
    upscalers: Upscalers,
    target: Target,
    encoding: Encoding | None,
    limits: Limits,
    advance: Advance,
) -> Done:
    rows: RowReader
    if limits.memory is None:
        rows = PictureRows(read_picture(source, max_megapixels=limits.largest))
    else:
        rows = open_rows(source, max_megapixels=limits.largest)
    try:
        raster = rows.raster
        size = target.size(raster.width, raster.height, str(source))
        upscaler = upscalers.for_target(target, (raster.width, raster.height), size)
        result = Raster(*size, raster.channels, raster.bits)
        check_output(output, *size, transparent=raster.has_alpha)
        window = None
        in_strips = limits.memory is not None
        if limits.memory is not None:
            at_once = output_format(output) not in ("PNG", "TIFF", "BMP", "JPEG")
            window = window_within(limits.memory, rows, upscaler, size, at_once=at_once, name=str(source))
        try:
            pieces = enlarged(rows, upscaler, size=size, window=window, advance=advance)
            written = write_rows(output, result, pieces, rows.metadata, encoding, in_pieces=in_strips)
        except SubpixelError as error:  # the network does not know which picture it was given
            named = any(str(path) in str(error) for path in (source, output))
            raise error if named else type(error)(f"{source}: {error}") from error
        notices = [*rows.notices, *written]
        if upscaler.halo is None and len(grid(raster, upscaler, window)) > 1:
            notices.append(f"{source}: how far {upscaler.name} looks is not known, so its tiles may show seams")
        return Done(*size, 0.0, 0.0, notices)
    finally:
        rows.close()


def _moving(
    source: Path,
    output: Path,
    upscaler: Upscaler,
    size: tuple[int, int],
    count: int,
    encoding: Encoding | None,
    limits: Limits,
    advance: Advance,
) -> Done:
    pieces = read_frames(source, max_megapixels=limits.largest)
    timing, first = next(pieces), next(pieces)
    assert isinstance(timing, Timing)
    assert isinstance(first, Frame)
    raster = first.picture.raster
    if limits.memory is not None:
        check_frames(limits.memory, Raster(*size, raster.channels), count, str(source))

    def frames() -> Iterator[Frame]:
        for frame in chain([first], pieces):
            assert isinstance(frame, Frame)
            yield Frame(enlarge(frame.picture, upscaler, advance, size=size), frame.milliseconds)

    notices = write_frames(output, timing, frames(), first.picture.metadata, encoding)
    return Done(*size, 0.0, 0.0, first.picture.notices + notices)
