"""What the values of a line of a result file must be, so that a study can go on from it."""

from collections.abc import Callable, Mapping
from typing import Any

Is = Callable[[Any], bool]
Needs = Mapping[str, Is]
"""From the name of a value to what it must be."""


def is_text(value: Any) -> bool:
    """Text."""
    return isinstance(value, str)


def is_number(value: Any) -> bool:
    """A number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_count(value: Any) -> bool:
    """A whole number from 0 up."""
    return isinstance(value, int) and is_number(value) and value >= 0


def is_counts(value: Any) -> bool:
    """A list of whole numbers from 0 up."""
    return isinstance(value, list) and all(map(is_count, value))


def is_object(value: Any) -> bool:
    """A JSON object."""
    return isinstance(value, dict)


def is_times(value: Any) -> bool:
    """Numbers by name."""
    return isinstance(value, dict) and all(map(is_number, value.values()))


def is_curve(value: Any) -> bool:
    """[[step, value], …]."""
    return isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(map(is_number, pair)) for pair in value
    )


def is_scores(value: Any) -> bool:
    """Mean and pictures' PSNR by set."""
    return isinstance(value, dict) and all(
        isinstance(scores, dict) and is_number(scores.get("mean")) and is_times(scores.get("images"))
        for scores in value.values()
    )


def or_none(what: Is) -> Is:
    """That, or null."""
    return lambda value: value is None or what(value)


def fault_of(line: Mapping[str, Any], needs: Needs) -> str | None:
    """What is wrong with a line, in words; None if nothing is."""
    for name, what in needs.items():
        if name not in line:
            return f"`{name}` is missing"
        if not what(line[name]):
            return f"`{name}` is {str(line[name])[:40]}"
    return None
