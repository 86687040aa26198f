"""What a weight file's header must be like for the rest to read it without looking: files come from anybody."""

import math
from pathlib import Path
from typing import Any

from subpixel.errors import InputError


def check_header(path: Path, header: dict[str, Any]) -> None:
    """Look at the entries that are read later: int8, figures and pictures, each of which may be absent.

    Raises:
        InputError: one of them is of another form than `subpixel train` writes.
    """
    if not _ranges_are_whole(header.get("int8")):
        raise InputError(f"{path} states ranges for eight bits that are none: calibrate or train it anew")
    if not _is_list_of(header.get("figures"), _is_figure):
        raise InputError(
            f"{path} states figures that are none (each has set, protocol, psnr, ssim): make them or train it anew"
        )
    if not _is_list_of(header.get("pictures"), _is_picture):
        raise InputError(f"{path} lists training pictures without names and licences as texts: train it anew")


def _ranges_are_whole(stated: object) -> bool:
    """Nothing, or for each name two finite numbers in order."""
    if stated is None:
        return True
    ranges = stated.get("ranges") if isinstance(stated, dict) else None
    return isinstance(ranges, dict) and all(
        isinstance(ends, list) and len(ends) == 2 and all(map(_is_number, ends)) and ends[0] <= ends[1]
        for ends in ranges.values()
    )


def _is_list_of(stated: object, is_one: Any) -> bool:
    return stated is None or (isinstance(stated, list) and all(isinstance(one, dict) and is_one(one) for one in stated))


def _is_figure(one: dict[str, Any]) -> bool:
    """Of one set; a number is None where nothing differs (PSNR) or a picture is too small (SSIM)."""
    numbers = ["psnr", "ssim", *(key for key in ("bf16_psnr", "int8_psnr") if key in one)]
    return all(isinstance(one.get(key), str) for key in ("set", "protocol")) and all(
        key in one and (one[key] is None or _is_number(one[key])) for key in numbers
    )


def _is_picture(one: dict[str, Any]) -> bool:
    return all(isinstance(one.get(key, ""), str) for key in ("name", "licence"))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
