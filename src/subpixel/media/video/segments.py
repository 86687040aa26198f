"""Encoded video in segments: what a killed run leaves, and the next one goes on from.

A segment is a whole number of frames, encoded on its own and always cut at the same frame numbers. So a run
that was interrupted and resumed encodes the same segments as one that was not, and gives the same file.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import av

FRAMES = 250  # of a segment; x264 puts a keyframe there anyway

_HEAD = struct.Struct("<8sIIIQI")  # magic, frames, packets, CRC of the source's luma, bytes that follow, their CRC
_PACKET = struct.Struct("<qqBI")  # pts, duration, keyframe, bytes
_MAGIC = b"subpx-2\n"


@dataclass(frozen=True)
class Coded:
    """One encoded frame, its `pts` and `duration` in the source's time base."""

    pts: int
    duration: int
    keyframe: bool
    data: bytes


@dataclass(frozen=True)
class SegmentHead:
    """What a finished segment says of itself: frames, packets, and a checksum of the frames it was made from."""

    frames: int
    packets: int
    source: int


def coded(packet: "av.Packet[Any]") -> Coded:
    """What of an encoder's packet goes into a segment."""
    return Coded(int(packet.pts or 0), int(packet.duration or 0), bool(packet.is_keyframe), bytes(packet))


def write_segment(path: Path, packets: list[Coded], frames: int, source: int) -> None:
    """Write a segment: it is whole or not there.

    Raises:
        OSError: the system refuses.
    """
    temporary = path.with_suffix(".new")
    parts = [part for p in packets for part in (_PACKET.pack(p.pts, p.duration, p.keyframe, len(p.data)), p.data)]
    size = checksum = 0
    for part in parts:
        size, checksum = size + len(part), zlib.crc32(part, checksum)
    with temporary.open("wb") as file:
        file.write(_HEAD.pack(_MAGIC, frames, len(packets), source, size, checksum))
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_head(path: Path) -> SegmentHead | None:
    """The head of a finished segment, or None where there is none or it is damaged: all of it is read for that."""
    try:
        with path.open("rb") as file:
            magic, frames, packets, source, size, checksum = _HEAD.unpack(file.read(_HEAD.size))
            if magic != _MAGIC:
                return None
            found = 0
            while part := file.read(1 << 20):
                size, found = size - len(part), zlib.crc32(part, found)
    except (OSError, struct.error):
        return None
    return SegmentHead(frames, packets, source) if (size, found) == (0, checksum) else None


def read_segment(path: Path, *, data: bool = True) -> Iterator[Coded]:
    """Its packets in coding order; without `data` only what stands beside it.

    Raises:
        OSError, struct.error: it cannot be read.
    """
    with path.open("rb") as file:
        _, _, count, *_ = _HEAD.unpack(file.read(_HEAD.size))
        for _ in range(count):
            pts, duration, keyframe, size = _PACKET.unpack(file.read(_PACKET.size))
            if data:
                content = file.read(size)
                if len(content) != size:
                    raise OSError(f"{path} is shorter than it says")
            else:
                content = b""
                file.seek(size, os.SEEK_CUR)
            yield Coded(pts, duration, bool(keyframe), content)


def decoding_delay(segments: list[Path]) -> int:
    """By how many frames decoding must run ahead of showing: the most that a packet comes after its turn."""
    delay = 0
    for path in segments:
        stamps = [packet.pts for packet in read_segment(path, data=False)]
        turn = {pts: index for index, pts in enumerate(sorted(stamps))}
        delay = max([delay, *(index - turn[pts] for index, pts in enumerate(stamps))])
    return delay


def with_decoding_times(segments: list[Path], delay: int) -> Iterator[tuple[int, Coded]]:
    """Every packet with its decoding timestamp: that of the frame shown `delay` packets earlier.

    So decoding timestamps grow over the borders of segments too, whatever the frame rate does there. The
    first few, before anything is shown, lie one short step before each other.
    """
    shown: list[int] = []  # of the last `delay` packets' turns, and those of the segment at hand
    started = False
    for path in segments:
        stamps = sorted(packet.pts for packet in read_segment(path, data=False))
        if not started and stamps:
            step = max(1, min((b - a for a, b in pairwise(stamps)), default=1))
            shown = [stamps[0] - (delay - index) * step for index in range(delay)]
            started = True
        shown += stamps
        for index, packet in enumerate(read_segment(path)):
            yield shown[index], packet
        shown = shown[len(stamps) :]
