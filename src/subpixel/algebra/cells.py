"""`Cells`: an op whose kernel depends on where on the border a site stands.

Where a second layer's padding meets a first layer's output, sites with the same tap set form a *cell* with a
kernel of its own. Cells are a product over the axes; their results are joined on the low-resolution lattice,
before the one shuffle.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from subpixel.algebra.arrays import Array, equal
from subpixel.algebra.op import Lengths, Op, Outside, apply_at, check_input, crop_end, output_length, site_count


@dataclass(frozen=True)
class Places:
    """Which cell the sites of one axis belong to.

    The sites 0, 1, … take the cells `first`; the last ones take `last[L mod D]`; all between take `interior`.
    Inputs shorter than `least`, or with too few sites to hold both borders, are refused.
    With `size` the places hold for inputs of that length only, and `first` lists every site.
    """

    first: tuple[int, ...] = ()
    last: tuple[tuple[int, ...], ...] = ((),)
    interior: int = 0
    size: int | None = None
    least: int = field(default=0, compare=False)

    def holds(self, sites: int, L: int) -> bool:
        """Do these places say the cell of each of the `sites` sites that an input of length L gives?"""
        if self.size is not None:
            return self.size == L
        return self.least <= L and len(self.first) + len(self.last[L % len(self.last)]) <= sites

    def at(self, sites: int, L: int) -> list[int]:
        """The cell of each of the `sites` sites that an input of length L gives.

        Raises:
            ValueError: too short to keep the two borders apart, or not the length composed for.
        """
        if self.size is not None:
            if self.size != L:
                raise ValueError(f"these cells hold for length {self.size}, not {L}: compose anew.")
            return list(self.first)
        last = self.last[L % len(self.last)]
        if not self.holds(sites, L):
            raise ValueError(
                f"an input of length {L} is too short for {len(self.first)} + {len(last)} border cells "
                f"on {sites} sites: compose for this very size with `size=`."
            )
        return [*self.first, *[self.interior] * (sites - len(self.first) - len(last)), *last]


@dataclass(frozen=True, eq=False)
class Cells:
    """Ops on one lattice that differ by cell only.

    Shape:
        kernel: `*Q O *U C *K` and bias: `*Q O *U`, one axis of Q cells per spatial axis.
        down, low, lengths, outside: as in `Op`, shared by all cells.
        places: per axis, which sites belong to which cell.
    """

    kernel: Array
    bias: Array
    down: tuple[int, ...]
    low: tuple[int, ...]
    lengths: tuple[Lengths, ...]
    outside: Outside
    places: tuple[Places, ...]

    @property
    def dim(self) -> int:
        """Number of spatial axes."""
        return len(self.down)

    @property
    def count(self) -> tuple[int, ...]:
        """Q, the number of cells per axis; all ones where the whole is a single op."""
        return tuple(int(n) for n in self.kernel.shape[: self.dim])

    @property
    def up(self) -> tuple[int, ...]:
        """U, the number of phases per axis."""
        return tuple(int(n) for n in self.kernel.shape[self.dim + 1 : 2 * self.dim + 1])

    @property
    def taps(self) -> tuple[int, ...]:
        """K, the number of taps per axis."""
        return tuple(int(n) for n in self.kernel.shape[2 * self.dim + 2 :])

    @property
    def is_single(self) -> bool:
        """Does one kernel serve all sites of all sizes?"""
        return all(n == 1 for n in self.count) and all(place.size is None for place in self.places)

    @property
    def interior(self) -> Op:
        """The op away from the border."""
        return self.op(tuple(p.interior for p in self.places))

    def op(self, cell: tuple[int, ...]) -> Op:
        """The op of one cell, as if it held everywhere."""
        return Op(self.kernel[cell], self.bias[cell], self.down, self.low, self.lengths, self.outside)

    def sites(self, size: tuple[int, ...]) -> list[list[int]]:
        """Per axis, the cell of every site of the output lattice, for inputs of `size`.

        Raises:
            ValueError: the size is shorter than the border cells need, or not the one composed for.
        """
        geometry = zip(size, self.up, self.down, self.lengths, self.places, strict=True)
        return [place.at(site_count(max(0, output_length(L, U, D, table)), U), L) for L, U, D, table, place in geometry]

    def output_size(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """Output lengths for input lengths `size`."""
        return self.interior.output_size(size)

    def cut(self, lengths: tuple[Lengths, ...]) -> Cells:
        """The cells with their output cut at the end to `lengths`.

        Raises:
            ValueError: that is more than there is.
        """
        places = []
        for U, place, have, want in zip(self.up, self.places, self.lengths, lengths, strict=True):
            if any(g > f for f, g in zip(have, want, strict=True)):
                raise ValueError(f"cells of output lengths {have} cannot be cut to {want}, which is more.")
            gone = [site_count(f, U) - site_count(g, U) for f, g in zip(have, want, strict=True)]
            last = tuple(row[: max(0, len(row) - n)] for row, n in zip(place.last, gone, strict=True))
            places.append(replace(place, last=last))
        return replace(self, lengths=lengths, places=tuple(places))

    def apply(self, x: Array) -> Array:
        """y = cells(x) by index sums. Shape: x `B C *L` to `B O *f(L)`."""
        check_input(self.interior, x.shape)
        sites = self.sites(x.shape[2:])
        O = self.kernel.shape[self.dim]
        y: Array = np.zeros(
            (x.shape[0], O, *(len(s) * U for s, U in zip(sites, self.up, strict=True))),
            np.result_type(x, np.asarray(self.kernel)),
        )
        for cell in product(*(sorted(set(s)) for s in sites)):
            where = tuple(np.flatnonzero(np.array(s) == q) for s, q in zip(sites, cell, strict=True))
            samples = [(n[:, None] * U + np.arange(U)).reshape(-1) for n, U in zip(where, self.up, strict=True)]
            y[np.ix_(np.arange(x.shape[0]), np.arange(O), *samples)] = apply_at(self.op(cell), x, where)
        return crop_end(y, self.output_size(x.shape[2:]))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Cells):
            return NotImplemented
        return (
            (self.down, self.low, self.lengths, self.outside, self.places)
            == (other.down, other.low, other.lengths, other.outside, other.places)
            and equal(self.kernel, other.kernel)
            and equal(self.bias, other.bias)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Cells({self.count} of {self.interior!r})"


def as_cells(op: Op | Cells) -> Cells:
    """An op as the single cell that it is."""
    if isinstance(op, Cells):
        return op
    one = (None,) * op.dim
    places = tuple(Places(last=((),) * D) for D in op.down)
    return Cells(op.kernel[one], op.bias[one], op.down, op.low, op.lengths, op.outside, places)


def long_lengths(layer: Op | Cells, axis: int, border: int = 0) -> range:
    """One length per residue mod D, at which no site sees both ends and `border` sites stand at each of them."""
    U, D, table, low = layer.up[axis], layer.down[axis], layer.lengths[axis], layer.low[axis]
    reach = max(abs(low), abs(low + layer.taps[axis])) // D + 1
    sites = 2 * (reach + border + 1) + max(0, -min(table)) // U + 1
    return range(D * sites, D * (sites + 1))
