"""Finds the pictures of a folder and reads them as floats."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import InputError
from subpixel.media.colour import luma
from subpixel.media.folders import is_folder
from subpixel.media.image import FORMATS, read_picture


def find_pictures(folder: Path, *, below: bool = False) -> list[Path]:
    """The picture files of a folder (and below it), by name; hidden ones are left out.

    Raises:
        InputError: the folder is missing, or has none.
    """
    try:
        if not is_folder(folder):
            what = "is a file, not a folder" if folder.exists() else "does not exist"
            raise InputError(f"folder {folder} {what}: give a folder of pictures")
        paths = folder.rglob("*") if below else folder.iterdir()
        names = [path for path in paths if path.suffix.lower() in FORMATS and not path.name.startswith(".")]
        found = [path for path in names if path.is_file()]
    except (OSError, ValueError) as error:  # a closed folder, too long a name
        raise InputError(f"folder {folder} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not found:
        raise InputError(f"folder {folder} holds no pictures ({', '.join(FORMATS)})")
    return sorted(found)


def read_pixels(path: Path) -> NDArray[np.float64]:
    """Pixels [H, W] or [H, W, 3] in 0..255, alpha left out.

    Raises:
        InputError: missing, no picture, or damaged.
    """
    picture = read_picture(path)
    return picture.pixels.astype(np.float64) * (255 / picture.white)


def luma_of(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Y [H, W] of pixels [H, W, 3]; grey ones [H, W] are Y as they are. Unrounded."""
    return luma(pixels) if pixels.ndim == 3 else pixels.astype(np.float64)


def to_bytes(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Clipped and rounded, halves up, as MATLAB's uint8() rounds positive numbers."""
    rounded: NDArray[np.uint8] = np.floor(np.clip(pixels, 0, 255) + 0.5).astype(np.uint8)
    return rounded
