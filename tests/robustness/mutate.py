"""Damage of many kinds, repeatable by its seed."""

import random
import struct
import zlib
from collections.abc import Sequence

_EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFF, 0x8000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1000, 40000)


def mutated(seeds: Sequence[bytes], number: int) -> bytes:
    """The damaged file of that number."""
    rng = random.Random(number)
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        _damage(data, rng, seeds)
    if rng.random() < 0.5:
        _mend_png(data)
    return bytes(data)


def _damage(data: bytearray, rng: random.Random, seeds: Sequence[bytes]) -> None:
    if len(data) < 8:
        data += bytes(rng.randrange(256) for _ in range(8))
    # Headers decide most: half of the damage is done in the first 200 bytes.
    place = rng.randrange(min(len(data), 200) if rng.random() < 0.5 else len(data))
    kind = rng.randrange(8)
    if kind == 0:
        data[place] ^= 1 << rng.randrange(8)
    elif kind == 1:
        data[place] = rng.randrange(256)
    elif kind == 2:
        letter = rng.choice(("B", "<H", ">H", "<I", ">I"))
        size = struct.calcsize(letter)
        data[place : place + size] = struct.pack(letter, rng.choice(_EDGES) & (256**size - 1))
    elif kind == 3:
        del data[place : place + rng.choice((1, 4, 12, 64))]
    elif kind == 4:
        data[place:place] = data[place : place + rng.choice((1, 4, 12, 64))]
    elif kind == 5:
        del data[max(8, place) :]
    elif kind == 6:
        other = rng.choice(seeds)
        start = rng.randrange(len(other))
        data[place : place + 32] = other[start : start + 32]
    else:
        data[place : place + 8] = bytes(rng.randrange(256) for _ in range(8))


def _mend_png(data: bytearray) -> None:
    """Right the checksums, so that the damage is met behind them."""
    if data[:4] != b"\x89PNG":
        return
    place = 8
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        end = place + 8 + length
        if end + 4 > len(data):
            return
        struct.pack_into(">I", data, end, zlib.crc32(data[place + 4 : end]))
        place = end + 4
