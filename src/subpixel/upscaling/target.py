"""How large a result shall be: by a factor, or a size."""

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from subpixel.errors import InputError, UsageError

DEFAULT_SCALE = 3
DEFAULT_MODEL = "small"  # of pictures and videos alike: better than ESPCN, at less time
MAX_SCALE = 64
_SIZE = re.compile(r"(\d{0,6})[x×](\d{0,6})", re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    """Either a factor for both axes, or a width, a height or both; a side left out follows the picture's form."""

    factor: Fraction | None = None
    width: int | None = None
    height: int | None = None

    @property
    def label(self) -> str:
        """For file names: x3, x2.5, 1920x1080."""
        if self.factor is not None:
            return f"x{float(self.factor):g}"
        return f"{self.width or ''}x{self.height or ''}"

    @property
    def number(self) -> int | float | None:
        """The factor as JSON has it."""
        if self.factor is None:
            return None
        return self.whole or float(self.factor)

    @property
    def whole(self) -> int | None:
        """The factor, where it is a whole number."""
        return int(self.factor) if self.factor is not None and self.factor.denominator == 1 else None

    def size(self, width: int, height: int, name: str = "the picture") -> tuple[int, int]:
        """Width and height of the result of a picture.

        Raises:
            InputError: it would not be larger.
        """
        if self.factor is not None:
            across = down = self.factor
        elif self.width and self.height:
            across, down = Fraction(self.width, width), Fraction(self.height, height)
        else:
            across = down = Fraction(self.width, width) if self.width else Fraction(self.height or 1, height)
        result = (
            max(1, math.floor(width * across + Fraction(1, 2))),
            max(1, math.floor(height * down + Fraction(1, 2))),
        )
        if result[0] <= width and result[1] <= height and self.factor is None:
            raise InputError(
                f"{name} has {width}×{height} pixels already, not fewer than {result[0]}×{result[1]}: "
                "subpixel enlarges, name a larger size"
            )
        return result


def factor_of(small: tuple[int, int], large: tuple[int, int]) -> Fraction:
    """What a network has to enlarge by at least, to get from one size to another."""
    return max(Fraction(b, a) for a, b in zip(small, large, strict=True))


def checked_scale(scale: Any, *, whole: bool = False) -> Fraction:
    """A scale as an exact number.

    Raises:
        UsageError: no number, not above 1, too large, or not whole where it has to be.
    """
    try:
        number = Fraction(str(scale).removesuffix(".0")) if not isinstance(scale, bool) else None
    except (ValueError, ZeroDivisionError):
        number = None
    if number is None:
        raise UsageError(f"scale {scale!r} is no number: give one above 1, such as 3 or 2.5")
    number = number.limit_denominator(10**6)
    if not 1 < number <= MAX_SCALE:
        raise UsageError(f"scale {scale} is impossible: numbers above 1, up to {MAX_SCALE}, enlarge")
    if whole and number.denominator != 1:
        raise UsageError(
            f"scale {scale} is no whole number, and networks enlarge by whole ones: "
            "subpixel.upscale takes any, and resizes what the next larger network gives"
        )
    return number


def parse_size(text: str) -> Target:
    """A target from "1920x1080", "1920x" or "x1080".

    Raises:
        UsageError: another form.
    """
    found = _SIZE.fullmatch(text.strip())
    width, height = (int(side or 0) for side in found.groups()) if found else (0, 0)
    if not found or not (width or height) or "0" in found.groups():
        raise UsageError(f"size {text!r} is none: give width and height, such as 1920x1080, or one of them: 1920x")
    return Target(None, width or None, height or None)
