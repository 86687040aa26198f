"""Pixel formats of video, and the planes of a decoded frame as arrays without a copy."""

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import InputError, UsageError

if TYPE_CHECKING:
    import av

Plane = NDArray[Any]  # uint8 or uint16

_SUBSAMPLING = {"420": (2, 2), "422": (2, 1), "444": (1, 1)}
_PLANAR = re.compile(r"(?:yuv(?P<jpeg>j?)(?P<chroma>420|422|444)p|gray)(?P<bits>9|10|12|14|16)?(?P<order>le)?")

# What is not planar, or is subsampled in a way that encoders do not take, goes to the nearest that is. The first
# row moves bytes and changes none; the second interpolates chroma or leaves something behind, and is said.
_REGROUPED = {
    "nv12": "yuv420p", "nv21": "yuv420p", "nv16": "yuv422p", "nv24": "yuv444p", "nv42": "yuv444p",
    "p010le": "yuv420p10le", "p012le": "yuv420p12le", "p016le": "yuv420p16le", "p210le": "yuv422p10le",
    "p410le": "yuv444p10le", "yuyv422": "yuv422p", "uyvy422": "yuv422p", "yvyu422": "yuv422p",
    "y210le": "yuv422p10le", "v210": "yuv422p10le",
}  # fmt: skip
_CONVERTED = {"yuv440p": "yuv444p", "yuvj440p": "yuvj444p", "yuv411p": "yuv422p", "yuvj411p": "yuvj422p",
              "yuv410p": "yuv420p", "monob": "gray", "monow": "gray"}  # fmt: skip


@dataclass(frozen=True)
class PixelFormat:
    """A planar format: one plane of luma, and two of chroma where it has colour.

    Attributes:
        name: FFmpeg's.
        bits: of a sample, 8 to 16; up to 8 are held in a byte, more in two.
        across, down: luma samples for each chroma sample; 0 where there is no chroma.
    """

    name: str
    bits: int
    across: int
    down: int

    @property
    def has_chroma(self) -> bool:
        return self.across > 0

    @property
    def is_jpeg(self) -> bool:
        """Whether the name itself says that the range is full (FFmpeg's older way of saying it)."""
        return self.name.startswith("yuvj")

    def plane_shapes(self, width: int, height: int) -> list[tuple[int, int]]:
        """Rows and columns of every plane."""
        shapes = [(height, width)]
        if self.has_chroma:
            shapes += [(-(-height // self.down), -(-width // self.across))] * 2
        return shapes

    def with_bits(self, bits: int) -> "PixelFormat":
        """The same layout with samples of another depth."""
        stem = "gray" if not self.has_chroma else f"yuv{_chroma(self.across, self.down)}p"
        return replace(self, name=stem if bits == 8 else f"{stem}{bits}le", bits=bits)


def _chroma(across: int, down: int) -> str:
    return next(name for name, factors in _SUBSAMPLING.items() if factors == (across, down))


def planar(name: str) -> PixelFormat | None:
    """The description of a planar format, or None where the name is of none that is computed on."""
    match = _PLANAR.fullmatch(name)
    if match is None or bool(match["bits"]) != bool(match["order"]):
        return None
    across, down = _SUBSAMPLING[match["chroma"]] if match["chroma"] else (0, 0)
    return PixelFormat(name, int(match["bits"] or 8), across, down)


def nearest_planar(frame: "av.VideoFrame", where: str) -> tuple[PixelFormat, str | None]:
    """The planar format that a frame is brought into, and a notice where that changes or loses something.

    Raises:
        InputError: no such format is known.
    """
    name = frame.format.name
    known = planar(name) or planar(_REGROUPED.get(name, ""))
    if known is not None:
        return known, None
    if name in _CONVERTED:
        target = planar(_CONVERTED[name])
        assert target is not None
        return target, f"{where}: {name} becomes {target.name}"
    if name.startswith("yuva"):
        opaque = planar(name.replace("yuva", "yuv"))
        if opaque is not None:
            return opaque, f"{where}: the transparency of {name} is left out"
    components = frame.format.components
    bits = max((component.bits for component in components), default=0)
    if frame.format.is_rgb or frame.format.has_palette:
        deep = next((depth for depth in (8, 10, 12, 16) if bits <= depth), 0)
        target = planar("yuv444p" if deep == 8 else f"yuv444p{deep}le")
        if target is not None and not frame.format.is_bayer:
            return target, f"{where}: {name} becomes {target.name}, BT.709"
    if name.endswith("be"):
        swapped = planar(name.removesuffix("be") + "le")
        if swapped is not None:
            return swapped, None
    raise InputError(f"{where} has frames of the pixel format {name}, which is not understood")


def asked_format(name: str) -> PixelFormat:
    """The planar format that a user names for the result.

    Raises:
        UsageError: it is none.
    """
    found = planar(name)
    if found is None or found.is_jpeg:
        raise UsageError(
            f"pixel format {name} is not written: choose gray, yuv420p, yuv422p or yuv444p, or one of 10 or 12 bits"
            " such as yuv420p10le"
        )
    return found


def planes(frame: "av.VideoFrame", layout: PixelFormat) -> list[Plane]:
    """The planes of a frame, sharing its memory: write into them and the frame has changed."""
    views: list[Plane] = []
    shapes = layout.plane_shapes(frame.width, frame.height)
    for plane, (rows, columns) in zip(frame.planes, shapes, strict=True):
        dtype = np.uint8 if layout.bits <= 8 else np.uint16
        values = np.frombuffer(plane, dtype)  # type: ignore[call-overload]
        pitch = plane.line_size // dtype().itemsize
        views.append(values[: rows * pitch].reshape(rows, pitch)[:, :columns])
    return views
