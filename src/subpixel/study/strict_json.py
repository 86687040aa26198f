"""JSON from files that anybody may have written: only numbers that can be computed with."""

import json
import math
from typing import Any

LARGEST = 1e18
"""No count, time or PSNR of a study comes near; sums and squares of such numbers stay finite."""


def parse(text: bytes | str) -> Any:
    """The value.

    Raises:
        ValueError: it is no JSON, or holds NaN, Infinity, or a number of more than `LARGEST`.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text, parse_constant=_refuse, parse_float=_float, parse_int=_int)


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or abs(value) > LARGEST:
        raise ValueError(f"{text[:40]} is too large")
    return value


def _int(text: str) -> int:
    value = int(text)
    if abs(value) > LARGEST:
        raise ValueError(f"{text[:40]} is too large")
    return value
