"""Options that several verbs share."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from subpixel.upscaling.target import DEFAULT_MODEL

if TYPE_CHECKING:
    from subpixel.upscaling.upscaler import Upscaler

Decorator = Callable[[Any], Any]


class _SomePath(click.Path):
    """A path that is not empty: Path("") would be the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("an empty name: give a path", param, ctx)
        return super().convert(value, param, ctx)


# What cannot be read fails when it is its turn, not as bad usage of the whole call.
PATH = _SomePath(path_type=Path, readable=False)
FILE = _SomePath(path_type=Path, readable=False, dir_okay=False)


def together(*options: Decorator) -> Decorator:
    """Several options as one decorator, listed in this order by --help."""

    def decorate(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
threads_option = click.option(
    "--threads", type=click.IntRange(1, 256), metavar="N", help="[default: one for every physical core]"
)
model_option = click.option(
    "--model",
    default=DEFAULT_MODEL,
    show_default=True,
    metavar="NAME|FILE",
    help="A model of `subpixel models`, an .onnx or a .safetensors file.",
)
model_options = together(
    model_option,
    click.option("--scale", type=int, metavar="N", help="2, 3, 4, ...  [default: 3; a file knows its own]"),
)
runtime_options = together(
    click.option(
        "--runtime",
        type=click.Choice(["auto", "onnxruntime", "openvino", "torch"]),
        default="auto",
        show_default=True,
        help="What computes; auto: the faster of onnxruntime and OpenVINO, measured once per machine.",
    ),
    click.option(
        "--precision",
        type=click.Choice(["auto", "f32", "bf16", "int8"]),
        default="auto",
        show_default=True,
        help="auto: bf16 or int8 where it costs a model of ours under 0.05 or 0.1 dB and is faster here, else f32.",
    ),
    threads_option,
)
foreign_options = together(
    click.option("--channels", type=click.Choice(["1", "3"]), help="Of an ONNX file that leaves it open."),
    click.option(
        "--value-range", type=click.Choice(["1", "255"]), help="White's value in an ONNX file.  [default: found out]"
    ),
    click.option(
        "--colour",
        type=click.Choice(["y", "rgb", "bgr"]),
        help="What an ONNX file takes.  [default: y for 1 channel, rgb for 3]",
    ),
)


def open_by_options(channels: str | None, value_range: str | None, **options: Any) -> "Upscaler":
    """The upscaler that model, runtime and foreign options ask for."""
    from subpixel.upscaling.upscaler import open_upscaler

    return open_upscaler(
        channels=int(channels) if channels else None,
        value_range=int(value_range) if value_range else None,
        **options,
    )


def print_json(value: object, *, err: bool = False) -> None:
    """The one object that --json promises, in ASCII: file names need not be what the terminal can write.

    On stderr with `err`: where stdout carries the result itself.
    """
    click.echo(json.dumps(value, indent=2), err=err)
