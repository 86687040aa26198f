"""A5: an LR convolution of k taps + PS_s is a transposed convolution with K = s·k and p = s(k - 1 - pad)."""

from __future__ import annotations

from itertools import product

import numpy as np

from algebra.running import run
from exactness.pairs import integers
from subpixel.algebra import (
    Pad,
    PeriodicShuffle,
    PhaseBias,
    compose_all,
    convolution,
    lift,
    same,
    transposed_convolution,
)
from subpixel.algebra.layers import Layer


def as_transposed(w: np.ndarray, bias: np.ndarray, s: tuple[int, ...], pads: list[tuple[int, int]]) -> list[Layer]:
    """Tap s(k-1-κ) + φ of the transposed kernel is tap κ of phase φ. Shape of w: `(o φ) i *k`."""
    d, (maps, C), k = len(s), w.shape[:2], w.shape[2:]
    O = maps // int(np.prod(s))
    w = np.flip(w, axis=tuple(range(2, 2 + d))).reshape(O, *s, C, *k)
    w = w.transpose(1 + d, 0, *(j for axis in range(d) for j in (2 + d + axis, 1 + axis)))  # i o (κ φ)…
    w = w.reshape(C, O, *(a * b for a, b in zip(s, k, strict=True)))
    extra = tuple((max(0, p - k_ + 1), max(0, q - k_ + 1)) for (p, q), k_ in zip(pads, k, strict=True))
    left = [(min(p, k_ - 1), min(q, k_ - 1)) for (p, q), k_ in zip(pads, k, strict=True)]
    crops = [(s_ * (k_ - 1 - p), s_ * (k_ - 1 - q)) for s_, k_, (p, q) in zip(s, k, left, strict=True)]
    return [
        *([Pad(C, extra)] if np.any(extra) else []),
        transposed_convolution(w, None, s, crops),
        PhaseBias(bias.reshape(O, *s)),
    ]


def test_a05_inverse() -> None:
    """Padding k-1 and less crops, more pads x first; a bias that differs over phases is a tile at HR."""
    rng = np.random.default_rng(0)
    for k, s, p, q in product((1, 2, 3), (1, 2, 3), (0, 1, 4), (0, 2)):
        w, b = integers(rng, (2 * s, 3, k)), integers(rng, (2 * s,))
        shuffled = [convolution(w, b, padding=[(p, q)]), PeriodicShuffle(2, (s,))]
        transposed = as_transposed(w, b, (s,), [(p, q)])
        for L in (1, 2, 4):
            x = integers(rng, (2, 3, L))
            if L + p + q >= k:
                np.testing.assert_array_equal(run(transposed, x), run(shuffled, x))
        assert same(*(compose_all([lift(layer) for layer in chain]) for chain in (transposed, shuffled))), (k, s, p, q)


def test_a05_inverse_in_two_dimensions() -> None:
    rng = np.random.default_rng(1)
    w, b = integers(rng, (2 * 6, 3, 3, 2)), integers(rng, (12,))
    shuffled = [convolution(w, b, padding=[(1, 0), (3, 1)]), PeriodicShuffle(2, (2, 3))]
    transposed = as_transposed(w, b, (2, 3), [(1, 0), (3, 1)])
    x = integers(rng, (1, 3, 2, 3))
    np.testing.assert_array_equal(run(transposed, x), run(shuffled, x))
    assert same(*(compose_all([lift(layer) for layer in chain]) for chain in (transposed, shuffled)))


def test_a05_one_bias_for_all_phases_needs_no_tile() -> None:
    rng = np.random.default_rng(2)
    w, b = integers(rng, (2 * 3, 3, 3)), integers(rng, (2,))
    pad, kernel, tile = Pad(3, ((0, 0),)), *as_transposed(w, np.repeat(b, 3), (3,), [(1, 1)])
    assert tile.bias.tolist() == [[b[0]] * 3, [b[1]] * 3]
    plain = transposed_convolution(kernel.weight, b, 3, 3)
    shuffled = [convolution(w, np.repeat(b, 3), padding=1), PeriodicShuffle(2, (3,))]
    assert same(compose_all([lift(pad), lift(plain)]), compose_all([lift(layer) for layer in shuffled]))
