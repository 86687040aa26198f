"""Video in, video out: what `subpixel.upscale_video` and `subpixel upscale` do with one file.

Frames are decoded, enlarged and encoded at the same time: decoding and encoding in the caller's thread (and
the codecs' own), each frame's network in one of `threads` workers.
"""

from pathlib import Path
from time import perf_counter

from subpixel.errors import InputError, UsageError
from subpixel.media.video.container import container_of
from subpixel.media.video.encoder import Encoding
from subpixel.media.video.kinds import PIPE
from subpixel.media.video.reader import Reader
from subpixel.media.video.source import Wishes
from subpixel.upscaling.choice import Upscalers
from subpixel.upscaling.pictures import chooser, target_of
from subpixel.upscaling.target import DEFAULT_MODEL, Target
from subpixel.upscaling.upscaler import Upscaler
from subpixel.upscaling.video_job import Advance, Expect, VideoJob, VideoResult

MAX_MEGAPIXELS = 36.0  # of a resulting frame: 8K is 33


def upscale_video(
    source: str | Path,
    output: str | Path,
    scale: float | None = None,
    model: str | Path | Upscaler | Upscalers = DEFAULT_MODEL,
    *,
    size: str | tuple[int, int] | Target | None = None,
    runtime: str = "auto",
    threads: int | None = None,
    precision: str = "auto",
    start: float = 0.0,
    end: float | None = None,
    codec: str | None = None,
    crf: int | None = None,
    preset: str | None = None,
    pixel_format: str | None = None,
    deinterlace: bool = False,
    salvage: bool = False,
    resume: bool = False,
    subtitles: bool = True,
    max_megapixels: float | None = None,
    advance: Advance = lambda done: None,
    expect: Expect = lambda frames, resumed: None,
) -> VideoResult:
    """Enlarge a video, file to file; all its other streams, chapters and metadata go along as they are.

    While it works, finished parts are kept in a folder `OUTPUT.part`; the output appears at the end, whole.

    Args:
        source: a file, or "-" for y4m from standard input.
        output: a file, or "-" for y4m on standard output.
        scale, size, runtime, precision: as in `subpixel.upscale`; what no network enlarges by is resized from the
            next larger.
        model: likewise, and an `Upscaler` is best opened with threads=1.
        threads: default: every physical core this process may use.
        start, end: seconds; only what lies between.
        codec: "h264", "hevc", "av1", "vp9" or "ffv1"; default by container and depth.
        crf, preset: of the codec; see docs/upscaling.md.
        pixel_format: of the result, such as "yuv420p10le"; default: the source's.
        deinterlace: make whole frames of interlaced ones, which else are refused.
        salvage: write what can be decoded of a damaged file, which else is an error.
        subtitles: take them along; what the output's container cannot hold is an error otherwise.
        resume: go on where an interrupted run stopped.
        max_megapixels: the largest frame of a result; default 36.
        expect: called once, with the number of frames in all (None where that is unknown) and of those that an
            earlier run has made.
        advance: called after that with the number of frames that are done, again and again.

    Raises:
        UsageError: settings that do not go together.
        InputError: the video cannot be used; nothing is written.
        OutputError: the result cannot be written.
    """
    from subpixel.runtime.cores import available_cores

    begin = perf_counter()
    source, output = Path(source), Path(output)
    if end is not None and end <= start:
        raise UsageError(f"the end ({end:g} s) must come after the start ({start:g} s)")
    if start < 0:
        raise UsageError(f"the start (={start:g}) must not be negative")
    encoding = Encoding(codec, crf, preset, pixel_format)
    if output == PIPE or container_of(output) == "yuv4mpegpipe":
        for name, value in (("codec", codec), ("crf", crf), ("preset", preset), ("resume", resume or None)):
            if value is not None:
                raise UsageError(f"y4m is raw frames and takes no {name}: leave --{name} out")
    workers = threads or available_cores()
    target = size if isinstance(size, Target) else target_of(scale, size)
    # Each frame's network computes on one thread, and several frames at once.
    choose = chooser(model, {"runtime": runtime, "threads": 1, "precision": precision})
    limit = int((max_megapixels or MAX_MEGAPIXELS) * 1e6)
    wishes = Wishes(
        start=start,
        end=end,
        deinterlace=deinterlace,
        salvage=salvage,
        max_pixels=limit,
        threads=workers,
        subtitles=subtitles,
    )
    with Reader(source, wishes) as reader:
        small = reader.info.width, reader.info.height
        large = None if target is None else target.size(*small, name=reader.name)
        upscaler = choose(target, small, large)
        large = large or (small[0] * upscaler.scale, small[1] * upscaler.scale)
        if large[0] * large[1] > limit:
            raise InputError(
                f"{reader.name} becomes {large[0]}×{large[1]}, more than the {limit / 1e6:g} megapixels of a frame "
                "that are made: --max-megapixels raises that"
            )
        job = VideoJob(source, output, reader, upscaler, encoding, wishes, workers, large, advance, expect)
        result = job.to_y4m() if job.raw else job.to_file(resume)
    result.seconds = perf_counter() - begin
    return result
