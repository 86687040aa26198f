"""Computed pictures, for a study without a folder of photographs: discs, polygons, strokes, gratings and shades.

They show that everything runs; what networks learn from them says little about photographs.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from subpixel.media.picture import from_array
from subpixel.media.resample import imresize
from subpixel.media.writing import write_picture

FINER = 3
"""Drawn so many times larger and shrunk, so that edges lie anywhere between pixels."""
LEARNT, HELD_OUT, JUDGED = 12, 2, 8
SIDE = 180


def draw(seed: int, side: int = SIDE) -> NDArray[np.uint8]:
    """A grey picture [side, side]."""
    rng = np.random.default_rng(seed)
    n = FINER * side
    y, x = np.mgrid[:n, :n].astype(np.float64)
    slope = rng.normal(0, 60 / n, 2)
    picture = rng.uniform(60, 200) + slope[0] * (y - n / 2) + slope[1] * (x - n / 2)
    for _ in range(30):
        cx, cy = rng.uniform(0, n, 2)
        size, angle, shade = rng.uniform(0.02, 0.2) * n, rng.uniform(0, np.pi), rng.uniform(0, 255)
        u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
        v = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
        kind = rng.integers(4)
        if kind == 0:
            inside = u * u + v * v < size * size
        elif kind == 1:
            inside = (np.abs(u) < size) & (np.abs(v) < size * rng.uniform(0.1, 1))
        elif kind == 2:
            inside = (np.abs(u) < 2 * size) & (np.abs(v) < rng.uniform(1, 3) * FINER)
        else:
            inside = (np.abs(u) < size) & (np.abs(v) < size)
            shade = shade + 60 * np.sign(np.sin(2 * np.pi * u / (rng.uniform(4, 16) * FINER)))
        picture = np.where(inside, shade, picture)
    shrunk = imresize(picture, shape=(side, side))
    return np.asarray(np.clip(np.rint(shrunk), 0, 255), np.uint8)


def write_drawn(folder: Path) -> tuple[Path, Path, tuple[str, ...]]:
    """Write the pictures that are not there yet as PNG.

    Returns:
        The folder to learn from, the one to judge on, and the names to hold out.

    Raises:
        OutputError: a picture cannot be written.
    """
    learn, judge = folder / "drawn-learn", folder / "drawn"
    names = [f"drawn{number:02}.png" for number in range(LEARNT + HELD_OUT)]
    paths = [learn / name for name in names] + [judge / f"judged{number}.png" for number in range(JUDGED)]
    for seed, path in enumerate(paths):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_picture(from_array(draw(seed)), path)
    return learn, judge, tuple(names[LEARNT:])
