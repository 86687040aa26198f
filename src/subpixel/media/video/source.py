"""A video's container, opened: what it holds, which stream is the video, and what is asked of reading it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.error

from subpixel.errors import InputError
from subpixel.media.video.hdr import Hdr
from subpixel.media.video.kinds import PIPE
from subpixel.media.video.pixels import PixelFormat

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

FULL_RANGE = 2  # FFmpeg's AVCOL_RANGE_JPEG


@dataclass(frozen=True)
class Colour:
    """Colour tags as FFmpeg numbers them; 2 is unspecified, and 0 for the range."""

    range: int = 0
    matrix: int = 2
    primaries: int = 2
    transfer: int = 2


@dataclass(frozen=True)
class VideoInfo:
    """What is known once the first frame is there.

    Attributes:
        name: how messages call the file.
        width, height: of a frame.
        layout: the planar format that frames are given in.
        colour: its tags.
        siting: where chroma lies, a key of `upscaling.interpolation.SITINGS`.
        time_base: seconds for each unit of a timestamp.
        rate: frames a second, on average; None where unknown.
        seconds: how long, where the file says; frames: how many, exact or estimated.
        aspect: of a pixel; rotation: the display matrix, row by row; hdr: light levels. None where not stated.
        codec: the codec's name; container: the format's.
    """

    name: str
    width: int
    height: int
    layout: PixelFormat
    colour: Colour
    siting: str
    time_base: Fraction
    rate: Fraction | None
    seconds: float | None
    frames: int | None
    aspect: Fraction | None
    rotation: tuple[int, ...] | None
    hdr: Hdr
    codec: str
    container: str


@dataclass(frozen=True)
class Wishes:
    """What is asked of reading.

    Attributes:
        start, end: seconds from the file's own beginning; frames in [start, end) are given.
        deinterlace: make whole frames out of fields; else an interlaced video is refused.
        salvage: leave out what cannot be decoded; else that is an error.
        max_pixels: of a frame; larger ones are refused before they take memory.
        threads: for decoding.
        subtitles: whether they go along.
    """

    start: float = 0.0
    end: float | None = None
    deinterlace: bool = False
    salvage: bool = False
    max_pixels: int = 1 << 26
    threads: int = 1
    subtitles: bool = True


@contextmanager
def opened(path: Path) -> "Iterator[InputContainer]":
    """The container of a file, or y4m from standard input for "-".

    Raises:
        InputError: it is not there, cannot be read, or is no video.
    """
    name = "standard input" if path == PIPE else str(path)
    try:
        if path == PIPE:
            container = av.open(sys.stdin.buffer, "r", format="yuv4mpegpipe")
        else:
            with path.open("rb") as file:  # the system's own reason, where there is one
                if not file.read(1):
                    raise InputError(f"{name} is empty (0 bytes): fetch it again")
            container = av.open(f"file:{path}", "r", metadata_errors="replace")
    except FileNotFoundError as error:
        raise InputError(f"{name} does not exist") from error
    except av.error.FFmpegError as error:
        raise InputError(_cannot_open(name, error)) from error
    except (OSError, ValueError) as error:
        raise InputError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    with container:
        yield container


def _cannot_open(name: str, error: Exception) -> str:
    if name == "standard input":
        return "standard input is no y4m: pipe it in by `ffmpeg -i FILE -f yuv4mpegpipe - | subpixel upscale - ...`"
    return f"{name} is no video that can be read, or its header is missing: fetch it again ({reason_of(error)})"


def reason_of(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error).removesuffix(".")


def main_stream(container: "InputContainer", name: str) -> "VideoStream":
    """The stream that is enlarged: the default one, else the largest; cover pictures do not count.

    Raises:
        InputError: there is none, or it is a picture.
    """
    streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not streams:
        what = "only a cover picture" if container.streams.video else "no video stream"
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise InputError(f"{name} has {what} in it ({kinds}): name a file with a video")
    if not any(stream.codec_context for stream in streams):
        raise InputError(f"{name} holds video in a form that is not understood: convert it first")
    streams = [stream for stream in streams if stream.codec_context]
    if container.format.name.endswith("_pipe") or container.format.name == "image2":
        picture = container.format.name.removesuffix("_pipe").upper()
        raise InputError(f"{name} is a picture ({picture}), not a video: give it a picture's ending")
    return max(
        streams,
        key=lambda s: (bool(s.disposition & av.stream.Disposition.default), (s.width or 0) * (s.height or 0)),
    )
