"""HR to LR as the papers' protocol does it."""

from numpy.typing import NDArray

from subpixel.media.resample import Pixel, imresize


def mod_crop(picture: NDArray[Pixel], scale: int) -> NDArray[Pixel]:
    """Cut [H, W, ...] at the right and bottom to a multiple of `scale`."""
    height, width = (n // scale * scale for n in picture.shape[:2])
    return picture[:height, :width]


def degrade(picture: NDArray[Pixel], scale: int) -> NDArray[Pixel]:
    """HR [rH, rW] or [rH, rW, C] to LR [H, W, ...]: mod-crop, then MATLAB's antialiased bicubic imresize.

    uint8 comes out as uint8 (clipped and rounded after each axis, as MATLAB does); floats stay unrounded.

    Raises:
        ValueError: if the picture is smaller than `scale` on a side.
    """
    if min(picture.shape[:2]) < scale:
        raise ValueError(f"a picture of shape {picture.shape} is too small to be shrunk by `scale` (={scale})")
    height, width = (n // scale for n in picture.shape[:2])
    return imresize(mod_crop(picture, scale), shape=(height, width))
