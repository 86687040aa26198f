"""One run of the study: a network trained from a seed, scored on the way and on the benchmark sets at the end."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from subpixel.errors import InputError, UsageError
from subpixel.evaluate.metrics import psnr
from subpixel.evaluate.pictures import find_pictures, luma_of, read_pixels
from subpixel.models.module import NetworkModule
from subpixel.models.network import Network
from subpixel.study.settings import BudgetSettings
from subpixel.train.config import TrainConfig
from subpixel.train.descent import Descent
from subpixel.train.initialise import initialise
from subpixel.train.loop import held_out_psnr
from subpixel.train.patches import Pair, PatchSampler, make_pair
from subpixel.train.pictures import read_training_set

CPU = torch.device("cpu")


@dataclass(frozen=True)
class StudyData:
    """Pictures of one scale, read once for all its runs.

    Attributes:
        sampler: of the training pictures.
        held_out: the middles of the held-out pictures.
        benchmarks: whole pictures by the name of their set.
        digest: of every training pixel.
        judging: digest of every pixel that is judged by, held out or of a benchmark.
        story: name and licence of each training picture.
    """

    scale: int
    sampler: PatchSampler
    held_out: list[Pair]
    benchmarks: dict[str, list[Pair]]
    digest: str
    judging: str
    story: list[dict[str, str]]


def read_data(
    folders: Sequence[Path],
    benchmarks: Sequence[Path],
    scale: int,
    settings: BudgetSettings,
    *,
    pictures: Path | None = None,
    held_out: tuple[str, ...] = (),
) -> StudyData:
    """Read the training pictures as `subpixel train` does, and the benchmark sets, which are never trained on.

    Raises:
        InputError: a folder without pictures, none that can be used, none held out, or one too small to be judged.
        UsageError: two benchmarks of one name.
    """
    config = TrainConfig(
        folders=tuple(folders),
        output=Path("study.safetensors"),
        scale=scale,
        pictures=pictures,
        held_out=held_out,
        patch=settings.patch,
        sizes=(1.0, 0.5),  # what the results in docs/study learnt from, whatever `subpixel train` does by now
    )
    data = read_training_set(config)
    if not data.held_out:
        raise InputError(
            f"{', '.join(map(str, folders))}: no picture is held out to judge the learning by, since there are fewer"
            " than twenty: name some with --held-out"
        )
    sets = {folder.name: _read_benchmark(folder, scale) for folder in benchmarks}
    if len(sets) < len(benchmarks):
        raise UsageError("two benchmark folders bear one name, and results go by it: rename one")
    _refuse_shared([*data.learn, *data.held_out], sets)
    held_out_pairs = [middle(pair, scale, settings.held_out_side) for pair in data.held_out]
    return StudyData(
        scale,
        PatchSampler(data.learn, scale, settings.patch),
        held_out_pairs,
        sets,
        data.digest(),
        _digest({"held out": held_out_pairs, **sets}),
        data.story,
    )


def _digest(sets: dict[str, list[Pair]]) -> str:
    """Of names and pixels, in an order that does not hang on that of the folders."""
    digest = sha256()
    for name, pairs in sorted(sets.items()):
        for pair in sorted(pairs, key=lambda one: one.name):
            digest.update(repr((name, pair.name, pair.hr.shape)).encode("utf-8", "replace"))
            digest.update(np.ascontiguousarray(pair.hr).data)
    return digest.hexdigest()


def _refuse_shared(ours: Sequence[Pair], sets: dict[str, list[Pair]]) -> None:
    """Raise InputError where a benchmark picture is, pixel for pixel, one to learn from or held out."""
    known = {(pair.hr.shape, pair.hr.tobytes()): pair.name for pair in ours}
    for name, pairs in sets.items():
        for pair in pairs:
            twin = known.get((pair.hr.shape, pair.hr.tobytes()))
            if twin is not None:
                raise InputError(
                    f"{pair.name} of the benchmark {name} is {twin} of the training pictures: what is judged on must "
                    "not be learnt from, so take it out of one of the two"
                )


def _read_benchmark(folder: Path, scale: int) -> list[Pair]:
    pairs = [make_pair(path.stem, luma_of(read_pixels(path)), scale) for path in find_pictures(folder)]
    small = [pair.name for pair in pairs if min(pair.hr.shape) <= 2 * scale]
    if small:
        raise InputError(f"{folder}: {small[0]} is too small to be judged at x{scale}: leave it out")
    return pairs


def middle(pair: Pair, scale: int, side: int) -> Pair:
    """The middle of a picture, `side` HR pixels wide and high at most."""
    height, width = (min(n, side // scale) for n in pair.lr.shape)
    top, left = (pair.lr.shape[0] - height) // 2, (pair.lr.shape[1] - width) // 2
    hr = pair.hr[scale * top : scale * (top + height), scale * left : scale * (left + width)]
    return Pair(
        pair.name, np.ascontiguousarray(hr), np.ascontiguousarray(pair.lr[top : top + height, left:][:, :width])
    )


def fit(
    network: Network | NetworkModule,
    data: StudyData,
    settings: BudgetSettings,
    *,
    seed: int,
    learning_rate: float,
    steps: int | None = None,
    judged: bool = True,
) -> dict[str, Any]:
    """Train one network; every network of one seed sees the same batches.

    Args:
        network: one to be drawn from `seed`, or a module whose weights are drawn already.
        steps: default: those of `settings`.
        judged: score it on the benchmark sets at the end.

    Returns:
        JSON values: learning_rate, steps, curve (pairs of step and held-out PSNR in dB), diverged (the step at which
        the loss was no number any more, or None), psnr (set to mean and images; None where it diverged or was not
        judged), wall_seconds and cpu_seconds.
    """
    wall, processor = time.monotonic(), time.process_time()
    steps = steps or settings.steps
    config = TrainConfig(
        folders=(Path(),),
        output=Path("study.safetensors"),
        scale=data.scale,
        steps=steps,
        batch=settings.batch,
        patch=settings.patch,
        learning_rate=learning_rate,
        seed=seed,
    )
    if isinstance(network, Network):
        module = NetworkModule(network)
        initialise(module, seed)
    else:
        module = network
    descent = Descent(module, config)
    at = {round(steps * (n + 1) / settings.points) for n in range(settings.points)}
    curve: list[list[float]] = []
    diverged: int | None = None

    def score(done: int) -> None:
        value = held_out_psnr(module, descent.mean, data.held_out, CPU)
        if value is not None and math.isfinite(value):
            curve.append([done, round(value, 4)])

    score(0)
    for step in range(steps):
        lr, hr = data.sampler.batch(config.batch, np.random.default_rng([seed, step]))
        if not math.isfinite(descent.step(step, lr, hr)):
            diverged = step + 1
            break
        if step + 1 in at:
            score(step + 1)
    descent.finish()
    return {
        "learning_rate": learning_rate,
        "steps": steps,
        "curve": curve,
        "diverged": diverged,
        "psnr": judge(module, data) if judged and diverged is None else None,
        "wall_seconds": round(time.monotonic() - wall, 2),
        "cpu_seconds": round(time.process_time() - processor, 2),
    }


def judge(module: torch.nn.Module, data: StudyData) -> dict[str, Any]:
    """PSNR in dB under the papers' protocol on every benchmark set: its mean and every picture's."""
    return {name: _judge_set(module, pairs, data.scale) for name, pairs in data.benchmarks.items()}


def _judge_set(module: torch.nn.Module, pairs: list[Pair], r: int) -> dict[str, Any]:
    images = {}
    for pair in pairs:
        with torch.no_grad():
            hr = module(torch.from_numpy(pair.lr)[None, None])[0, 0].numpy().astype(np.float64) * 255
        guess = np.floor(np.clip(hr, 0, 255) + 0.5)
        images[pair.name] = round(psnr(guess[r:-r, r:-r], pair.hr[r:-r, r:-r]), 4)
    return {"mean": round(sum(images.values()) / len(images), 4), "images": images}


def error(module: torch.nn.Module, data: StudyData) -> float | None:
    """Mean squared error over the middles of the held-out pictures, white being 1; None without any."""
    if not data.held_out:
        return None
    images: dict[str, float] = _judge_set(module, data.held_out, data.scale)["images"]
    return round(sum(10 ** (-value / 10) for value in images.values()) / len(images), 9)
