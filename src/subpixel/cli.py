"""The command `subpixel`: one function per verb. Heavy imports stand inside the functions.

Results go to stdout, progress and diagnostics to stderr. Exit code 0: done; 1: something failed; 2: bad usage.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from subpixel import __version__
from subpixel.errors import MissingExtra, SubpixelError, UsageError

if TYPE_CHECKING:
    from subpixel.media.naming import Job
    from subpixel.progress import Progress
    from subpixel.upscaler import Upscaler

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
ANY = click.Path(path_type=Path)


def main() -> None:
    """Entry point: a user's mistake is one sentence on stderr, never a traceback."""
    try:
        code = cli(prog_name="subpixel", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("subpixel: interrupted; nothing is half-written", err=True)
        code = 130
    except SubpixelError as error:
        click.echo(f"subpixel: {error}", err=True)
        code = 2 if isinstance(error, UsageError) else 1
    sys.exit(code or 0)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(__version__, message="subpixel %(version)s")
def cli() -> None:
    """Enlarge pictures with networks that compute in low-resolution space."""


def _options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
_scale = click.option("--scale", type=int, help="2, 3, 4, ...  [default: 3; an ONNX file knows its own]")
_model = click.option(
    "--model",
    default="espcn",
    show_default=True,
    metavar="NAME|FILE",
    help="A model of `subpixel models`, an .onnx or a .safetensors file.",
)
_runtime = _options(
    click.option(
        "--runtime",
        type=click.Choice(["auto", "onnxruntime", "openvino", "torch"]),
        default="auto",
        show_default=True,
        help="What computes; auto: the faster of onnxruntime and OpenVINO, measured once per machine.",
    ),
    click.option(
        "--precision",
        type=click.Choice(["auto", "f32", "bf16"]),
        default="auto",
        show_default=True,
        help="auto is f32; bf16: OpenVINO, where the processor has it.",
    ),
    click.option("--threads", type=click.IntRange(1), help="[default: one for every physical core]"),
)
_foreign = _options(
    click.option("--channels", type=click.Choice(["1", "3"]), help="Of an ONNX file that leaves it open."),
    click.option(
        "--value-range",
        type=click.Choice(["1", "255"]),
        help="White's value in an ONNX file.  [default: found out]",
    ),
    click.option(
        "--colour",
        type=click.Choice(["y", "rgb", "bgr"]),
        help="What an ONNX file takes.  [default: y for 1 channel, rgb for 3]",
    ),
)


@cli.command(short_help="Enlarge pictures and folders of pictures.")
@click.argument("inputs", nargs=-1, required=True, type=ANY, metavar="INPUT...")
@click.option("-o", "--output", type=ANY, help="A file for one picture, else a folder.")
@_scale
@_model
@click.option(
    "--format",
    "ending",
    type=click.Choice(["png", "jpg", "webp", "tiff", "bmp"]),
    help="Of the results.  [default: the input's]",
)
@_runtime
@_foreign
@click.option(
    "--max-megapixels",
    type=click.FloatRange(0, min_open=True),
    default=268,
    show_default=True,
    help="Largest result.",
)
@_as_json
def upscale(
    inputs: tuple[Path, ...],
    output: Path | None,
    ending: str | None,
    max_megapixels: float,
    as_json: bool,
    **options: Any,
) -> int:
    """Enlarge pictures: PNG, JPEG, WebP, TIFF, BMP.

    Without -o the result of photo.jpg is photo_x3.jpg beside it, and a folder's pictures go to a folder
    NAME_x3 beside it, subfolders kept. An input is never overwritten.
    """
    from subpixel.media.image import FORMATS, picture_size
    from subpixel.media.naming import plan
    from subpixel.progress import Progress
    from subpixel.upscaling import tile_count

    upscaler = _open(**options)
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
            done = progress.done
            try:
                result = _upscale_one(job, upscaler, max_megapixels, progress)
            except SubpixelError as error:
                progress.say(f"subpixel: {error}")
                failures.append({"input": str(job.input), "error": str(error)})
            else:
                outputs.append(result)
                if not as_json:
                    _tell(progress, _line(result))
            progress.advance(done + count - progress.done)
    if as_json:
        _print_json(
            {
                "model": upscaler.name,
                "scale": upscaler.scale,
                "runtime": upscaler.runtime,
                "outputs": outputs,
                "failures": failures,
            }
        )
    elif failures and len(jobs) > 1:
        click.echo(f"subpixel: {len(failures)} of {len(jobs)} failed", err=True)
    return 1 if failures else 0


def _upscale_one(job: "Job", upscaler: "Upscaler", max_megapixels: float, progress: "Progress") -> dict[str, Any]:
    from subpixel.errors import InputError
    from subpixel.media.image import check_output, read_picture, write_picture
    from subpixel.upscaling import enlarge

    if job.error or job.output is None:
        raise job.error or InputError(f"{job.input} has no output")
    start, before = perf_counter(), upscaler.seconds
    try:
        picture = read_picture(job.input, scale=upscaler.scale, max_megapixels=max_megapixels)
        height, width = (side * upscaler.scale for side in picture.pixels.shape[:2])
        check_output(job.output, width, height, transparent=picture.alpha is not None)
        enlarged = enlarge(picture, upscaler, progress.advance)
        notices = picture.notices + write_picture(enlarged, job.output)
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
    times = f"network {result['ms_network']:,.0f} ms, in all {result['ms_total']:,.0f} ms"
    return f"{result['output']}  {size}, {times}"


def _tell(progress: "Progress", line: str) -> None:
    """A result's line on stdout; where that is the terminal the progress bar is on, above the bar."""
    if sys.stdout.isatty() and progress.stream.isatty():
        progress.say(line)
    else:
        click.echo(line)


@cli.command(short_help="List the models.")
@_as_json
def models(as_json: bool) -> None:
    """List the models that come with the package, with their figures."""
    from subpixel import models as zoo

    rows = zoo.table()
    if as_json:
        _print_json({"models": rows})
        return
    for row in rows:
        click.echo(row["name"])
        click.echo(f"  {row['description']}")


@cli.command(short_help="Judge a model on a folder of pictures.")
@click.argument("folder", type=ANY)
@_model
@_scale
@click.option("--lr", type=ANY, help="LR pictures to take, instead of shrinking FOLDER's own.")
@click.option("--protocol", type=click.Choice(["papers", "png", "given"]), help="See docs/evaluation.md.")
@_runtime
@_foreign
@_as_json
def evaluate(
    folder: Path,
    lr: Path | None,
    protocol: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """PSNR and SSIM of a model that enlarges FOLDER's pictures after they were shrunk."""
    from subpixel.evaluate import evaluate as run

    result = run(folder, _open(**options), lr=lr, protocol=protocol)
    if as_json:
        _print_json(result)
    else:
        _print_evaluation(result)
    for failure in result["failures"]:
        click.echo(f"subpixel: {failure['error']}", err=True)
    return 1 if result["failures"] else 0


def _print_evaluation(result: dict[str, Any]) -> None:
    width = max(len(row["name"]) for row in [*result["images"], {"name": "mean"}])
    click.echo(f"{result['model']} ×{result['scale']} on {result['runtime']}")
    click.echo(result["protocol"])
    click.echo(f"{'picture':{width}}   PSNR dB     SSIM   network ms")
    for row in [*result["images"], {"name": "mean", "ms": None, **result}]:
        psnr = "equal" if row["psnr"] is None else f"{row['psnr']:.2f}"
        ssim = "-" if row["ssim"] is None else f"{row['ssim']:.4f}"
        ms = "" if row.get("ms") is None else f"{row['ms']:.1f}"
        click.echo(f"{row['name']:{width}}  {psnr:>8}  {ssim:>7}  {ms:>11}".rstrip())


@cli.command(short_help="Train a model's weights (needs PyTorch).")
@click.argument("folders", nargs=-1, required=True, type=ANY, metavar="FOLDER...")
@click.option("-o", "--output", type=FILE, required=True, help="The weight file to write, .safetensors.")
@click.option("--scale", type=int, required=True, help="Any whole number from 2.")
@click.option("--model", default="espcn", show_default=True, metavar="NAME")
@click.option("--pictures", type=FILE, help="A list of the pictures to take: a relative path a line.")
@click.option("--held-out", multiple=True, metavar="NAME", help="A picture to validate on (repeatable).")
@click.option("--steps", type=int, help="Optimiser steps.")
@click.option("--batch", type=int, help="Patches a step.")
@click.option("--patch", type=int, help="Side of a patch in LR pixels.")
@click.option("--learning-rate", type=float, help="Adam's, at the peak.")
@click.option("--warm-up", type=int, help="Steps of linear warm-up.")
@click.option("--squared-from", type=float, help="Fraction of the steps after which the loss is squared.")
@click.option("--ema", type=float, help="Decay of the running mean that is saved.")
@click.option("--halved/--no-halved", default=None, help="Learn from every picture at half size too.")
@click.option("--initial", type=FILE, help="A weight file of the same model to start from.")
@click.option("--seed", type=int)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--threads", type=click.IntRange(1))
@click.option("--checkpoint-every", type=int, help="Steps between checkpoints.")
@click.option("--resume", is_flag=True, default=None, help="Go on from the checkpoint of a run cut off.")
@_as_json
def train(as_json: bool, **options: Any) -> None:
    """Train a model on the pictures of the folders and write its weights.

    A run that is cut off leaves a checkpoint beside the output; --resume goes on from it to the very weights that
    an uninterrupted run gives.
    """
    from subpixel.runtime.session import installed

    if not installed("torch"):
        raise MissingExtra("training needs PyTorch: pip install 'subpixel[torch]'")
    from subpixel.train.config import TrainConfig
    from subpixel.train.loop import train as run

    given = {name: value for name, value in options.items() if value is not None}
    result = run(TrainConfig(**given))
    if as_json:
        _print_json({"output": str(result.output), "steps": result.steps, "seconds": result.seconds})
        return
    click.echo(f"{result.output}")


@cli.command(short_help="Write a model as an ONNX file.")
@click.argument("name")
@click.option("--scale", type=int, default=3, show_default=True)
@click.option("-o", "--output", type=FILE, required=True, help="The .onnx file to write.")
@_as_json
def export(name: str, scale: int, output: Path, as_json: bool) -> None:
    """Write a model of the zoo, or a .safetensors file, as an ONNX file.

    Input "lr" and output "hr" are Y of BT.601 (16..235), divided by 255, [N, 1, H, W], any height and width.
    """
    from subpixel import models as zoo
    from subpixel.media.atomic import write_atomically

    if output.suffix.lower() != ".onnx":
        raise UsageError(f"-o {output}: the file is written as .onnx, so it needs that ending")
    network = zoo.read_weights(name) if name.endswith(".safetensors") else zoo.load(name, scale)
    content = network.to_onnx().SerializeToString()
    write_atomically(output, content)
    facts = {"output": str(output), "model": network.name, "scale": network.scale, "bytes": len(content)}
    if as_json:
        _print_json(facts)
    else:
        click.echo(f"{output}  {network.name} ×{network.scale}, {len(content):,} bytes")


def _open(
    model: str,
    scale: int | None,
    runtime: str,
    precision: str,
    threads: int | None,
    channels: str | None,
    value_range: str | None,
    colour: str | None,
) -> "Upscaler":
    from subpixel.upscaler import open_upscaler

    return open_upscaler(
        model,
        scale,
        runtime=runtime,
        threads=threads,
        precision=precision,
        channels=int(channels) if channels else None,
        value_range=int(value_range) if value_range else None,
        colour=colour,
    )


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
