"""`subpixel inspect`."""

from math import prod
from pathlib import Path
from textwrap import wrap
from typing import Any

import click

from subpixel.cli.options import PATH, json_option, print_json, threads_option
from subpixel.cli.shapes import Shapes, constant_weights_option, input_option


@click.command(short_help="List a network's upsampling layers and what could be done.")
@click.argument("model", type=PATH, metavar="MODEL.onnx")
@input_option
@threads_option
@constant_weights_option
@json_option
def inspect(model: Path, inputs: Shapes, threads: int | None, constant_weights: bool, as_json: bool) -> None:
    """List every upsampling of an ONNX network: its form, cost, share of the run time, and what could be done.

    Time and MACs need whole shapes: where the model leaves sizes open, give them with --input.
    """
    from subpixel.rewriting import inspect as run
    from subpixel.runtime.cores import available_cores

    result = run(model, inputs=inputs or None, threads=threads or available_cores(), constant_weights=constant_weights)
    if as_json:
        print_json(result)
    else:
        click.echo(inspection_table(result))


def inspection_table(result: dict[str, Any]) -> str:
    """A block a site, at most 80 columns, then the run time."""
    lines: list[str] = []
    for site in result["sites"]:
        lines += _wrapped(f"{site['op']} {site['node']}", "")
        lines += _wrapped(site["form"] or f"not read: {site['unread'] or 'its layers are not known'}", "  ")
        figures = _figures(site)
        lines += _wrapped(", ".join(figures), "  ") if figures else []
        for option in site["options"]:
            done = option["form"] or f"stays: {option['refused']}"
            lines += _wrapped(f"{option['goal']:<6}  {done} ({option['law']})", "    ", deeper=8)
    count = len(result["sites"])
    summary = f"{count} upsampling{'s' * (count > 1)}" if count else "no upsampling in the model's main graph"
    if result["ms"] is not None:
        summary += f", the whole run {result['ms']:,.2f} ms"
    elif count:
        summary += "; give --input NAME=SHAPE for time and MACs"
    return "\n".join([*lines, *([""] if lines else []), summary])


def _figures(site: dict[str, Any]) -> list[str]:
    found = []
    if site["parameters"]:
        found.append(f"{site['parameters']:,} weights")
    if site["macs"] is not None:
        found.append(f"{site['macs']:,} MACs")
    if site["receptive_field"] is not None and prod(site["receptive_field"]) > 1:
        found.append(f"sees {'×'.join(map(str, site['receptive_field']))} LR")
    if site["checkerboard"] is not None:
        found.append(f"checkerboard {site['checkerboard']:.3f}")
    if site["ms"] is not None:
        share = f" ({site['share']:.1%})" if site["share"] is not None else ""
        found.append(f"{site['ms']:.3f} ms{share}")
    return found


def _wrapped(text: str, indent: str, deeper: int = 2) -> list[str]:
    below = indent + " " * deeper
    return wrap(text, 80, initial_indent=indent, subsequent_indent=below, break_on_hyphens=False)
