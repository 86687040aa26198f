"""The training loop: one flat function, from pictures to a weight file."""

import datetime
import math
import sys
import time
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import torch

from subpixel.errors import OutputError, SubpixelError, UsageError
from subpixel.evaluate.pictures import find_pictures
from subpixel.media.atomic import write_atomically
from subpixel.models.files import read_header, write_tensors
from subpixel.models.module import NetworkModule
from subpixel.models.zoo import build
from subpixel.progress import Progress
from subpixel.train.branches import BranchedModule
from subpixel.train.calibrate import calibrated
from subpixel.train.checkpoint import as_read, load_checkpoint, ran_otherwise, save_checkpoint
from subpixel.train.config import TrainConfig
from subpixel.train.descent import Descent
from subpixel.train.figures import write_figures
from subpixel.train.initial import load_initial
from subpixel.train.initialise import initialise
from subpixel.train.patches import Pair, PatchSampler
from subpixel.train.pictures import read_training_set
from subpixel.train.processes import processes


class TrainingDiverged(SubpixelError):
    """The loss, the weights or the score are no numbers any more; the last good checkpoint is kept."""

    def __init__(self, what: str, step: int, config: TrainConfig) -> None:
        good = config.checkpoint if config.checkpoint.exists() else None
        kept = f"; {good} holds the last good weights" if good else ""
        way = f" and go on from those with --initial {good} and another output, or delete them" if good else ""
        super().__init__(f"{what} at step {step:,}{kept}: lower the learning rate (={config.learning_rate}){way}")


@dataclass(frozen=True)
class TrainResult:
    """What a run left behind; `rank` is the process's number among several, of which the first one wrote it."""

    output: Path
    steps: int
    seconds: float
    held_out_psnr: float | None
    pictures: int
    skipped: list[dict[str, str]]
    rank: int = 0


def train(config: TrainConfig) -> TrainResult:
    """Train a network of the zoo and write its weights.

    `Descent` says how a step is made. Each batch depends on (seed, step) alone, so a run that was killed and
    resumed gives the weights of one that was not.

    Raises:
        InputError: no pictures, or none that can be used; a checkpoint or initial weights that do not fit.
        UsageError: a model without weights, or a checkpoint in the way.
        TrainingDiverged: the loss, the weights or the score became NaN or infinite.
        OutputError: the weights or the checkpoint cannot be written.
    """
    began = time.monotonic()
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    if config.checkpoint.exists() and not config.resume:
        raise UsageError(f"{config.checkpoint} is left from a run that was cut off: resume it, or delete that file")
    if config.resume and config.output.exists() and not config.checkpoint.exists():
        return finished(config)
    probe = config.output.with_name(f".{config.output.name}.probe")
    try:
        write_atomically(probe, b"")  # an output that cannot be written shows now, not after hours
    except OutputError as error:
        raise OutputError(str(error).replace(str(probe), str(config.output))) from error
    probe.unlink(missing_ok=True)  # several processes of one run do this at the same time
    network = build(config.model, config.scale)
    for folder in config.figures:
        find_pictures(folder)  # a folder that is missing, too
    together = processes(config)
    reports = together.rank == 0  # and writes; the others compute and are silent
    if reports and config.resume and not config.checkpoint.exists():
        print(f"subpixel: note: there is no {config.checkpoint} to resume: the run starts anew", file=sys.stderr)
    data = read_training_set(config)
    sampler = PatchSampler(data.learn, config.scale, config.patch)

    branched = config.branches > 0
    module = BranchedModule(network, config.branches, seed=config.seed) if branched else NetworkModule(network)
    initialise(module, config.seed, near_identity=True)
    started_from = load_initial(config.initial, module) if config.initial is not None else None
    module.to(together.device)
    descent = Descent(module, config, together)
    optimizer, mean = descent.optimizer, descent.mean
    digest = data.digest()
    first = load_checkpoint(config, digest, module, optimizer, mean) if config.checkpoint.exists() else 0
    kept = first  # the step of the checkpoint that is there
    if reports and first and (otherwise := ran_otherwise(config)):
        print(f"subpixel: note: {otherwise}: the run goes on, but not bit for bit", file=sys.stderr)
    if reports and not first and started_from and started_from["fresh"]:
        fresh = ", ".join(started_from["fresh"])
        print(f"subpixel: note: {config.initial} does not fit {fresh}, which start fresh", file=sys.stderr)

    score: float | None = None
    note = ""
    what, stream = f"training {config.model} x{config.scale}", None if reports else StringIO()
    with Progress(what, config.steps, start=first, unit="steps", stream=stream) as progress:
        if data.skipped:
            count = len(data.skipped) + len(data.story) + len(data.held_out)
            progress.say(f"{len(data.skipped)} of {count} pictures cannot be used:")
        for picture in data.skipped:
            progress.say(f"left out {picture['name']}: {picture['reason']}")
        try:
            for step in range(first, config.steps):
                lr, hr = sampler.batch(config.batch, np.random.default_rng([config.seed, step]))
                loss = descent.step(step, lr, hr)
                done = step + 1
                if not math.isfinite(loss):
                    raise TrainingDiverged(f"the loss became {loss}", done, config)
                if done % config.checkpoint_every == 0 or done == config.steps:
                    if not descent.is_sound(lr):
                        raise TrainingDiverged("the network no longer gives numbers", done, config)
                    if reports:
                        score = held_out_psnr(module, mean, data.held_out, together.device)
                        if score is not None and not math.isfinite(score):
                            raise TrainingDiverged(f"the held-out score became {score}", done, config)
                        save_checkpoint(config, digest, module, optimizer, mean, done)
                        kept = done
                        note = f"held out {score:.3f} dB" if score is not None else ""
                        progress.say(f"step {done:,}: {note or 'checkpoint written'}")
                progress.advance(note=note)
        except KeyboardInterrupt:
            if kept:
                progress.say(f"subpixel: note: --resume goes on from the checkpoint of step {kept:,}")
            raise

    seconds = time.monotonic() - began
    if not reports:
        return TrainResult(config.output, config.steps, seconds, None, len(data.story), data.skipped, together.rank)
    if score is None:  # resumed from a checkpoint of the last step
        score = held_out_psnr(module, mean, data.held_out, together.device)
    header: dict[str, object] = {
        "network": network.config(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "colour": "Y of BT.601, 16..235 of 255",
        "value_range": [0.0, 1.0],
        "recipe": config.recipe(),
        "started_from": started_from,
        "pictures": data.story,
        "held_out": {"names": [pair.name for pair in data.held_out], "psnr": score},
        "figures": [],
    }
    descent.finish()
    write_tensors(config.output, module.weights(), header)  # calibration is on top: what was learnt is safe first
    weights, int8 = calibrated(network, module.weights(), data.learn)
    if int8 is not None:
        write_tensors(config.output, weights, header | {"int8": int8})
    if config.figures:
        write_figures(config.output, config.figures)
    config.checkpoint.unlink(missing_ok=True)
    return TrainResult(config.output, config.steps, seconds, score, len(data.story), data.skipped)


def finished(config: TrainConfig) -> TrainResult:
    """What a run that is to be resumed had left at its end: there is nothing to do.

    Raises:
        InputError: the output is no weight file.
        UsageError: it is of another recipe.
    """
    header = read_header(config.output)
    if header.get("recipe") != as_read(config.recipe()):
        raise UsageError(
            f"{config.output} is of another recipe and no checkpoint is there to resume: choose another output,"
            " or leave --resume out to write over it"
        )
    print(f"subpixel: note: {config.output} is finished: it stays as it is", file=sys.stderr)
    score = header["held_out"]["psnr"]
    return TrainResult(config.output, config.steps, 0.0, score, len(header["pictures"]), [])


def held_out_psnr(
    module: NetworkModule, mean: list[torch.Tensor], pairs: list[Pair], device: torch.device
) -> float | None:
    """Mean PSNR in dB of the averaged weights over whole held-out pictures; None without any."""
    if not pairs:
        return None
    r = module.network.scale
    weights = dict(zip((name for name, _ in module.named_parameters()), mean, strict=True))
    total = 0.0
    with torch.no_grad():
        for pair in pairs:
            lr = torch.from_numpy(pair.lr)[None, None].to(device)
            hr = torch.func.functional_call(module, weights, (lr,))[0, 0].cpu().numpy() * 255
            error = (np.clip(np.round(hr), 0, 255) - pair.hr)[r:-r, r:-r]
            total += 10 * math.log10(255**2 / max(float(np.mean(error**2)), 1e-10))
    return total / len(pairs)
