"""A still picture as arrays, with what travels beside its pixels."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import InputError, UsageError
from subpixel.media.formats.raster import Raster, Rows
from subpixel.media.metadata import Metadata, from_pillow_info

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = NDArray[Any]  # of uint8 or uint16


@dataclass(frozen=True)
class Picture:
    """Grey or RGB pixels, the alpha channel apart, and metadata.

    Attributes:
        pixels: uint8 or uint16, [H, W] or [H, W, 3]; upright.
        alpha: [H, W] of the same kind, or None where nothing is transparent.
        metadata: colour profile, EXIF, XMP and resolution, as of the upright picture.
        notices: what was lost or changed on the way in, one sentence each.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    metadata: Metadata = field(default_factory=Metadata)
    notices: list[str] = field(default_factory=list)

    @property
    def is_grey(self) -> bool:
        return self.pixels.ndim == 2

    @property
    def white(self) -> int:
        """The value of white: 255 or 65535."""
        return int(np.iinfo(self.pixels.dtype).max)

    @property
    def raster(self) -> Raster:
        height, width = self.pixels.shape[:2]
        return Raster(width, height, _channels(self), 8 * self.pixels.dtype.itemsize)


class PictureRows:
    """A picture in memory, read by rows as from a file."""

    in_pieces = True

    def __init__(self, picture: Picture) -> None:
        self.raster, self.metadata, self.notices = picture.raster, picture.metadata, picture.notices
        self._picture, self._next = picture, 0

    def read(self, count: int) -> Rows:
        """The next rows [n, width, channels], `count` or what is left."""
        area = slice(self._next, self._next + count)
        self._next += count
        pixels, alpha = self._picture.pixels[area], self._picture.alpha
        return np.dstack([pixels] if alpha is None else [pixels, alpha[area]])

    def close(self) -> None:
        """Nothing is held open."""


def from_rows(rows: Rows, metadata: Metadata | None = None, notices: list[str] | None = None) -> Picture:
    """A picture from its channels [H, W, 1 to 4]: grey, grey and alpha, RGB, RGBA."""
    channels = rows.shape[2]
    colours = rows[..., : channels - 1 if channels in (2, 4) else channels]
    return Picture(
        colours[..., 0] if colours.shape[2] == 1 else colours,
        rows[..., -1] if channels in (2, 4) else None,
        metadata or Metadata(),
        notices if notices is not None else [],
    )


def from_array(pixels: NDArray[Any]) -> Picture:
    """A picture from an array of uint8 or uint16: [H, W], or [H, W, C] with C as in `from_rows`.

    Raises:
        UsageError: another shape or type.
    """
    shape = pixels.shape
    fits = pixels.dtype in (np.uint8, np.uint16) and (pixels.ndim == 2 or (pixels.ndim == 3 and 1 <= shape[2] <= 4))
    if not fits or 0 in shape:
        raise UsageError(
            f"an array of {pixels.dtype} {list(shape)} is not a picture: give uint8 or uint16, [H, W] or [H, W, C] "
            "with C = 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA)"
        )
    return from_rows(pixels[..., None] if pixels.ndim == 2 else pixels)


def to_array(picture: Picture) -> Pixels:
    """[H, W] for grey, else [H, W, C]: what `from_array` takes."""
    if picture.alpha is None:
        return picture.pixels
    return np.dstack([picture.pixels, picture.alpha])


def from_pillow(image: "Image", name: str = "the picture") -> Picture:
    """A picture from Pillow's, in any mode; its EXIF orientation is applied.

    Raises:
        InputError: a mode or a range of values that has no 8-bit or 16-bit reading.
    """
    notices: list[str] = []
    turned, metadata = from_pillow_info(image)
    image = _upright(image, turned)
    if image.mode in ("CMYK", "LAB"):
        notices.append(f"{name}: {image.mode} is converted to RGB")
        image = _to_srgb(image, metadata.icc, name)
        metadata = replace(metadata, icc=None)
    elif image.mode in ("P", "PA"):
        image = image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode in ("RGBa", "La"):
        image = image.convert(image.mode.upper())
    elif image.mode in ("I", "F"):
        return Picture(_sixteen_bits(image, name, notices), None, metadata, notices)
    elif image.mode in ("RGB", "L") and "transparency" in image.info:
        image = image.convert("RGBA" if image.mode == "RGB" else "LA")  # one colour stands for transparent
    elif image.mode not in ("L", "LA", "RGB", "RGBA", "I;16", "I;16B", "I;16L", "I;16N"):
        image = image.convert("RGB")
    values = np.asarray(image)
    array: Pixels = values.astype(np.uint16) if values.dtype.itemsize == 2 else values.astype(np.uint8)
    return from_rows(array[..., None] if array.ndim == 2 else array, metadata, notices)


def to_pillow(picture: Picture) -> "Image":
    """Pillow's form: mode L, LA, RGB, RGBA or I;16, with what Pillow knows of metadata in `.info`.

    Pillow has no other 16-bit modes: 16-bit colour, or 16-bit grey with alpha, becomes 8 bits here.
    """
    from PIL import Image

    if picture.white > 255 and picture.raster.channels > 1:
        picture = eight_bits(picture)
    image = Image.fromarray(np.ascontiguousarray(to_array(picture)))
    metadata = picture.metadata
    for name, value in (("icc_profile", metadata.icc), ("xmp", metadata.xmp), ("dpi", metadata.dpi)):
        if value:
            image.info[name] = value
    if metadata.exif:
        image.info["exif"] = b"Exif\0\0" + metadata.exif
    return image


def eight_bits(picture: Picture) -> Picture:
    """The same with 8 bits a channel, rounded."""
    alpha = None if picture.alpha is None else to_eight_bits(picture.alpha)
    return Picture(to_eight_bits(picture.pixels), alpha, picture.metadata, picture.notices)


def to_eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """0..65535 to 0..255, rounded; 8-bit values as they are."""
    if values.dtype == np.uint8:
        return values
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _channels(picture: Picture) -> int:
    return (1 if picture.is_grey else 3) + (picture.alpha is not None)


def _upright(image: "Image", orientation: int) -> "Image":
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    if orientation not in turns:
        return image
    turned = image.transpose(turns[orientation])
    turned.info = image.info
    return turned


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
