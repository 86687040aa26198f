"""Photoshop's resource blocks, in which a JPEG keeps its IPTC data; a TIFF has a tag for that alone.

Source: Adobe, "Photoshop File Formats Specification", image resource blocks.
"""

import struct

_IPTC = 0x0404


def blocks_of(iptc: bytes) -> bytes:
    """One block with IPTC data."""
    return b"8BIM" + struct.pack(">HHI", _IPTC, 0, len(iptc)) + iptc + bytes(len(iptc) % 2)


def iptc_of(blocks: bytes) -> bytes | None:
    """The IPTC data among resource blocks; None where there is none, or they are damaged."""
    place = 0
    while blocks[place : place + 4] == b"8BIM" and place + 7 <= len(blocks):
        (number,) = struct.unpack_from(">H", blocks, place + 4)
        name = blocks[place + 6]
        start = place + 6 + (name + 2) // 2 * 2  # the name's length and itself, to an even number
        if start + 4 > len(blocks):
            return None
        (length,) = struct.unpack_from(">I", blocks, start)
        if number == _IPTC:
            return blocks[start + 4 : start + 4 + length] or None
        place = start + 4 + length + length % 2
    return None
