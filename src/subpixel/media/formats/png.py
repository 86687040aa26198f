"""Writes PNG by rows, of 8 or 16 bits a channel. Source: W3C, "Portable Network Graphics, third edition"."""

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from subpixel.media.formats.raster import Raster, Rows
from subpixel.media.metadata import Metadata

_COLOUR_TYPE = {1: 0, 2: 4, 3: 2, 4: 6}
_AT_ONCE = 1 << 19  # bytes filtered and compressed in one piece: they stay in the cache
_PAETH, _NO_FILTER = 4, 0
_LARGEST_CHUNK = 1 << 24  # of metadata that is taken along


class PngWriter:
    """A PNG file; pieces of it are compressed side by side on two threads.

    Rows are filtered by Paeth's predictor and compressed by run lengths (zlib's Z_RLE): a fraction of the time of
    zlib's default, and enlarged photos come out no larger, since they have no repeated strings to find.
    `level` 0 stores them as they are, for a reader at the other end of a pipe; `level` 1 to 9 is zlib's own.
    """

    def __init__(self, file: BinaryIO, raster: Raster, metadata: Metadata, level: int | None = None) -> None:
        self._file, self._raster, self._level = file, raster, level
        self._last: NDArray[np.uint8] = np.zeros(raster.row_bytes, np.uint8)
        self._count = max(1, _AT_ONCE // raster.row_bytes)  # rows: the file does not depend on how they come
        self._waiting = np.empty((0, raster.row_bytes), np.uint8)
        self._adler = 1
        self._pool = None if level == 0 else ThreadPoolExecutor(2)
        file.write(b"\x89PNG\r\n\x1a\n")
        depth, kind = raster.bits, _COLOUR_TYPE[raster.channels]
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", raster.width, raster.height, depth, kind, 0, 0, 0))
        for name, data in _ancillary(metadata):
            self._chunk(name, data)
        self._chunk(b"IDAT", b"\x78\x01")  # the zlib header; raw deflate blocks follow

    def write(self, rows: Rows) -> None:
        """Rows [n, width, channels]."""
        data = rows.astype(">u2") if self._raster.bits == 16 else rows
        plain = np.ascontiguousarray(data).view(np.uint8).reshape(len(rows), -1)
        if len(self._waiting):
            plain = np.concatenate([self._waiting, plain])
        whole = len(plain) // self._count * self._count
        self._compress(plain[:whole])
        self._waiting = plain[whole:].copy()

    def close(self) -> None:
        self._compress(self._waiting)
        if self._pool is not None:
            self._pool.shutdown()
        self._chunk(b"IDAT", b"\x03\x00" + struct.pack(">I", self._adler))  # an empty last block
        self._chunk(b"IEND", b"")

    def _compress(self, plain: NDArray[np.uint8]) -> None:
        if not len(plain):
            return
        pieces = [
            (plain[n : n + self._count], self._last if n == 0 else plain[n - 1])
            for n in range(0, len(plain), self._count)
        ]
        self._last = plain[-1].copy()
        done = map(self._packed, pieces) if self._pool is None else self._pool.map(self._packed, pieces)
        for filtered, packed in done:
            self._adler = zlib.adler32(filtered.data, self._adler)
            self._chunk(b"IDAT", packed)

    def _packed(self, piece: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> tuple[NDArray[np.uint8], bytes]:
        rows, above = piece
        filtered = np.empty((len(rows), rows.shape[1] + 1), np.uint8)
        if self._level == 0:
            filtered[:, 0], filtered[:, 1:] = _NO_FILTER, rows
        else:
            filtered[:, 0] = _PAETH
            step = self._raster.channels * self._raster.bits // 8
            _paeth(rows, np.vstack([above[None], rows[:-1]]), step, filtered[:, 1:])
        strategy = zlib.Z_RLE if self._level is None else zlib.Z_DEFAULT_STRATEGY
        level = 1 if self._level is None else self._level
        deflate = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
        return filtered, deflate.compress(filtered.data) + deflate.flush(zlib.Z_FULL_FLUSH)

    def _chunk(self, name: bytes, data: bytes) -> None:
        self._file.write(struct.pack(">I", len(data)) + name)
        self._file.write(data)
        self._file.write(struct.pack(">I", zlib.crc32(data, zlib.crc32(name))))


def _paeth(rows: NDArray[np.uint8], above: NDArray[np.uint8], step: int, out: NDArray[np.uint8]) -> None:
    """Rows less what Paeth's predictor guesses from the pixels left, above and left above (section 9.4)."""
    shape = rows.shape
    left = np.zeros(shape, np.uint8)
    corner = np.zeros(shape, np.uint8)
    left[:, step:], corner[:, step:] = rows[:, :-step], above[:, :-step]
    a, b, c = left.astype(np.int16), above.astype(np.int16), corner.astype(np.int16)
    b -= c  # p - a, for the guess p = a + b - c
    a -= c  # p - b
    to_a, to_b, to_c = np.abs(b), np.abs(a), np.abs(a + b)
    guess = np.where(to_b <= to_c, above, corner)
    np.copyto(guess, left, where=(to_a <= to_b) & (to_a <= to_c))
    np.subtract(rows, guess, out=out)


def late_chunks(file: BinaryIO) -> dict[str, bytes | str]:
    """EXIF ("exif"), XMP ("xmp") and texts, by keyword, behind the pixels, where a reader by rows comes last."""
    found: dict[str, bytes | str] = {}
    before = file.tell()
    file.seek(8)
    pixels = False
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        pixels |= name == b"IDAT"
        if pixels and name in (b"eXIf", b"iTXt", b"tEXt", b"zTXt") and length < _LARGEST_CHUNK:
            data = file.read(length)
            if name == b"eXIf":
                found["exif"] = data
            elif data.startswith(b"XML:com.adobe.xmp\0\0\0"):
                found["xmp"] = data[20:].split(b"\0", 2)[-1]
            else:
                key, text = _text(name, data)
                found.setdefault(key, text)
            file.seek(4, 1)
        else:
            file.seek(length + 4, 1)
    file.seek(before)
    return found


def _text(name: bytes, data: bytes) -> tuple[str, str]:
    """Keyword and text of a tEXt, zTXt or iTXt chunk; "" for what is damaged, cut where it would unpack to too much."""
    key, _, rest = data.partition(b"\0")
    packed, encoding = name == b"zTXt", "latin-1"
    if name == b"iTXt":
        packed, encoding = rest[:1] == b"\1", "utf-8"
        rest = rest[:2] + rest[2:].split(b"\0", 2)[-1]
    body = rest[{b"tEXt": 0, b"zTXt": 1, b"iTXt": 2}[name] :]
    if packed:
        try:
            body = zlib.decompressobj().decompress(body, _LARGEST_CHUNK)
        except zlib.error:
            body = b""
    return key.decode("latin-1"), body.decode(encoding, "replace")


def _ancillary(metadata: Metadata) -> list[tuple[bytes, bytes]]:
    chunks = []
    if metadata.icc:
        chunks.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc)))
    elif metadata.gamma:
        chunks.append((b"gAMA", struct.pack(">I", round(1e5 * metadata.gamma))))
    if metadata.dpi:
        across, down = (round(value / 0.0254) for value in metadata.dpi)  # pixels a metre
        chunks.append((b"pHYs", struct.pack(">IIB", across, down, 1)))
    if metadata.exif:
        chunks.append((b"eXIf", metadata.exif))
    if metadata.xmp:
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp))
    for key, text in metadata.texts:
        try:
            chunks.append((b"tEXt", key.encode("ascii") + b"\0" + text.encode("latin-1")))
        except UnicodeEncodeError:
            chunks.append((b"iTXt", key.encode("ascii") + b"\0\0\0\0\0" + text.encode("utf-8", "replace")))
    return chunks
