"""`subpixel train`: every field of `TrainConfig` as an option."""

from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

import click

from subpixel.cli.options import FILE, PATH, json_option, print_json
from subpixel.errors import MissingExtra
from subpixel.train.config import TrainConfig


def _setting(name: str, help: str, **options: Any) -> Callable[[Any], Any]:
    """An option for a field of `TrainConfig`, with its default."""
    default = next(field.default for field in fields(TrainConfig) if field.name == name)
    flag = f"--{name.replace('_', '-')}" if name != "sizes" else "--size"  # given once for each
    return click.option(flag, name, default=default, show_default=default is not None, help=help, **options)


@click.command(short_help="Train a model's weights (needs PyTorch).")
@click.argument("folders", nargs=-1, required=True, type=PATH, metavar="FOLDER...")
@click.option("-o", "--output", type=FILE, required=True, help="The weight file to write, .safetensors.")
@click.option("--scale", type=int, required=True, metavar="N", help="Any whole number from 2.")
@_setting("model", "A model of `subpixel models`.", metavar="NAME")
@_setting("pictures", "A list of the pictures to take, a relative path a line.", type=FILE)
@click.option("--held-out", multiple=True, metavar="NAME", help="Kept for validation (repeatable); else every 20th.")
@click.option("--figures", multiple=True, type=PATH, help="A benchmark set for the header (repeatable).")
@_setting("steps", "Optimiser steps.", metavar="N")
@_setting("batch", "Patches a step.", metavar="N")
@_setting("patch", "Side of a patch in LR pixels.", metavar="N")
@_setting("optimizer", "soap: fewer steps.", type=click.Choice(["soap", "adam"]))
@_setting("learning_rate", "At the peak.", metavar="X")
@_setting("warm_up", "Steps of linear warm-up.", metavar="N")
@_setting("squared_from", "Part of the steps after which the loss is squared.", metavar="X")
@_setting("ema", "Decay of the running mean that is saved.", metavar="X")
@_setting("branches", "Width of a branch beside each layer, merged at the end; 0: none.", metavar="N")
@_setting("sizes", "Part of its size at which every picture is learnt from (repeatable).", multiple=True, metavar="X")
@_setting("initial", "A weight file of the same model, or a checkpoint, to start from.", type=FILE)
@_setting("seed", "Of the initial weights and the batches.", metavar="N")
@_setting("device", "auto: the GPU where there is one.", type=click.Choice(["auto", "cpu", "cuda"]))
@_setting("devices", "GPUs, or processes on the CPU, that share every batch.", metavar="N")
@_setting("threads", "On the CPU.  [default: PyTorch's]", type=click.IntRange(1), metavar="N")
@_setting("checkpoint_every", "Steps between checkpoints.", metavar="N")
@_setting("resume", "Go on from the checkpoint of a run that was cut off.", is_flag=True)
@json_option
def train(as_json: bool, **settings: Any) -> None:
    """Train a model on the pictures of the folders and write its weights.

    A run that is cut off leaves a checkpoint beside the output; --resume goes on from it, on the CPU,
    with the same --threads and --devices, to the very weights that an
    uninterrupted run gives.
    """
    from subpixel.runtime.session import installed

    config = TrainConfig(**settings)
    if not installed("torch"):
        raise MissingExtra("training needs PyTorch: pip install 'subpixel[torch]'")
    from subpixel.train.loop import train as run

    result = run(config)
    if result.rank > 0:  # the first process reports
        return
    if as_json:
        print_json({**asdict(result), "output": str(result.output)})
    else:
        score = "" if result.held_out_psnr is None else f", held out {result.held_out_psnr:.2f} dB"
        click.echo(f"{result.output}  {result.steps:,} steps on {result.pictures} pictures{score}")
