"""One video on its way: read, enlarged, encoded in segments, put together."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any

import av
import av.error
import numpy as np

from subpixel.errors import InputError, OutputError, UsageError
from subpixel.media.video.container import Others, container_of, plan_others, write_container
from subpixel.media.video.encoder import CODECS, EncoderPlan, Encoding, plan_encoder
from subpixel.media.video.kinds import PIPE
from subpixel.media.video.pixels import asked_format, planes
from subpixel.media.video.reader import Reader
from subpixel.media.video.segments import FRAMES, Coded, coded, write_segment
from subpixel.media.video.source import VideoInfo, Wishes
from subpixel.media.video.work import Work
from subpixel.media.video.y4m import Y4mWriter
from subpixel.upscaling.frames import FrameUpscaler, Timed, frames_ahead
from subpixel.upscaling.in_order import in_order
from subpixel.upscaling.upscaler import NetworkUpscaler, Upscaler

Advance = Callable[[int], object]
Expect = Callable[[int | None, int], object]


@dataclass
class VideoResult:
    """What was done.

    Attributes:
        output: the file.
        width, height: of a frame.
        frames: how many it has; resumed: how many of them an earlier run had made.
        seconds: spent by this run.
        model, scale, runtime: the method and what computed it.
        stages: seconds for each stage, summed over threads where several run at once.
        notices: what a user should know of.
    """

    output: Path
    width: int
    height: int
    frames: int
    resumed: int
    seconds: float
    model: str
    scale: int
    runtime: str
    stages: dict[str, float] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    @property
    def frames_per_second(self) -> float:
        """Of this run, everything included."""
        return (self.frames - self.resumed) / self.seconds if self.seconds > 0 else 0.0


class VideoJob:
    """One video on its way."""

    def __init__(
        self,
        source: Path,
        output: Path,
        reader: Reader,
        upscaler: Upscaler,
        encoding: Encoding,
        wishes: Wishes,
        workers: int,
        size: tuple[int, int],
        advance: Advance,
        expect: Expect,
    ) -> None:
        self.source, self.output, self.reader, self.upscaler = source, output, reader, upscaler
        self.encoding, self.wishes, self.workers = encoding, wishes, workers
        self.advance = advance
        self.info: VideoInfo = reader.info
        self.raw = output == PIPE or container_of(output) == "yuv4mpegpipe"
        self.size = size
        self.frames: FrameUpscaler | None = None
        self.stages: dict[str, float] = {"decode": 0.0, "encode": 0.0, "write": 0.0}
        self.count = 0
        self.expect = expect

    # --- raw frames

    def to_y4m(self) -> VideoResult:
        """To a pipe or a raw file."""
        asked = self.encoding.pixel_format
        layout = asked_format(asked) if asked else self.info.layout
        layout = layout.with_bits(layout.bits)
        self.expect(self.info.frames, 0)
        path = self.output if self.output == PIPE else self.output.with_name(f"{self.output.name}.part")
        try:
            with Y4mWriter(path, self.info, layout, self.size) as writer:
                for frame in self._enlarged(self._read(), layout, self.size):
                    start = perf_counter()
                    writer.write(frame)
                    self.stages["write"] += perf_counter() - start
                    self._done()
            if path != PIPE:
                path.replace(self.output)
        except BaseException:
            if path != PIPE:
                path.unlink(missing_ok=True)
            raise
        if writer.irregular:
            self.reader.notices.append(
                f"{self.info.name}: its frames do not come at one rate, which y4m cannot tell: written at the average"
            )
        return self._result(self.size, 0)

    # --- files

    def to_file(self, resume: bool) -> VideoResult:
        """Segments first, then the container."""
        plan, notices = plan_encoder(
            self.encoding, self.info, self.size, container_of(self.output), encoder_threads(self.workers)
        )
        self.reader.notices += notices
        others = (
            Others((), ())
            if self.source == PIPE
            else plan_others(self.source, self.output, plan, self.info, self.wishes)
        )
        self.reader.notices += others.notices
        with Work(self.output) as work:
            try:
                resumed = self._begin(work, plan, resume)
                self.expect(self.info.frames, resumed)
                self._make_segments(work, plan)
                start = perf_counter()
                paths = [work.segment(number) for number in range(len(work.finished()))]
                write_container(work.result(), paths, self.source, plan, self.info, others, self.wishes)
                work.deliver()
                self.stages["write"] += perf_counter() - start
            except (InputError, UsageError):
                work.remove()
                raise
            except BaseException:
                if not work.finished():
                    work.remove()
                raise
        return self._result((plan.width, plan.height), resumed)

    def _begin(self, work: Work, plan: EncoderPlan, resume: bool) -> int:
        """Start afresh, or keep the segments of an earlier run; returns how many frames they have."""
        description = self._description(plan)
        earlier = work.begun_with() if resume else None
        if earlier is not None and earlier.get("made") == description:
            return sum(head.frames for head in work.finished())
        if earlier is not None:
            before = earlier.get("made") or {}
            other = sorted(key for key in description if before.get(key) != description[key])
            self.reader.notices.append(
                f"{self.output}: the interrupted run was made with another {' and '.join(other)}: begun anew"
            )
        work.begin({"made": description})
        return 0

    def _description(self, plan: EncoderPlan) -> dict[str, str]:
        """Everything that decides what the segments are, as texts."""
        if self.source == PIPE:
            source = "standard input"
        else:
            status = self.source.stat()
            source = f"{status.st_size} bytes of {status.st_mtime_ns}"
        graph = self.upscaler.graph if isinstance(self.upscaler, NetworkUpscaler) else None
        # Without the model's story: its order in a weight file's header is another in every process.
        digest = sha256(graph.graph.SerializeToString(deterministic=True)).hexdigest()[:16] if graph is not None else ""
        return {
            "source": source,
            "model": f"{self.upscaler.name} ×{self.upscaler.scale} {digest}",
            "runtime": f"{self.upscaler.runtime} {self.upscaler.precision}",
            "encoder": repr(plan.description()),
            "span": f"{self.wishes.start}..{self.wishes.end}",
            "deinterlacing": str(self.wishes.deinterlace),
            "libraries": f"PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info}",
            "segments": str(FRAMES),
        }

    def _make_segments(self, work: Work, plan: EncoderPlan) -> None:
        done = work.finished()
        checksum = _Checksum()
        frames = checksum.over(self._read(), self.info)
        for number, head in enumerate(done):
            for _ in range(head.frames):
                if next(frames, None) is None:
                    raise InputError(
                        f"{self.info.name} has become shorter since the interrupted run: leave --resume out"
                    )
                self.count += 1
            if checksum.take() != head.source:
                raise InputError(
                    f"{self.info.name} does not give the frames that segment {number} of the interrupted run was made "
                    "from: leave --resume out"
                )
        if done and done[-1].frames < FRAMES:  # the last one of the video
            return
        number = len(done)
        enlarged = self._enlarged(_until_segment(frames, checksum), plan.layout, (plan.width, plan.height))
        while True:
            packets, count = self._segment(enlarged, plan)
            if count == 0:
                break
            start = perf_counter()
            try:
                write_segment(work.segment(number), packets, count, checksum.of_segment(number - len(done)))
            except OSError as error:
                raise OutputError(
                    f"{work.folder} cannot be written ({error.strerror}): make room, then go on with --resume"
                ) from error
            self.stages["write"] += perf_counter() - start
            number += 1
            if count < FRAMES:
                break

    def _segment(self, frames: Iterator[av.VideoFrame], plan: EncoderPlan) -> tuple[list[Coded], int]:
        """Encode the next segment's frames on their own."""
        encoder: av.VideoCodecContext | None = None
        packets: list[Coded] = []
        durations: dict[int, int] = {}
        count = 0
        try:
            for frame in frames:
                start = perf_counter()
                if encoder is None:
                    encoder = av.CodecContext.create(CODECS[plan.codec].encoder, "w")  # type: ignore[assignment]
                    assert encoder is not None
                    plan.open(encoder)
                durations[frame.pts or 0] = frame.duration or 0
                packets += [coded(packet) for packet in encoder.encode(frame)]
                count += 1
                self.stages["encode"] += perf_counter() - start
                self._done()
                if count == FRAMES:
                    break
            if encoder is not None:
                start = perf_counter()
                packets += [coded(packet) for packet in encoder.encode(None)]
                self.stages["encode"] += perf_counter() - start
        except av.error.FFmpegError as error:
            raise OutputError(
                f"{self.output}: {plan.codec} does not encode {plan.width}×{plan.height} {plan.layout.name} "
                f"({error.strerror}): choose another --codec"
            ) from error
        default = max(1, round(1 / (plan.rate * plan.time_base)))
        return [Coded(p.pts, durations.get(p.pts) or default, p.keyframe, p.data) for p in packets], count

    # --- both

    def _read(self) -> Iterator[av.VideoFrame]:
        timed = Timed(self.reader.frames())
        for frame in timed:
            self.stages["decode"] = timed.seconds
            yield frame

    def _enlarged(self, frames: Iterator[av.VideoFrame], layout: Any, size: tuple[int, int]) -> Iterator[av.VideoFrame]:
        first = next(frames, None)
        if first is None:
            return
        shared = FrameUpscaler(
            self.upscaler,
            first,
            layout=layout,
            size=size,
            siting=self.info.siting,
            full_range=self.info.colour.range == 2,
            workers=self.workers,
        )
        self.frames = shared
        ahead = frames_ahead(self.workers, *shared.size, layout)

        def every() -> Iterator[av.VideoFrame]:
            yield first
            yield from frames

        for frame in in_order(shared.enlarge, every(), workers=self.workers, ahead=ahead):
            colour = self.info.colour
            frame.color_range, frame.colorspace = colour.range, colour.matrix
            frame.color_primaries, frame.color_trc = colour.primaries, colour.transfer
            yield frame

    def _done(self) -> None:
        self.count += 1
        self.advance(self.count)

    def _result(self, size: tuple[int, int], resumed: int) -> VideoResult:
        stages = dict(self.stages)
        if self.frames is not None:
            stages |= self.frames.seconds
        return VideoResult(
            output=self.output,
            width=size[0],
            height=size[1],
            frames=self.count,
            resumed=resumed,
            seconds=0.0,
            model=self.upscaler.name,
            scale=self.upscaler.scale,
            runtime=self.frames.runtime if self.frames is not None else self.upscaler.runtime,
            stages={
                name: stages[name] for name in ("decode", "network", "chroma", "encode", "write") if name in stages
            },
            notices=self.reader.notices,
        )


class _Checksum:
    """CRC-32 of the luma of a segment's frames."""

    def __init__(self) -> None:
        self._value = 0
        self._count = 0
        self._closed: list[int] = []

    def over(self, frames: Iterator[av.VideoFrame], info: VideoInfo) -> Iterator[av.VideoFrame]:
        for frame in frames:
            luma = planes(frame, info.layout)[0]
            self._value = zlib.crc32(np.ascontiguousarray(luma).data, self._value)
            self._count += 1
            yield frame

    def take(self) -> int:
        value, self._value, self._count = self._value, 0, 0
        return value

    def close_segment(self) -> None:
        self._closed.append(self.take())

    def of_segment(self, number: int) -> int:
        """Of a segment that was read since; the last one may still be open."""
        if number == len(self._closed):
            self.close_segment()
        return self._closed[number]


def _until_segment(frames: Iterator[av.VideoFrame], checksum: _Checksum) -> Iterator[av.VideoFrame]:
    """The same frames; the checksum of a segment is closed where its frames end, though reading runs ahead."""
    for index, frame in enumerate(frames, 1):
        if index % FRAMES == 0:
            checksum.close_segment()
        yield frame


def encoder_threads(workers: int) -> int:
    return max(1, min(workers + 1, 16))
