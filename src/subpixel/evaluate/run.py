"""A model on a folder of pictures, by the protocol."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import InputError, SubpixelError, UsageError
from subpixel.evaluate.degrade import degrade, mod_crop
from subpixel.evaluate.metrics import psnr, ssim
from subpixel.evaluate.pictures import find_pictures, luma_of, read_pixels, to_bytes
from subpixel.evaluate.protocol import GIVEN, PAPERS, Protocol, protocol_named
from subpixel.progress import track
from subpixel.upscaling.target import DEFAULT_MODEL
from subpixel.upscaling.upscaler import NetworkUpscaler, Upscaler, open_upscaler

AGAIN_BELOW = 0.5  # seconds: a quicker first run is repeated, so that its warm-up is not in the time


def evaluate(
    folder: str | Path,
    model: str | Path | Upscaler = DEFAULT_MODEL,
    scale: int | None = None,
    *,
    lr: str | Path | None = None,
    protocol: Protocol | str | None = None,
    runtime: str = "auto",
    threads: int | None = None,
    precision: str = "auto",
    channels: int | None = None,
    value_range: int | None = None,
    colour: str | None = None,
) -> dict[str, Any]:
    """Enlarge the shrunken pictures of a folder and compare with the originals.

    Args:
        folder: HR pictures.
        model: a zoo name, a weight file, an ONNX file, or an upscaler that is open already.
        scale: the factor; 3 by default for a name of the zoo, a file knows its own.
        lr: a folder of LR pictures to take instead of shrinking; they bear the HR picture's name, which may
            be followed by x3 or _x3.
        protocol: a `Protocol` or its name; papers by default, given where `lr` is.
        runtime, threads, precision, channels, value_range, colour: see `subpixel.upscaling.upscaler.open_upscaler`.

    Returns:
        model, scale, protocol (its line), runtime, precision, psnr, ssim (means over the pictures), images (name, psnr,
        ssim, ms of the network) and failures (name, error). psnr is None where nothing differs at all, ssim
        where a picture is below 11 pixels a side.

    Raises:
        InputError: no pictures in the folder, or none that could be used.
        UsageError: see `open_upscaler`; a protocol that does not go with `lr`.
    """
    if isinstance(protocol, str):
        protocol = protocol_named(protocol)
    if protocol is None:
        protocol = PAPERS if lr is None else GIVEN
    if (protocol.lr == "given") != (lr is not None):
        raise UsageError(f"protocol {protocol.name} does not go {'with' if lr else 'without'} given LR pictures")
    paths = find_pictures(Path(folder))
    given = find_pictures(Path(lr)) if lr is not None else None
    if isinstance(model, Upscaler):
        upscaler = model
    else:
        upscaler = open_upscaler(
            model,
            scale,
            runtime=runtime,
            threads=threads,
            precision=precision,
            channels=channels,
            value_range=value_range,
            colour=colour,
        )
    scale = upscaler.scale
    images: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    for path in track(paths, f"evaluating {upscaler.name}", unit="pictures"):
        try:
            small = None if given is None else _partner(path, given, scale)
            images.append({"name": path.stem, **_compare(path, small, upscaler, protocol)})
        except SubpixelError as error:
            failures.append({"name": path.name, "error": str(error)})
    if not images:
        raise InputError(f"none of {len(paths)} pictures could be evaluated; the first: {failures[0]['error']}")
    return {
        "model": upscaler.name,
        "scale": scale,
        "protocol": protocol.describe(scale),
        "runtime": upscaler.runtime,
        "precision": upscaler.precision,
        "psnr": _mean([image["psnr"] for image in images]),
        "ssim": _mean([image["ssim"] for image in images]),
        "images": images,
        "failures": failures,
    }


def _compare(path: Path, small: Path | None, upscaler: Upscaler, protocol: Protocol) -> dict[str, Any]:
    """psnr, ssim and ms of one picture."""
    r = upscaler.scale
    hr = mod_crop(read_pixels(path), r)
    height, width = hr.shape[:2]
    if min(height, width) <= 2 * r:
        raise InputError(f"{path} is too small to be judged at x{r}: nothing is left after shaving")
    truth = to_bytes(luma_of(hr))
    takes_rgb = isinstance(upscaler, NetworkUpscaler) and upscaler.contract.channels == 3
    in_colour = takes_rgb and hr.ndim == 3
    if small is not None:
        lr = read_pixels(small)
        if (lr.shape[0] * r, lr.shape[1] * r) != (height, width):
            sizes = f"{lr.shape[1]}x{lr.shape[0]} pixels, not {width // r}x{height // r}"
            raise InputError(f"{small} has {sizes} as {path.name} shrunk by {r} would have")
        if in_colour and lr.ndim == 2:
            lr = np.repeat(lr[..., None], 3, axis=2)
    elif protocol.lr == "rounded":
        lr = degrade(to_bytes(hr), r).astype(np.float64)
    else:
        lr = degrade(hr if in_colour else truth.astype(np.float64), r)
    if not in_colour:
        lr = luma_of(lr)
    enlarged, seconds = _timed(upscaler, lr.astype(np.float32))
    if enlarged.shape[:2] != (height, width):
        got = f"{enlarged.shape[1]}x{enlarged.shape[0]}"
        raise InputError(f"{upscaler.name} made {got} pixels of {path.name}, not {width}x{height}")
    guess = to_bytes(enlarged)
    if in_colour:
        guess = to_bytes(luma_of(guess))
    guess, truth = guess[r : height - r, r : width - r], truth[r : height - r, r : width - r]
    decibel = psnr(guess, truth)
    return {
        "psnr": decibel if math.isfinite(decibel) else None,
        "ssim": ssim(guess, truth) if min(truth.shape) >= 11 else None,
        "ms": 1e3 * seconds,
    }


def _timed(upscaler: Upscaler, lr: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """The enlarged picture, and the seconds spent in the network."""
    best = math.inf
    for _ in range(2):
        before = upscaler.seconds
        enlarged = upscaler.upscale_rgb(lr) if lr.ndim == 3 else upscaler.upscale_luma(lr)
        best = min(best, upscaler.seconds - before)
        if best >= AGAIN_BELOW:
            break
    return enlarged, best


def _partner(path: Path, given: list[Path], scale: int) -> Path:
    stems = {path.stem, f"{path.stem}x{scale}", f"{path.stem}_x{scale}"}
    found = [small for small in given if small.stem in stems]
    if len(found) != 1:
        what = "no LR picture" if not found else f"{len(found)} LR pictures"
        raise InputError(f"{path.name} has {what} in {given[0].parent} ({', '.join(sorted(stems))})")
    return found[0]


def _mean(values: list[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers else None
