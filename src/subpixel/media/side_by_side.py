"""Pictures beside each other as one picture: the whole of each, and squares of them enlarged."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from subpixel.media.picture import from_array
from subpixel.media.writing import write_picture

if TYPE_CHECKING:
    from PIL.Image import Image

PANEL = 384  # pixels across: the sides of squares divide it
SIDES = (96, 64, 48, 32, 24)
_GAP, _MARGIN = 16, 28
_PAPER, _INK, _FAINT = (250, 250, 248), (32, 33, 36), (120, 122, 126)
_MARKS = ((230, 92, 0), (0, 128, 128), (122, 63, 191), (200, 30, 90), (40, 110, 220), (90, 130, 20))
_BETTER = (0, 122, 70)


@dataclass(frozen=True)
class Panel:
    """A picture [H, W] or [H, W, 3] of 8 bits, its letter, its name, and what is said of it."""

    letter: str
    name: str
    pixels: NDArray[np.uint8]
    said: str = ""


@dataclass(frozen=True)
class Place:
    """A square of the pictures: its left, its top, its side."""

    x: int
    y: int
    side: int


def draw(
    path: Path, title: str, panels: list[Panel], places: list[Place], *, apart: str, best: int | None = None
) -> None:
    """Write the picture: a column for each panel, the last one for the difference of the first two.

    Args:
        apart: what is said of the difference.
        best: the panel whose figures are set off.

    Raises:
        UsageError: no known ending.
        OutputError: the file cannot be written.
    """
    from PIL import Image, ImageDraw

    images = [_rgb(panel.pixels) for panel in panels]
    gain, difference = _difference(panels)
    images.append(difference)
    width, height = images[0].size
    shown = (PANEL, max(1, round(PANEL * height / width)))
    if shown[1] > 2 * PANEL:
        shown = (max(1, round(2 * PANEL * width / height)), 2 * PANEL)
    zoom = max(1, PANEL // places[0].side) if places else 1
    crop = zoom * places[0].side if places else 0
    column = max(PANEL, crop)
    head, label = 60, 46
    sheet = Image.new(
        "RGB",
        (
            2 * _MARGIN + len(images) * column + (len(images) - 1) * _GAP,
            _MARGIN + head + label + shown[1] + _GAP + len(places) * (crop + _GAP) + _MARGIN - _GAP,
        ),
        _PAPER,
    )
    pen = ImageDraw.Draw(sheet)
    large, small = _font(22), _font(15)
    pen.text((_MARGIN, _MARGIN), title, _INK, large)
    names = [*((p.letter, p.name, p.said) for p in panels), (f"|A - B| x{gain}", "", apart)]
    for n, (image, (letter, name, said)) in enumerate(zip(images, names, strict=True)):
        x, y = _MARGIN + n * (column + _GAP), _MARGIN + head
        pen.text((x, y), letter, _INK, large)
        indent = pen.textlength(letter, large) + 10
        right = pen.textlength(said, small)
        room = column - indent - right - 10
        pen.text((x + indent, y + 6), _shortened(pen, name, small, room), _FAINT, small)
        pen.text((x + column - right, y + 6), said, _BETTER if n == best else _INK, small)
        y += label - 8
        sheet.paste(image.resize(shown, Image.Resampling.LANCZOS, reducing_gap=3), (x, y))
        for place, mark in zip(places, _MARKS * len(places), strict=False):
            box = [place.x, place.y, place.x + place.side, place.y + place.side]
            left, top, end, bottom = (v * shown[0] / width if i % 2 == 0 else v * shown[1] / height
                                      for i, v in enumerate(box))  # fmt: skip
            pen.rectangle((x + left, y + top, x + end, y + bottom), outline=mark, width=2)
        y += shown[1] + _GAP
        for place, mark in zip(places, _MARKS * len(places), strict=False):
            part = image.crop((place.x, place.y, place.x + place.side, place.y + place.side))
            sheet.paste(part.resize((crop, crop), Image.Resampling.NEAREST), (x, y))
            pen.rectangle((x, y, x + crop - 1, y + crop - 1), outline=mark, width=3)
            y += crop + _GAP
    write_picture(from_array(np.asarray(sheet)), path)


def _rgb(pixels: NDArray[np.uint8]) -> "Image":
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")


def _difference(panels: list[Panel]) -> tuple[int, "Image"]:
    """The first two pictures' difference, grey, brightened by a power of two so that it can be seen."""
    from PIL import Image

    a, b = (_rgb(panel.pixels) for panel in panels[:2])
    wide: NDArray[Any] = np.abs(np.asarray(a).astype(np.int16) - np.asarray(b)).max(axis=2)
    seen = float(np.percentile(wide, 99.5)) or float(wide.max()) or 1.0
    gain = int(2 ** np.clip(np.floor(np.log2(255 / seen)), 0, 6))
    return gain, Image.fromarray(np.minimum(wide * gain, 255).astype(np.uint8)).convert("RGB")


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _shortened(pen: Any, text: str, font: Any, room: float) -> str:
    """A name that fits, its middle left out where it must be."""
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    if pen.textlength(text, font) <= room:
        return text
    for kept in range(len(text) - 1, 0, -1):
        short = f"{text[: (kept + 1) // 2]}...{text[len(text) - kept // 2 :]}"
        if pen.textlength(short, font) <= room:
            return short
    return ""
