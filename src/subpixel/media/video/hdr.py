"""HDR10's static metadata: the mastering display (SMPTE ST 2086) and the content's light levels (CTA-861.3)."""

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

    import av


@dataclass(frozen=True)
class Hdr:
    """Attributes:
    primaries: x and y of red, green, blue and white; None where not stated.
    luminance: least and most, in cd/m²; None where not stated.
    light: the brightest pixel and the brightest frame on average, in cd/m²; None where not stated.
    """

    primaries: tuple[Fraction, ...] | None = None
    luminance: tuple[Fraction, Fraction] | None = None
    light: tuple[int, int] | None = None

    def light_options(self) -> dict[str, str]:
        """As libx264 and libx265 take it, in units of 0.00002 and 0.0001."""
        options = {}
        if self.primaries is not None and self.luminance is not None:
            options["mastering-display"] = self._display(
                [str(round(v * 50_000)) for v in self.primaries], [str(round(v * 10_000)) for v in self.luminance]
            )
        if self.light is not None:
            options["cll"] = f"{self.light[0]},{self.light[1]}"
        return options

    def av1_options(self) -> dict[str, str]:
        """As SVT-AV1 takes it, in decimals."""
        options = {}
        if self.primaries is not None and self.luminance is not None:
            options["mastering-display"] = self._display(
                [f"{float(v):.6f}" for v in self.primaries], [f"{float(v):.6f}" for v in self.luminance]
            )
        if self.light is not None:
            options["content-light"] = f"{self.light[0]},{self.light[1]}"
        return options

    @staticmethod
    def _display(primaries: list[str], luminance: list[str]) -> str:
        points = zip(("R", "G", "B", "WP"), primaries[::2], primaries[1::2], strict=True)
        r, g, b, white = (f"{name}({x},{y})" for name, x, y in points)
        return f"{g}{b}{r}{white}L({luminance[1]},{luminance[0]})"


def hdr_of(frame: "av.VideoFrame") -> Hdr:
    """What a decoded frame carries of it: FFmpeg's AVMasteringDisplayMetadata and AVContentLightMetadata."""
    primaries = luminance = light = None
    for data in cast("Iterable[Any]", frame.side_data):
        kind, content = data.type.name, bytes(data)
        if kind == "MASTERING_DISPLAY_METADATA" and len(content) >= 88:
            numbers = struct.unpack("=22i", content[:88])  # 6 + 2 + 2 rationals, then two flags
            values = [
                Fraction(n, d) if d else Fraction(0) for n, d in zip(numbers[:20:2], numbers[1:20:2], strict=True)
            ]
            primaries = tuple(values[:8]) if numbers[20] else None
            luminance = (values[8], values[9]) if numbers[21] else None
        elif kind == "CONTENT_LIGHT_LEVEL" and len(content) >= 8:
            brightest, average = struct.unpack("=2I", content[:8])
            light = (brightest, average)
    return Hdr(primaries, luminance, light)
