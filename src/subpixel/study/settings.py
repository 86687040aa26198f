"""What the study of the budget is asked for: scales, budgets, seeds, and one recipe for everybody."""

from dataclasses import asdict, dataclass
from typing import Any

from subpixel.errors import UsageError

_MAY_DIFFER = ("maps", "seeds", "longer", "timed", "time_size", "time_rounds")


@dataclass(frozen=True)
class BudgetSettings:
    """The settings of `subpixel study budget`; all families share them.

    Args:
        maps: a budget each: the multiplications of the network that enlarges by nearest neighbour first and has so
            many maps a layer.
        seeds: of the initial weights and of every batch.
        steps: optimiser steps.
        batch: patches a step.
        patch: side of a patch in LR pixels.
        rates: learning rates that each family is tried with at the middle budget; the one that is best on
            the held-out pictures after `rate_steps` steps from a seed of its own is that family's for all its runs.
        rate_steps: see `rates`.
        longer: how many times the steps two networks learn for as well, to show what the others have left.
        timed: the budgets at which time is made equal; None for all.
        time_size: width and height of the LR picture that is timed.
        time_rounds: of the timing.
        points: how often the held-out pictures are scored in a run.
        held_out_side: of the middle of each held-out picture that is scored on the way, in HR pixels.
    """

    maps: tuple[int, ...] = (2, 4, 6)
    seeds: int = 3
    steps: int = 5000
    batch: int = 8
    patch: int = 24
    rates: tuple[float, ...] = (3e-3, 1e-2, 3e-2)
    rate_steps: int = 1500
    longer: int = 3
    timed: tuple[int, ...] | None = None
    time_size: tuple[int, int] = (320, 180)
    time_rounds: int = 7
    points: int = 20
    held_out_side: int = 288

    def __post_init__(self) -> None:
        for name in ("seeds", "steps", "batch", "patch", "rate_steps", "points"):
            if getattr(self, name) < 1:
                raise UsageError(f"`{name}` (={getattr(self, name)}) must be at least 1")
        if not self.maps or min(self.maps) < 1:
            raise UsageError(f"`maps` (={self.maps}) needs numbers of maps from 1 up")
        if not self.rates or min(self.rates) <= 0:
            raise UsageError(f"`rates` (={self.rates}) needs positive learning rates")

    @property
    def middle(self) -> int:
        """The budget, in maps, that the learning rates and the controls are tried at."""
        return sorted(self.maps)[len(self.maps) // 2]

    @property
    def timed_maps(self) -> tuple[int, ...]:
        """The budgets at which time is made equal, the middle one first."""
        maps = self.maps if self.timed is None else self.timed
        return tuple(sorted(maps, key=lambda one: one != self.middle))

    def recipe(self) -> dict[str, Any]:
        """What two runs must share to be compared, as JSON values; seeds, budgets and longer runs may be added."""
        shared = {key: value for key, value in asdict(self).items() if key not in _MAY_DIFFER}
        return {**shared, "rates": list(self.rates), "rates_at": self.middle}


QUICK = BudgetSettings(
    maps=(2, 3, 4),
    steps=100,
    batch=4,
    patch=12,
    rates=(1e-2,),
    rate_steps=50,
    longer=1,
    timed=(3,),
    time_size=(96, 54),
    time_rounds=3,
    points=10,
    held_out_side=96,
)
"""Small enough for a few minutes in all; far too short for a plateau, which the findings say."""
