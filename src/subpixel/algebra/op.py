"""`Op`, the one form of every linear, shift-covariant layer, and `apply`, its meaning.

    y[o, U·n + φ] = bias[o, φ] + Σ_{c,k} kernel[o, φ, c, k] · x~[c, D·n + low + k]

It reads from right to left: x continued beyond its border (x~), a convolution on the low-resolution lattice
n with stride D and O·ΠU maps, periodic shuffling by U, a crop to the output length. A convolution is U = 1,
a transposed convolution D = 1: this is the layer of Shi et al. 2016 (arXiv 1609.07009), made general.
All indices are per axis; letters as in docs/notation.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from subpixel.algebra.arrays import Array, equal

Outside = Literal["zero", "edge"]
Lengths = tuple[int, ...]
"""Output length along one axis as a table: f(L) = U·⌊L/D⌋ + table[L mod D], with D entries."""


@dataclass(frozen=True, eq=False)
class Op:
    """One layer. Two ops compare equal when every field is equal, exactly; see `reduce` for "same function".

    Shape:
        kernel: `O *U C *K`, one axis of U phases and one of K taps per spatial axis.
        bias: `O *U`.
        down (D), low: one integer per axis. `low` is where tap 0 reads, relative to D·n.
        lengths: one table of D integers per axis, f(L) = U·⌊L/D⌋ + table[L mod D].
        outside: what x is beyond its border, zeros or its nearest edge sample.

    Raises:
        ValueError: the fields do not fit each other.
    """

    kernel: Array
    bias: Array
    down: tuple[int, ...]
    low: tuple[int, ...]
    lengths: tuple[Lengths, ...]
    outside: Outside = "zero"

    def __post_init__(self) -> None:
        d = len(self.down)
        if self.kernel.ndim != 2 + 2 * d:
            raise ValueError(
                f"`kernel` has {self.kernel.ndim} axes and `down` {d} entries; "
                f"give the kernel {2 + 2 * d} axes: O, {d} × phases, C, {d} × taps."
            )
        if tuple(self.bias.shape) != tuple(self.kernel.shape[: 1 + d]):
            raise ValueError(
                f"`bias` has shape {tuple(self.bias.shape)}; "
                f"this kernel needs {tuple(self.kernel.shape[: 1 + d])} (O, phases)."
            )
        if len(self.low) != d or len(self.lengths) != d:
            raise ValueError(f"`low` and `lengths` need {d} entries each, one per axis.")
        if any(D < 1 for D in self.down) or any(U < 1 for U in self.up):
            raise ValueError(f"`down` (={self.down}) and the phases (={self.up}) must be at least 1.")
        for D, table in zip(self.down, self.lengths, strict=True):
            if len(table) != D:
                raise ValueError(f"`lengths` (={table}) needs {D} entries, one per residue of L mod D.")
        if self.outside not in ("zero", "edge"):
            raise ValueError(f"`outside` (={self.outside!r}) must be 'zero' or 'edge'.")

    @property
    def dim(self) -> int:
        """Number of spatial axes."""
        return len(self.down)

    @property
    def up(self) -> tuple[int, ...]:
        """U, the number of phases per axis."""
        return tuple(int(n) for n in self.kernel.shape[1 : 1 + self.dim])

    @property
    def taps(self) -> tuple[int, ...]:
        """K, the number of taps per axis on the input lattice."""
        return tuple(int(n) for n in self.kernel.shape[2 + self.dim :])

    @property
    def maps(self) -> tuple[int, int]:
        """(C, O): input and output maps."""
        return int(self.kernel.shape[1 + self.dim]), int(self.kernel.shape[0])

    def output_size(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """Output lengths for input lengths `size`, per axis; 0 where nothing is left."""
        return tuple(
            max(0, output_length(L, U, D, table))
            for L, U, D, table in zip(size, self.up, self.down, self.lengths, strict=True)
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Op):
            return NotImplemented
        return (
            (self.down, self.low, self.lengths, self.outside) == (other.down, other.low, other.lengths, other.outside)
            and equal(self.kernel, other.kernel)
            and equal(self.bias, other.bias)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        C, O = self.maps
        return (
            f"Op({C}→{O} maps, up={self.up}, down={self.down}, taps={self.taps}, low={self.low}, "
            f"lengths={self.lengths}, outside={self.outside!r})"
        )


def output_length(L: int, U: int, D: int, table: Lengths) -> int:
    """f(L) = U·⌊L/D⌋ + table[L mod D], along one axis."""
    return U * (L // D) + table[L % D]


def site_count(length: int, U: int) -> int:
    """Sites n of the low-resolution lattice that carry `length` samples: ⌈length/U⌉."""
    return -(-length // U)


def positions(op: Op, axis: int, sites: Array, L: int) -> tuple[Array, Array]:
    """Where `sites` read along `axis`: indices into x (clamped) and a mask that is 0 where x~ is zero.

    Shape: both `N K`.
    """
    index = op.down[axis] * sites[:, None] + op.low[axis] + np.arange(op.taps[axis])
    inside = (index >= 0) & (index < L)
    return np.clip(index, 0, L - 1), inside if op.outside == "zero" else np.ones_like(inside)


def apply(op: Op, x: Array) -> Array:
    """y = op(x) by index sums, the oracle that everything else is held against.

    Shape: x `B C *L` to `B O *f(L)`. Integers stay integers, so results compare with equality.

    Raises:
        ValueError: `x` has other maps or axes than the op.
    """
    check_input(op, x.shape)
    size = op.output_size(x.shape[2:])
    y = apply_at(op, x, tuple(np.arange(site_count(f, U)) for f, U in zip(size, op.up, strict=True)))
    return crop_end(y, size)


def crop_end(y: Array, size: tuple[int, ...]) -> Array:
    """The first `size` samples of the spatial axes of `B O *L`."""
    return y[(..., *(slice(0, f) for f in size))]


def apply_at(op: Op, x: Array, sites: tuple[Array, ...]) -> Array:
    """The samples that belong to `sites` (one array of n per axis), shuffled: `B O *(N·U)`, uncropped."""
    d = op.dim
    window = x
    for axis in range(d):
        # b c n₀ k₀ … L_axis … : each axis in turn becomes the pair (site, tap)
        at = 2 + 2 * axis
        L = x.shape[2 + axis]
        index, inside = positions(op, axis, sites[axis], L)
        shape = [1] * (window.ndim + 1)
        shape[at], shape[at + 1] = index.shape
        if L == 0:
            inside[:] = False
            window = np.zeros((*window.shape[:at], 1, *window.shape[at + 1 :]), window.dtype)
            index = np.zeros_like(index)
        window = np.take(window, index, axis=at) * inside.reshape(shape).astype(x.dtype)
    # letters: b c | n_i k_i per axis  ×  o | u_i | c | k_i  →  b o | n_i u_i per axis
    n, k, u = (list(range(10 + 10 * j, 10 + 10 * j + d)) for j in range(3))
    pairs = [i for axis in range(d) for i in (n[axis], k[axis])]
    out = [i for axis in range(d) for i in (n[axis], u[axis])]
    y = np.einsum(window, [0, 1, *pairs], np.asarray(op.kernel), [2, *u, 1, *k], [0, 2, *out])
    tile = np.asarray(op.bias).reshape([1, op.maps[1], *(s for U in op.up for s in (1, U))])
    y = y + tile
    return y.reshape(x.shape[0], op.maps[1], *(len(s) * U for s, U in zip(sites, op.up, strict=True)))


def check_input(op: Op, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless `shape` is `B C *L` with the op's maps and axes."""
    if len(shape) != 2 + op.dim or shape[1] != op.maps[0]:
        raise ValueError(f"`x` has shape {shape}; this layer takes (batch, {op.maps[0]} maps, {op.dim} spatial axes).")
