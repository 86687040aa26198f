"""What transparency needs: colours for pixels that nobody sees, and an alpha without ringing."""

import numpy as np
from numpy.typing import NDArray

from subpixel.media.picture import Pixels

FILL_REACH = 16  # pixels; farther from everything visible no kernel of ours mixes colours into it
_RADII = (1, 2, 4, 8, FILL_REACH)


def fill_transparent(pixels: Pixels, alpha: Pixels) -> NDArray[np.float32]:
    """Give wholly transparent pixels the colours of their surroundings, as float32 of the same shape.

    Such pixels usually are black, which a kernel that straddles the outline would mix into the visible side:
    the dark fringe of many upscalers. Each takes the mean of the visible pixels in the smallest square around it
    that has some, up to `FILL_REACH` away; the sums are whole numbers, so a tile that overlaps its neighbours by
    that much gets bit for bit what the whole picture gets. Farther off pixels keep their own colour.

    Args:
        pixels: [H, W] or [H, W, C].
        alpha: [H, W]; 0 is transparent.
    """
    colours = pixels.astype(np.float32).reshape(*pixels.shape[:2], -1)
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return colours.reshape(pixels.shape)
    height, width = alpha.shape
    visible = np.where(hidden[..., None], 0, pixels.reshape(colours.shape)).astype(np.int64)
    counted = np.concatenate([visible, ~hidden[..., None]], axis=2)
    sums = np.zeros((height + 1, width + 1, counted.shape[2]), np.int64)
    np.cumsum(np.cumsum(counted, axis=0), axis=1, out=sums[1:, 1:])
    rows, columns = np.nonzero(hidden)
    for radius in _RADII:
        top, bottom = np.maximum(rows - radius, 0), np.minimum(rows + radius + 1, height)
        left, right = np.maximum(columns - radius, 0), np.minimum(columns + radius + 1, width)
        inside = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        found = inside[:, -1] > 0
        colours[rows[found], columns[found]] = inside[found, :-1] / inside[found, -1:]
        rows, columns = rows[~found], columns[~found]
    return colours.reshape(pixels.shape)


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
