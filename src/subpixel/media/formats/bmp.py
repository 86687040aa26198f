"""Writes BMP by rows, from the top down. Source: Microsoft, BITMAPINFOHEADER."""

import struct
from typing import BinaryIO

import numpy as np

from subpixel.media.formats.raster import Raster, Rows
from subpixel.media.metadata import Metadata


class BmpWriter:
    """24 bits a pixel, or 8 with a grey palette. A negative height says that the first row is the top one."""

    def __init__(self, file: BinaryIO, raster: Raster, metadata: Metadata) -> None:
        self._file = file
        palette = np.repeat(np.arange(256, dtype=np.uint8), 4).reshape(256, 4)
        palette[:, 3] = 0
        colours = palette.tobytes() if raster.is_grey else b""
        self._row = -(-raster.row_bytes // 4) * 4
        size, start = self._row * raster.height, 54 + len(colours)
        across, down = (round(value / 0.0254) for value in metadata.dpi or (0, 0))
        file.write(struct.pack("<2sIHHI", b"BM", min(start + size, 0xFFFFFFFF), 0, 0, start))
        bits, used = 8 * raster.channels, len(colours) // 4
        file.write(
            struct.pack(
                "<IiiHHIIiiII", 40, raster.width, -raster.height, 1, bits, 0, min(size, 0xFFFFFFFF),
                across, down, used, 0,
            )
        )  # fmt: skip
        file.write(colours)

    def write(self, rows: Rows) -> None:
        """Rows [n, width, 1 or 3]."""
        plain = np.ascontiguousarray(rows[..., ::-1]).reshape(len(rows), -1)
        self._file.write(np.pad(plain, ((0, 0), (0, self._row - plain.shape[1]))).tobytes())

    def close(self) -> None:
        pass
