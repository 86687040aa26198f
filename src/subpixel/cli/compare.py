"""`subpixel compare`."""

from pathlib import Path
from typing import Any

import click

from subpixel.cli.options import PATH, json_option, print_json
from subpixel.errors import UsageError


@click.command(short_help="Compare two pictures, or both with the original.")
@click.argument("a", type=PATH)
@click.argument("b", type=PATH)
@click.option("--hr", type=PATH, help="The original that both stand for.")
@click.option("-o", "--output", type=PATH, help="The picture to write.  [default: A_vs_B.png, in this folder]")
@click.option("--no-picture", is_flag=True, help="Figures alone.")
@click.option("--crops", type=click.IntRange(0, 12), default=3, show_default=True, metavar="N", help="Places enlarged.")
@click.option(
    "--shave",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="PIXELS",
    help="Cut off each side first; the papers cut off as many as the scale.",
)
@json_option
def compare(
    a: Path, b: Path, hr: Path | None, output: Path | None, no_picture: bool, crops: int, shave: int, as_json: bool
) -> int:
    """PSNR and SSIM of two pictures, and a picture of them side by side, enlarged where they differ most."""
    from subpixel.evaluate.compare import compare as run
    from subpixel.media.image import output_format

    if output is not None and no_picture:
        raise UsageError(f"--no-picture contradicts -o {output}: leave one of them out")
    if not no_picture:
        output = output or Path(f"{a.stem}_vs_{b.stem}.png")
        output_format(output)
        if any(output.resolve() == path.resolve() for path in (a, b, hr) if path is not None):
            raise UsageError(f"-o {output} is one of the pictures: name another file")
    result = run(a, b, hr=hr, shave=shave, crops=crops, picture=output)
    for notice in result["notices"]:
        click.echo(f"subpixel: note: {notice}", err=True)
    if as_json:
        print_json(result)
        return 0
    for line in _lines(result):
        click.echo(line)
    return 0


def _lines(result: dict[str, Any]) -> list[str]:
    lines = [f"{result['width']}×{result['height']}; {result['protocol']}", "", f"{'':<10}{'PSNR dB':>9}{'SSIM':>9}"]
    rows = [("A, B", result)]
    if result["against_hr"]:
        rows = [("A, HR", result["against_hr"]["a"]), ("B, HR", result["against_hr"]["b"]), *rows]
    for name, figures in rows:
        decibel = "equal" if figures["psnr"] is None else f"{figures['psnr']:.2f}"
        similarity = "-" if figures["ssim"] is None else f"{figures['ssim']:.4f}"
        lines.append(f"{name:<10}{decibel:>9}{similarity:>9}")
    differing = f"{result['differing']:.1%} of the pixels, by {result['largest_difference']} at most"
    lines += ["", f"A and B differ in {differing}" if result["differing"] else "A and B are equal"]
    return [*lines, result["picture"]] if result["picture"] else lines
