"""A still picture as arrays, with what travels beside its pixels."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import InputError, UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True)
class Picture:
    """Grey or RGB pixels, the alpha channel apart, and metadata.

    Attributes:
        pixels: uint8 [H, W] or [H, W, 3]; uint16 [H, W] for 16-bit grey.
        alpha: [H, W] of the same kind, or None where nothing is transparent.
        icc: the colour profile, as the file has it.
        exif: camera data as an EXIF block; the orientation is applied to the pixels and gone from here.
        notices: what was lost or changed on the way in, one sentence each.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    notices: list[str] = field(default_factory=list)

    @property
    def is_grey(self) -> bool:
        return self.pixels.ndim == 2

    @property
    def white(self) -> int:
        """The value of white: 255 or 65535."""
        return int(np.iinfo(self.pixels.dtype).max)


def from_array(pixels: NDArray[Any]) -> Picture:
    """A picture from uint8 [H, W], [H, W, 3] or [H, W, 4] (RGBA), or uint16 [H, W].

    Raises:
        UsageError: another shape or type.
    """
    shape = pixels.shape
    colours = shape[2] if pixels.ndim == 3 else 1
    fits = (pixels.dtype == np.uint8 and colours in (1, 3, 4)) or (pixels.dtype == np.uint16 and colours == 1)
    if pixels.ndim not in (2, 3) or not fits or 0 in shape:
        raise UsageError(
            f"an array of {pixels.dtype} {list(shape)} is not a picture: give uint8 [H, W], [H, W, 3] or "
            "[H, W, 4], or uint16 [H, W]"
        )
    if pixels.ndim == 3 and colours == 1:
        pixels = pixels[..., 0]
    return Picture(pixels[..., :3], pixels[..., 3]) if colours == 4 else Picture(pixels)


def from_pillow(image: "Image", name: str = "the picture", *, deep: bool = False) -> Picture:
    """A picture from Pillow's, in any mode; its EXIF orientation is applied.

    `deep`: the file has 16 bits a channel, whatever Pillow made of it.

    Raises:
        InputError: a mode or a range of values that has no 8-bit or 16-bit reading.
    """
    from subpixel.media.metadata import upright

    notices: list[str] = []
    image, exif, icc = upright(image)
    if image.mode in ("CMYK", "LAB"):
        notices.append(f"{name}: {image.mode} is converted to RGB")
        image, icc = _to_srgb(image, icc, name), None
    elif image.mode in ("P", "PA"):
        image = image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode in ("RGBa", "La"):
        image = image.convert(image.mode.upper())
    elif image.mode in ("I", "F"):
        return Picture(_sixteen_bits(image, name, notices), None, icc, exif, notices)
    elif image.mode in ("RGB", "L") and "transparency" in image.info:
        image = image.convert("RGBA" if image.mode == "RGB" else "LA")  # one colour stands for transparent
    elif image.mode not in ("L", "LA", "RGB", "RGBA", "I;16", "I;16B", "I;16L", "I;16N"):
        image = image.convert("RGB")
    if deep and not image.mode.startswith("I;16"):
        notices.append(f"{name}: 16 bits a channel are read as 8; only 16-bit grey is kept")
    values = np.asarray(image)
    array: Pixels = values.astype(np.uint16) if values.dtype.itemsize == 2 else values.astype(np.uint8)
    if image.mode in ("LA", "RGBA"):
        return Picture(_squeezed(array[..., :-1]), array[..., -1], icc, exif, notices)
    return Picture(array, None, icc, exif, notices)


def to_pillow(picture: Picture) -> "Image":
    """Pillow's form: mode L, LA, RGB, RGBA or I;16, with profile and EXIF in `.info`.

    A 16-bit picture has no alpha: `from_pillow` never makes one.
    """
    from PIL import Image

    alpha = picture.alpha
    pixels = picture.pixels if alpha is None else np.dstack([picture.pixels, alpha])
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if picture.icc:
        image.info["icc_profile"] = picture.icc
    if picture.exif:
        image.info["exif"] = picture.exif
    return image


def _squeezed(array: Pixels) -> Pixels:
    return array[..., 0] if array.shape[-1] == 1 else array


def _to_srgb(image: "Image", icc: bytes | None, name: str) -> "Image":
    """CMYK or Lab to RGB: by the picture's own profile where it has a sound one, else by Pillow's formula."""
    from io import BytesIO

    from PIL import ImageCms

    source = ImageCms.createProfile("LAB") if image.mode == "LAB" else icc and BytesIO(icc)
    if source:
        try:
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError):
            pass
    try:
        return image.convert("RGB")
    except ValueError as error:
        raise InputError(f"{name}: mode {image.mode} cannot be converted: save it as RGB first") from error


def _sixteen_bits(image: "Image", name: str, notices: list[str]) -> NDArray[np.uint16]:
    """Mode I (32-bit integers) or F (floats in 0..1 or 0..255) as 16-bit grey."""
    values = np.asarray(image)
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 65535) or (image.mode == "F" and high > 255):
        raise InputError(
            f"{name}: values from {low:g} to {high:g} in mode {image.mode} have no reading as a picture: "
            "save it as 8-bit or 16-bit grey"
        )
    if image.mode == "I":
        return values.astype(np.uint16)
    white = 1 if high <= 1 else 255
    notices.append(f"{name}: floating-point values are read as 0..{white} and written as 16-bit grey")
    return np.rint(values.astype(np.float64) * (65535 / white)).astype(np.uint16)
