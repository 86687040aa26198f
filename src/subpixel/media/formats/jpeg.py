"""A JPEG's segments beside its pixels. Source: ITU-T T.81, annex B; JFIF 1.02; ICC.1:2010, annex B.4."""

import struct

from subpixel.media.metadata import PHOTOSHOP, Metadata

_ROOM = 65533  # bytes of a segment


def segments(metadata: Metadata) -> bytes:
    """JFIF, EXIF, XMP and colour profile as a JPEG's application segments; what does not fit is left out."""
    across, down = (min(round(value), 65535) for value in metadata.dpi or (1, 1))
    unit = 1 if metadata.dpi else 0  # per inch, or only the form of a pixel
    out = [(0xE0, struct.pack(">5sBBBHHBB", b"JFIF\0", 1, 1, unit, across, down, 0, 0))]
    if metadata.exif and len(metadata.exif) <= 65527:
        out.append((0xE1, b"Exif\0\0" + metadata.exif))
    if metadata.xmp and len(metadata.xmp) <= 65502:
        out.append((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + metadata.xmp))
    if metadata.icc:
        parts = [metadata.icc[n : n + 65519] for n in range(0, len(metadata.icc), 65519)]
        if len(parts) < 256:
            out += [(0xE2, b"ICC_PROFILE\0" + bytes([n, len(parts)]) + p) for n, p in enumerate(parts, 1)]
    out += _segments_of_jpegs_alone(metadata)
    return _joined(out)


def segments_of_jpegs_alone(metadata: Metadata) -> bytes:
    """Photoshop's resource blocks and the comment."""
    return _joined(_segments_of_jpegs_alone(metadata))


def _segments_of_jpegs_alone(metadata: Metadata) -> list[tuple[int, bytes]]:
    room = _ROOM - len(PHOTOSHOP)
    blocks = metadata.photoshop or b""
    out = [(0xED, PHOTOSHOP + blocks[n : n + room]) for n in range(0, len(blocks), room)]
    if metadata.comment:
        out.append((0xFE, metadata.comment[:_ROOM]))
    return out


def _joined(segments: list[tuple[int, bytes]]) -> bytes:
    return b"".join(bytes([0xFF, kind]) + (len(data) + 2).to_bytes(2, "big") + data for kind, data in segments)
