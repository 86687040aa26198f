"""`subpixel upscale`: files and folders, one after the other; what fails does not stop the rest."""

import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from subpixel.cli.options import (
    PATH,
    foreign_options,
    json_option,
    model_options,
    open_by_options,
    print_json,
    runtime_options,
)
from subpixel.cli.upscale_video import VIDEO_OPTIONS, refuse_video_options, upscale_videos, video_options
from subpixel.errors import InputError, SubpixelError, UsageError

if TYPE_CHECKING:
    from subpixel.media.naming import Job
    from subpixel.progress import Progress
    from subpixel.upscaling.upscaler import Upscaler


@click.command(short_help="Enlarge pictures, folders of pictures, and videos.")
@click.argument("inputs", nargs=-1, required=True, type=PATH, metavar="INPUT...")
@click.option("-o", "--output", type=PATH, help="A file for one input, else a folder; - for y4m on stdout.")
@model_options
@click.option(
    "--format",
    "ending",
    type=click.Choice(["png", "jpg", "webp", "tiff", "bmp"]),
    help="Of the results.  [default: the input's]",
)
@runtime_options
@foreign_options
@click.option(
    "--max-megapixels",
    type=click.FloatRange(0, min_open=True),
    metavar="N",
    help="Largest result.  [default: 268, of a video 36]",
)
@click.option("--resume", is_flag=True, help="Go on where an interrupted run stopped.")
@video_options
@json_option
def upscale(
    inputs: tuple[Path, ...],
    output: Path | None,
    ending: str | None,
    max_megapixels: float | None,
    resume: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Enlarge pictures (PNG, JPEG, WebP, TIFF, BMP) and videos (MP4, MKV, WebM, MOV, ...).

    Without -o the result of photo.jpg is photo_x3.jpg beside it, and a folder's pictures go to a folder
    NAME_x3 beside it, subfolders kept. An input is never overwritten. As an input, - is y4m from stdin.
    """
    from subpixel.media.video.kinds import is_video

    for_videos = {name: options.pop(name) for name in VIDEO_OPTIONS}
    videos = [path for path in inputs if is_video(path)]
    pictures = [path for path in inputs if path not in videos]
    if not videos:
        refuse_video_options({**for_videos, "resume": resume})
    outputs: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    upscaler: Upscaler | None = None
    if pictures:
        upscaler = open_by_options(**options)
        outputs, failures = _upscale_pictures(pictures, output, ending, upscaler, max_megapixels, as_json)
    if videos:
        upscaler = open_by_options(**{**options, "threads": 1})  # each frame on one thread, several at once
        made, failed = upscale_videos(
            videos, output, upscaler, alone=len(inputs) == 1, as_json=as_json, resume=resume,
            threads=options["threads"], max_megapixels=max_megapixels, **for_videos,
        )  # fmt: skip
        outputs, failures = outputs + made, failures + failed
    if as_json:
        assert upscaler is not None
        about = {"model": upscaler.name, "scale": upscaler.scale, "runtime": upscaler.runtime}
        print_json({**about, "outputs": outputs, "failures": failures}, err=output == Path("-"))
    elif failures and len(outputs) + len(failures) > 1:
        click.echo(f"subpixel: {len(failures)} of {len(outputs) + len(failures)} failed", err=True)
    return 1 if failures else 0


def _upscale_pictures(
    inputs: list[Path],
    output: Path | None,
    ending: str | None,
    upscaler: "Upscaler",
    max_megapixels: float | None,
    as_json: bool,
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    from subpixel.media.image import FORMATS, MAX_MEGAPIXELS, picture_size
    from subpixel.media.naming import plan
    from subpixel.progress import Progress
    from subpixel.upscaling.pictures import tile_count

    asked = FORMATS.get(output.suffix.lower()) if output is not None else None
    if asked and ending and asked != FORMATS[f".{ending}"]:
        raise UsageError(f"--format {ending} contradicts -o {output}: leave one of them out")
    jobs = plan(inputs, output, upscaler.scale, f".{ending}" if ending else None)
    sizes = [None if job.error else picture_size(job.input) for job in jobs]
    tiles = [tile_count(size, upscaler) if size else 1 for size in sizes]
    outputs: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    with Progress("upscaling", sum(tiles), unit="tiles") as progress:
        for job, count in zip(jobs, tiles, strict=True):
            before = progress.done
            try:
                result = _upscale_one(job, upscaler, max_megapixels or MAX_MEGAPIXELS, progress)
            except SubpixelError as error:
                progress.say(f"subpixel: {error}")
                failures.append({"input": str(job.input), "error": str(error)})
            else:
                outputs.append(result)
                if not as_json:
                    _tell(progress, _line(result))
            progress.advance(before + count - progress.done)  # what a failure left undone
    return outputs, failures


def _upscale_one(job: "Job", upscaler: "Upscaler", max_megapixels: float, progress: "Progress") -> dict[str, Any]:
    from subpixel.media.image import check_output, read_picture, write_picture
    from subpixel.upscaling.pictures import enlarge, tile_count

    if job.output is None:
        raise job.error or InputError(f"{job.input} cannot be read")
    start, before = perf_counter(), upscaler.seconds
    try:
        picture = read_picture(job.input, scale=upscaler.scale, max_megapixels=max_megapixels)
        height, width = (side * upscaler.scale for side in picture.pixels.shape[:2])
        check_output(job.output, width, height, transparent=picture.alpha is not None)
        try:
            enlarged = enlarge(picture, upscaler, progress.advance)
        except SubpixelError as error:  # the network does not know which picture it was given
            raise type(error)(f"{job.input}: {error}") from error
        notices = picture.notices + write_picture(enlarged, job.output)
        if upscaler.halo is None and tile_count(picture.pixels.shape[:2], upscaler) > 1:
            notices.append(f"{job.input}: how far {upscaler.name} looks is not known, so its tiles may show seams")
    except MemoryError as error:
        raise InputError(f"{job.input} is too large for this machine's memory: cut it into parts") from error
    for notice in notices:
        progress.say(f"subpixel: note: {notice}")
    return {
        "input": str(job.input),
        "output": str(job.output),
        "width": width,
        "height": height,
        "ms_network": round(1e3 * (upscaler.seconds - before), 2),
        "ms_total": round(1e3 * (perf_counter() - start), 2),
        "notices": notices,
    }


def _line(result: dict[str, Any]) -> str:
    size = f"{result['width']}×{result['height']}"
    return f"{result['output']}  {size}, network {result['ms_network']:,.0f} of {result['ms_total']:,.0f} ms"


def _tell(progress: "Progress", line: str) -> None:
    """A result's line on stdout; where that is the terminal the progress bar is on, above the bar."""
    if sys.stdout.isatty() and progress.stream.isatty():
        progress.say(line)
    else:
        click.echo(line)
