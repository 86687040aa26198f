"""Pixels on their way to or from a file: rows from top to bottom, channels interleaved."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[Any]  # [rows, width, channels], of uint8 or uint16


@dataclass(frozen=True)
class Raster:
    """Size and kind of a picture: 1 to 4 channels (grey, grey and alpha, RGB, RGBA) of 8 or 16 bits."""

    width: int
    height: int
    channels: int
    bits: int = 8

    @property
    def has_alpha(self) -> bool:
        return self.channels in (2, 4)

    @property
    def is_grey(self) -> bool:
        return self.channels < 3

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8 if self.bits == 8 else np.uint16)

    @property
    def row_bytes(self) -> int:
        return self.width * self.channels * self.bits // 8


class RowWriter(Protocol):
    """A file that takes its picture row by row; `close` ends it. Written to a file object that can seek."""

    def write(self, rows: Rows) -> None: ...

    def close(self) -> None: ...
