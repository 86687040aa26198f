"""Constructor arguments per axis: one integer for all axes, or one entry each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Size = int | Sequence[int]
Sides = int | Sequence[int | Sequence[int]]


def per_axis(name: str, value: Any, d: int, least: int) -> tuple[int, ...]:
    """`value` as one integer ≥ `least` per axis.

    Raises:
        ValueError: it is not that; the message names it.
    """
    each = (value,) * d if _is_int(value) else tuple(value) if isinstance(value, Sequence) else ()
    if len(each) != d or not all(_is_int(v) and v >= least for v in each):
        raise ValueError(f"`{name}` (={value!r}) must be an integer ≥ {least}, or {d} of them, one per axis.")
    return each


def sides(name: str, value: Any, d: int) -> tuple[tuple[int, int], ...]:
    """`value` as a (start, end) pair of integers per axis: from one integer, one per axis, or pairs.

    Raises:
        ValueError: it is not that; the message names it.
    """
    each = (value,) * d if _is_int(value) else tuple(value) if isinstance(value, Sequence) else ()
    pairs = [(v, v) if _is_int(v) else tuple(v) if isinstance(v, Sequence) else () for v in each]
    if len(pairs) != d or not all(len(pair) == 2 and all(map(_is_int, pair)) for pair in pairs):
        raise ValueError(
            f"`{name}` (={value!r}) must be an integer, {d} of them, or {d} pairs (start, end), one per axis."
        )
    return tuple((a, b) for a, b in pairs)


def maps(in_channels: Any, out_channels: Any, groups: Any) -> None:
    """Check the channel counts.

    Raises:
        ValueError: one is not a positive integer, or `groups` does not divide them.
    """
    for name, value in (("in_channels", in_channels), ("out_channels", out_channels), ("groups", groups)):
        if not _is_int(value) or value < 1:
            raise ValueError(f"`{name}` (={value!r}) must be an integer ≥ 1.")
    for name, value in (("in_channels", in_channels), ("out_channels", out_channels)):
        if value % groups:
            raise ValueError(f"`groups` (={groups}) must divide `{name}` (={value}).")


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
