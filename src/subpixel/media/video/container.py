"""The finished file: the enlarged video, and every other stream of the source as it is, bit for bit."""

import io
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
import av.error

from subpixel.errors import InputError, OutputError, UsageError
from subpixel.media.video.encoder import CODECS, EncoderPlan
from subpixel.media.video.kinds import PIPE
from subpixel.media.video.segments import decoding_delay, with_decoding_times
from subpixel.media.video.source import VideoInfo, Wishes, main_stream, opened

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

# Ending → FFmpeg's muxer.
CONTAINERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".avi": "avi",
    ".ts": "mpegts",
    ".nut": "nut",
    ".y4m": "yuv4mpegpipe",
}
_ALTERNATIVES = ("matroska", "mov", "mp4", "webm", "nut")
_BRANDS = {"major_brand", "minor_version", "compatible_brands"}  # of the source's own file format
# Facts of the stream that is replaced, which Matroska's muxers write down.
_STALE = {"BPS", "NUMBER_OF_BYTES", "NUMBER_OF_FRAMES", "DURATION", "ENCODER", "_STATISTICS_WRITING_APP"}
_STALE |= {"_STATISTICS_WRITING_DATE_UTC", "_STATISTICS_TAGS", "ALPHA_MODE"}
_MADE_FROM_CHAPTERS = 48  # AVDISCARD_ALL: how FFmpeg marks the track of MP4 and QuickTime that holds the chapters


def container_of(path: Path) -> str:
    """The muxer that an output's ending asks for.

    Raises:
        UsageError: it is none that is written.
    """
    found = CONTAINERS.get(path.suffix.lower())
    if found is None:
        endings = " ".join(CONTAINERS)
        raise UsageError(f"{path}: videos are written as {endings}, not {path.suffix or 'without an ending'}")
    return found


@dataclass(frozen=True)
class Others:
    """What goes along with the video: streams to copy, by their index in the source, and what stays behind."""

    copied: tuple[int, ...]
    notices: tuple[str, ...]


def plan_others(source: Path, output: Path, plan: EncoderPlan, info: VideoInfo, wishes: Wishes) -> Others:
    """Which other streams the output takes; tried out on headers in memory, before any work is done.

    Raises:
        InputError: the output's container cannot hold a stream; names it, and a container that can.
        OutputError: it cannot hold the video itself.
    """
    form = container_of(output)
    with opened(source) as container:
        main = main_stream(container, info.name)
        unwanted = () if wishes.subtitles else ("subtitle",)
        others = [s for s in container.streams if s.index != main.index and s.type not in unwanted]
        if not _holds(form, plan, info, container, []):
            raise OutputError(f"{output}: {form} does not hold {plan.codec} video: name another --codec, or .mkv")
        copied, notices = [], []
        for stream in others:
            if _holds(form, plan, info, container, [stream]):
                copied.append(stream.index)
                continue
            what = _describe(stream)
            if stream.type == "data":
                if int(stream.discard) != _MADE_FROM_CHAPTERS:  # they are written from what they say
                    notices.append(f"{info.name}: {what} is left out, since {form} does not hold it")
                continue
            raise InputError(
                f"{info.name}: {what} cannot be held by {form}{_way_out(form, plan, info, container, others, stream)}"
            )
    return Others(tuple(copied), tuple(notices))


def _way_out(
    form: str, plan: EncoderPlan, info: VideoInfo, source: "InputContainer", others: list["Stream"], stream: "Stream"
) -> str:
    """A container that holds everything; where none does, what else can be done about the stream."""
    endings = {name: ending for ending, name in reversed(CONTAINERS.items())}
    kept = [other for other in others if other.type != "data"]  # what no container holds keeps none from being named
    for other in _ALTERNATIVES:
        if other != form and _holds(other, plan, info, source, kept):
            return f"; {endings[other]} does: name such a file with -o"
    if stream.type == "subtitle":
        return ", and no container holds all its streams: --no-subtitles leaves such out"
    return ", and no container holds all its streams: take this one out first"


def _describe(stream: "Stream") -> str:
    context = stream.codec_context
    codec = f" ({context.name})" if context is not None else ""
    language = f" in {stream.language}" if stream.language and stream.language != "und" else ""
    return f"stream {stream.index}, {stream.type}{codec}{language},"


def _holds(form: str, plan: EncoderPlan, info: VideoInfo, source: "InputContainer", others: list["Stream"]) -> bool:
    """Whether a muxer writes a header for the video and these streams."""
    try:
        with av.open(io.BytesIO(), "w", format=form) as trial:
            _add_video(trial, plan, info)
            for stream in others:
                _add_copy(trial, stream)
            trial.start_encoding()
    except (av.error.FFmpegError, ValueError, TypeError):
        return False
    return True


def _add_video(output: "OutputContainer", plan: EncoderPlan, info: VideoInfo) -> "VideoStream":
    stream = cast("VideoStream", output.add_stream(CODECS[plan.codec].encoder, rate=plan.rate))
    plan.open(stream.codec_context)
    stream.time_base = plan.time_base
    if info.rotation is not None:
        stream.set_display_matrix(info.rotation)
    return stream


def _add_copy(output: "OutputContainer", stream: Any) -> "Stream | None":
    """The same stream in the output; None for an attachment, which has no packets."""
    if stream.type == "attachment":
        name = stream.metadata.get("filename") or stream.name or f"attachment-{stream.index}"
        mime = stream.metadata.get("mimetype") or stream.mimetype or "application/octet-stream"
        output.add_attachment(name, mime, stream.data).metadata.update(stream.metadata)
        return None
    made: Stream = output.add_stream_from_template(stream, opaque=True)
    made.metadata.update({k: v for k, v in stream.metadata.items() if k.upper() not in _STALE})
    made.disposition = stream.disposition
    return made


def write_container(
    path: Path,
    segments: list[Path],
    source: Path,
    plan: EncoderPlan,
    info: VideoInfo,
    others: Others,
    wishes: Wishes,
    advance: Callable[[], object] = lambda: None,
) -> None:
    """Put the finished segments and everything else of the source into one file.

    Timestamps are the source's. With a `start`, every stream is moved by it, so that they stay together.

    Args:
        path: to write to; its ending names the container.
        segments: all of them, in order.
        source, plan, info, others, wishes: as in reading and encoding.
        advance: called for every frame of the video.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        # Standard input has been read; it was y4m, which holds nothing besides.
        with nullcontext() if source == PIPE else opened(source) as container, _muxer(path) as output:
            _fill(output, container, segments, plan, info, others, wishes, advance)
    except av.error.FFmpegError as error:
        reason = getattr(error, "strerror", None) or str(error)
        if isinstance(error, ValueError):  # the muxer refuses what it is given
            raise InputError(
                f"{info.name}: its streams cannot be put together as {container_of(path)} ({reason}): "
                "name a file of another kind with -o, .mkv takes most"
            ) from error
        raise OutputError(f"{path} cannot be written ({reason}): make room, then go on with --resume") from error


def _muxer(path: Path) -> "OutputContainer":
    """Without random numbers and dates, so that the same work gives the same bytes."""
    form = container_of(path)
    # NUT infers decoding timestamps, so the negative ones before the first frame are no reason to move everything.
    options = {"avoid_negative_ts": "disabled"} if form == "nut" else {}
    output = av.open(f"file:{path}", "w", format=form, container_options=options)
    output.flags |= av.container.Flags.bitexact.value  # type: ignore[operator]
    return output


def _fill(
    output: "OutputContainer",
    source: "InputContainer | None",
    segments: list[Path],
    plan: EncoderPlan,
    info: VideoInfo,
    others: Others,
    wishes: Wishes,
    advance: Callable[[], object],
) -> None:
    begin = Fraction(wishes.start).limit_denominator(1_000_000)
    copies: Iterator[tuple[Fraction, Any]] = iter(())
    if source is None:
        shift = begin
        video = _add_video(output, plan, info)
    else:
        origin = Fraction(source.start_time or 0, 1_000_000)
        shift = begin + origin if begin else Fraction(0)
        end = None if wishes.end is None else Fraction(wishes.end).limit_denominator(1_000_000) + origin
        video, streams = _add_streams(output, source, plan, info, others)
        output.metadata.update({k: v for k, v in source.metadata.items() if k not in _BRANDS})
        _set_chapters(output, source, shift, end)
        copies = _copied(source, streams, shift, end)
    output.start_encoding()

    waiting = next(copies, None)
    moved = round(shift / plan.time_base)
    for decoding, packet in with_decoding_times(segments, decoding_delay(segments)):
        now = (decoding - moved) * plan.time_base
        while waiting is not None and waiting[0] <= now:
            output.mux(waiting[1])
            waiting = next(copies, None)
        coded = av.Packet(packet.data)
        coded.pts, coded.dts, coded.time_base = packet.pts - moved, decoding - moved, plan.time_base
        coded.duration, coded.is_keyframe, coded.stream = packet.duration, packet.keyframe, video
        output.mux(coded)
        advance()
    while waiting is not None:
        output.mux(waiting[1])
        waiting = next(copies, None)


def _add_streams(
    output: "OutputContainer", source: "InputContainer", plan: EncoderPlan, info: VideoInfo, others: Others
) -> "tuple[VideoStream, dict[int, Stream | None]]":
    """The video and the copies, in the source's order; the copies by their index in the source."""
    main = main_stream(source, info.name)
    streams: dict[int, Stream | None] = {}
    for stream in source.streams:
        if stream.index == main.index:
            video = _add_video(output, plan, info)
            video.metadata.update({k: v for k, v in stream.metadata.items() if k.upper() not in _STALE})
            video.disposition = stream.disposition
        elif stream.index in others.copied:
            streams[stream.index] = _add_copy(output, stream)
    return video, streams


def _copied(
    source: "InputContainer", streams: dict[int, Any], shift: Fraction, end: Fraction | None
) -> Iterator[tuple[Fraction, "av.Packet[Any]"]]:
    """Packets of the copied streams in the source's order, with the moment each is due."""
    if not any(stream is not None for stream in streams.values()):
        return
    latest = Fraction(0)
    last: dict[int, int] = {}  # decoding timestamps by stream; muxers refuse ones that go back
    with suppress(av.error.FFmpegError):  # what is broken was said when the video was read
        for packet in source.demux():
            target = streams.get(packet.stream_index)
            if target is None or packet.size == 0:
                continue
            moment = packet.pts if packet.pts is not None else packet.dts
            base = packet.time_base
            if moment is not None and base:
                at = moment * base
                if end is not None and at >= end:
                    continue
                if target.type == "subtitle" and packet.duration:
                    until = at + packet.duration * base
                    if shift and at < shift < until:  # on screen where the part begins
                        packet.pts = packet.dts = ceil(shift / base)
                        at = shift
                    if (shift and at == shift) or (end is not None and until > end):
                        until = until if end is None else min(until, end)
                        packet.duration = max(1, round(until / base) - (packet.pts or 0))
                if shift and at < shift:
                    continue
                moved = round(shift / base)
                packet.pts = None if packet.pts is None else packet.pts - moved
                packet.dts = None if packet.dts is None else packet.dts - moved
                due = packet.dts if packet.dts is not None else packet.pts or 0
                least = last.get(packet.stream_index, due - 1) + (target.type != "subtitle")
                if due < least:
                    due = packet.dts = least
                    packet.pts = max(packet.pts or due, due)
                last[packet.stream_index] = due
                latest = due * base
            packet.stream = target
            yield latest, packet


def _set_chapters(output: "OutputContainer", source: "InputContainer", shift: Fraction, end: Fraction | None) -> None:
    chapters: list[Any] = []
    for chapter in source.chapters():
        base = chapter["time_base"] or Fraction(1, 1000)
        first, last = chapter["start"] * base, chapter["end"] * base
        if last <= shift or (end is not None and first >= end):
            continue
        last = last if end is None else min(last, end)
        moved = {"start": round((max(first, shift) - shift) / base), "end": round((last - shift) / base)}
        chapters.append({**chapter, **moved})
    if chapters:
        output.set_chapters(chapters)
