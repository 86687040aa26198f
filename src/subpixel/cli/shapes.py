"""What a model leaves open and its user knows: shapes (`--input`, `--smallest`), and weights that are inputs."""

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

Shapes = dict[str, Sequence[int]]
F = TypeVar("F", bound=Callable[..., Any])


class _Shape(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.2 on
    name = "shape"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        name, equals, sizes = str(value).rpartition("=")
        if not (name and equals and re.fullmatch(r"[1-9]\d*(x[1-9]\d*)*", sizes)):
            self.fail(f"{value!r} is no name and shape: give one such as x=1x3x224x224", param, ctx)
        return name, tuple(int(n) for n in sizes.split("x"))


def _option(*names: str, example: str, text: str) -> Callable[[F], F]:
    return click.option(
        *names,
        type=_Shape(),
        multiple=True,
        metavar=f"NAME={example}",
        callback=lambda _ctx, _param, pairs: dict(pairs),
        help=text,
    )


input_option = _option(
    "--input",
    "inputs",
    example="1x3x224x224",
    text="The whole shape of an input whose sizes the model leaves open (repeatable).",
)
smallest_option = _option(
    "--smallest",
    example="1x3x8x8",
    text="The shortest input that the result must take: what needs longer ones stays (repeatable).",
)
constant_weights_option = click.option(
    "--constant-weights",
    is_flag=True,
    help="Take weights that are inputs of the model too, as some exporters list them, as constants.",
)
