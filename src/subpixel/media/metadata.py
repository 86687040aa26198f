"""EXIF and colour profile on their way from one file to another."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

# What a TIFF's own directory says of the picture as such; the rest of it describes how that file is laid out.
_KEPT = (
    0x010E,  # ImageDescription
    0x010F,  # Make
    0x0110,  # Model
    0x0131,  # Software
    0x0132,  # DateTime
    0x013B,  # Artist
    0x8298,  # Copyright
)
_EXIF, _GPS = 0x8769, 0x8825
_WIDTH, _HEIGHT = 0xA002, 0xA003


def upright(image: "Image") -> "tuple[Image, bytes | None, bytes | None]":
    """The picture turned as its EXIF orientation says, an EXIF block without that tag, and its colour profile.

    Damaged EXIF is dropped: the picture matters more.
    """
    from PIL import Image as pillow
    from PIL import ImageOps

    icc = image.info.get("icc_profile") or None
    try:
        source = image.getexif()
        exif = pillow.Exif()
        for tag in _KEPT:
            if tag in source:
                exif[tag] = source[tag]
        for folder in (_EXIF, _GPS):
            if entries := source.get_ifd(folder):
                exif[folder] = entries
        block = exif.tobytes() if len(exif) else None
        turned = ImageOps.exif_transpose(image)
    except Exception:  # whatever Pillow's parser stumbles on in a damaged directory
        return image, None, icc
    return turned, block, icc


def resized(block: bytes, width: int, height: int) -> bytes:
    """The EXIF block of the enlarged picture: where it tells the size, the size is brought up to date."""
    from PIL.Image import Exif

    exif = Exif()
    exif.load(block)
    entries = exif.get_ifd(_EXIF) if _EXIF in exif else {}
    for tag, value in ((_WIDTH, width), (_HEIGHT, height)):
        if tag in entries:
            entries[tag] = value
    return exif.tobytes()
