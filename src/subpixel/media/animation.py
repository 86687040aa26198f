"""Moving pictures in picture formats: GIF, APNG, animated WebP and AVIF, frame by frame with their durations."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from subpixel.errors import InputError, UsageError
from subpixel.media.atomic import write_atomically
from subpixel.media.image import MAX_MEGAPIXELS, opened_picture, output_format
from subpixel.media.metadata import Metadata
from subpixel.media.picture import Picture, eight_bits, from_pillow, to_pillow
from subpixel.media.writing import Encoding, beside, check_output, encoded, pillow_options

if TYPE_CHECKING:
    from PIL.Image import Image

MOVING = ("GIF", "PNG", "WEBP", "AVIF")  # what can hold an animation
_SEE_THROUGH = 255  # the palette's entry for transparent pixels of a GIF


@dataclass(frozen=True)
class Frame:
    """A whole picture, composed of what earlier frames left and what this one changes, and its time in ms."""

    picture: Picture
    milliseconds: float


@dataclass(frozen=True)
class Timing:
    """How often an animation plays (0: for ever), and whether a PNG's first picture is outside of it."""

    loop: int
    still_first: bool


def read_frames(path: Path, *, scale: float = 1, max_megapixels: float = MAX_MEGAPIXELS) -> Iterator[Frame | Timing]:
    """First the timing, then the frames, one in memory at a time.

    Raises:
        InputError: as `image.read_picture`, when the frame is reached.
    """
    with opened_picture(path, scale=scale, max_megapixels=max_megapixels) as (image, header):
        # A GIF without a count plays once; the others always have one.
        loop = int(image.info.get("loop", 1 if header.kind == "GIF" else 0))
        yield Timing(loop, bool(getattr(image, "default_image", False)))
        for index in range(header.frames):
            image.seek(index)
            image.load()
            duration = float(image.info.get("duration", 0) or 0)
            yield Frame(from_pillow(image, str(path)), duration)


def write_frames(
    path: Path, timing: Timing, frames: Iterator[Frame], metadata: Metadata, encoding: Encoding | None = None
) -> list[str]:
    """Write an animation, whole or not at all.

    Returns:
        What the format could not hold, one sentence each.

    Raises:
        UsageError: no known ending, or one that cannot move.
        OutputError: the file cannot be written.
    """
    kind, notices = output_format(path), list[str]()
    if kind not in MOVING:
        raise UsageError(f"{path}: {kind} holds no animation: write GIF, PNG, WebP or AVIF")
    durations: list[int] = []
    images: list[Image] = []
    for frame in frames:  # all of them, since an encoder has to know the durations beforehand
        image = to_pillow(eight_bits(frame.picture))
        image.info.clear()
        images.append(to_palette(image) if kind == "GIF" else image)
        durations.append(round(frame.milliseconds))
    if not images:
        raise InputError(f"{path}: no frames to write")
    see_through = any(image.mode in ("LA", "RGBA") or "transparency" in image.info for image in images)
    if kind != "GIF":
        images = [image.convert("RGBA" if see_through else "RGB") for image in images]
    first = images[0]
    check_output(path, *first.size, transparent=see_through)
    options = pillow_options(kind, encoding or Encoding()) | beside(kind, metadata.sized(*first.size))
    options |= {"save_all": True, "append_images": images[1:], "duration": durations, "loop": timing.loop}
    if kind == "GIF":
        options |= {"disposal": 2 if see_through else 1, "optimize": False}
        if see_through:
            options["transparency"] = _SEE_THROUGH
        if timing.loop == 1:
            del options["loop"]
    if kind == "PNG" and timing.still_first:
        options |= {"default_image": True, "duration": durations[1:]}
    write_atomically(path, encoded(first, kind, options, path, notices))
    return notices


def to_palette(image: "Image") -> "Image":
    """A picture in at most 256 colours, dithered; pixels less than half opaque become the transparent one."""
    from PIL import Image as pillow

    if image.mode not in ("LA", "RGBA"):
        if image.mode == "L":
            return image
        return image.convert("RGB").quantize(256, pillow.Quantize.MEDIANCUT, dither=pillow.Dither.FLOYDSTEINBERG)
    opaque = np.asarray(image.getchannel("A")) >= 128
    colours = image.convert("RGB").quantize(255, pillow.Quantize.MEDIANCUT, dither=pillow.Dither.FLOYDSTEINBERG)
    index = np.where(opaque, np.asarray(colours), _SEE_THROUGH).astype(np.uint8)
    result = pillow.fromarray(index)
    result = result.copy()
    palette = (colours.getpalette() or [])[: 3 * 255]
    result.putpalette(palette + [0] * (768 - len(palette)))
    result.info["transparency"] = _SEE_THROUGH
    return result
