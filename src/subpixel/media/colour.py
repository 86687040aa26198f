"""RGB and YCbCr as MATLAB's `rgb2ycbcr` and `ycbcr2rgb` have them: BT.601 in studio swing.

Y lies in 16..235, Cb and Cr in 16..240, for R, G, B in 0..255. Nothing is rounded or clipped here.
"""

import numpy as np
from numpy.typing import NDArray

# Poynton's matrix as MATLAB prints it, for R, G, B in 0..255.
_TO_YCBCR = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
_OFFSET = np.array([16.0, 128.0, 128.0])
_TO_RGB = np.linalg.inv(_TO_YCBCR)


def rgb_to_ycbcr(rgb: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
    """R, G, B in 0..255 to Y, Cb, Cr, unrounded; both [H, W, 3]."""
    ycbcr: NDArray[np.float64] = rgb @ _TO_YCBCR.T + _OFFSET
    return ycbcr


def ycbcr_to_rgb(ycbcr: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of `rgb_to_ycbcr`: Y, Cb, Cr to R, G, B in 0..255, unclipped; both [H, W, 3]."""
    rgb: NDArray[np.float64] = (ycbcr - _OFFSET) @ _TO_RGB.T
    return rgb


def luma(rgb: NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Y alone, [H, W], of R, G, B in 0..255 [H, W, 3]; unrounded."""
    y: NDArray[np.float64] = rgb @ _TO_YCBCR[0] + _OFFSET[0]
    return y
