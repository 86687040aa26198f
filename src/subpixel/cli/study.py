"""`subpixel study` and its parts."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from subpixel.cli.options import FILE, PATH, json_option, print_json, together
from subpixel.errors import MissingExtra, UsageError

SCALES = (3, 2, 4)

output_option = click.option(
    "-o", "--output", type=PATH, required=True, metavar="FOLDER", help="Of the result files; goes on where they end."
)
scales_option = click.option(
    "--scale", "scales", type=click.IntRange(2, 8), multiple=True, metavar="N", help="Repeatable.  [default: 3, 2, 4]"
)
threads_option = click.option("--threads", type=click.IntRange(1, 256), metavar="N", default=1, show_default=True)
quick_option = click.option("--quick", is_flag=True, help="At small size.")
pictures_options = together(
    click.option(
        "--pictures-folder",
        "folders",
        multiple=True,
        type=PATH,
        metavar="FOLDER",
        help="Pictures to learn from (repeatable).",
    ),
    click.option(
        "--benchmark", "benchmarks", multiple=True, type=PATH, metavar="FOLDER", help="A set to judge on (repeatable)."
    ),
    click.option("--pictures", type=FILE, help="A list of the pictures to take, a relative path a line."),
    click.option(
        "--held-out", multiple=True, metavar="NAME", help="Kept for validation (repeatable); else every 20th."
    ),
)


@click.group(invoke_without_command=True, short_help="Measure what computing in LR space gains (needs PyTorch).")
@click.option("-o", "--output", type=PATH, metavar="FOLDER", help="Of results and report; goes on where they end.")
@quick_option
@scales_option
@pictures_options
@threads_option
@json_option
@click.pass_context
def study(
    context: click.Context,
    /,
    output: Path | None,
    quick: bool,
    scales: tuple[int, ...],
    threads: int,
    as_json: bool,
    **given: Any,
) -> None:
    """The note's two answers in numbers: all parts in turn, their findings, and the page that shows them.

    Every finished run is a line of a file in the output folder, and the same command goes on after the last. Without
    pictures the networks learn from computed ones. docs/study.md has the full study's command.
    """
    if context.invoked_subcommand is not None:
        early = [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
        if early:
            name = context.invoked_subcommand
            raise UsageError(f"options before `{name}` are not read by it: put them behind it, `study {name} …`")
        return
    if not given["folders"] and (given["pictures"] or given["held_out"]):
        raise UsageError(
            "--pictures and --held-out name pictures of a folder, and none was given: add --pictures-folder"
        )
    if output is None:
        raise UsageError("the study needs a folder to write to: give one with -o")
    needs_torch()
    from subpixel.study.whole import PAGE, study_everything

    found = study_everything(
        output=output, quick=quick, scales=scales or SCALES, threads=threads, shown=on_stderr, **given
    )
    if as_json:
        print_json(found)
        return
    for sentence in found["sentences"]:
        click.echo(f"{sentence['verdict']}: {sentence['text']}")
    click.echo(f"{output / PAGE}  {found['planned'] - len(found['missing']):,} of {found['planned']:,} runs made")


@study.command(short_help="Train families of networks at equal cost.")
@output_option
@scales_option
@click.option(
    "--match",
    type=click.Choice(["macs", "time", "both"]),
    default="both",
    show_default=True,
    help="What is made equal: multiplications, or measured time.",
)
@quick_option
@pictures_options
@threads_option
@json_option
def budget(output: Path, scales: tuple[int, ...], match: str, quick: bool, as_json: bool, **given: Any) -> None:
    """Train families of equal depth at equal multiplications, and at equal time on every runtime.

    Every finished run is a line of budget.jsonl in the output folder; the same command goes on after the last.
    """
    _needs_pictures(given)
    from subpixel.study.budget import study_budget
    from subpixel.study.plan import MATCHES
    from subpixel.study.settings import QUICK, BudgetSettings

    lines = study_budget(
        output=output,
        scales=scales or SCALES,
        match=MATCHES if match == "both" else (match,),
        settings=QUICK if quick else BudgetSettings(),
        shown=on_stderr,
        **given,
    )
    _print({"runs": lines}, as_json, f"{len(lines):,} runs")


@study.command("equal-time", short_help="Measure the widths at which families take equal time.")
@output_option
@scales_option
@quick_option
@threads_option
@json_option
def equal_time(output: Path, scales: tuple[int, ...], quick: bool, threads: int, as_json: bool) -> None:
    """Find for each family the widest network that is as fast as the budget's, on every runtime, and train nothing;
    then time the networks of equal multiplications.

    The results are lines of equal_time.jsonl in the output folder; `budget` goes on from them, on any machine, and
    measures widths that are missing. The machine should have nothing else to do.
    """
    from subpixel.study.equal_time import study_equal_time, time_equal_macs
    from subpixel.study.settings import QUICK, BudgetSettings

    given: dict[str, Any] = {"settings": QUICK if quick else BudgetSettings(), "threads": threads, "shown": on_stderr}
    study_equal_time(output, scales=scales or SCALES, **given)
    found = time_equal_macs(output, scales=scales or SCALES, **given)
    _print({"networks": list(found)}, as_json, f"{len(found):,} networks")


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

    settings = QUICK if quick else None
    lines = study_power(output, scales=scales or SCALES, settings=settings, threads=threads, shown=on_stderr)
    lifted = [line for line in lines if line["kind"] == "lifting"]
    wrong = sum(line["differing"] > 0 for line in lifted)
    _print({"lines": lines}, as_json, f"{len(lifted):,} HR networks lifted to LR space, {wrong} of them differ")
    if wrong:
        raise click.exceptions.Exit(1)


@study.command(short_help="Checkerboards at the start and after training.")
@output_option
@scales_option
@quick_option
@pictures_options
@threads_option
@json_option
def initialisation(output: Path, scales: tuple[int, ...], quick: bool, as_json: bool, **given: Any) -> None:
    """Train from a random start, from ICNR and with a resize-convolution, and measure the checkerboards.

    The results are lines of initialisation.jsonl in the output folder; the same command goes on where it was stopped.
    """
    _needs_pictures(given)
    from subpixel.study.initialisation import FULL, study_initialisation
    from subpixel.study.settings import QUICK

    settings = QUICK if quick else FULL
    lines = study_initialisation(output=output, scales=scales or SCALES, settings=settings, shown=on_stderr, **given)
    _print({"lines": lines}, as_json, f"{len(lines):,} runs")


@study.command(short_help="What the three forms of a layer cost.")
@output_option
@click.option("--rounds", type=click.IntRange(1), metavar="N", help="Of each measurement.  [default: 7; --quick: 3]")
@quick_option
@threads_option
@json_option
def speed(output: Path, rounds: int | None, quick: bool, threads: int, as_json: bool) -> None:
    """Time the three forms over kernel, stride, maps and size, on each runtime and in training, in turns.

    The results are lines of speed.jsonl in the output folder; the same command goes on where it was stopped.
    """
    needs_torch()
    from subpixel.study.speed import QUICK_ROUNDS, ROUNDS, grid, study_speed

    rounds = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    lines = study_speed(output, points=grid(quick), threads=threads, rounds=rounds, shown=on_stderr)
    _print({"lines": lines}, as_json, f"{len(lines):,} layers")


@study.command(short_help="What the results say, in sentences.")
@output_option
@scales_option
@json_option
def findings(output: Path, scales: tuple[int, ...], as_json: bool) -> None:
    """Write findings.json and report.html from the result files of a folder; runs that are missing are listed.

    Which runs belong to the study the files say themselves; those made with different settings are not compared.
    """
    from subpixel.study.findings import write_findings_of
    from subpixel.study.report import write_report
    from subpixel.study.whole import PAGE

    found = write_findings_of(output, scales or SCALES)
    write_report(output, output / PAGE)
    lines = [f"{sentence['verdict']}: {sentence['text']}" for sentence in found["sentences"]]
    _print(found, as_json, "\n".join([*lines, f"{len(found['missing']):,} of {found['planned']:,} runs are missing"]))


def needs_torch() -> None:
    """Raise MissingExtra with the install line unless PyTorch is there."""
    from subpixel.runtime.session import installed

    if not installed("torch"):
        raise MissingExtra("the study trains networks, which needs PyTorch: pip install 'subpixel[torch]'")


def on_stderr(line: str) -> None:
    """A line of progress."""
    click.echo(line, err=True)


def _needs_pictures(given: dict[str, Any]) -> None:
    if not given["folders"] or not given["benchmarks"]:
        missing = "--pictures-folder" if not given["folders"] else "--benchmark"
        raise UsageError(f"there are no pictures: give a folder of them with {missing}")
    needs_torch()


def _print(value: object, as_json: bool, text: str) -> None:
    if as_json:
        print_json(value)
    else:
        click.echo(text)
