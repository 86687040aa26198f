"""`subpixel bench`."""

import click

from subpixel.cli.options import json_option, print_json, threads_option
from subpixel.errors import UsageError


@click.command(short_help="Time a model on every runtime and against OpenCV.")
@click.option("--model", default="espcn", show_default=True, metavar="NAME")
@click.option("--scale", type=int, metavar="N", default=3, show_default=True)
@click.option("--size", default="640x360", show_default=True, metavar="WxH", help="Of the LR picture.")
@threads_option
@click.option("--rounds", type=click.IntRange(1), metavar="N", default=15, help="[default: 15]")
@json_option
def bench(model: str, scale: int, size: str, threads: int | None, rounds: int, as_json: bool) -> None:
    """Enlarge one luma picture in every way this machine has, in turns, with equal threads.

    OpenCV and PyTorch take part where they are installed: pip install 'subpixel[bench,torch]'.
    """
    from subpixel.bench.speed import bench as run

    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise UsageError(f"--size {size} is no size: give width and height, such as 640x360")
    result = run(model, scale, size=(int(width), int(height)), threads=threads, rounds=rounds)
    if as_json:
        print_json(result)
    else:
        from subpixel.cli.tables import bench_table

        click.echo(bench_table(result))
