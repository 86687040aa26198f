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

    def x264_options(self) -> dict[str, str]:
        """As libx264 and libx265 take it, in units of 0.00002 and 0.0001."""
        options = {}
        if self.primaries is not None and self.luminance is not None:
            r, g, b, w = (tuple(round(v * 50_000) for v in self.primaries[i : i + 2]) for i in (0, 2, 4, 6))
            least, most = (round(v * 10_000) for v in self.luminance)
            points = "".join(f"{n}({x},{y})" for n, (x, y) in zip(("G", "B", "R", "WP"), (g, b, r, w), strict=True))
            options["mastering-display"] = f"{points}L({most},{least})"
        if self.light is not None:
            options["cll"] = f"{self.light[0]},{self.light[1]}"
        return options


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
