"""`subpixel upscale`: what was asked for; the work itself is in `cli.pictures` and `cli.upscale_video`."""

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from subpixel.cli.options import (
    PATH,
    foreign_options,
    json_option,
    model_option,
    print_json,
    runtime_options,
    together,
)
from subpixel.cli.upscale_video import VIDEO_OPTIONS, refuse_video_options, upscale_videos, video_options
from subpixel.errors import UsageError

if TYPE_CHECKING:
    from subpixel.cli.pictures import Order
    from subpixel.progress import Progress

size_options = together(
    click.option(
        "--scale",
        metavar="N",
        help="Any number above 1: what no network enlarges by is resized from the next larger.  "
        "[default: 3; a file knows its own]",
    ),
    click.option("--size", metavar="WxH", help="Instead of a scale: 1920x1080, 1920x or x1080."),
)
encoding_options = together(
    click.option(
        "--format",
        "ending",
        type=click.Choice(["png", "jpg", "webp", "tiff", "bmp", "gif", "avif"]),
        help="Of the results.  [default: the input's]",
    ),
    click.option(
        "--quality",
        type=click.IntRange(1, 100),
        metavar="1-100",
        help="Of JPEG, WebP and AVIF.  [default: 95, 95, 85]",
    ),
    click.option("--lossless", is_flag=True, help="WebP without loss."),
    click.option(
        "--chroma",
        type=click.Choice(["4:4:4", "4:2:2", "4:2:0"]),
        default="4:4:4",
        show_default=True,
        help="Colour resolution of JPEG and AVIF.",
    ),
    click.option(
        "--compression",
        type=click.IntRange(0, 9),
        metavar="0-9",
        help="Of PNG.  [default: run lengths: fast, and about as small as 6]",
    ),
)
work_options = together(
    click.option("--resume", is_flag=True, help="Leave out what an interrupted call has finished."),
    click.option(
        "--workers", type=click.IntRange(1, 64), metavar="N", help="Pictures at a time.  [default: 2; 1 with --memory]"
    ),
    click.option(
        "--memory",
        metavar="SIZE",
        help="Bound of the process's memory, such as 512M: works in strips from file to file.",
    ),
    click.option(
        "--max-megapixels",
        type=click.FloatRange(0, min_open=True),
        metavar="N",
        help="Largest result.  [default: 268, none with --memory; of a video 36]",
    ),
)


@click.command(short_help="Enlarge pictures, folders of pictures, and videos.")
@click.argument("inputs", nargs=-1, required=True, type=PATH, metavar="INPUT...")
@click.option("-o", "--output", type=PATH, help="A file for one input, else a folder; - for y4m on stdout.")
@model_option
@size_options
@encoding_options
@work_options
@runtime_options
@foreign_options
@video_options
@json_option
def upscale(
    inputs: tuple[Path, ...],
    output: Path | None,
    ending: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Enlarge pictures (PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF) and videos (MP4, MKV, WebM, MOV, ...).

    Without -o the result of photo.jpg is photo_x3.jpg beside it, and a folder's pictures and videos go to a folder
    NAME_x3 beside it, subfolders kept. An input is never overwritten. As an input, - is y4m from stdin.
    """
    from subpixel.cli.pictures import Outcome, tell, upscale_pictures
    from subpixel.media.folders import is_folder
    from subpixel.media.image import FORMATS
    from subpixel.media.naming import has_pictures, plan
    from subpixel.media.video.naming import find_videos, name_outputs

    asked = FORMATS.get(output.suffix.lower()) if output is not None else None
    if asked and ending and asked != FORMATS[f".{ending}"]:
        raise UsageError(f"--format {ending} contradicts -o {output}: leave one of them out")
    for_videos = {name: options.pop(name) for name in VIDEO_OPTIONS}
    videos = find_videos(inputs)
    pictures = [path for path in inputs if path not in videos or (is_folder(path) and has_pictures(path))]
    if not videos:
        refuse_video_options(for_videos)
    if not pictures:
        _refuse_picture_options()
    elif videos and options["memory"]:
        raise UsageError(
            "--memory bounds pictures, and there are videos among the inputs: do them in a call of their own"
        )
    order = _order(options, for_videos={} if pictures else for_videos)
    results = name_outputs(videos, output, order.target.label, alone=len(inputs) == 1) if videos else []
    outcome = Outcome([], [])
    if pictures:
        jobs = plan(pictures, output, order.target.label, f".{ending}" if ending else None)
        outcome = upscale_pictures(jobs, order, _silent if as_json else tell)
    if results:
        if pictures:
            order = _order(options, for_videos=for_videos)
        made = upscale_videos(
            results, order, as_json=as_json, threads=options["threads"],
            max_megapixels=order.limits.megapixels, **for_videos,
        )  # fmt: skip
        outcome.add(made)
    if as_json:
        about = {"model": order.upscalers.name, "scale": order.target.number, "runtime": order.upscalers.runtime}
        skipped = {"skipped": outcome.skipped} if order.resume else {}
        both = {"outputs": outcome.outputs, "failures": outcome.failures}
        print_json({**about, **skipped, **both}, err=output == Path("-"))
    elif outcome.failures and outcome.count > 1:
        click.echo(f"subpixel: {len(outcome.failures)} of {outcome.count} failed", err=True)
    return 1 if outcome.failures else 0


def _order(options: dict[str, Any], *, for_videos: dict[str, Any]) -> "Order":
    """The options as one value, for pictures, or with options for videos, whose frames get a thread each.

    What contradicts itself is bad usage before anything is touched.
    """
    from subpixel.cli.pictures import Order, file_state
    from subpixel.media.writing import Encoding
    from subpixel.upscaling.choice import Upscalers
    from subpixel.upscaling.files import Limits
    from subpixel.upscaling.finished import Finished
    from subpixel.upscaling.memory import parse_memory
    from subpixel.upscaling.pictures import target_of
    from subpixel.upscaling.target import Target

    o = options
    encoding = Encoding(o["quality"], o["lossless"], o["chroma"], o["compression"])
    memory, workers = o["memory"], o["workers"]
    limits = Limits(o["max_megapixels"], parse_memory(memory) if memory else None)
    if memory and workers and workers > 1:
        raise UsageError(f"--workers {workers} contradicts --memory {memory}: one picture at a time keeps the bound")
    target = target_of(o["scale"], o["size"])
    upscalers = Upscalers(
        o["model"],
        runtime=o["runtime"],
        precision=o["precision"],
        threads=1 if for_videos else o["threads"],
        channels=int(o["channels"]) if o["channels"] else None,
        value_range=int(o["value_range"]) if o["value_range"] else None,
        colour=o["colour"],
    )
    if target is None:
        target = Target(Fraction(upscalers.default().scale))
    elif target.factor is not None:
        upscalers.at_least(target.factor)  # an impossible model or runtime is said before anything is done
    deciding = {name: value for name, value in o.items() if name not in ("resume", "workers", "max_megapixels")}
    deciding |= {name: value for name, value in for_videos.items() if name != "stats"}
    finished = Finished({**deciding, "model": file_state(o["model"])})
    return Order(upscalers, target, encoding, limits, workers, finished, o["resume"])


def _refuse_picture_options() -> None:
    """Options for pictures where every input is a video.

    Raises:
        UsageError: names the first of them.
    """
    context = click.get_current_context()
    for name in ("ending", "quality", "lossless", "chroma", "compression", "workers", "memory"):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = {"ending": "format"}.get(name, name)
            raise UsageError(f"--{option} is for pictures, and none of the inputs is one")


def _silent(progress: "Progress", line: str) -> None:
    """With --json the results come together at the end."""
