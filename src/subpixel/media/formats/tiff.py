"""Writes TIFF and BigTIFF by rows, of 8 or 16 bits a channel. Source: Adobe, "TIFF, revision 6.0", 1992."""

import struct
import zlib
from typing import BinaryIO

import numpy as np

from subpixel.media.formats import exif
from subpixel.media.formats.photoshop import iptc_of
from subpixel.media.formats.raster import Raster, Rows
from subpixel.media.metadata import KEPT, Metadata

_BYTE, _ASCII, _SHORT, _LONG, _RATIONAL, _UNDEFINED, _LONG8 = 1, 2, 3, 4, 5, 7, 16
_STRIP = 1 << 18  # bytes of pixels, about
_LARGEST = (1 << 32) - (1 << 24)  # of a TIFF whose offsets have 32 bits; the rest is for what is no pixel

Entry = tuple[int, int, int, bytes]  # tag, type, count, the values' bytes


class TiffWriter:
    """A TIFF in deflated strips with horizontal differences; a BigTIFF where 4 GB might not do.

    Its byte order is that of the EXIF block, so that the block's values are copied as they are.
    """

    def __init__(self, file: BinaryIO, raster: Raster, metadata: Metadata) -> None:
        self._file, self._raster, self._metadata = file, raster, metadata
        self._order = exif.byte_order(metadata.exif) if metadata.exif else "<"
        self._big = raster.row_bytes * raster.height > _LARGEST
        self._rows = max(1, min(raster.height, _STRIP // raster.row_bytes))  # of a strip
        self._offsets: list[int] = []
        self._counts: list[int] = []
        self._waiting: list[Rows] = []
        mark = b"II" if self._order == "<" else b"MM"
        file.write(mark + self._pack("HHHQ", 43, 8, 0, 0) if self._big else mark + self._pack("HI", 42, 0))

    def write(self, rows: Rows) -> None:
        """Rows [n, width, channels]."""
        self._waiting.append(rows)
        have = np.concatenate(self._waiting) if len(self._waiting) > 1 else rows
        whole = len(have) // self._rows * self._rows
        for first in range(0, whole, self._rows):
            self._strip(have[first : first + self._rows])
        self._waiting = [have[whole:].copy()] if whole < len(have) else []

    def close(self) -> None:
        for rows in self._waiting:
            self._strip(rows)
        place = self._directory(sorted([*self._layout(), *self._beside()]))
        self._file.seek(8 if self._big else 4)
        self._file.write(self._pack("Q" if self._big else "I", place))
        self._file.seek(0, 2)

    def _strip(self, rows: Rows) -> None:
        differences = rows.copy()
        differences[:, 1:] -= rows[:, :-1]  # modulo 2^bits, as it should be
        if self._raster.bits == 16:
            differences = differences.astype(self._order + "u2")
        deflate = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
        packed = deflate.compress(np.ascontiguousarray(differences).data) + deflate.flush()
        self._offsets.append(self._append(packed))
        self._counts.append(len(packed))

    def _append(self, data: bytes) -> int:
        """Data at the file's end, at an even offset; where that is."""
        if self._file.tell() % 2:
            self._file.write(b"\0")
        place = self._file.tell()
        self._file.write(data)
        return place

    def _pack(self, letters: str, *values: int) -> bytes:
        return struct.pack(self._order + letters, *values)

    def _shorts(self, tag: int, *values: int) -> Entry:
        return tag, _SHORT, len(values), self._pack("H" * len(values), *values)

    def _offset(self, tag: int, values: list[int]) -> Entry:
        letter, kind = ("Q", _LONG8) if self._big else ("I", _LONG)
        return tag, kind, len(values), self._pack(letter * len(values), *values)

    def _layout(self) -> list[Entry]:
        """How the pixels lie in the file."""
        raster = self._raster
        entries: list[Entry] = [
            (256, _LONG, 1, self._pack("I", raster.width)),
            (257, _LONG, 1, self._pack("I", raster.height)),
            self._shorts(258, *[raster.bits] * raster.channels),
            self._shorts(259, 8),  # deflate
            self._shorts(262, 1 if raster.is_grey else 2),
            self._offset(273, self._offsets),
            self._shorts(274, 1),  # upright
            self._shorts(277, raster.channels),
            (278, _LONG, 1, self._pack("I", self._rows)),
            self._offset(279, self._counts),
            self._shorts(284, 1),  # channels interleaved
            self._shorts(317, 2),  # horizontal differences
        ]
        if raster.has_alpha:
            entries.append(self._shorts(338, 2))  # colours are not multiplied by alpha
        return entries

    def _beside(self) -> list[Entry]:
        """What is known of the picture beside its pixels."""
        metadata, entries = self._metadata, list[Entry]()
        if metadata.dpi:
            for tag, value in zip((282, 283), metadata.dpi, strict=True):
                entries.append((tag, _RATIONAL, 1, self._pack("II", round(1000 * value), 1000)))
            entries.append(self._shorts(296, 2))  # per inch
        if metadata.xmp:
            entries.append((700, _BYTE, len(metadata.xmp), metadata.xmp))
        if metadata.icc:
            entries.append((34675, _UNDEFINED, len(metadata.icc), metadata.icc))
        if metadata.photoshop:
            entries.append((34377, _UNDEFINED, len(metadata.photoshop), metadata.photoshop))
            if iptc := iptc_of(metadata.photoshop):
                entries.append((33723, _UNDEFINED, len(iptc), iptc))
        if metadata.exif:
            entries += self._from_exif(metadata.exif)
        return entries

    def _from_exif(self, block: bytes) -> list[Entry]:
        first = exif.directory(block)
        kept = [(e.tag, e.kind, e.count, e.value) for e in first.entries.values() if e.tag in KEPT]
        for pointer in (exif.EXIF, exif.GPS):
            below = exif.below(block, first, pointer)
            if below is not None and below.entries:
                own = [(e.tag, e.kind, e.count, e.value) for e in below.entries.values() if e.tag != exif.INTEROP]
                inner = exif.below(block, below, exif.INTEROP)
                if inner is not None and inner.entries:
                    copied = [(e.tag, e.kind, e.count, e.value) for e in inner.entries.values()]
                    own.append(self._offset(exif.INTEROP, [self._directory(sorted(copied))]))
                kept.append(self._offset(pointer, [self._directory(sorted(own))]))
        return kept

    def _directory(self, entries: list[Entry]) -> int:
        """A directory with its values behind it; where it lies."""
        room = 8 if self._big else 4
        lines = []
        for tag, kind, count, value in entries:
            if len(value) <= room:
                held = value.ljust(room, b"\0")
            else:
                held = self._pack("Q" if self._big else "I", self._append(value))
            lines.append(self._pack("HHQ" if self._big else "HHI", tag, kind, count) + held)
        head = self._pack("Q" if self._big else "H", len(lines))
        return self._append(head + b"".join(lines) + bytes(8 if self._big else 4))
