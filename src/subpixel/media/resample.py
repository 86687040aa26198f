"""MATLAB's `imresize(..., 'bicubic')`: antialiased when shrinking, mirrored at the border.

It makes the LR pictures of the evaluation protocol, the bicubic baseline and the chroma of an upscaled
picture. On 8-bit data MATLAB clips and rounds after each axis; on floating-point data it does neither.
"""

from functools import lru_cache
from math import ceil
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Pixel = TypeVar("Pixel", np.uint8, np.float32, np.float64)


def cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic convolution kernel with a = -0.5 (Keys 1981, eq. 15)."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x**2 + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


@lru_cache(maxsize=64)
def _taps(length: int, out_length: int, scale: float) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Weights and source positions of every output sample: two arrays [out_length, taps]."""
    shrink = min(scale, 1.0)  # the kernel is widened by 1/scale when shrinking: the antialiasing
    width = 4.0 / shrink
    centre = (np.arange(out_length) + 0.5) / scale - 0.5
    first = np.floor(centre - width / 2).astype(np.intp) + 1
    position = first[:, None] + np.arange(ceil(width) + 1) - 1
    weight = shrink * cubic(shrink * (centre[:, None] - position))
    weight /= weight.sum(axis=1, keepdims=True)
    used = weight.any(axis=0)
    weight, position = weight[:, used], position[:, used]
    mirrored = np.concatenate([np.arange(length), np.arange(length)[::-1]])
    return weight, mirrored[position % (2 * length)]


def _along_rows(picture: NDArray[Any], out_length: int, scale: float) -> NDArray[Any]:
    """Resize axis 0 of an array [H, ...]."""
    weight, position = _taps(picture.shape[0], out_length, scale)
    out = _weighed(picture, weight, position)
    if picture.dtype == np.uint8:
        rounded: NDArray[Any] = np.floor(np.clip(out, 0, 255) + 0.5).astype(np.uint8)
        return rounded
    return out


def _weighed(picture: NDArray[Any], weight: NDArray[np.float64], position: NDArray[np.intp]) -> NDArray[Any]:
    """Weighted sums of rows of an array [H, ...], in float32 for float32, else in float64."""
    kind = picture.dtype if picture.dtype == np.float32 else np.dtype(np.float64)
    out: NDArray[Any] = np.zeros((len(weight), *picture.shape[1:]), kind)
    for tap in range(weight.shape[1]):
        factor = weight[:, tap].astype(kind).reshape(-1, *(1,) * (picture.ndim - 1))
        out += factor * picture[position[:, tap]]
    return out


class StripResizer:
    """`imresize(picture, shape=...)` of a float picture that comes in strips: columns first, then rows.

    Which strips it comes in changes no number.
    """

    def __init__(self, size: tuple[int, int], shape: tuple[int, int]) -> None:
        """`size` and `shape`: rows and columns of what comes and of what is wanted."""
        self._columns = _taps(size[1], shape[1], shape[1] / size[1])
        self._weight, self._position = _taps(size[0], shape[0], shape[0] / size[0])
        self._newest = np.maximum.accumulate(self._position.max(axis=1))
        self._oldest = np.minimum.accumulate(self._position.min(axis=1)[::-1])[::-1]
        self._first = self._done = 0  # of the rows that are held; of those that are wanted
        self._held: NDArray[np.float32] | None = None

    def feed(self, strip: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next rows [n, W, C] go in; those that can be computed now come out, [m, W', C], m from 0 on."""
        turned = np.ascontiguousarray(strip.swapaxes(0, 1))
        narrow = np.ascontiguousarray(_weighed(turned, *self._columns).swapaxes(0, 1))
        self._held = narrow if self._held is None else np.concatenate([self._held, narrow])
        last = int(np.searchsorted(self._newest, self._first + len(self._held)))  # newest < rows that came
        wanted = slice(self._done, last)
        out = _weighed(self._held, self._weight[wanted], self._position[wanted] - self._first)
        self._done = last
        if last < len(self._oldest):
            drop = max(0, int(self._oldest[last]) - self._first)
            self._held, self._first = self._held[drop:], self._first + drop
        return out


def imresize(
    picture: NDArray[Pixel], scale: float | None = None, *, shape: tuple[int, int] | None = None
) -> NDArray[Pixel]:
    """Resize a picture [H, W] or [H, W, C] as MATLAB's `imresize(picture, scale, 'bicubic')` does.

    Args:
        picture: uint8 (clipped and rounded after each axis, as in MATLAB), or float32 / float64 in any range.
        scale: the factor for both axes; the size becomes ⌈scale·H⌉ x ⌈scale·W⌉.
        shape: the size (rows, columns) instead of a factor; each axis then has its own.

    Returns:
        An array of the same kind.

    Raises:
        ValueError: unless exactly one of `scale` and `shape` is given, and positive.

    Source: Keys 1981, "Cubic convolution interpolation for digital image processing"; MATLAB's `imresize`.
    """
    if (scale is None) == (shape is None):
        raise ValueError("give exactly one of `scale` and `shape`")
    size = picture.shape[:2]
    if shape is None:
        assert scale is not None
        if scale <= 0:
            raise ValueError(f"`scale` (={scale}) must be positive")
        out, factors = tuple(ceil(scale * n) for n in size), (float(scale), float(scale))
    else:
        out, factors = shape, (shape[0] / size[0], shape[1] / size[1])
    if min(out) < 1:
        raise ValueError(f"`shape` (={shape}) must be positive")
    result: NDArray[Any] = picture
    # MATLAB takes the axis that shrinks most first; on a tie the rows.
    for axis in sorted((0, 1), key=lambda axis: factors[axis]):
        if axis == 0:
            result = _along_rows(result, out[0], factors[0])
        else:
            turned = np.ascontiguousarray(result.swapaxes(0, 1))
            result = np.ascontiguousarray(_along_rows(turned, out[1], factors[1]).swapaxes(0, 1))
    return result
