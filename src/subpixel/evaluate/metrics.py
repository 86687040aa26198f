"""PSNR and SSIM of 8-bit luma."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

PEAK = 255.0


def psnr(a: NDArray[Any], b: NDArray[Any]) -> float:
    """10·log10(255² / mean squared difference) in dB of two arrays of one shape; infinite if they are equal."""
    _same_shape(a, b)
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return 10 * math.log10(PEAK**2 / error) if error > 0 else math.inf


def ssim(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Mean structural similarity of two pictures [H, W] with values in 0..255.

    Gaussian window 11 x 11, σ = 1.5, only where it lies inside; K₁ = 0.01, K₂ = 0.03.

    Raises:
        ValueError: shapes that differ, or a side below 11.

    Source: Wang et al. 2004, "Image quality assessment", eq. 13, and its authors' ssim_index.m.
    """
    _same_shape(a, b)
    if a.ndim != 2 or min(a.shape) < 11:
        raise ValueError(f"SSIM needs two pictures [H, W] of at least 11x11 pixels, not {a.shape}")
    x, y = a.astype(np.float64), b.astype(np.float64)
    c1, c2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    mean_x, mean_y = _blur(x), _blur(y)
    xx, yy, xy = mean_x**2, mean_y**2, mean_x * mean_y
    var_x, var_y, covariance = _blur(x * x) - xx, _blur(y * y) - yy, _blur(x * y) - xy
    similarity = ((2 * xy + c1) * (2 * covariance + c2)) / ((xx + yy + c1) * (var_x + var_y + c2))
    return float(similarity.mean())


def _blur(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The Gaussian window along both axes, [H, W] to [H-10, W-10]."""
    window = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window /= window.sum()
    for _ in range(2):
        inside = [w * x[k : len(x) - 10 + k] for k, w in enumerate(window)]
        x = np.sum(inside, axis=0).T  # rows first, then the columns, and back
    return x


def _same_shape(a: NDArray[Any], b: NDArray[Any]) -> None:
    if a.shape != b.shape:
        raise ValueError(f"pictures of different shapes cannot be compared: {a.shape} and {b.shape}")
