"""`subpixel verify`."""

from math import isfinite
from pathlib import Path
from textwrap import wrap
from typing import Any

import click

from subpixel.cli.options import PATH, json_option, print_json
from subpixel.cli.shapes import Shapes, input_option


@click.command(short_help="Do two ONNX networks compute the same?")
@click.argument("a", type=PATH, metavar="A.onnx")
@click.argument("b", type=PATH, metavar="B.onnx")
@input_option
@json_option
def verify(a: Path, b: Path, inputs: Shapes, as_json: bool) -> int:
    """Run two ONNX networks on the same random input; exit code 0 if they compute the same, else 1.

    B may be at most eight times as far from a float64 run of A as A itself is.
    """
    from subpixel.rewriting import verify as run

    result = run(a, b, inputs=inputs or None)
    if as_json:
        print_json({**_finite(result), "outputs": [_finite(output) for output in result["outputs"]]})
    else:
        click.echo(verification_table(result))
    return 0 if result["equal"] else 1


def verification_table(result: dict[str, Any]) -> str:
    """A line an output, at most 80 columns."""
    lines = [f"{'output':<40}  {'error':>10}  {'allowed':>10}"]
    for output in result["outputs"]:
        name = output["name"] if len(output["name"]) <= 40 else f"{output['name'][:39]}…"
        error = f"{output['max_error']:.1e}" if isfinite(output["max_error"]) else "–"
        verdict = "equal" if output["equal"] else "different"
        lines.append(f"{name:<40}  {error:>10}  {output['bound']:>10.1e}  {verdict}")
    verdict = "equal" if result["equal"] else "NOT equal"
    return "\n".join([*lines, "", *wrap(f"{verdict}; errors against: {result['reference']}", 80)])


def _finite(result: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity and no NaN: they are null."""
    return {k: None if isinstance(v, float) and not isfinite(v) else v for k, v in result.items()}
