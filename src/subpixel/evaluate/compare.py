"""Two pictures beside each other, or both beside the original: figures, and where they differ most."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import InputError, UsageError
from subpixel.evaluate.metrics import psnr, ssim
from subpixel.evaluate.pictures import luma_of, to_bytes
from subpixel.media.image import read_picture
from subpixel.media.picture import to_eight_bits
from subpixel.media.resample import imresize
from subpixel.media.side_by_side import SIDES, Panel, Place, draw

_STRIP = 512  # rows whose figures are computed at a time
_SSIM_WINDOW = 11
Y = NDArray[np.uint8]


@dataclass(frozen=True)
class _Read:
    name: str
    pixels: NDArray[np.uint8]  # [H, W] or [H, W, 3]
    y: Y


def compare(
    a: str | Path,
    b: str | Path,
    *,
    hr: str | Path | None = None,
    shave: int = 0,
    crops: int = 3,
    picture: str | Path | None = None,
) -> dict[str, Any]:
    """Compare two pictures, and with the original that both stand for, if there is one.

    The figures are those of `subpixel evaluate`: Y of BT.601 rounded to 8 bits, a grey picture's pixels being Y;
    alpha is left out. A smaller picture is enlarged by bicubic interpolation first.

    Args:
        a, b: files.
        hr: the original.
        shave: pixels cut off each side before anything is computed; the papers cut off as many as the scale.
        crops: how many places to show enlarged.
        picture: where to write the comparison as a picture; None: nowhere.

    Returns:
        a, b, hr (names), width, height, protocol, psnr and ssim of a against b (psnr None where nothing differs,
        ssim None below 11 pixels), largest_difference (of Y), differing (share of pixels whose Y does), against_hr
        (of each: psnr, ssim; None without hr), crops (x, y, width, height), picture, notices.

    Raises:
        InputError: a file cannot be read, or the pictures have not one form.
        UsageError: nothing would be left to compare.
        OutputError: the picture cannot be written.
    """
    if shave < 0 or crops < 0:
        raise UsageError(f"shave (={shave}) and crops (={crops}) must not be negative")
    notices: list[str] = []
    paths = [Path(path) for path in (a, b, hr) if path is not None]
    read = _of_one_size([_read(path) for path in paths], notices)
    height, width = read[0].y.shape
    if min(height, width) <= 2 * shave:
        raise UsageError(f"shave {shave} leaves nothing of {width}×{height} pixels: give less")
    inner = (slice(shave, height - shave), slice(shave, width - shave))
    y = [one.y[inner] for one in read]
    against = {name: _figures(y[n], y[2]) for n, name in enumerate("ab")} if hr is not None else None
    difference = np.abs(y[0].astype(np.int16) - y[1])
    places = [Place(p.x + shave, p.y + shave, p.side) for p in _places(y, crops)]
    result = {
        "a": str(a),
        "b": str(b),
        "hr": None if hr is None else str(hr),
        "width": width,
        "height": height,
        "protocol": f"Y of BT.601, 8-bit, {shave} px shaved, peak 255",
        **_figures(y[0], y[1]),
        "largest_difference": int(difference.max()),
        "differing": float((difference > 0).mean()),
        "against_hr": against,
        "crops": [{"x": p.x, "y": p.y, "width": p.side, "height": p.side} for p in places],
        "picture": None if picture is None else str(picture),
        "notices": notices,
    }
    if picture is not None:
        panels = [
            Panel(letter, one.name, one.pixels, _told(against and against.get(letter.lower())))
            for letter, one in zip(("A", "B", "HR"), read, strict=False)
        ]
        best = None
        title = f"{width} x {height} pixels; PSNR and SSIM of Y"
        if against is not None:
            title += ", against the original"
            a_db, b_db = (against[name]["psnr"] or math.inf for name in "ab")
            best = None if a_db == b_db else int(b_db > a_db)
        draw(Path(picture), title, panels, places, apart=_told(result), best=best)
    return result


def _told(figures: dict[str, Any] | None) -> str:
    if not figures:
        return ""
    decibel = "equal" if figures["psnr"] is None else f"{figures['psnr']:.2f} dB"
    return decibel if figures["ssim"] is None else f"{decibel}   {figures['ssim']:.4f}"


def _read(path: Path) -> _Read:
    pixels = to_eight_bits(read_picture(path).pixels)
    strips = [to_bytes(luma_of(pixels[n : n + _STRIP])) for n in range(0, len(pixels), _STRIP)]
    return _Read(path.name, pixels, np.concatenate(strips))


def _of_one_size(pictures: list[_Read], notices: list[str]) -> list[_Read]:
    """Smaller ones enlarged to the largest."""
    height, width = max((one.y.shape for one in pictures), key=lambda shape: shape[0] * shape[1])
    same = []
    for one in pictures:
        h, w = one.y.shape
        if (h, w) == (height, width):
            same.append(one)
            continue
        if abs(height / h - width / w) > 0.02 * height / h:
            raise InputError(
                f"{one.name} has {w}×{h} pixels and the largest of the pictures {width}×{height}, which is another "
                "form: compare pictures of one size, or of one form"
            )
        notices.append(f"{one.name}: {w}×{h} pixels, enlarged to {width}×{height} by bicubic interpolation")
        pixels = imresize(one.pixels, shape=(height, width))
        same.append(_Read(one.name, pixels, to_bytes(luma_of(pixels))))
    return same


def _figures(a: Y, b: Y) -> dict[str, float | None]:
    decibel = psnr(a, b)
    similarity = None
    if min(a.shape) >= _SSIM_WINDOW:
        rows = len(a) - _SSIM_WINDOW + 1  # of windows
        total = 0.0
        for first in range(0, rows, _STRIP):
            last = min(rows, first + _STRIP)
            area = slice(first, last + _SSIM_WINDOW - 1)
            total += (last - first) * ssim(a[area], b[area])
        similarity = total / rows
    return {"psnr": decibel if math.isfinite(decibel) else None, "ssim": similarity}


def _places(y: list[Y], count: int) -> list[Place]:
    """Squares that do not overlap, where a and b differ most; with an original, where their errors do."""
    height, width = y[0].shape
    fits = [side for side in SIDES if side <= min(height, width) // 4]
    side = fits[0] if fits else min(SIDES[-1], height, width)
    if len(y) > 2:
        errors = [(one.astype(np.float32) - y[2]) ** 2 for one in y[:2]]
        strength = np.abs(errors[0] - errors[1])
    else:
        strength = (y[0].astype(np.float32) - y[1]) ** 2
    sums = np.zeros((height + 1, width + 1))
    np.cumsum(np.cumsum(strength, axis=0, dtype=np.float64), axis=1, out=sums[1:, 1:])
    square = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    found = []
    for _ in range(count):
        top, left = np.unravel_index(int(square.argmax()), square.shape)
        if square[top, left] <= 0:
            break
        found.append(Place(int(left), int(top), side))
        near = slice(max(0, top - side + 1), top + side), slice(max(0, left - side + 1), left + side)
        square[near] = -1
    return found
