"""What transparency needs: colours for pixels that nobody sees, and an alpha without ringing."""

import numpy as np
from numpy.typing import NDArray

from subpixel.media.picture import Pixels


def fill_transparent(pixels: Pixels, alpha: Pixels) -> NDArray[np.float32]:
    """Give wholly transparent pixels the colours of their surroundings, as float32 of the same shape.

    Such pixels usually are black, which a kernel that straddles the outline would mix into the visible side:
    the dark fringe of many upscalers. Colours spread by pull and push: averages of the visible pixels over
    2×2, 4×4, ... blocks, the finest that has one wins.

    Args:
        pixels: [H, W] or [H, W, C].
        alpha: [H, W]; 0 is transparent.
    """
    colours = pixels.astype(np.float32).reshape(*pixels.shape[:2], -1)
    weight = (alpha > 0).astype(np.float32)[..., None]
    return _filled(colours * weight, weight).reshape(pixels.shape)


def _filled(colours: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """`colours` where `weight` is 1, and where it is 0 the blocks' averages, coarser as need be."""
    height, width = weight.shape[:2]
    if weight.all() or max(height, width) == 1:
        return colours
    even = ((0, height % 2), (0, width % 2), (0, 0))
    sums = [
        np.pad(a, even).reshape((height + 1) // 2, 2, (width + 1) // 2, 2, -1).sum(axis=(1, 3))
        for a in (colours, weight)
    ]
    average = sums[0] / np.maximum(sums[1], 1)
    coarse = _filled(average, np.minimum(sums[1], 1))
    spread = coarse.repeat(2, axis=0)[:height].repeat(2, axis=1)[:, :width]
    return np.where(weight > 0, colours, spread)


def limit_to_surroundings(large: NDArray[np.float32], alpha: NDArray[np.float32], scale: int) -> NDArray[np.float32]:
    """An enlarged alpha channel held between the least and the largest of the 3×3 pixels that it comes from.

    What is opaque stays wholly opaque and what is clear wholly clear: a network's overshoot beside an edge, or
    at the picture's border, would show as a haze or as pinholes.

    Args:
        large: [rH, rW].
        alpha: [H, W], in the same range.
        scale: r.
    """
    height, width = alpha.shape
    around = np.pad(alpha, 1, mode="edge")
    shifted = [around[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    low, high = (f(shifted).repeat(scale, 0).repeat(scale, 1) for f in (np.minimum.reduce, np.maximum.reduce))
    limited: NDArray[np.float32] = np.clip(large, low, high)
    return limited
