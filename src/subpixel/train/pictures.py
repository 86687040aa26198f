"""Finds and reads the training pictures; names the ones it leaves out."""

from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import InputError
from subpixel.evaluate.pictures import find_pictures, luma_of, read_pixels
from subpixel.media.resample import imresize
from subpixel.progress import track
from subpixel.train.config import TrainConfig
from subpixel.train.patches import Pair, make_pair


@dataclass
class TrainingSet:
    """Pictures to learn from, pictures held out, and what was left out and why."""

    learn: list[Pair] = field(default_factory=list)
    held_out: list[Pair] = field(default_factory=list)
    story: list[dict[str, str]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)

    def digest(self) -> str:
        """Of all pixels learnt from, so that a resumed run can tell whether they are the same."""
        digest = sha256()
        for pair in self.learn:
            digest.update(repr((pair.name, pair.hr.shape)).encode("utf-8", "replace"))
            digest.update(pair.hr.data)
        return digest.hexdigest()


def read_list(path: Path) -> dict[str, str]:
    """A list file's relative names, each with the licence after its tab ("" without one).

    Raises:
        InputError: if the file cannot be read or names nothing.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"list of pictures {path} could not be read ({error})") from error
    split = [line.partition("\t") for line in lines if line.strip() and not line.startswith("#")]
    if not split:
        raise InputError(f"list of pictures {path} names no picture; give one relative path a line")
    return {name.strip(): licence.strip() for name, _, licence in split}


def training_pictures(config: TrainConfig) -> dict[str, tuple[Path, str]]:
    """Every picture by its name relative to its folder: (path, licence), in order of the names.

    Raises:
        InputError: for a folder that is missing or has no pictures, or listed names that are nowhere.
    """
    found: dict[str, tuple[Path, str]] = {}
    for folder in config.folders:
        here = find_pictures(folder, below=True)
        for path in here:
            name = path.relative_to(folder).as_posix()
            if name in found:
                raise InputError(f"{name} is in two training folders: rename one, or give their common parent")
            found[name] = (path, "")
    if config.pictures is not None:
        listed = read_list(config.pictures) | dict.fromkeys(config.held_out, "")
        missing = sorted(listed.keys() - found.keys())
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise InputError(f"{config.pictures} names {missing[0]}{more}, which the training folders lack")
        found = {name: (found[name][0], licence) for name, licence in listed.items()}
    return dict(sorted(found.items()))


def read_training_set(config: TrainConfig) -> TrainingSet:
    """Read, degrade and keep every picture; broken or small ones are named in `skipped`.

    Raises:
        InputError: if nothing is left to learn from.
    """
    pictures = training_pictures(config)
    names = list(pictures)
    held_out = set(config.held_out or names[19::20])
    unknown = sorted(held_out - set(names))
    if unknown:
        raise InputError(f"held-out picture {unknown[0]} is not among the training pictures")
    result = TrainingSet()
    side = config.patch * config.scale
    for name in track(names, "reading pictures", unit="pictures"):
        path, licence = pictures[name]
        try:
            y = luma_of(read_pixels(path))
        except InputError as error:
            result.skipped.append({"name": name, "reason": str(error)})
            continue
        sizes = (1.0,) if name in held_out else config.sizes
        pairs = [_pair(name, y, size, config.scale) for size in sizes if min(y.shape) * size >= side]
        if not pairs:
            size = f"{y.shape[1]}x{y.shape[0]}"
            result.skipped.append({"name": name, "reason": f"{size} is smaller than a patch of {side}x{side}"})
            continue
        if name in held_out:
            result.held_out += pairs
            continue
        result.learn += pairs
        result.story.append({"name": name, "licence": licence or "not stated"})
    if not result.learn:
        reasons = f"; the first: {result.skipped[0]['reason']}" if result.skipped else ""
        raise InputError(
            f"none of {len(names)} pictures can be trained on{reasons}; give larger ones or lower `patch` (--patch)"
        )
    return result


def _pair(name: str, y: NDArray[np.float64], size: float, scale: int) -> Pair:
    """A pair of the picture at a part of its size."""
    if size == 1:
        return make_pair(name, y, scale)
    # The name goes into the digest that resumed runs and the study's results are held to.
    part = "half its size" if size == 0.5 else f"{size:g} of its size"
    return replace(make_pair(f"{name} at {part}", imresize(y, size), scale), picture=name)
