"""`subpixel models` and `subpixel export`."""

from pathlib import Path

import click

from subpixel.cli.options import FILE, PATH, json_option, print_json, threads_option
from subpixel.errors import UsageError


@click.command(short_help="List the models.")
@click.argument("files", type=PATH, nargs=-1, metavar="[WEIGHTS.safetensors]...")
@click.option("--time", "timed", is_flag=True, help="Measure each on this machine, in turns.")
@threads_option
@json_option
def models(files: tuple[Path, ...], timed: bool, threads: int | None, as_json: bool) -> None:
    """List the models that come with the package, or weight files, with counts and figures.

    --time takes about a minute. Networks of more than 60 GMAC for 1920×1080 pixels are not run.
    """
    from subpixel.models import table, table_of

    if threads is not None and not timed:
        raise UsageError("--threads is for --time: give both, or neither")
    rows = table_of(files) if files else table()
    if timed:
        from subpixel.bench.zoo import add_times

        add_times(rows, files, threads=threads)
    if as_json:
        print_json({"models": rows})
        return
    from subpixel.cli.tables import models_table

    click.echo(models_table(rows))


@click.command(short_help="Write a model as an ONNX file.")
@click.argument("name", metavar="NAME|FILE")
@click.option("--scale", type=int, metavar="N", help="[default: 3; a file knows its own]")
@click.option("-o", "--output", type=FILE, required=True, help="The .onnx file to write.")
@json_option
def export(name: str, scale: int | None, output: Path, as_json: bool) -> None:
    """Write a model of the zoo, or a .safetensors file, as an ONNX file.

    Input "lr" and output "hr" are float32 [N, 1, H, W] of any size: Y of BT.601 (16..235), divided by 255.
    """
    from subpixel.media.atomic import place_for, write_atomically
    from subpixel.upscaling.upscaler import trained_network

    if output.suffix.lower() != ".onnx":
        raise UsageError(f"-o {output}: networks are written as .onnx, so the name needs that ending")
    with place_for(output):
        network = trained_network(name, scale)
        content = network.to_onnx().SerializeToString()
        write_atomically(output, content)
    if as_json:
        facts = {"output": str(output), "model": network.name, "scale": network.scale, "bytes": len(content)}
        print_json(facts)
    else:
        click.echo(f"{output}  {network.name} ×{network.scale}, {len(content):,} bytes")
