"""A function that LR networks compute and HR networks of equal budget do not: both fit it, and see what is left."""

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from subpixel.models.module import NetworkModule
from subpixel.models.network import AddRemembered, Network
from subpixel.train.config import TrainConfig
from subpixel.train.descent import Descent
from subpixel.train.initialise import initialise

PATCH, BATCH = 24, 8
TEST_SEED = 10_000_019
"""Of the inputs that residuals are measured on; no batch is drawn from it."""


def teacher_of(network: Network, seed: int) -> NetworkModule:
    """The network with random weights of its own for every phase: He's normal, and no layer made smaller."""
    module = NetworkModule(network)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, shape in network.parameters().items():
            if len(shape) == 4:
                torch.nn.init.kaiming_normal_(module.weight(name), nonlinearity="relu", generator=generator)
            else:
                module.weight(name).zero_()
    return module


def learnt_part(module: NetworkModule, x: torch.Tensor) -> torch.Tensor:
    """What a network adds to the interpolation that all families share."""
    steps = module.network.steps
    assert isinstance(steps[-1], AddRemembered)
    y, remembered = module.forward_and_remember(x)
    return y - remembered[steps[-1].name]


def fit_teacher(
    student: Network, teacher: NetworkModule, *, seed: int, steps: int, learning_rate: float, points: int
) -> dict[str, Any]:
    """Fit a teacher on uniform noise, whose pixels know nothing of each other.

    Returns:
        JSON values: curve (pairs of step and residual), residual, diverged, wall_seconds, cpu_seconds. The residual is
        the mean square of what is left over the mean square of what the teacher adds to the interpolation; 1 is a
        student that learns nothing.
    """
    wall, processor = time.monotonic(), time.process_time()
    config = TrainConfig(
        folders=(Path(),),
        output=Path("study.safetensors"),
        scale=student.scale,
        steps=steps,
        batch=BATCH,
        patch=PATCH,
        learning_rate=learning_rate,
        seed=seed,
    )
    module = NetworkModule(student)
    initialise(module, seed)
    descent = Descent(module, config)
    curve: list[list[float]] = []
    at = {0, *(round(steps * (n + 1) / points) for n in range(points))}
    diverged: int | None = None
    for step in range(steps + 1):
        if step in at:
            left = residual(module, descent.mean, teacher)
            curve += [[step, left]] if math.isfinite(left) else []
        if step == steps:
            break
        x = _noise(np.random.default_rng([seed, step]), BATCH)
        with torch.no_grad():
            y = teacher(torch.from_numpy(x)).numpy()
        if not math.isfinite(descent.step(step, x, y)):
            diverged = step + 1
            break
    return {
        "curve": curve,
        "residual": curve[-1][1] if diverged is None else None,
        "diverged": diverged,
        "wall_seconds": round(time.monotonic() - wall, 2),
        "cpu_seconds": round(time.process_time() - processor, 2),
    }


def residual(module: NetworkModule, mean: list[torch.Tensor], teacher: NetworkModule) -> float:
    """Of the averaged weights, on inputs that were not learnt from, the border (which both pad) left out."""
    weights = dict(zip((name for name, _ in module.named_parameters()), mean, strict=True))
    x = torch.from_numpy(_noise(np.random.default_rng(TEST_SEED), 32))
    border = 6 * module.network.scale
    inside = (..., slice(border, -border), slice(border, -border))
    with torch.no_grad():
        left = torch.func.functional_call(module, weights, (x,)) - teacher(x)
        return _rounded(left[inside].square().mean() / learnt_part(teacher, x)[inside].square().mean())


def floor_of(student: Network, teacher: NetworkModule, *, draws: int = 4000) -> tuple[float, float]:
    """What no function that sees only the student's receptive field can go below, in the unit of `residual`, and the
    standard error of that estimate.

    The pixels are independent, so the best guess is the mean over what the student does not see, and what is left is
    E Var(t | window) = ½ E (t(x) - t(x'))², x' being x with every pixel outside the window drawn anew. Each phase has
    its own window. The error is that of a ratio of two means over the draws (to first order).
    """
    r, side = student.scale, 15
    middle = side // 2
    rng = np.random.default_rng(TEST_SEED)
    x = rng.random((draws, 1, side, side), np.float32)
    with torch.no_grad():
        whole = learnt_part(teacher, torch.from_numpy(x))
        total, left = np.zeros(draws), np.zeros(draws)
        seen = student.windows
        for rows, dy in zip(seen, range(r), strict=True):
            for columns, dx in zip(seen, range(r), strict=True):
                other = rng.random(x.shape, np.float32)
                window = (..., _around(middle, rows), _around(middle, columns))
                other[window] = x[window]
                place = (slice(None), 0, r * middle + dy, r * middle + dx)
                t = whole[place]
                t_other = learnt_part(teacher, torch.from_numpy(other))[place]
                left += 0.5 * (t - t_other).square().double().numpy()
                total += t.square().double().numpy()
    floor = left.sum() / total.sum()
    spread = (left - floor * total).std(ddof=1) / draws**0.5 / total.mean()
    return _rounded(floor), _rounded(spread)


def _rounded(value: "torch.Tensor | np.floating[Any]") -> float:
    """To six significant digits: a residual of a millionth is no nought."""
    return float(f"{float(value):.6g}")


def _around(middle: int, window: tuple[int, int]) -> slice:
    return slice(max(0, middle + window[0]), middle + window[1] + 1)


def _noise(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.random((count, 1, PATCH, PATCH), np.float32)
