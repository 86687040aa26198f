"""`Junction`: how layer B reads layer A's output along one axis. All index arithmetic of `compose` is here.

Output sample j = U·N + Φ of the whole is B's sample φ_B of B's site (U_A/g)·N + n'. Its tap k reads A's output at
m = D_B·n + low_B + k, which is A's sample φ_A of A's site m div U_A. The *route* of site N says so for every
(Φ, k): A's cell, A's site relative to (D_B/g)·N, and φ_A, or nothing where B's zero padding is read. Sites with
the same route form a cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import gcd

import numpy as np

from subpixel.algebra.arrays import NOTHING, Index
from subpixel.algebra.cells import Cells, Places
from subpixel.algebra.op import Lengths, Op, output_length, site_count

Route = tuple[tuple[int, int, int], ...]
"""(cell of A, site of A, phase of A) for every Φ and k, k fastest; all three `NOTHING` where nothing is read."""


@dataclass(frozen=True, eq=False)
class Junction:
    """`second` after `first` along `axis`."""

    second: Op
    first: Cells
    axis: int

    # --- the lattice of the whole ------------------------------------------------------------------------------

    @cached_property
    def _g(self) -> int:
        return gcd(self.first.up[self.axis], self.second.down[self.axis])

    @property
    def up(self) -> int:
        """U = U_B·U_A/g."""
        return self.second.up[self.axis] * self.first.up[self.axis] // self._g

    @property
    def down(self) -> int:
        """D = D_A·D_B/g."""
        return self.first.down[self.axis] * self.second.down[self.axis] // self._g

    @property
    def lengths(self) -> Lengths:
        """f_B(f_A(L)) as a table over L mod D."""
        return tuple(self.length(L) for L in range(self.down))

    def length(self, L: int) -> int:
        """Samples of the whole for an input of length L."""
        op = self.second
        return output_length(self.middle(L), op.up[self.axis], op.down[self.axis], op.lengths[self.axis])

    def middle(self, L: int) -> int:
        """Samples of A's output for an input of length L."""
        A = self.first
        return output_length(L, A.up[self.axis], A.down[self.axis], A.lengths[self.axis])

    @property
    def phase_of_second(self) -> Index:
        """φ_B of every Φ. Shape: `U`."""
        return np.arange(self.up) % self.second.up[self.axis]

    # --- routes ------------------------------------------------------------------------------------------------

    @cached_property
    def _reads(self) -> Index:
        """m - U_A·(D_B/g)·N, the sample of A that tap k of phase Φ reads. Shape: `U K_B`."""
        n = np.arange(self.up)[:, None] // self.second.up[self.axis]
        k = np.arange(self.second.taps[self.axis])
        return self.second.down[self.axis] * n + self.second.low[self.axis] + k

    @property
    def _advance(self) -> int:
        """Sites of A for each site of the whole."""
        return self.second.down[self.axis] // self._g

    @property
    def _places(self) -> Places:
        return self.first.places[self.axis]

    @cached_property
    def interior(self) -> Route:
        """The route away from every border."""
        site, phase = np.divmod(self._reads, self.first.up[self.axis])
        return _route(np.stack([np.full_like(site, self._places.interior), site, phase], axis=-1))

    def routes(self, L: int, start: int, stop: int) -> list[Route]:
        """The routes of the sites from `start` up to `stop`, for an input of length L."""
        U_A, count = self.first.up[self.axis], self.middle(L)
        cell_of = np.array(self._places.at(site_count(count, U_A), L))
        N = np.arange(start, stop)[:, None, None]
        m = self._reads + U_A * self._advance * N  # N U K_B
        outside = (m < 0) | (m >= count)
        m = np.clip(m, 0, count - 1)  # B repeats A's edge, or reads nothing there
        site, phase = np.divmod(m, U_A)
        steps = np.stack([cell_of[site], site - self._advance * N, phase], axis=-1)
        if self.second.outside == "zero":
            steps[outside] = NOTHING
        # samples beyond the output's end are cropped: the interior's route makes no cell of its own there
        cropped = np.broadcast_to(self.up * N + np.arange(self.up)[:, None] >= self.length(L), outside.shape)
        steps = np.where(cropped[..., None], np.array(self.interior).reshape(*outside.shape[1:], 3), steps)
        return [_route(row) for row in steps]

    # --- cells -------------------------------------------------------------------------------------------------

    def cells(self, size: int | None) -> tuple[Places, list[Route]]:
        """Which sites belong to which cell, and the route of every cell; cell 0 is the interior.

        Without `size` for all lengths from `Places.least` on, with it for that length alone.

        Raises:
            ValueError: nothing is left of an input of length `size`.
        """
        number = {self.interior: 0}
        if size is not None:
            if self.length(size) < 1 or self.middle(size) < 1:
                raise ValueError(f"an input of length {size} leaves nothing of the output along axis {self.axis}.")
            sites = self.routes(size, 0, site_count(self.length(size), self.up))
            first = tuple(number.setdefault(route, len(number)) for route in sites)
            return Places(first, ((),) * self.down, size=size), list(number)
        long = self.down
        while not all(self._apart(L) for L in range(long, long + self.down)):
            long += self.down
        least = long
        while least > 1 and self._holds(least - 1):
            least -= 1
        start = self._until_interior(self.routes(long, 0, self._inside(long)[0]))
        ends = []
        for L in range(long, long + self.down):
            rows = self.routes(L, self._inside(L)[1], site_count(self.length(L), self.up))
            ends.append(self._until_interior(rows[::-1])[::-1])
        first = tuple(number.setdefault(route, len(number)) for route in start)
        last = tuple(tuple(number.setdefault(route, len(number)) for route in rows) for rows in ends)
        return Places(first, last, least=least), list(number)

    def _holds(self, L: int) -> bool:
        """Has A an output, its borders apart, and (where B repeats them) its end samples in no border but their own?"""
        sites = site_count(self.middle(L), self.first.up[self.axis])
        if sites < 1 or not self._places.holds(sites, L):
            return False
        border = max(len(self._places.first), len(self._places.last[L % self.first.down[self.axis]]))
        return self.second.outside == "zero" or sites > border

    def _inside(self, L: int) -> tuple[int, int]:
        """The sites from which on, and up to which, only A's interior is read and nothing is cropped."""
        U_A, places = self.first.up[self.axis], self._places
        last = len(places.last[L % self.first.down[self.axis]])
        end = min(self.middle(L), U_A * (site_count(self.middle(L), U_A) - last))
        step = U_A * self._advance
        start = site_count(U_A * len(places.first) - int(self._reads.min(initial=0)), step)
        stop = (end - 1 - int(self._reads.max(initial=0))) // step + 1
        return max(start, 0), min(stop, self.length(L) // self.up)

    def _apart(self, L: int) -> bool:
        """Do the two borders of the whole leave room for the interior?"""
        return self._holds(L) and self._inside(L)[0] <= self._inside(L)[1]

    def _until_interior(self, routes: list[Route]) -> list[Route]:
        """Border routes without the interior's own at their inner end."""
        while routes and routes[-1] == self.interior:
            routes = routes[:-1]
        return routes

    # --- tables for the kernel map -------------------------------------------------------------------------------

    def tables(self, routes: list[Route]) -> tuple[int, Index, Index]:
        """`low` of the whole, and where its kernel finds A's samples and taps, NOTHING where there is none.

        Shape: `Q U K_B` into A's (cell, phase), flat; `Q U K_B K` into A's (cell, phase, tap), flat.
        """
        U_A, D_A, K_A = (each[self.axis] for each in (self.first.up, self.first.down, self.first.taps))
        steps = np.array(routes, dtype=np.intp).reshape(len(routes), *self._reads.shape, 3)
        cell, q, phase = np.moveaxis(steps, -1, 0)
        read = cell != NOTHING
        site = np.where(read, cell * U_A + phase, NOTHING)
        first, last = (int(q[read].min()), int(q[read].max())) if read.any() else (0, 0)
        # tap K of the whole is tap K - D_A·(q - first) of A
        k_A = np.arange(D_A * (last - first) + K_A) - D_A * (q - first)[..., None]
        found = read[..., None] & (k_A >= 0) & (k_A < K_A)
        tap = np.where(found, site[..., None] * K_A + k_A, NOTHING)
        return D_A * first + self.first.low[self.axis], site, tap


def _route(steps: Index) -> Route:
    return tuple((cell, site, phase) for cell, site, phase in steps.reshape(-1, 3).tolist())
