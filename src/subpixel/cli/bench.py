"""`subpixel bench` and `subpixel bench rewrite`."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from subpixel.cli.options import FILE, PATH, json_option, print_json, threads_option
from subpixel.cli.shapes import Shapes, input_option
from subpixel.errors import OutputError, UsageError


@click.group(invoke_without_command=True, short_help="Time a model on every runtime, and rewriting.")
@click.option("--model", default="espcn", show_default=True, metavar="NAME")
@click.option("--scale", type=int, metavar="N", default=3, show_default=True)
@click.option("--size", default="640x360", show_default=True, metavar="WxH", help="Of the LR picture.")
@threads_option
@click.option("--rounds", type=click.IntRange(1), metavar="N", default=15, help="[default: 15]")
@json_option
@click.pass_context
def bench(
    context: click.Context, model: str, scale: int, size: str, threads: int | None, rounds: int, as_json: bool
) -> None:
    """Enlarge one luma picture in every way this machine has, in turns, with equal threads.

    OpenCV and PyTorch take part where they are installed: pip install 'subpixel[bench,torch]'.
    `subpixel bench models` times every model, `subpixel bench rewrite` measures what rewriting gains.
    """
    if context.invoked_subcommand is not None:
        return
    from subpixel.bench.speed import bench as run

    result = run(model, scale, size=_size(size), threads=threads, rounds=rounds)
    if as_json:
        print_json(result)
    else:
        from subpixel.cli.tables import bench_table

        click.echo(bench_table(result))


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise UsageError(f"--size {text} is no size: give width and height, such as 640x360")
    return int(width), int(height)


@bench.command(short_help="Time every model, PSNR beside it.")
@click.option("--scale", type=click.IntRange(2), metavar="N", default=3, show_default=True)
@click.option("--size", default="640x360", show_default=True, metavar="WxH", help="Of the LR picture.")
@threads_option
@click.option("--rounds", type=click.IntRange(1), metavar="N", default=15, help="[default: 15]")
@click.option("--budget", type=click.FloatRange(0), default=60.0, show_default=True, help="GMAC a picture, at most.")
@click.option("--plot", type=FILE, help="A picture to draw as well, .png or .svg (needs Matplotlib).")
@json_option
def models(
    scale: int, size: str, threads: int | None, rounds: int, budget: float, plot: Path | None, as_json: bool
) -> None:
    """Enlarge one luma picture by every network of `subpixel models`, in turns, with equal threads.

    Networks that come without weights are timed with random ones, and their PSNR is what their papers state.
    """
    from subpixel.bench.zoo import bench_models, check_plot
    from subpixel.bench.zoo import plot as draw
    from subpixel.media.atomic import place_for

    if plot is not None and plot.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"--plot {plot}: the picture is written as .png or .svg, so the name needs that ending")
    if plot is not None:
        check_plot()
    try:
        with place_for(plot) if plot is not None else nullcontext():
            result = bench_models(scale, size=_size(size), threads=threads, rounds=rounds, budget=budget)
            if plot is not None:
                draw(result, plot)
    except OutputError as error:
        raise OutputError(str(error).replace(" with -o", " with --plot")) from error
    if as_json:
        print_json(result)
    else:
        from subpixel.cli.tables import zoo_table

        click.echo(zoo_table(result))


@bench.command(short_help="Time rewritten networks against the originals.")
@click.argument("models", type=PATH, nargs=-1, metavar="[MODEL.onnx]...")
@click.option(
    "--runtime",
    type=click.Choice(["onnxruntime", "openvino", "both", "torch", "torch.compile"]),
    default="both",
    show_default=True,
    help="Where original and rewritten are timed; torch: the built-in heads as modules.",
)
@input_option
@threads_option
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 600),
    default=2.0,
    show_default=True,
    help="Of the race between original and rewritten, each.",
)
@click.option("--only", default="", metavar="TEXT", help="Of the built-in heads those with this in their name.")
@json_option
def rewrite(
    models: tuple[Path, ...],
    runtime: str,
    inputs: Shapes,
    threads: int | None,
    seconds: float,
    only: str,
    as_json: bool,
) -> None:
    """Rewrite networks with goal fastest and time them against the originals, in turns.

    Without a MODEL: super-resolution heads and decoders, with what each ought to gain. Shapes of --input go to
    the models that have an input of that name. Every candidate is listed with its time.
    """
    if models and only:
        raise UsageError("--only chooses among the built-in heads: leave it out, or the files")
    from subpixel.bench.rewritten import RUNTIMES, bench_rewrite

    runtimes = RUNTIMES if runtime == "both" else (runtime,)
    shown: dict[str, Any] = {}
    if not as_json:
        from subpixel.cli.tables import rewrites_head, rewrites_row
        from subpixel.runtime.cores import available_cores

        click.echo(rewrites_head(threads or available_cores()))
        shown = {"shown": lambda row: click.echo(rewrites_row(row))}
    result = bench_rewrite(
        models, runtimes=runtimes, inputs=inputs or None, threads=threads, seconds=seconds, only=only, **shown
    )
    if as_json:
        print_json(result)
    unequal = [row for row in result["rows"] if not row["equal"]]
    if unequal:
        raise click.exceptions.Exit(1)
