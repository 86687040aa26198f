"""Raw frames to a pipe: YUV4MPEG2, which every video tool reads. One constant frame rate, and no sound."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import av
import av.error

from subpixel.errors import InputError, OutputError
from subpixel.media.video.kinds import PIPE
from subpixel.media.video.pixels import PixelFormat
from subpixel.media.video.source import VideoInfo

if TYPE_CHECKING:
    from av.video.stream import VideoStream


class Y4mWriter:
    """Writes frames to standard output ("-") or a file. Use as a context.

    Attributes:
        irregular: whether timestamps did not follow each other at the stated rate, which y4m cannot tell.
    """

    def __init__(self, path: Path, info: VideoInfo, layout: PixelFormat, size: tuple[int, int]) -> None:
        if info.rate is None:
            raise InputError(f"{info.name} has no frame rate, which y4m needs: write a container such as .mkv")
        self._path, self._info, self._layout, self._size = path, info, layout, size
        self._rate = info.rate.limit_denominator(1 << 16)
        self._first: int | None = None
        self._count = 0
        self.irregular = False

    def __enter__(self) -> "Y4mWriter":
        target: BinaryIO | str = sys.stdout.buffer if self._path == PIPE else f"file:{self._path}"
        self._container = av.open(target, "w", format="yuv4mpegpipe", options={"strict": "-1"})
        stream: VideoStream = self._container.add_stream("wrapped_avframe", rate=self._rate)
        stream.width, stream.height = self._size
        stream.pix_fmt = self._layout.name
        context = stream.codec_context
        context.color_range = self._info.colour.range
        if self._layout.across == 2:
            context.options = {"chroma_sample_location": self._info.siting}
        if self._info.aspect:
            context.sample_aspect_ratio = self._info.aspect
        self._stream = stream
        return self

    def write(self, frame: av.VideoFrame) -> None:
        """Append a frame.

        Raises:
            OutputError: nobody reads any more, or the disk is full.
        """
        if self._first is None:
            self._first = frame.pts or 0
        due = ((frame.pts or 0) - self._first) * self._info.time_base * self._rate
        self.irregular = self.irregular or abs(due - self._count) > 0.5
        frame.pts, frame.time_base = self._count, 1 / self._rate
        self._count += 1
        self._mux(frame)

    def _mux(self, frame: av.VideoFrame | None) -> None:
        try:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except BrokenPipeError as error:
            raise OutputError("whoever reads standard output has stopped reading") from error
        except (av.error.FFmpegError, OSError) as error:
            raise OutputError(f"{self._path} cannot be written ({error.strerror})") from error

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if error is None:
            self._mux(None)
            self._container.close()
            if self._path == PIPE:
                sys.stdout.buffer.flush()
        else:
            try:
                self._container.close()
            except (av.error.FFmpegError, OSError):
                return
