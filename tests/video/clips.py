"""Small videos of every kind, made with PyAV while the tests run."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from subpixel.media.video.pixels import planar, planes


def picture(index: int, width: int, height: int, bits: int = 8, seed: int = 0) -> NDArray[Any]:
    """Waves that move, and a little noise."""
    rows, columns = np.mgrid[:height, :width]
    rng = np.random.default_rng([seed, index])
    waves = 120 + 60 * np.sin((rows + 2 * index) / 4) * np.cos((columns - index) / 5) + rng.normal(0, 4, rows.shape)
    return (np.clip(waves, 16, 235) * (1 << (bits - 8))).astype(np.uint8 if bits == 8 else np.uint16)


def frame(index: int, width: int = 64, height: int = 48, pixel_format: str = "yuv420p", seed: int = 0) -> av.VideoFrame:
    layout = planar(pixel_format)
    assert layout is not None
    made = av.VideoFrame(width, height, pixel_format)
    for number, plane in enumerate(planes(made, layout)):
        shape = plane.shape
        plane[...] = picture(index + 31 * number, shape[1], shape[0], layout.bits, seed)
    return made


def make(
    path: Path,
    frames: int = 12,
    *,
    size: tuple[int, int] = (64, 48),
    pixel_format: str = "yuv420p",
    codec: str = "libx264",
    rate: Fraction | int = 25,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    audio: str | None = None,
    options: dict[str, str] | None = None,
    colour: tuple[int, int, int, int] | None = None,
    aspect: Fraction | None = None,
    rotation: int | None = None,
    metadata: dict[str, str] | None = None,
    stream_metadata: dict[str, str] | None = None,
    chapters: bool = False,
    subtitles: str | None = None,
    attachment: bool = False,
    seed: int = 0,
    start: int = 0,
) -> Path:
    """Write a video; whatever is not asked for is not in it.

    Args:
        pts: of the frames, in units of `time_base`; default: one after the other at `rate`.
        audio: an encoder, such as "aac": a tone as long as the video.
        colour: range, matrix, primaries, transfer.
        subtitles: a codec, such as "subrip".
        start: number of the first frame, for a tone and timestamps that do not begin at zero.
    """
    time_base = time_base or 1 / Fraction(rate)
    with av.open(str(path), "w") as container:
        container.metadata.update(metadata or {})
        video: Any = container.add_stream(
            codec, rate=rate, options={"crf": "20", **(options or {})} if "26" in codec else options
        )
        video.width, video.height, video.pix_fmt = *size, pixel_format
        video.metadata.update(stream_metadata or {})
        video.codec_context.time_base = time_base
        if colour is not None:
            context = video.codec_context
            context.color_range, context.colorspace, context.color_primaries, context.color_trc = colour
        if aspect is not None:
            video.codec_context.sample_aspect_ratio = aspect
        if rotation is not None:
            video.set_display_rotation(rotation)
        sound: Any = None
        if audio:
            sound = container.add_stream(audio, rate=48000)
            sound.metadata["language"] = "deu"
            sound.metadata["title"] = "Ton"
        text: Any = container.add_mux_stream(subtitles) if subtitles else None
        if text is not None:
            text.time_base = Fraction(1, 1000)
            text.metadata["language"] = "fra"
        if attachment:
            container.add_attachment("font.ttf", "application/x-truetype-font", bytes(range(256)) * 4)
        if chapters:
            container.set_chapters(
                [
                    {"id": 1, "start": 0, "end": 200, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}},
                    {"id": 2, "start": 200, "end": 480, "time_base": Fraction(1, 1000), "metadata": {"title": "Two"}},
                ]
            )
        for index in range(frames):
            made = frame(index, *size, pixel_format, seed)
            made.pts = pts[index] if pts is not None else start + index
            made.time_base = time_base
            container.mux(video.encode(made))
        container.mux(video.encode(None))
        if text is not None:
            for number in range(2):
                packet = av.Packet(f"line {number}".encode())
                packet.pts = packet.dts = 200 * number
                packet.duration, packet.time_base, packet.stream = 150, Fraction(1, 1000), text
                packet.is_keyframe = True
                container.mux(packet)
        if sound is not None:
            _tone(container, sound, float(frames / Fraction(rate)), start * float(time_base))
    return path


def _tone(container: Any, stream: Any, seconds: float, start: float) -> None:
    count = int(48000 * seconds)
    wave = (8000 * np.sin(np.arange(count) * 0.06)).astype(np.int16)[None]
    sound = av.AudioFrame.from_ndarray(np.repeat(wave, 2, 0).T.reshape(1, -1).copy(), format="s16", layout="stereo")
    sound.sample_rate, sound.pts, sound.time_base = 48000, int(start * 48000), Fraction(1, 48000)
    resampler = av.AudioResampler(format=stream.codec_context.format, layout="stereo", rate=48000)
    for part in resampler.resample(sound):
        fifo = av.AudioFifo()
        part.pts = None
        fifo.write(part)
        at = int(start * 48000)
        while (piece := fifo.read(stream.codec_context.frame_size or 1024, partial=True)) is not None:
            piece.pts, piece.time_base = at, Fraction(1, 48000)
            at += piece.samples
            container.mux(stream.encode(piece))
    container.mux(stream.encode(None))


def moments(path: Path) -> list[Fraction]:
    """When each frame is shown, in seconds."""
    with av.open(str(path)) as container:
        return [f.pts * f.time_base for f in container.decode(video=0)]


def frames_of(path: Path) -> list[list[NDArray[Any]]]:
    """The planes of every frame."""
    with av.open(str(path)) as container:
        found = []
        for each in container.decode(video=0):
            layout = planar(each.format.name)
            assert layout is not None
            found.append([plane.copy() for plane in planes(each, layout)])
        return found


def packets(path: Path, kind: str) -> list[tuple[Fraction | None, bytes]]:
    """Every packet of the streams of a kind: when, and its bytes."""
    with av.open(str(path)) as container:
        streams = [stream for stream in container.streams if stream.type == kind]
        found = []
        for packet in container.demux(*streams) if streams else ():
            if packet.size:
                found.append((None if packet.pts is None else packet.pts * packet.time_base, bytes(packet)))
        return found
