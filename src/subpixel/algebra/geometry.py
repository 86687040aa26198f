"""Lengths: Dumoulin & Visin's relationships and MatConvNet's transposed convolution, as facts of the one form.

After "A guide to convolution arithmetic for deep learning" (arXiv 1603.07285); their letters: i, o input and
output length of a convolution, i', o' of a transposed one, k kernel, s stride, p padding, a, d as there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from subpixel.algebra.layers import TransposedConvolution


def convolution_length(i: int, k: int, s: int = 1, p: int = 0, d: int = 1) -> int:
    """o = ⌊(i + 2p - d·(k-1) - 1)/s⌋ + 1 (relationships 6 and 15 in one)."""
    return (i + 2 * p - d * (k - 1) - 1) // s + 1


def transposed_length(i: int, k: int, s: int = 1, p: int = 0, a: int = 0, d: int = 1) -> int:
    """o' = s·(i' - 1) + d·(k-1) + 1 + a - 2p (relationship 14, with dilation)."""
    return s * (i - 1) + d * (k - 1) + 1 + a - 2 * p


@dataclass(frozen=True)
class Geometry:
    """One axis of a layer: i samples in, kernel k, stride s, padding p, output padding a, dilation d."""

    i: int
    k: int
    s: int = 1
    p: int = 0
    a: int = 0
    d: int = 1


@dataclass(frozen=True)
class Relationship:
    """One numbered relationship: every geometry for which it `holds` has output length `length`."""

    statement: str
    holds: Callable[[Geometry], bool]
    length: Callable[[Geometry], int]


def _unit(g: Geometry) -> bool:
    return g.s == 1 and g.d == 1


def _half(g: Geometry) -> bool:
    return _unit(g) and g.k % 2 == 1 and g.p == g.k // 2


def _full(g: Geometry) -> bool:
    return _unit(g) and g.p == g.k - 1


def _plain(g: Geometry) -> bool:
    return g.p == 0 and g.d == 1


# 1 to 7 and 15 are convolutions and poolings; 8 to 14 transposed convolutions, whose i is their own input i'.
# Output padding belongs to 14 alone, so the geometries of all others have a = 0.
RELATIONSHIPS: dict[int, Relationship] = {
    1: Relationship("o = i - k + 1", lambda g: _unit(g) and g.p == 0, lambda g: g.i - g.k + 1),
    2: Relationship("o = i - k + 2p + 1", _unit, lambda g: g.i - g.k + 2 * g.p + 1),
    3: Relationship("half padding: o = i", _half, lambda g: g.i),
    4: Relationship("full padding: o = i + k - 1", _full, lambda g: g.i + g.k - 1),
    5: Relationship("o = ⌊(i - k)/s⌋ + 1", _plain, lambda g: (g.i - g.k) // g.s + 1),
    6: Relationship("o = ⌊(i + 2p - k)/s⌋ + 1", lambda g: g.d == 1, lambda g: (g.i + 2 * g.p - g.k) // g.s + 1),
    7: Relationship("pooling: o = ⌊(i - k)/s⌋ + 1", _plain, lambda g: (g.i - g.k) // g.s + 1),
    8: Relationship("o' = i' + k - 1", lambda g: _unit(g) and g.p == 0, lambda g: g.i + g.k - 1),
    9: Relationship("o' = i' + k - 1 - 2p", _unit, lambda g: g.i + g.k - 1 - 2 * g.p),
    10: Relationship("half padding: o' = i'", _half, lambda g: g.i),
    11: Relationship("full padding: o' = i' - (k - 1)", _full, lambda g: g.i - (g.k - 1)),
    12: Relationship("o' = s(i' - 1) + k", _plain, lambda g: g.s * (g.i - 1) + g.k),
    13: Relationship("o' = s(i' - 1) + k - 2p", lambda g: g.d == 1, lambda g: g.s * (g.i - 1) + g.k - 2 * g.p),
    14: Relationship(
        "o' = s(i' - 1) + a + k - 2p", lambda g: g.d == 1, lambda g: g.s * (g.i - 1) + g.a + g.k - 2 * g.p
    ),
    15: Relationship(
        "dilation: o = ⌊(i + 2p - k - (k-1)(d-1))/s⌋ + 1",
        lambda g: True,
        lambda g: (g.i + 2 * g.p - g.k - (g.k - 1) * (g.d - 1)) // g.s + 1,
    ),
}


def transposed_of(i: int, k: int, s: int, p: int) -> tuple[int, int]:
    """The padding p' of the stride-1 convolution that transposes a convolution over zero-inserted input, and a.

    k' = k, p' = k - p - 1; a = (i + 2p - k) mod s samples at the end that the convolution did not reach
    (relationships 9 and 14). Returns (p', a).
    """
    return k - p - 1, (i + 2 * p - k) % s


def from_matconvnet(
    filters: np.ndarray,
    biases: np.ndarray | None = None,
    upsample: int | Sequence[int] = 1,
    crop: int | Sequence[int] = 0,
    num_groups: int = 1,
) -> TransposedConvolution:
    """MatConvNet's `vl_nnconvt(X, F, B, 'upsample', …, 'crop', …, 'numGroups', …)` as a layer.

    Shape: filters `FH FW K FD` in MATLAB's order, FD the input maps; the output has K·num_groups maps and
    YH = UPH·(XH - 1) + FH - CROPTOP - CROPBOTTOM rows. `upsample` is one integer or [UPY UPX], `crop` one
    integer or [TOP BOTTOM LEFT RIGHT].

    Raises:
        ValueError: shapes and options do not fit each other.
    """
    if filters.ndim != 4:
        raise ValueError(f"`filters` has {filters.ndim} axes; MatConvNet's are FH × FW × K × FD.")
    up = (upsample, upsample) if isinstance(upsample, int) else tuple(upsample)
    sides = (crop,) * 4 if isinstance(crop, int) else tuple(crop)
    if len(up) != 2 or len(sides) != 4 or min(sides) < 0:
        raise ValueError(
            f"`upsample` (={upsample}) must be an integer or [UPY UPX], "
            f"`crop` (={crop}) one ≥ 0 or [TOP BOTTOM LEFT RIGHT]."
        )
    return TransposedConvolution(
        weight=filters.transpose(3, 2, 0, 1),
        bias=None if biases is None else biases.reshape(-1),
        stride=up,
        pads=((sides[0], sides[1]), (sides[2], sides[3])),
        output_padding=(0, 0),
        dilation=(1, 1),
        groups=num_groups,
    )
