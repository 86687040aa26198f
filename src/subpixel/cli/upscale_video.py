"""What `subpixel upscale` does with videos: its options for them, and one after the other."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from subpixel.cli.options import together
from subpixel.errors import SubpixelError, UsageError

if TYPE_CHECKING:
    from subpixel.cli.pictures import Order, Outcome
    from subpixel.progress import Progress
    from subpixel.upscaling.video_job import VideoResult


class _Moment(click.ParamType):  # type: ignore[type-arg]
    """Seconds, or [hours:]minutes:seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?", value):
            self.fail(f"{value!r} is no time: give seconds, or minutes:seconds such as 1:30.5", param, ctx)
        seconds = 0.0
        for part in value.split(":"):
            seconds = 60 * seconds + float(part)
        return seconds


video_options = together(
    click.option("--start", type=_Moment(), metavar="TIME", help="Of a video: leave out what comes before."),
    click.option("--end", type=_Moment(), metavar="TIME", help="Of a video: leave out what comes after."),
    click.option(
        "--codec",
        type=click.Choice(["h264", "hevc", "av1", "vp9", "ffv1"]),
        help="Of a video.  [default: h264; hevc for HDR and 12 bits; .webm: vp9, av1 above 8 bits]",
    ),
    click.option("--crf", type=click.IntRange(0), metavar="N", help="Of a video: 0 is best.  [default: 18 for h264]"),
    click.option("--preset", metavar="NAME", help="Of a video: fast or small.  [default: superfast for h264]"),
    click.option("--pixel-format", metavar="NAME", help="Of a video, such as yuv420p10le.  [default: the input's]"),
    click.option("--deinterlace", is_flag=True, help="Make whole frames of an interlaced video."),
    click.option("--salvage", is_flag=True, help="Write what can be decoded of a damaged video."),
    click.option("--no-subtitles", is_flag=True, help="Of a video: leave its subtitles out."),
    click.option("--stats", is_flag=True, help="Of a video: print the time of each stage on stderr."),
)
VIDEO_OPTIONS = (
    "start",
    "end",
    "codec",
    "crf",
    "preset",
    "pixel_format",
    "deinterlace",
    "salvage",
    "no_subtitles",
    "stats",
)


def refuse_video_options(options: dict[str, Any]) -> None:
    """Options for videos where no input is one.

    Raises:
        UsageError: names the first of them.
    """
    for name in VIDEO_OPTIONS:
        if options.get(name) not in (None, False):
            raise UsageError(f"--{name.replace('_', '-')} is for videos, and none of the inputs is one")


def upscale_videos(
    jobs: list[tuple[Path, Path]],
    order: "Order",
    *,
    as_json: bool,
    stats: bool,
    start: float | None,
    no_subtitles: bool,
    **options: Any,
) -> "Outcome":
    """Enlarge videos one after the other; what fails is said and does not stop the rest.

    Args:
        jobs: files, or "-", and their results', as `media.video.naming.name_outputs` gives them.
        order: the method, for one thread, how large, and whether finished ones are left out.
        as_json: print no lines on stdout.
        stats, start, no_subtitles, options: as in `upscaling.video.upscale_video`.

    Raises:
        UsageError: options that do not suit the first of them; of later ones that is a failure.
    """
    from subpixel.cli.pictures import Outcome
    from subpixel.media.video.kinds import PIPE
    from subpixel.upscaling.video import upscale_video

    left = [job for job in jobs if not (order.resume and PIPE not in job and order.finished.has(*job))]
    outcome = Outcome([], [], len(jobs) - len(left))
    if outcome.skipped:
        click.echo(f"subpixel: {outcome.skipped} of {len(jobs)} videos were done before", err=True)
    for video, path in left:
        meter = _Meter(video.name if video != PIPE else "video")
        try:
            result = upscale_video(
                video,
                path,
                model=order.upscalers,
                size=order.target,
                resume=order.resume,
                start=start or 0.0,
                subtitles=not no_subtitles,
                advance=meter.advance,
                expect=meter.expect,
                **options,
            )
        except SubpixelError as error:
            meter.close()
            if isinstance(error, UsageError) and not outcome.count:
                raise
            click.echo(f"subpixel: {error}", err=True)
            outcome.failures.append({"input": str(video), "error": str(error)})
            continue
        except KeyboardInterrupt:
            meter.close()
            _say_what_is_kept(path)
            raise
        finally:
            meter.close()
        if PIPE not in (video, path):
            order.finished.note(video, path)
        for notice in result.notices:
            click.echo(f"subpixel: note: {notice}", err=True)
        if stats:
            click.echo(stage_table(result), err=True)
        outcome.outputs.append(_as_json(video, result))
        if not as_json:
            click.echo(_line(result), err=path == PIPE)
    return outcome


def _say_what_is_kept(path: Path) -> None:
    folder = path.with_name(f"{path.name}.part")
    if folder.exists():
        click.echo(f"subpixel: what is done is kept in {folder}: the same call with --resume goes on", err=True)


class _Meter:
    """Progress of one video: frames, frames a second, time left."""

    def __init__(self, name: str) -> None:
        self._name = name if len(name) <= 24 else f"{name[:21]}..."
        self._progress: Progress | None = None

    def expect(self, frames: int | None, resumed: int) -> None:
        from subpixel.progress import Progress

        self._progress = Progress(self._name, frames, start=resumed, unit="frames")

    def advance(self, done: int) -> None:
        import time

        progress = self._progress
        if progress is None:
            return
        if progress.total is not None and done > progress.total:
            progress.total = None  # there are more than the file said
        spent = time.monotonic() - progress.began
        rate = (done - progress.start) / spent if spent > 0 else 0.0
        progress.advance(done - progress.done, "" if sys.stderr.isatty() else f"{rate:.1f} frames/s")

    def close(self) -> None:
        if self._progress is not None:
            self._progress.__exit__(None, None, None)
            self._progress = None


def _line(result: "VideoResult") -> str:
    frames = f"{result.frames:,} frames"
    if result.resumed:
        frames += f" ({result.resumed:,} of them made before)"
    rate = f"{result.frames_per_second:.1f} frames/s"
    return f"{result.output}  {result.width}×{result.height}, {frames}, {rate}"


def _as_json(video: Path, result: "VideoResult") -> dict[str, Any]:
    return {
        "input": str(video),
        "output": str(result.output),
        "width": result.width,
        "height": result.height,
        "frames": result.frames,
        "resumed": result.resumed,
        "frames_per_second": round(result.frames_per_second, 2),
        "ms_network": round(1e3 * result.stages.get("network", 0.0), 2),
        "ms_total": round(1e3 * result.seconds, 2),
        "stages": {name: round(1e3 * seconds, 2) for name, seconds in result.stages.items()},
        "notices": result.notices,
    }


def stage_table(result: "VideoResult") -> str:
    """Milliseconds for each frame, by stage. Network and chroma run in several threads at once."""
    made = max(1, result.frames - result.resumed)
    lines = [f"{'stage':<10}{'ms a frame':>12}"]
    lines += [f"{name:<10}{1e3 * seconds / made:>12.2f}" for name, seconds in result.stages.items()]
    lines.append(f"{'all':<10}{1e3 * result.seconds / made:>12.2f}   {result.frames_per_second:.1f} frames/s")
    return "\n".join(lines)
