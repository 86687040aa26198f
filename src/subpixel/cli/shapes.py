"""`--input name=1x3x224x224`: the shapes that a model leaves open."""

import re
from collections.abc import Sequence
from typing import Any

import click

Shapes = dict[str, Sequence[int]]


class _Shape(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.2 on
    name = "shape"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        name, equals, sizes = str(value).rpartition("=")
        if not (name and equals and re.fullmatch(r"[1-9]\d*(x[1-9]\d*)*", sizes)):
            self.fail(f"{value!r} is no name and shape: give one such as x=1x3x224x224", param, ctx)
        return name, tuple(int(n) for n in sizes.split("x"))


input_option = click.option(
    "--input",
    "inputs",
    type=_Shape(),
    multiple=True,
    metavar="NAME=1x3x224x224",
    callback=lambda _ctx, _param, pairs: dict(pairs),
    help="The whole shape of an input whose sizes the model leaves open (repeatable).",
)
