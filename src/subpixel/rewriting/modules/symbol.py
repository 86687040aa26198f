"""`Symbol`: a weight that is known when the module runs. Planning needs its shape and which maps of it are meant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

ONES = "(ones)"
"""Name of a weight that is one throughout: what stands for a chain's weight where it has none."""


@dataclass(frozen=True, eq=False)
class Symbol:
    """A weight or bias by the name of the value that holds it.

    Attributes:
        name: of the value in the graph.
        shape: of this array, columns taken.
        maps: which entries of axis 1 are meant; None for all.
    """

    name: str
    shape: tuple[int, ...]
    maps: tuple[int, ...] | None = None

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, index: Any) -> Symbol:
        """`[:, maps]` alone: a convolution that reads some of its input maps (A8)."""
        rows, columns = index
        assert rows == slice(None)
        have = np.arange(self.shape[1]) if self.maps is None else np.array(self.maps)
        taken = have[columns]
        return replace(self, shape=(self.shape[0], len(taken), *self.shape[2:]), maps=tuple(int(m) for m in taken))
