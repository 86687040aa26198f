"""`subpixel rewrite`."""

from pathlib import Path
from textwrap import wrap
from typing import Any

import click

from subpixel.cli.options import FILE, PATH, json_option, print_json, threads_option
from subpixel.cli.shapes import Shapes, input_option
from subpixel.errors import OutputError, UsageError


@click.command(short_help="Spell a network's upsampling layers another way, proved equal.")
@click.argument("model", type=PATH, metavar="MODEL.onnx")
@click.option("-o", "--output", type=FILE, required=True, help="The .onnx file to write.")
@click.option(
    "--goal",
    type=click.Choice(["fastest", "lr", "deconv"]),
    default="fastest",
    show_default=True,
    help="fastest: measured here; lr: no transposed convolution left; deconv: no DepthToSpace left.",
)
@click.option(
    "--runtime",
    type=click.Choice(["onnxruntime", "openvino"]),
    default="onnxruntime",
    show_default=True,
    help="Where goal fastest measures.",
)
@input_option
@threads_option
@click.option("--report", type=FILE, metavar="R.json", help="Write the report, too: each site, its law and proof.")
@json_option
def rewrite(
    model: Path,
    output: Path,
    goal: str,
    runtime: str,
    inputs: Shapes,
    threads: int | None,
    report: Path | None,
    as_json: bool,
) -> None:
    """Rewrite the upsampling layers of an ONNX network without changing what it computes.

    Every change is proved; what no law covers exactly stays as it is, with the reason. With goal fastest the
    result is the original, unless the whole of the rewritten network runs faster.
    """
    from subpixel.media.atomic import write_atomically

    _check_names(model, output, report)
    from subpixel.rewriting import rewrite as run

    done = run(model, goal, runtime=runtime, threads=threads, inputs=inputs or None)
    try:
        content = done.model.SerializeToString()
    except Exception as error:  # protobuf's own class differs between its versions
        raise OutputError(f"{output}: the rewritten model exceeds the 2 GB that one ONNX file may have") from error
    facts = {"model": str(model), "output": str(output), "bytes": len(content), **done.report}
    write_atomically(output, content)
    if report is not None:
        import json

        write_atomically(report, (json.dumps(facts, ensure_ascii=False, indent=2) + "\n").encode())
    if as_json:
        print_json(facts)
    else:
        click.echo(rewriting_table(facts))


def _check_names(model: Path, output: Path, report: Path | None) -> None:
    if output.suffix.lower() != ".onnx":
        raise UsageError(f"-o {output}: networks are written as .onnx, so the name needs that ending")
    if _same(model, output):
        raise UsageError(f"-o {output} is the input itself, which is never overwritten: give another name")
    if report is not None and (_same(report, model) or _same(report, output)):
        raise UsageError(f"--report {report} is the name of a model: give another one")


def _same(a: Path, b: Path) -> bool:
    return a.resolve() == b.resolve() or (a.exists() and b.exists() and a.samefile(b))


def rewriting_table(facts: dict[str, Any]) -> str:
    """A block a site, at most 80 columns: what it became, or why it stays; then the whole."""
    sites = facts["sites"]
    lines: list[str] = []
    for site in sites:
        if site["refused"] is None:
            lines += _wrapped(f"{site['op']} {site['node']}", "")
            lines += _wrapped(f"→ {site['form']} ({site['law']})", "  ")
            figures = _figures(site)
            lines += _wrapped(", ".join(figures), "    ") if figures else []
    kept: dict[tuple[str, str], list[str]] = {}
    for site in sites:
        if site["refused"] is not None:
            kept.setdefault((site["law"], site["refused"]), []).append(f"{site['op']} {site['node']}")
    for (law, reason), names in kept.items():
        for name in names:
            lines += _wrapped(name, "")
        lines += _wrapped(f"stay{'s' * (len(names) == 1)}: {reason}{f' ({law})' * bool(law)}", "  ")
    count, total = facts["rewritten"], len(sites)
    if not sites:
        summary = "the model has nothing to rewrite"
    else:
        summary = f"{count} of {total} site{'s' * (total > 1)} rewritten"
    if count:
        summary += f", proved equal; largest error {facts['max_error']:.1e}"
    else:
        summary += "; the file is the original's copy"
    if facts["ms_before"] is not None and count:
        faster = facts["ms_before"] / facts["ms_after"]
        summary += f"; {_ms(facts['ms_before'])} → {_ms(facts['ms_after'])} ms, {faster:.2f}× as fast"
    lines += ["", *_wrapped(f"{facts['output']}  {summary}", "")]
    return "\n".join(lines).lstrip("\n")


def _figures(site: dict[str, Any]) -> list[str]:
    found = []
    for key, unit in (("ms", "ms"), ("macs", "MACs"), ("weights", "weights")):
        before, after = site[f"{key}_before"], site[f"{key}_after"]
        if before is not None and after is not None:
            show = _ms if key == "ms" else "{:,}".format
            found.append(f"{unit} {show(before)} → {show(after)}")
    return [*found, f"error {site['max_error']:.1e}"]


def _ms(value: float) -> str:
    return f"{value:,.1f}" if value >= 10 else f"{value:.2f}"


def _wrapped(text: str, indent: str) -> list[str]:
    return wrap(text, 80, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False)
