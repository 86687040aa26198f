"""What travels beside the pixels: colour profile, EXIF, XMP, resolution."""

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from subpixel.media.formats import exif

if TYPE_CHECKING:
    from PIL.Image import Image

# What a TIFF's own directory says of the picture as such; the rest of it describes how that file is laid out.
KEPT = frozenset(
    {
        0x010D,  # DocumentName
        0x010E,  # ImageDescription
        0x010F,  # Make
        0x0110,  # Model
        0x011D,  # PageName
        0x0131,  # Software
        0x0132,  # DateTime
        0x013B,  # Artist
        0x013C,  # HostComputer
        0x4746,  # Rating
        0x4749,  # RatingPercent
        0x8298,  # Copyright
        0x83BB,  # IPTC
        *range(0x9C9B, 0x9CA0),  # XPTitle .. XPSubject
    }
)


@dataclass(frozen=True)
class Metadata:
    """Attributes:
    icc: the colour profile, as the file has it.
    exif: an EXIF block from its byte-order mark on; the orientation in it is 1.
    xmp: an XMP packet; the orientation in it is 1.
    dpi: pixels per inch, across and down.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None

    def sized(self, width: int, height: int) -> "Metadata":
        """For a picture of another size: where EXIF or XMP tell it, it is brought up to date."""
        block, packet = self.exif, self.xmp
        if block is not None:
            block = exif.resized(block, width, height)
        if packet is not None:
            for name, value in (("ImageWidth", width), ("ImageLength", height)):
                packet = _in_xmp(packet, f"tiff:{name}", value)
            for name, value in (("PixelXDimension", width), ("PixelYDimension", height)):
                packet = _in_xmp(packet, f"exif:{name}", value)
        return replace(self, exif=block, xmp=packet)


def settled(icc: bytes | None, block: bytes | None, xmp: bytes | None, dpi: object = None) -> Metadata:
    """Metadata as read, made that of an upright picture; a damaged EXIF block is dropped: the picture matters more."""
    if block is not None:
        try:
            block = exif.upright(exif.without_prefix(block))
        except ValueError:
            block = None
    if xmp is not None:
        xmp = _in_xmp(xmp, "tiff:Orientation", 1)
    return Metadata(icc or None, block or None, xmp or None, _resolution(dpi))


def from_pillow_info(image: "Image") -> tuple[int, Metadata]:
    """What Pillow read beside the pixels: the orientation (1..8) that is still to be applied, and the rest."""
    info = image.info
    icc, xmp, block = info.get("icc_profile"), info.get("xmp"), info.get("exif")
    try:
        if image.format == "TIFF" or "Raw profile type exif" in info:
            block = _rebuilt(image)
    except Exception:  # whatever Pillow's parser stumbles on in a damaged directory
        block = None
    plain = exif.without_prefix(block) if isinstance(block, bytes) else None
    turned = exif.orientation(plain) if plain else 1
    if plain and image.format == "TIFF" and _says_nothing_else(plain):
        plain = None
    return turned, settled(
        icc if isinstance(icc, bytes) else None, plain, xmp if isinstance(xmp, bytes) else None, info.get("dpi")
    )


def _says_nothing_else(block: bytes) -> bool:
    """Whether a block tells the orientation alone, which is applied."""
    try:
        return set(exif.directory(block).entries) <= {exif.ORIENTATION}
    except ValueError:
        return True


def _rebuilt(image: "Image") -> bytes | None:
    """An EXIF block of what a TIFF's directory, or an old PNG's text, says of the picture."""
    from PIL.Image import Exif, Image

    source, block = Image.getexif(image), Exif()  # a PNG's own way decodes all of it first
    for tag in (*KEPT, exif.ORIENTATION):
        if tag in source:
            block[tag] = source[tag]
    for folder in (exif.EXIF, exif.GPS):
        if entries := source.get_ifd(folder):
            block[folder] = entries
    return block.tobytes() if len(block) else None


def _resolution(dpi: object) -> tuple[float, float] | None:
    try:
        across, down = (float(value) for value in dpi)  # type: ignore[attr-defined]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 1 <= across <= 1e5 and 1 <= down <= 1e5 else None


def _in_xmp(packet: bytes, name: str, value: int) -> bytes:
    """Another value for a property that a packet has, as attribute or as element."""
    tag, number = name.encode(), str(value).encode()
    packet = re.sub(rb"(\b%s\s*=\s*[\"'])[^\"'<]*" % tag, rb"\g<1>%s" % number, packet)
    return re.sub(rb"(<%s>)[^<]*(?=</%s>)" % (tag, tag), rb"\g<1>%s" % number, packet)
