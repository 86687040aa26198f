"""`subpixel study` and its parts."""

from pathlib import Path

import click

from subpixel.cli.options import FILE, PATH, json_option, print_json
from subpixel.errors import MissingExtra

output_option = click.option(
    "-o", "--output", type=PATH, required=True, metavar="FOLDER", help="Of the result files; goes on where they end."
)
scales_option = click.option(
    "--scale", "scales", type=click.IntRange(2, 8), multiple=True, metavar="N", help="Repeatable.  [default: 3, 2, 4]"
)
threads_option = click.option("--threads", type=click.IntRange(1, 256), metavar="N", default=1, show_default=True)
quick_option = click.option("--quick", is_flag=True, help="At small size.")
SCALES = (3, 2, 4)


def needs_torch() -> None:
    """Raise MissingExtra with the install line unless PyTorch is there."""
    from subpixel.runtime.session import installed

    if not installed("torch"):
        raise MissingExtra("the study trains networks, which needs PyTorch: pip install 'subpixel[torch]'")


@click.group(short_help="Measure what computing in LR space gains (needs PyTorch).")
def study() -> None:
    """The note's two answers in numbers: docs/study.md."""


@study.command(short_help="Train families of networks at equal cost.")
@click.argument("folders", nargs=-1, required=True, type=PATH, metavar="FOLDER...")
@output_option
@scales_option
@click.option(
    "--match",
    type=click.Choice(["macs", "time", "both"]),
    default="both",
    show_default=True,
    help="What is made equal: multiplications, or measured time.",
)
@click.option("--benchmark", "benchmarks", multiple=True, type=PATH, metavar="FOLDER", help="A set to judge on.")
@click.option("--pictures", type=FILE, help="A list of the pictures to take, a relative path a line.")
@click.option("--held-out", multiple=True, metavar="NAME", help="Kept for validation (repeatable); else every 20th.")
@threads_option
@json_option
def budget(
    folders: tuple[Path, ...],
    output: Path,
    scales: tuple[int, ...],
    match: str,
    benchmarks: tuple[Path, ...],
    pictures: Path | None,
    held_out: tuple[str, ...],
    threads: int,
    as_json: bool,
) -> None:
    """Train families of equal depth at equal multiplications on the pictures of the folders.

    Every finished run is a line of budget.jsonl in the output folder; the same command goes on after the last.
    """
    needs_torch()
    from subpixel.study.budget import study_budget

    lines = study_budget(
        folders,
        benchmarks,
        output,
        scales=scales or SCALES,
        match=("macs", "time") if match == "both" else (match,),
        pictures=pictures,
        held_out=held_out,
        threads=threads,
        shown=lambda line: click.echo(line, err=True),
    )
    if as_json:
        print_json({"runs": lines})


@study.command(short_help="What LR networks can represent, and HR networks cannot.")
@output_option
@scales_option
@quick_option
@threads_option
@json_option
def power(output: Path, scales: tuple[int, ...], quick: bool, threads: int, as_json: bool) -> None:
    """Lift random HR networks to LR space (law A9) and compare by equality, on integers; then let every family fit
    functions that LR networks compute.

    The results are lines of power.jsonl in the output folder; the same command goes on where it was stopped.
    """
    needs_torch()
    from subpixel.study.power import QUICK, study_power

    lines = study_power(
        output,
        scales=scales or SCALES,
        settings=QUICK if quick else None,
        threads=threads,
        shown=lambda line: click.echo(line, err=True),
    )
    if as_json:
        print_json({"lines": lines})
    else:
        lifted = [line for line in lines if line["kind"] == "lifting"]
        differing = sum(line["differing"] > 0 for line in lifted)
        click.echo(f"{len(lifted):,} HR networks lifted to LR space, {differing} of them differ")
