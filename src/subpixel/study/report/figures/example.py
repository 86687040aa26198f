"""The note's example (its Figures 2 and 3): f = [1 2 3 4], stride 2, zero padding 2, between 8 and 5 samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from subpixel.algebra import Op, apply, convolution, lift, transposed_convolution

FILTER = (1, 2, 3, 4)
STRIDE = 2
PADDING = 2
LONG = tuple(range(1, 9))
"""x of the convolution."""
SHORT = tuple(range(1, 6))
"""x of the transposed convolution."""


@dataclass(frozen=True)
class Term:
    """One product: sample `read` of the input times weight `tap` of f, added to sample `write` of the output."""

    read: int
    tap: int
    write: int


def strided() -> Op:
    """The convolution of Figure 2."""
    return lift(convolution(kernel(FILTER), stride=STRIDE, padding=PADDING))


def transposed(padding: int = PADDING) -> Op:
    """The transposed convolution of Figure 3a."""
    return lift(transposed_convolution(kernel(FILTER), stride=STRIDE, padding=padding))


def run(op: Op, x: tuple[int, ...]) -> list[int]:
    """The op on one map."""
    return [int(value) for value in apply(op, np.array(x).reshape(1, 1, -1))[0, 0]]


def terms(op: Op, length: int) -> list[Term]:
    """Every product of a 1-D op with weights of `FILTER`: y[U·n + φ] += kernel[φ, k] · x[D·n + low + k].

    Reads outside of the input have indices below 0, or from `length` on.
    """
    (U,), (D,), (low,) = op.up, op.down, op.low
    (size,) = op.output_size((length,))
    found = []
    for j in range(size):
        n, phase = divmod(j, U)
        for k in range(op.taps[0]):
            weight = int(op.kernel[0, phase, 0, k])
            if weight:
                found.append(Term(D * n + low + k, FILTER.index(weight), j))
    return found


def kernel(values: tuple[int, ...]) -> np.ndarray:
    """A filter of one map to one map."""
    return np.array(values).reshape(1, 1, -1)
