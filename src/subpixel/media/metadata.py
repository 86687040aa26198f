"""What travels beside the pixels: colour profile, EXIF, XMP, resolution."""

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from subpixel.media.formats import exif
from subpixel.media.formats.photoshop import blocks_of

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
        *range(0x9C9B, 0x9CA0),  # XPTitle .. XPSubject
    }
)


PHOTOSHOP = b"Photoshop 3.0\0"  # how a JPEG's segment of resource blocks begins
_PHOTOSHOP_TAG, _IPTC_TAG = 0x8649, 0x83BB
_NO_TEXTS = ("XML:com.adobe.xmp", "interlace", "blend", "disposal")


@dataclass(frozen=True)
class Metadata:
    """Attributes:
    icc: the colour profile, as the file has it.
    exif: an EXIF block from its byte-order mark on; the orientation in it is 1.
    xmp: an XMP packet; the orientation in it is 1.
    dpi: pixels per inch, across and down.
    photoshop: resource blocks of a JPEG or TIFF; IPTC's captions and keywords are in them.
    comment: of a JPEG.
    texts: keywords and texts of a PNG.
    gamma: that of a PNG which says so.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    photoshop: bytes | None = None
    comment: bytes | None = None
    texts: tuple[tuple[str, str], ...] = ()
    gamma: float | None = None

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
    metadata = settled(
        icc if isinstance(icc, bytes) else None, plain, xmp if isinstance(xmp, bytes) else None, info.get("dpi")
    )
    return turned, _with_what_one_format_has(image, metadata)


def _with_what_one_format_has(image: "Image", metadata: Metadata) -> Metadata:
    if image.format in ("JPEG", "MPO"):
        blocks = [data for name, data in getattr(image, "applist", ()) if name == "APP13"]
        joined = b"".join(data[len(PHOTOSHOP) :] for data in blocks if data.startswith(PHOTOSHOP))
        comment = image.info.get("comment")
        return replace(metadata, photoshop=joined or None, comment=comment if isinstance(comment, bytes) else None)
    if image.format == "TIFF":
        # As bytes: IPTC is often marked as numbers, of which Pillow's own way gives the first alone.
        raw = getattr(getattr(image, "tag_v2", None), "_tagdata", {})
        block, iptc = raw.get(_PHOTOSHOP_TAG), raw.get(_IPTC_TAG)
        if not isinstance(block, bytes):
            block = blocks_of(iptc) if isinstance(iptc, bytes) else None
        return replace(metadata, photoshop=block)
    if image.format == "PNG":
        texts = tuple(
            (str(key), str(text))
            for key, text in image.info.items()
            if isinstance(text, str) and isinstance(key, str) and 0 < len(key) < 80 and key not in _NO_TEXTS
            and not key.startswith("Raw profile type") and "\0" not in key + text and key.isascii()
        )  # fmt: skip
        gamma = image.info.get("gamma")
        return replace(metadata, texts=texts, gamma=gamma if isinstance(gamma, float) and 0 < gamma < 100 else None)
    return metadata


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
