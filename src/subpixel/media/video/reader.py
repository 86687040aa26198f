"""Video in: frames in display order with timestamps that only grow, or one sentence that says what is wrong."""

import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import av.error
import av.filter

from subpixel.errors import InputError
from subpixel.media.video.hdr import hdr_of
from subpixel.media.video.kinds import PIPE
from subpixel.media.video.pixels import PixelFormat, nearest_planar
from subpixel.media.video.source import FULL_RANGE, Colour, VideoInfo, Wishes, main_stream, opened, reason_of
from subpixel.progress import clock

if TYPE_CHECKING:
    pass

_BT709 = 1
# Containers whose header states a duration that the file must keep.
_STATED = {"matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "flv", "asf", "ogg", "avi"}
_MISSING = 0.5  # seconds that may be missing at the end before a file counts as cut short
_SLOWEST, _FASTEST = Fraction(1, 1000), Fraction(10_000)  # frames a second; what lies beyond is no rate
_UNREADABLE = 100  # packets at the beginning that may be undecodable, as in a recording that starts anywhere


@dataclass
class Reader:
    """Reads one video. Use as a context; then `info`, and `frames` once.

    Attributes:
        notices: what a user should know of, collected on the way.
        info: of the first frame.
    """

    path: Path
    wishes: Wishes = field(default_factory=Wishes)
    notices: list[str] = field(default_factory=list)
    info: VideoInfo = field(init=False)
    _first: av.VideoFrame | None = field(init=False, default=None)

    def __enter__(self) -> "Reader":
        self._closing = opened(self.path)
        self.container = self._closing.__enter__()
        try:
            self._open()
        except BaseException:
            self._closing.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *about: Any) -> None:
        self._frames.close()
        self._closing.__exit__(*about)

    def frames(self) -> Iterator[av.VideoFrame]:
        """Frames in `info.layout`, `pts` in `info.time_base`, growing strictly.

        Raises:
            InputError: what is there cannot be decoded, or changes its size; the message names the time.
        """
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        yield from self._frames

    # --- opening

    def _open(self) -> None:
        self.name = "standard input" if self.path == PIPE else str(self.path)
        self.stream = main_stream(self.container, self.name)
        context = self.stream.codec_context
        size = context.width, context.height
        if size[0] * size[1] > self.wishes.max_pixels:
            raise InputError(self._too_large(*size))
        context.thread_count = self.wishes.threads
        context.thread_type = "AUTO"
        context.options = {"max_pixels": str(self.wishes.max_pixels)}
        self.time_base = self.stream.time_base or Fraction(1, 90000)
        self._rate = self.stream.average_rate or self.stream.guessed_rate or self.stream.base_rate
        origin = self.container.start_time
        self.origin = Fraction(origin, 1_000_000) if origin else Fraction(0)
        if self.container.format.name == "yuv4mpegpipe":
            self._rate = self.stream.base_rate or self._rate
        if self._rate is not None and not _SLOWEST <= self._rate <= _FASTEST:
            self._rate = None
        self._last_pts: int | None = None
        self._ended = Fraction(0)  # of all streams, in seconds of the file's own clock
        self._packets = 0
        if self.wishes.start > 0 and self.path != PIPE:
            self._seek()
        self._frames = self._decoded()
        first = next(self._frames, None)
        if first is None:
            cut = self.wishes.start > 0 or self.wishes.end is not None
            where = " between --start and --end" if cut else ""
            raise InputError(f"{self.name} has no frames{where}")
        self._first = first
        self.info = self._describe(first)

    def _too_large(self, width: int, height: int) -> str:
        return (
            f"{self.name} has frames of {width}×{height} pixels, more than the {self.wishes.max_pixels / 1e6:.0f} "
            "megapixels that are taken: --max-megapixels raises that"
        )

    def _seek(self) -> None:
        target = Fraction(self.wishes.start).limit_denominator(1_000_000) + self.origin
        try:
            self.container.seek(int(target / self.time_base), stream=self.stream, backward=True)
        except av.error.FFmpegError:  # no index: everything before is decoded and left out
            return

    def _describe(self, frame: av.VideoFrame) -> VideoInfo:
        layout, _ = nearest_planar(frame, self.name)  # again, for a converted frame: it is planar by now
        seconds = self._stated_seconds()
        span = None
        if seconds is not None:
            end = min(seconds, self.wishes.end) if self.wishes.end is not None else seconds
            span = max(0.0, end - self.wishes.start)
        whole = self.wishes.start == 0 and self.wishes.end is None
        count = self.stream.frames or None
        if count is None or not whole:
            count = round(span * self._rate) if span is not None and self._rate else None
        context = self.stream.codec_context
        dynamic = [kind for kind in ("DYNAMIC_HDR_PLUS", "DOVI_METADATA", "DOVI_RPU_BUFFER") if _side(frame, kind)]
        if dynamic:
            self.notices.append(f"{self.name}: light levels that change by scene (HDR10+, Dolby Vision) are left out")
        tags = {key.lower(): value for key, value in self.stream.metadata.items()}
        if tags.get("alpha_mode") == "1":  # VP8 and VP9 keep it beside the frames, where this decoder does not look
            self.notices.append(f"{self.name}: its transparency is left out")
        return VideoInfo(
            name=self.name,
            width=frame.width,
            height=frame.height,
            layout=layout,
            colour=self._colour,
            siting=self._siting(layout),
            time_base=self.time_base,
            rate=self._rate,
            seconds=span,
            frames=count,
            aspect=self.stream.sample_aspect_ratio or None,
            rotation=_matrix(frame),
            hdr=hdr_of(frame),
            codec=context.name,
            container=self.container.format.name,
        )

    def _stated_seconds(self) -> float | None:
        """How long the video is by its file's own word."""
        if self.stream.duration:
            return float(self.stream.duration * self.time_base)
        if self.container.duration:
            return float(self.container.duration / 1_000_000)
        return None

    def _siting(self, layout: PixelFormat) -> str:
        if layout.across == 1:
            return "center"
        return "center" if layout.is_jpeg or self.stream.codec_context.name == "mjpeg" else "left"

    # --- decoding

    def _decoded(self) -> Generator[av.VideoFrame]:
        """Frames of [start, end) in their planar format, timestamps mended."""
        start = Fraction(self.wishes.start).limit_denominator(1_000_000)
        end = None if self.wishes.end is None else Fraction(self.wishes.end).limit_denominator(1_000_000)
        frames = self._whole() if not self.wishes.deinterlace else self._deinterlaced(self._whole())
        first: av.VideoFrame | None = None
        for frame in frames:
            self._check(frame, first)
            first = first or frame
            pts = self._pts(frame)
            seconds = pts * self.time_base - self.origin
            if end is not None and seconds >= end:
                return
            if seconds < start:
                continue
            frame = self._planar(frame)
            frame.pts, frame.time_base = pts, self.time_base
            yield frame

    def _check(self, frame: av.VideoFrame, first: av.VideoFrame | None) -> None:
        if frame.interlaced_frame and not self.wishes.deinterlace:
            raise InputError(f"{self.name} is interlaced (at {self._at(frame.pts)}): --deinterlace makes whole frames")
        if first is None:
            if frame.width * frame.height > self.wishes.max_pixels:
                raise InputError(self._too_large(frame.width, frame.height))
            self._notice_format(frame)
        elif (frame.width, frame.height) != (first.width, first.height):
            raise InputError(
                f"{self.name} changes from {first.width}×{first.height} to {frame.width}×{frame.height} at "
                f"{self._at(frame.pts)}: cut it there, --end {self._seconds(frame.pts):.2f} gives the first part"
            )

    def _notice_format(self, frame: av.VideoFrame) -> None:
        self._layout, notice = nearest_planar(frame, self.name)
        if notice:
            self.notices.append(notice)
        full = self._layout.is_jpeg or frame.color_range == FULL_RANGE
        self._colour = Colour(
            FULL_RANGE if full else int(frame.color_range),
            int(frame.colorspace),
            int(frame.color_primaries),
            int(frame.color_trc),
        )
        if frame.format.is_rgb or frame.format.has_palette:
            self._colour = Colour(1, _BT709, self._colour.primaries, self._colour.transfer)

    def _planar(self, frame: av.VideoFrame) -> av.VideoFrame:
        if frame.format.name == self._layout.name:
            return frame
        if frame.format.is_rgb or frame.format.has_palette:
            return frame.reformat(
                format=self._layout.name, dst_colorspace="ITU709", dst_color_range="MPEG", interpolation="LANCZOS"
            )
        return frame.reformat(format=self._layout.name, interpolation="LANCZOS")

    def _pts(self, frame: av.VideoFrame) -> int:
        """The frame's timestamp; where it is missing or goes back, the last one and a frame's duration."""
        pts, last = frame.pts, self._last_pts
        if pts is None or (last is not None and pts <= last):
            if pts is None and self._rate is None:
                raise InputError(f"{self.name} has neither timestamps nor a frame rate: give it both by remuxing it")
            step = max(1, round(1 / (self._rate * self.time_base))) if self._rate else 1
            mended = 0 if last is None else last + step
            what = "has frames without a timestamp" if pts is None else "has timestamps that go back"
            text = f"{self.name} {what}: they are made from the frame rate"
            if text not in self.notices:
                self.notices.append(text)
            pts = mended
        self._last_pts = pts
        return pts

    def _deinterlaced(self, frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """Each pair of fields a whole frame (bwdif), progressive frames as they are."""
        graph = None
        for frame in frames:
            if graph is None:
                graph = av.filter.Graph()
                source = graph.add_buffer(
                    width=frame.width, height=frame.height, format=frame.format, time_base=self.time_base
                )
                bwdif = graph.add("bwdif", "mode=send_frame:deint=interlaced")
                sink = graph.add("buffersink")
                source.link_to(bwdif)
                bwdif.link_to(sink)
                graph.configure()
            graph.push(frame)
            yield from self._pulled(graph)
        if graph is not None:
            graph.push(None)
            yield from self._pulled(graph)

    def _pulled(self, graph: Any) -> Iterator[av.VideoFrame]:
        while True:
            try:
                frame = graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            if frame.pts is not None and frame.time_base:  # the filter counts in fields
                frame.pts = round(frame.pts * frame.time_base / self.time_base)
            frame.time_base = self.time_base
            yield frame

    def _whole(self) -> Iterator[av.VideoFrame]:
        """What the decoder gives, until the file ends as it says it does."""
        given, failed = 0, 0
        broke: str | None = None
        for packet in self._demuxed():
            try:
                frames = packet.decode()
            except av.error.FFmpegError as error:
                failed += 1
                if given or failed > _UNREADABLE:
                    broke = broke or self._broken(packet.pts, error)
                    if not self.wishes.salvage:
                        raise InputError(broke) from error
                continue
            for frame in frames:
                if frame.is_corrupt and not self.wishes.salvage:
                    raise InputError(self._broken(frame.pts, None))
                given += 1
                yield frame
        if not given and failed:
            raise InputError(f"{self.name} has no frame that can be decoded: fetch it again")
        self._check_end(broke)

    def _demuxed(self) -> Iterator[Any]:
        try:
            for packet in self.container.demux():
                if packet.pts is not None and packet.time_base:
                    until = packet.pts + (packet.duration or 0)
                    # Some containers count a duration from zero, some from their first frame.
                    self._ended = max(self._ended, until * packet.time_base - min(self.origin, Fraction(0)))
                if packet.stream.index == self.stream.index:  # the last, empty ones have no index of their own
                    self._packets += packet.size > 0
                    yield packet
        except av.error.FFmpegError as error:
            text = self._broken(self._last_pts, error)
            if not self.wishes.salvage:
                raise InputError(text) from error
            self._salvaged(text)
        except ValueError as error:  # y4m that stops within a frame
            raise InputError(self._broken(self._last_pts, error)) from error

    def _check_end(self, broke: str | None) -> None:
        text = broke
        if text is None and self.container.format.name in _STATED and self.path != PIPE:
            stated = Fraction(self.container.duration or 0, 1_000_000)
            if stated - self._ended > _MISSING:
                at, full = clock_of(float(self._ended)), clock_of(float(stated))
                text = f"{self.name} is cut short: it ends at {at} of {full}"
                if not self.wishes.salvage:
                    raise InputError(f"{text}; fetch it again, or --salvage writes what there is")
        if text is not None and self.wishes.salvage:
            self._salvaged(text)

    def _salvaged(self, text: str) -> None:
        self.notices.append(text.partition(";")[0] + "; what could be decoded was written")

    def _broken(self, pts: int | None, error: BaseException | None) -> str:
        why = f" ({reason_of(error)})" if error is not None else ""
        at = self._at(pts if pts is not None else self._last_pts)
        return f"{self.name} is damaged at {at}{why}; fetch it again, or --salvage writes what can be decoded"

    def _seconds(self, pts: int | None) -> float:
        return float((pts or 0) * self.time_base - self.origin)

    def _at(self, pts: int | None) -> str:
        return clock_of(self._seconds(pts))


def clock_of(seconds: float) -> str:
    """Like `progress.clock`, with hundredths: 65.25 → "1:05.25"."""
    whole = int(max(0.0, seconds))
    return f"{clock(whole)}.{int(100 * (max(0.0, seconds) - whole)):02}"


def _side(frame: av.VideoFrame, kind: str) -> Any:
    try:
        return frame.side_data[kind]  # type: ignore[literal-required]
    except KeyError:
        return None


def _matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """The display matrix: nine integers, or None."""
    import struct

    data = _side(frame, "DISPLAYMATRIX")
    return struct.unpack("=9i", bytes(data)[:36]) if data is not None else None
