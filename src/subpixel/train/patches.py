"""Training pictures in memory, and aligned LR / HR patches cut from where there is detail."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subpixel.evaluate.degrade import degrade, mod_crop
from subpixel.evaluate.pictures import to_bytes


@dataclass(frozen=True)
class Pair:
    """One picture: HR luma, uint8 [rH, rW], and its unrounded LR luma in 0..1, float32 [H, W].

    `picture` is the name of the picture of which this is a smaller size; "" for the picture itself.
    """

    name: str
    hr: NDArray[np.uint8]
    lr: NDArray[np.float32]
    picture: str = ""


def make_pair(name: str, y: NDArray[np.float64], scale: int) -> Pair:
    """HR luma [H, W] in 0..255 to a pair, as the papers' protocol degrades it."""
    hr = to_bytes(mod_crop(y, scale))
    return Pair(name, hr, degrade((hr / 255).astype(np.float32), scale))


class PatchSampler:
    """Draws batches of patches; a patch is as likely as the mean gradient of its LR pixels is large.

    Flat sky teaches nothing: on a free picture set half of all patches are flat. The weight of the few
    harshest textures is capped at the 95th percentile, so that they do not rule either.
    """

    def __init__(self, pairs: Sequence[Pair], scale: int, patch: int) -> None:
        self.pairs, self.scale, self.patch = pairs, scale, patch
        self.step = max(1, patch // 2)
        places, weights = [], []
        for index, pair in enumerate(pairs):
            rows, columns = np.gradient(pair.lr)
            # Summed-area table: the mean gradient of every window at once.
            table = np.pad((np.abs(rows) + np.abs(columns)).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
            top, left = (np.arange(0, n - patch + 1, self.step) for n in pair.lr.shape)
            bottom, right = top + patch, left + patch
            total = (
                table[np.ix_(bottom, right)]
                - table[np.ix_(top, right)]
                - table[np.ix_(bottom, left)]
                + table[np.ix_(top, left)]
            )
            grid = np.stack(np.meshgrid(top, left, indexing="ij"), -1).reshape(-1, 2)
            places.append(np.column_stack([np.full(len(grid), index), grid]))
            weights.append(total.reshape(-1) / patch**2)
        self.places = np.concatenate(places)
        weight = np.concatenate(weights).astype(np.float64)
        weight = np.minimum(weight, np.quantile(weight, 0.95)) + 1e-4
        self.cumulative = np.cumsum(weight / weight.sum())

    def batch(self, count: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """LR [N, 1, P, P] and HR [N, 1, rP, rP], both in 0..1, each turned into one of its 8 orientations."""
        r, p = self.scale, self.patch
        lr = np.empty((count, 1, p, p), np.float32)
        hr = np.empty((count, 1, r * p, r * p), np.float32)
        chosen = np.searchsorted(self.cumulative, rng.random(count)).clip(max=len(self.places) - 1)
        jitter, turns, mirror = (
            rng.integers(self.step, size=(count, 2)),
            rng.integers(4, size=count),
            rng.random(count) < 0.5,
        )
        for n in range(count):
            index, top, left = self.places[chosen[n]]
            pair = self.pairs[index]
            top = min(top + jitter[n, 0], pair.lr.shape[0] - p)
            left = min(left + jitter[n, 1], pair.lr.shape[1] - p)
            small = np.rot90(pair.lr[top : top + p, left : left + p], turns[n])
            large = np.rot90(pair.hr[r * top : r * (top + p), r * left : r * (left + p)], turns[n])
            lr[n, 0] = small.T if mirror[n] else small
            hr[n, 0] = large.T if mirror[n] else large
        hr *= np.float32(1 / 255)
        return lr, hr
