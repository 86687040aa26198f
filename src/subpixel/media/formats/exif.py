"""EXIF blocks (TIFF directories): read with every bound checked, changed in place.

In place, because a maker note holds offsets of its maker's own kind: a block that is written anew breaks them.
"""

import struct
from dataclasses import dataclass

ORIENTATION, EXIF, GPS, INTEROP = 0x0112, 0x8769, 0x8825, 0xA005
_SIZES_OF_PICTURE = {"width": (0x0100, 0xA002), "height": (0x0101, 0xA003)}
_SHORT, _LONG = 3, 4
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}  # of a value of each type


@dataclass(frozen=True)
class Entry:
    """One tag: its TIFF type, how many values, their bytes in the block's order, where its 12 bytes lie."""

    tag: int
    kind: int
    count: int
    value: bytes
    place: int


@dataclass(frozen=True)
class Directory:
    """Entries by tag; where the offset of the next directory lies, and that offset."""

    entries: dict[int, Entry]
    link: int
    next: int


def without_prefix(block: bytes) -> bytes:
    """A block as it lies in a PNG or TIFF; JPEG's and Pillow's begin with "Exif" and two zeros."""
    return block.removeprefix(b"Exif\0\0")


def byte_order(block: bytes) -> str:
    """struct's sign for it, "<" or ">".

    Raises:
        ValueError: no TIFF header.
    """
    orders = {b"II*\0": "<", b"MM\0*": ">"}
    mark = bytes(block[:4])
    if mark not in orders or len(block) < 8:
        raise ValueError("no EXIF block")
    return orders[mark]


def directory(block: bytes, offset: int | None = None) -> Directory:
    """The directory at an offset, or the first. Entries that point outside the block are left out.

    Raises:
        ValueError: there is none.
    """
    order = byte_order(block)
    if offset is None:
        (offset,) = struct.unpack_from(order + "I", block, 4)
    if not 8 <= offset <= len(block) - 2:
        raise ValueError("an EXIF directory outside its block")
    (count,) = struct.unpack_from(order + "H", block, offset)
    link = offset + 2 + 12 * count
    if link > len(block):
        raise ValueError("an EXIF directory longer than its block")
    entries = {}
    for place in range(offset + 2, link, 12):
        tag, kind, values = struct.unpack_from(order + "HHI", block, place)
        size = _BYTES.get(kind, 0) * values
        start = place + 8
        if size > 4:
            (start,) = struct.unpack_from(order + "I", block, start)
        if size and start + size <= len(block):
            entries[tag] = Entry(tag, kind, values, block[start : start + size], place)
    following = struct.unpack_from(order + "I", block, link)[0] if link + 4 <= len(block) else 0
    return Directory(entries, link, following)


def number(block: bytes, entry: Entry) -> int:
    """The first value of a SHORT, LONG or IFD entry; 0 for another type."""
    letter = {_SHORT: "H", _LONG: "I", 13: "I"}.get(entry.kind)
    return int(struct.unpack_from(byte_order(block) + letter, entry.value)[0]) if letter else 0


def below(block: bytes, parent: Directory, pointer: int) -> Directory | None:
    """The directory that a tag of another points to."""
    if pointer not in parent.entries:
        return None
    try:
        return directory(block, number(block, parent.entries[pointer]))
    except ValueError:
        return None


def orientation(block: bytes) -> int:
    """1..8; 1 where the block says nothing, or nothing that can be read."""
    try:
        entries = directory(block).entries
    except (ValueError, struct.error):
        return 1
    value = number(block, entries[ORIENTATION]) if ORIENTATION in entries else 1
    return value if 1 <= value <= 8 else 1


def upright(block: bytes) -> bytes:
    """The block of a picture that has been turned as it says: orientation 1, and no thumbnail, which was not turned.

    Raises:
        ValueError: it cannot be read.
    """
    turned = orientation(block) != 1
    changed = bytearray(block)
    first = directory(block)
    _put(changed, first, ORIENTATION, 1)
    if first.next:
        if turned:
            changed[first.link : first.link + 4] = bytes(4)
        else:
            try:
                _put(changed, directory(block, first.next), ORIENTATION, 1)
            except ValueError:
                changed[first.link : first.link + 4] = bytes(4)
    return bytes(changed)


def resized(block: bytes, width: int, height: int) -> bytes:
    """The block with the picture's size brought up to date where it tells one.

    Raises:
        ValueError: it cannot be read.
    """
    changed = bytearray(block)
    first = directory(block)
    for place in (first, below(block, first, EXIF)):
        if place is not None:
            for side, length in (("width", width), ("height", height)):
                for tag in _SIZES_OF_PICTURE[side]:
                    _put(changed, place, tag, length)
    return bytes(changed)


def _put(block: bytearray, place: Directory, tag: int, value: int) -> None:
    """Another value for an entry of one SHORT or LONG; other entries stay as they are."""
    entry = place.entries.get(tag)
    if entry is None or entry.count != 1 or entry.kind not in (_SHORT, _LONG):
        return
    order = byte_order(bytes(block[:8]))
    kind = _LONG if value > 0xFFFF else entry.kind
    struct.pack_into(order + "H", block, entry.place + 2, kind)
    block[entry.place + 8 : entry.place + 12] = struct.pack(order + "I", value) if kind == _LONG else (
        struct.pack(order + "HH", value, 0)
    )  # fmt: skip
