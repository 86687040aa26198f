"""`subpixel rewrite`."""

import json
import os
from contextlib import ExitStack, nullcontext
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click

from subpixel.cli.options import FILE, PATH, json_option, print_json, threads_option
from subpixel.cli.shapes import Shapes, constant_weights_option, input_option, smallest_option
from subpixel.errors import OutputError, UsageError

if TYPE_CHECKING:
    import onnx


class _Growth(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.2 on
    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        if value is None or value == "off":
            return None
        try:
            number = float(value)
        except ValueError:
            number = 0.0
        if not 1 <= number < float("inf"):
            self.fail(f"{value!r} is neither a number from 1 on nor off", param, ctx)
        return number


@click.command(short_help="Spell a network's upsampling layers another way, proved equal.")
@click.argument("model", type=PATH, metavar="MODEL.onnx")
@click.option("-o", "--output", type=FILE, required=True, help="The .onnx file to write.")
@click.option(
    "--goal",
    type=click.Choice(["fastest", "lr", "deconv"]),
    help="fastest: measured here (default); lr: no transposed convolution left; deconv: no DepthToSpace left.",
)
@click.option(
    "--profile",
    metavar="NAME|FILE.toml",
    help="Instead of a goal, a device: coreml, esp-dl, tidl, or a file that states its limits.",
)
@click.option(
    "--runtime",
    type=click.Choice(["onnxruntime", "openvino"]),
    help="Where goal fastest measures.  [default: onnxruntime]",
)
@input_option
@threads_option
@click.option(
    "--growth",
    type=_Growth(),
    default=16.0,
    metavar="N",
    help="How many times a site's weights may grow, or off.  [default: 16]",
)
@smallest_option
@constant_weights_option
@click.option("--lift", is_flag=True, help="With --goal lr: shuffles pass pointwise functions, convolutions pass them.")
@click.option(
    "--report",
    "reports",
    type=FILE,
    multiple=True,
    metavar="R.html|R.json",
    help="Write the report, too: a page, or data, by the name's ending (repeatable).",
)
@json_option
def rewrite(
    model: Path,
    output: Path,
    goal: str | None,
    profile: str | None,
    runtime: str | None,
    inputs: Shapes,
    threads: int | None,
    growth: float | None,
    smallest: Shapes,
    constant_weights: bool,
    lift: bool,
    reports: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Rewrite the upsampling layers of an ONNX network without changing what it computes.

    Every change is proved; what no law covers exactly stays as it is, with the reason. With goal fastest the
    result is the original, unless the whole of the rewritten network runs faster. With a profile exit code 1
    says that the device still does not take all of the result.
    """
    from subpixel.media.atomic import place_for, write_atomically

    _check_names(model, output, reports)
    if profile is not None and goal is not None:
        raise UsageError("--profile says what is wanted, and so does --goal: give one of them")
    if lift and goal != "lr":
        raise UsageError("--lift belongs to --goal lr: give both")
    if goal in ("lr", "deconv") or profile is not None:
        for option, value in (("--runtime", runtime), ("--threads", threads)):
            if value is not None:
                raise UsageError(f"{option} says how --goal fastest measures: leave it out, nothing is measured")
    from subpixel.rewriting import page
    from subpixel.rewriting import rewrite as run
    from subpixel.rewriting.graph.external import files_beside

    beside, weights = files_beside(model), output.with_name(f"{output.name}.data")
    if any(_same(weights, path) or _same(output, path) for path in beside):
        raise UsageError(f"-o {output} would write over weights of the input: give another name")

    with ExitStack() as places:
        for path in (output, *reports):
            places.enter_context(place_for(path))
        done = run(
            model,
            goal or "fastest",
            runtime=runtime,
            threads=threads,
            inputs=inputs or None,
            growth=growth,
            lift=lift,
            smallest=smallest or None,
            constant_weights=constant_weights,
            profile=profile,
        )
        size = _write(done.model, output, bool(beside))
        facts = {"model": str(model), "output": str(output), "bytes": size, **done.report}
        for path in reports:
            as_data = json.dumps(facts, ensure_ascii=False, indent=2) + "\n"
            write_atomically(path, (as_data if path.suffix.lower() == ".json" else page(facts)).encode())
    if as_json:
        print_json(facts)
    else:
        click.echo(rewriting_table(facts))
    return 1 if facts.get("unmet") else 0


def _write(rewritten: "onnx.ModelProto", output: Path, apart: bool) -> int:
    """Write the network in one file, or with a file of weights beside it: both or none. Returns the bytes."""
    from subpixel.media.atomic import opened
    from subpixel.rewriting.graph.external import move_out

    weights = output.with_name(f"{output.name}.data")
    with opened(output) as file, opened(weights) if apart else nullcontext() as beside:
        if beside is not None:
            move_out(rewritten, weights.name, beside)
        try:
            content = rewritten.SerializeToString()
        except Exception as error:  # protobuf's own class differs between its versions
            raise OutputError(f"{output}: the rewritten model exceeds the 2 GB that one ONNX file may have") from error
        file.write(content)
        file.flush()  # a full disk shows before the weights get their name
        os.fsync(file.fileno())
        return len(content) + (0 if beside is None else beside.tell())


def _check_names(model: Path, output: Path, reports: tuple[Path, ...]) -> None:
    if output.suffix.lower() != ".onnx":
        raise UsageError(f"-o {output}: networks are written as .onnx, so the name needs that ending")
    if _same(model, output):
        raise UsageError(f"-o {output} is the input itself, which is never overwritten: give another name")
    if _same(output.with_name(f"{output.name}.data"), model):
        raise UsageError(f"-o {output}: its weights would go to {model}, the input itself: give another name")
    for report in reports:
        if report.suffix.lower() not in (".json", ".html"):
            raise UsageError(f"--report {report}: reports are written as .html or .json, so the name needs that ending")
        if _same(report, model) or _same(report, output):
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
    if any(site["smallest"] for site in sites):
        note = "inputs shorter than “from … on”: onnxruntime refuses them, OpenVINO computes something else in silence"
        lines += _wrapped(f"note: {note}; --smallest NAME=SHAPE keeps sites that need longer ones", "")
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
    for item in facts.get("unmet", ()):
        name = f"{item['op']} {item['node']}: " if item["node"] else ""
        lines += _wrapped(f"not met: {name}{item['limit']}", "")
    lines += ["", *_wrapped(f"{facts['output']}  {summary}", "")]
    return "\n".join(lines).lstrip("\n")


def _figures(site: dict[str, Any]) -> list[str]:
    found = []
    for key, unit in (("ms", "ms"), ("macs", "MACs"), ("weights", "weights")):
        before, after = site[f"{key}_before"], site[f"{key}_after"]
        if before is not None and after is not None:
            show = _ms if key == "ms" else "{:,}".format
            found.append(f"{unit} {show(before)} → {show(after)}")
    if site["smallest"]:
        found.append(f"inputs from {'×'.join(map(str, site['smallest']))} on")
    return [*found, f"error {site['max_error']:.1e}"]


def _ms(value: float) -> str:
    return f"{value:,.1f}" if value >= 10 else f"{value:.2f}"


def _wrapped(text: str, indent: str) -> list[str]:
    return wrap(text, 80, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False)
