"""Duels: is the rewritten whole faster than the original? Judged round by round, so that a slow moment decides nothing.

Both run in every round, in either order by turns. What counts is the ratio within a round: its median over the rounds
must beat a margin, and a sign test must agree that the rewritten one wins more rounds than chance would have it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb
from statistics import median
from time import perf_counter

MARGIN = 0.01
"""The whole must be faster by this much. Its sites have won by more, each on its own."""
LEVEL = 0.05
"""Of the sign test: as many rounds won by chance are rarer than this."""
LEAST, MOST = 8, 40
"""Rounds."""


@dataclass(frozen=True)
class Duel:
    """Seconds of the original and of the rewritten one, round by round."""

    before: Sequence[float]
    after: Sequence[float]

    @property
    def ms(self) -> tuple[float, float]:
        """Median milliseconds before and after."""
        return 1e3 * median(self.before), 1e3 * median(self.after)

    @property
    def ratio(self) -> float:
        """How many times as fast the rewritten one is: the median over the rounds."""
        return median(b / a for b, a in zip(self.before, self.after, strict=True))

    @property
    def chance(self) -> float:
        """How likely so many rounds are won where both are equally fast (one-sided sign test; ties count as lost)."""
        n, won = len(self.before), sum(a < b for b, a in zip(self.before, self.after, strict=True))
        return float(sum(comb(n, k) for k in range(won, n + 1)) / 2**n)

    @property
    def is_won(self) -> bool:
        """Is the rewritten one faster, beyond the margin and beyond chance?"""
        return self.ratio > 1 + MARGIN and self.chance < LEVEL


def fight(before: Callable[[], object], after: Callable[[], object], seconds: float) -> Duel:
    """Run both in rounds for about `seconds`."""
    runs = (before, after)
    times: tuple[list[float], list[float]] = ([], [])
    start = perf_counter()
    for round_ in range(MOST):
        for i in (0, 1) if round_ % 2 else (1, 0):
            begun = perf_counter()
            runs[i]()
            times[i].append(perf_counter() - begun)
        if round_ + 1 >= LEAST and perf_counter() - start > seconds:
            break
    return Duel(*times)
