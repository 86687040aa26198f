"""`subpixel evaluate`."""

from pathlib import Path
from typing import Any

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


@click.command(short_help="Judge a model on a folder of pictures.")
@click.argument("folder", type=PATH)
@model_options
@click.option("--lr", type=PATH, help="A folder of LR pictures to take, instead of shrinking FOLDER's own.")
@click.option(
    "--protocol",
    type=click.Choice(["papers", "png", "given"]),
    help="How LR is made: unrounded, 8-bit, or by --lr.  [default: papers, given with --lr]",
)
@runtime_options
@foreign_options
@json_option
def evaluate(folder: Path, lr: Path | None, protocol: str | None, as_json: bool, **options: Any) -> int:
    """PSNR and SSIM of a model that enlarges FOLDER's pictures after they were shrunk."""
    from subpixel.evaluate import evaluate as run

    result = run(folder, open_by_options(**options), lr=lr, protocol=protocol)
    if as_json:
        print_json(result)
    else:
        from subpixel.cli.tables import evaluation_table

        click.echo(evaluation_table(result))
    for failure in result["failures"]:
        click.echo(f"subpixel: {failure['error']}", err=True)
    return 1 if result["failures"] else 0
