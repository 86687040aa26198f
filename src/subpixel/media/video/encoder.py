"""Encoders: which one, with which settings, opened the same way every time."""

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import av

from subpixel.errors import InputError, UsageError
from subpixel.media.video.pixels import PixelFormat, asked_format, planar
from subpixel.media.video.source import VideoInfo

_X26X_PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip


_HDR_TRANSFERS = (16, 18)  # PQ (SMPTE ST 2084) and HLG, as FFmpeg numbers them
_HOLDS_HEVC = ("mp4", "mov", "matroska", "mpegts")


@dataclass(frozen=True)
class Codec:
    """Attributes:
    encoder: FFmpeg's name.
    quality: the default constant rate factor and the largest; None where the codec is lossless.
    presets: what --preset may be; the default is the first.
    preset_option: what the encoder calls it.
    """

    encoder: str
    quality: tuple[int, int] | None
    presets: tuple[str, ...]
    preset_option: str = "preset"


CODECS = {
    "h264": Codec("libx264", (18, 51), ("superfast", *_X26X_PRESETS)),
    "hevc": Codec("libx265", (20, 51), ("superfast", *_X26X_PRESETS)),
    "av1": Codec("libsvtav1", (25, 63), ("10", *map(str, range(14)))),
    "vp9": Codec("libvpx-vp9", (24, 63), ("8", *map(str, range(9))), "cpu-used"),
    "ffv1": Codec("ffv1", None, ()),
}


@dataclass(frozen=True)
class Encoding:
    """What is asked of the encoder.

    Attributes:
        codec: a key of CODECS, or None: what the container and the depth ask for.
        crf: constant rate factor: 0 is (nearly) lossless; None is the codec's default.
        preset: the codec's own name for fast or small; None is the default, which is fast.
        pixel_format: FFmpeg's name; None keeps the source's.
    """

    codec: str | None = None
    crf: int | None = None
    preset: str | None = None
    pixel_format: str | None = None


@dataclass(frozen=True)
class EncoderPlan:
    """An encoder with every setting decided: opened twice, it gives the same bytes for the same frames."""

    codec: str
    width: int
    height: int
    layout: PixelFormat
    options: dict[str, str]
    time_base: Fraction
    rate: Fraction
    aspect: Fraction | None
    colour: tuple[int, int, int, int]
    threads: int

    def open(self, context: "av.VideoCodecContext") -> None:
        """Give an encoder's context these settings; whoever holds it opens it."""
        context.width, context.height = self.width, self.height
        context.pix_fmt = self.layout.name
        context.time_base, context.framerate = self.time_base, self.rate
        if self.aspect:
            context.sample_aspect_ratio = self.aspect
        context.color_range, context.colorspace, context.color_primaries, context.color_trc = self.colour
        context.options = dict(self.options)
        context.thread_count = self.threads
        context.flags |= av.codec.context.Flags.global_header
        if self.codec == "hevc":
            context.codec_tag = "hvc1"

    def description(self) -> dict[str, Any]:
        """Plain values that tell two plans apart."""
        plain = asdict(self)
        return {
            key: value if isinstance(value, int | str | dict | tuple) else str(value) for key, value in plain.items()
        }


def plan_encoder(
    encoding: Encoding, info: VideoInfo, size: tuple[int, int], container: str, threads: int
) -> tuple[EncoderPlan, list[str]]:
    """Decide on an encoder, and say what it cannot keep.

    Args:
        encoding: what is asked.
        info: of the source.
        size: width and height of the result; odd ones are cut by one where the codec cannot hold them.
        container: the output's format, by FFmpeg's name.
        threads: of the encoder.

    Raises:
        UsageError: settings that do not go together.
        InputError: no codec holds the source's pixel format.
    """
    notices: list[str] = []
    layout = _without_jpeg(info.layout if encoding.pixel_format is None else asked_format(encoding.pixel_format))
    name = encoding.codec or _default_codec(container, layout, info, size)
    codec = CODECS[name]
    if layout.name not in _formats(codec.encoder):
        if encoding.pixel_format is not None:
            raise UsageError(f"{name} does not hold {layout.name}: it holds {', '.join(_known(codec.encoder))}")
        held = _nearest(layout, codec.encoder)
        if held is None:
            raise InputError(f"{info.name}: no pixel format of {name} holds {layout.name}: choose another --codec")
        notices.append(f"{info.name}: {layout.name} becomes {held.name}, the nearest that {name} holds")
        layout = held
    width, height = size
    if layout.has_chroma and name != "vp9" and name != "ffv1":
        cut = width % layout.across, height % layout.down
        if any(cut):
            width, height = width - cut[0], height - cut[1]
            notices.append(
                f"{info.name}: {name} in {layout.name} holds even sizes only: "
                f"{size[0]}×{size[1]} is cut to {width}×{height}"
            )
    if name == "h264" and max(width, height) > 16384:
        raise InputError(f"{info.name}: h264 holds frames up to 16384 pixels a side: choose --codec hevc or av1")
    if name == "hevc" and layout.bits > 8 and min(width, height) < 64:
        raise InputError(  # libx265 writes beyond its buffers there, which ends the process
            f"{info.name}: hevc of {layout.bits} bits takes frames from 64×64 pixels, not {width}×{height}: "
            "choose another --codec"
        )
    if name not in ("h264", "hevc", "av1") and info.hdr.light_options():
        notices.append(f"{info.name}: its light levels (HDR10) are left out, since {name} does not hold them")
    rate = info.rate or Fraction(25)
    return EncoderPlan(
        codec=name,
        width=width,
        height=height,
        layout=layout,
        options=_options(name, codec, encoding, info, threads),
        time_base=info.time_base,
        rate=rate.limit_denominator(1 << 16),
        aspect=info.aspect,
        colour=(info.colour.range, info.colour.matrix, info.colour.primaries, info.colour.transfer),
        threads=threads,
    ), notices


def _default_codec(container: str, layout: PixelFormat, info: VideoInfo, size: tuple[int, int]) -> str:
    """H.264, which is fast and plays everywhere; where it hardly plays (HDR, what was HEVC of 10 bits), HEVC."""
    large = min(size) >= 64  # what libx265 and SVT-AV1 take
    if container == "webm":  # libvpx holds more than 8 bits only where it was built so
        return "vp9" if layout.bits <= 8 or layout.name in _formats("libvpx-vp9") or not large else "av1"
    deep = layout.bits > 8 and (info.colour.transfer in _HDR_TRANSFERS or info.codec == "hevc")
    if deep and container in _HOLDS_HEVC and large and layout.name in _formats("libx265"):
        return "hevc"
    return "h264" if layout.name in _formats("libx264") else "hevc"


def _formats(encoder: str) -> list[str]:
    return [video_format.name for video_format in av.Codec(encoder, "w").video_formats or ()]


def _known(encoder: str) -> list[str]:
    return [name for name in _formats(encoder) if planar(name) is not None and not name.startswith("yuvj")]


def _without_jpeg(layout: PixelFormat) -> PixelFormat:
    return layout.with_bits(layout.bits) if layout.is_jpeg else layout


def _nearest(layout: PixelFormat, encoder: str) -> PixelFormat | None:
    """A format with at least the chroma, and the depth that is nearest, more before less."""
    held = [found for name in _known(encoder) if (found := planar(name)) is not None]
    if layout.has_chroma:
        held = [f for f in held if f.has_chroma and f.across <= layout.across and f.down <= layout.down] or [
            f for f in held if f.has_chroma
        ]
    return min(
        held,
        key=lambda f: (
            f.has_chroma != layout.has_chroma,
            max(0, layout.bits - f.bits),
            abs(f.bits - layout.bits),
            abs(f.across * f.down - layout.across * layout.down),
        ),
        default=None,
    )


def _options(name: str, codec: Codec, encoding: Encoding, info: VideoInfo, threads: int) -> dict[str, str]:
    options: dict[str, str] = {}
    if codec.quality is None:
        for option, value in (("crf", encoding.crf), ("preset", encoding.preset)):
            if value is not None:
                raise UsageError(f"{name} is lossless and has no {option}: leave --{option} out")
        return {"level": "3", "slicecrc": "1"}
    default, most = codec.quality
    crf = default if encoding.crf is None else encoding.crf
    if not 0 <= crf <= most:
        raise UsageError(f"crf {crf} is impossible for {name}: 0 (best) to {most}")
    options["crf"] = str(crf)
    preset = encoding.preset or codec.presets[0]
    if preset not in codec.presets:
        raise UsageError(f"preset {preset} is none of {name}'s: {', '.join(codec.presets[1:])}")
    options[codec.preset_option] = preset
    if name in ("h264", "hevc"):
        parameters = dict(info.hdr.light_options())
        if name == "hevc":
            if "mastering-display" in parameters:
                parameters["master-display"] = parameters.pop("mastering-display")
            if "cll" in parameters:
                parameters["max-cll"] = parameters.pop("cll")
            # x265 takes its threads from a pool of its own
            parameters |= {"log-level": "error", "pools": str(threads), "frame-threads": str(min(threads, 4))}
            if parameters.get("master-display") or parameters.get("max-cll"):
                parameters["hdr10"] = "1"
        joined = ":".join(f"{key}={value}" for key, value in parameters.items())
        if joined:
            options["x264-params" if name == "h264" else "x265-params"] = joined
    if name == "vp9":
        options |= {"b": "0", "deadline": "realtime" if int(preset) > 5 else "good", "row-mt": "1"}
    if name == "av1":
        parameters = {"lp": str(threads), **info.hdr.av1_options()}
        options["svtav1-params"] = ":".join(f"{key}={value}" for key, value in parameters.items())
    return options
