"""Interpolation kernels as exact fractions (A6, A7): y[s·n + φ] = Σ_k weight[φ][k] · x[n + low + k]."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

Rows = list[list[Fraction]]


def nearest_kernel(s: int, offset: int) -> tuple[Rows, int]:
    """x[⌊(j + offset)/s⌋]: phase φ reads the sample ⌊(φ + offset)/s⌋ sites further (A6). Returns rows, low."""
    return _collect([{(phase + offset) // s: Fraction(1)} for phase in range(s)])


def linear_kernel(s: int, coordinate: str) -> tuple[Rows, int]:
    """Two taps, weights 1 - t and t at the fractional position t (A7). Returns rows, low."""
    return _collect([{n: 1 - t, n + 1: t} for n, t in _sample_positions(s, coordinate)])


def cubic_kernel(s: int, coordinate: str, a: float) -> tuple[Rows, int]:
    """Four taps of Keys' kernel (Keys 1981, eq. 8 with parameter a) at distances 1+t, t, 1-t, 2-t (A7)."""
    A = Fraction(a).limit_denominator(1 << 20)
    return _collect(
        [
            {n - 1: _keys(1 + t, A), n: _keys(t, A), n + 1: _keys(1 - t, A), n + 2: _keys(2 - t, A)}
            for n, t in _sample_positions(s, coordinate)
        ]
    )


Coordinate = Literal["asymmetric", "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "tf_half_pixel_for_nn"]
Rounding = Literal["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"]


def nearest_offset(s: int, coordinate: Coordinate, rounding: Rounding) -> int:
    """The c of A6, y[j] = x[⌊(j + c)/s⌋], for ONNX Resize's coordinate and rounding modes.

    A factor of 1 leaves the axis alone in every mode, as in onnxruntime (the formula of tf_half_pixel_for_nn
    would shift it by a sample).

    Raises:
        ValueError: `align_corners` or an unknown mode: no c serves every j.
    """
    half = s // 2
    symmetric = {"floor": -half, "ceil": half, "round_prefer_floor": 0, "round_prefer_ceil": 0}
    table = {
        "asymmetric": {
            "floor": 0,
            "ceil": s - 1,
            "round_prefer_floor": (s - 1) // 2,
            "round_prefer_ceil": half,
        },
        "half_pixel": symmetric,
        "half_pixel_symmetric": symmetric,
        "pytorch_half_pixel": symmetric,
        "tf_half_pixel_for_nn": {
            "floor": 0,
            "ceil": s,
            "round_prefer_floor": half,
            "round_prefer_ceil": (s + 1) // 2,
        },
    }
    if coordinate not in table or rounding not in symmetric:
        raise ValueError(f"nearest with coordinate {coordinate!r} and rounding {rounding!r} has no offset c.")
    return 0 if s == 1 else table[coordinate][rounding]


def _sample_positions(s: int, coordinate: str) -> list[tuple[int, Fraction]]:
    """For each phase φ, the position of sample j = φ on the input: whole part and fraction t in [0, 1)."""
    half = coordinate == "half_pixel"
    at = [Fraction(2 * phase + 1 - s, 2 * s) if half else Fraction(phase, s) for phase in range(s)]
    return [(q.numerator // q.denominator, q - q.numerator // q.denominator) for q in at]


def _keys(distance: Fraction, a: Fraction) -> Fraction:
    q = abs(distance)
    if q <= 1:
        return (a + 2) * q**3 - (a + 3) * q**2 + 1
    return a * (q**3 - 5 * q**2 + 8 * q - 4) if q < 2 else Fraction(0)


def _collect(phases: list[dict[int, Fraction]]) -> tuple[Rows, int]:
    """Taps by offset to a rectangle of rows, zero weights at its rim left out."""
    used = [n for taps in phases for n, w in taps.items() if w]
    low, high = min(used), max(used)
    return [[taps.get(n, Fraction(0)) for n in range(low, high + 1)] for taps in phases], low
