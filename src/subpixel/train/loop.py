"""The training loop: one flat function, from pictures to a weight file."""

import datetime
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from subpixel.errors import MissingExtra, OutputError, SubpixelError, UsageError
from subpixel.evaluate.pictures import find_pictures
from subpixel.media.atomic import write_atomically
from subpixel.models.files import write_tensors
from subpixel.models.module import NetworkModule
from subpixel.models.network import WeightedSum
from subpixel.models.zoo import build
from subpixel.progress import Progress
from subpixel.train.checkpoint import load_checkpoint, load_initial, save_checkpoint
from subpixel.train.config import TrainConfig
from subpixel.train.figures import write_figures
from subpixel.train.initialise import initialise
from subpixel.train.patches import Pair, PatchSampler
from subpixel.train.pictures import read_training_set


class TrainingDiverged(SubpixelError):
    """The loss is no number any more; the last good checkpoint is kept."""


@dataclass(frozen=True)
class TrainResult:
    """What a run left behind."""

    output: Path
    steps: int
    seconds: float
    held_out_psnr: float | None
    pictures: int
    skipped: list[dict[str, str]]


def train(config: TrainConfig) -> TrainResult:
    """Train a network of the zoo and write its weights.

    SOAP or Adam with a linear warm-up and a cosine to zero; Charbonnier's loss (Charbonnier et al. 1994, ε = 1e-3),
    then the squared error, which PSNR measures; a running mean of the weights is what is kept. Each batch
    depends on (seed, step) alone, so a run that was killed and resumed gives the weights of one that was not.

    Raises:
        InputError: no pictures, or none that can be used; a checkpoint or initial weights that do not fit.
        UsageError: a model without weights, or a checkpoint in the way.
        TrainingDiverged: the loss became NaN or infinite.
        OutputError: the weights or the checkpoint cannot be written.
    """
    began = time.monotonic()
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    device = torch.device(
        ("cuda" if torch.cuda.is_available() else "cpu") if config.device == "auto" else config.device
    )
    if config.checkpoint.exists() and not config.resume:
        raise UsageError(f"{config.checkpoint} is left from a run that was cut off: resume it, or delete that file")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError("PyTorch finds no GPU here: leave the device at auto, or take cpu")
    probe = config.output.with_name(f".{config.output.name}.probe")
    try:
        write_atomically(probe, b"")  # an output that cannot be written shows now, not after hours
    except OutputError as error:
        raise OutputError(str(error).replace(str(probe), str(config.output))) from error
    probe.unlink()
    network = build(config.model, config.scale)
    for folder in config.figures:
        find_pictures(folder)  # a folder that is missing, too
    if config.resume and not config.checkpoint.exists():
        print(f"subpixel: note: there is no {config.checkpoint} to resume: the run starts anew", file=sys.stderr)
    data = read_training_set(config)
    sampler = PatchSampler(data.learn, config.scale, config.patch)

    module = NetworkModule(network)
    initialise(module, config.seed)
    started_from = load_initial(config.initial, module) if config.initial is not None else None
    module.to(device)
    parameters = list(module.parameters())
    for parameter in parameters:
        if parameter.ndim == 4:  # a fifth faster on the CPU
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    optimizer = make_optimizer(config, parameters)
    mean = [parameter.detach().clone() for parameter in parameters]
    digest = data.digest()
    first = load_checkpoint(config, digest, module, optimizer, mean) if config.checkpoint.exists() else 0

    squared_from = config.squared_from * config.steps
    score: float | None = None
    note = ""
    with Progress(f"training {config.model} x{config.scale}", config.steps, start=first, unit="steps") as progress:
        for picture in data.skipped:
            progress.say(f"left out {picture['name']}: {picture['reason']}")
        for step in range(first, config.steps):
            warm = min(1.0, (step + 1) / max(1, config.warm_up))
            rate = config.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / config.steps))
            optimizer.param_groups[0]["lr"] = rate

            lr, hr = sampler.batch(config.batch, np.random.default_rng([config.seed, step]))
            loss = loss_of(
                module,
                torch.from_numpy(lr).to(device),
                torch.from_numpy(hr).to(device),
                squared=step >= squared_from,
                supervision=1 - step / config.steps,
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()

            if not math.isfinite(loss.item()):
                kept = f"; {config.checkpoint} holds the last good one" if config.checkpoint.exists() else ""
                raise TrainingDiverged(
                    f"the loss became {loss.item()} at step {step + 1:,}{kept}:"
                    f" lower the learning rate (={config.learning_rate})"
                )
            with torch.no_grad():
                decay = min(config.ema, step / (step + 10))
                torch._foreach_lerp_(mean, [parameter.detach() for parameter in parameters], 1 - decay)
            done = step + 1
            if done % config.checkpoint_every == 0 or done == config.steps:
                save_checkpoint(config, digest, module, optimizer, mean, done)
                score = held_out_psnr(module, mean, data.held_out, device)
                note = f"held out {score:.3f} dB" if score is not None else ""
                progress.say(f"step {done:,}: {note or 'checkpoint written'}")
            progress.advance(note=note)

    if score is None:  # resumed from a checkpoint of the last step
        score = held_out_psnr(module, mean, data.held_out, device)
    seconds = time.monotonic() - began
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
    with torch.no_grad():
        for parameter, value in zip(parameters, mean, strict=True):
            parameter.copy_(value)
    write_tensors(config.output, module.weights(), header)
    if config.figures:
        write_figures(config.output, config.figures)
    config.checkpoint.unlink(missing_ok=True)
    return TrainResult(config.output, config.steps, seconds, score, len(data.story), data.skipped)


def loss_of(
    module: NetworkModule, lr: torch.Tensor, hr: torch.Tensor, *, squared: bool, supervision: float
) -> torch.Tensor:
    """Charbonnier's loss or the squared error of one batch; `supervision` is the share of an ensemble's members in it.

    DRCN (Kim et al. 2016, eq. 9) supervises the prediction after every recursion, and less so as it learns.
    """

    def error(guess: torch.Tensor) -> torch.Tensor:
        difference = (guess - hr).square()
        # The factor brings the squared error's gradient near to that of Charbonnier's loss.
        return 30 * difference.mean() if squared else (difference + 1e-6).sqrt().mean()

    guess, remembered = module.forward_and_remember(lr)
    members = [part for step in module.network.steps if isinstance(step, WeightedSum) for part in step.parts]
    if not members:
        return error(guess)
    each = torch.stack([error(remembered[part]) for part in members]).mean()
    return supervision * each + (1 - supervision) * error(guess)


def make_optimizer(config: TrainConfig, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    """SOAP, or Adam.

    Raises:
        MissingExtra: SOAP's library is not installed.
    """
    if config.optimizer == "adam":
        return torch.optim.Adam(parameters, config.learning_rate, betas=(0.9, 0.99), fused=True)
    try:
        from pytorch_optimizer import SOAP
    except ImportError as error:
        raise MissingExtra("training with SOAP needs pytorch-optimizer: pip install 'subpixel[torch]'") from error
    return SOAP(parameters, config.learning_rate, betas=(0.95, 0.95), weight_decay=0.0, precondition_frequency=10)


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
