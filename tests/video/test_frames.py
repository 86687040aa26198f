"""Frames in, frames out: lazily, in order, in the middle of anybody's pipeline."""

import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import count, islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import subpixel
from subpixel.errors import InputError, UsageError
from subpixel.media.video.pixels import planar, planes
from subpixel.upscaling.in_order import in_order
from video import clips


def luma(frame: Any) -> Any:
    layout = planar(frame.format.name)
    assert layout is not None
    return planes(frame, layout)[0]


def test_decoded_frames_come_back_enlarged_with_all_they_carry(tmp_path: Path) -> None:
    path = clips.make(tmp_path / "in.mkv", 7, codec="ffv1", colour=(1, 1, 1, 1), rate=Fraction(30000, 1001))
    upscaler = subpixel.open_upscaler("espcn", 3, threads=1, runtime="onnxruntime")
    with av.open(str(path)) as clip, av.open(str(path)) as same:
        large = list(subpixel.upscale_frames(clip.decode(video=0), 3, "espcn", threads=2, runtime="onnxruntime"))
        for small, big in zip(same.decode(video=0), large, strict=True):
            assert (big.width, big.height) == (192, 144)
            for name in ("pts", "time_base", "color_range", "colorspace", "color_primaries", "color_trc"):
                assert getattr(big, name) == getattr(small, name)
            wanted = upscaler.upscale_luma(luma(small).astype(np.float32))
            assert np.abs(np.clip(wanted, 0, 255) - luma(big)).max() <= 0.51


def test_it_is_lazy_and_needs_no_end() -> None:
    taken: list[int] = []

    def endless() -> Iterator[av.VideoFrame]:
        for index in count():
            taken.append(index)
            frame = clips.frame(index, 32, 24)
            frame.pts = index
            yield frame

    frames = subpixel.upscale_frames(endless(), scale=2, model="bicubic", threads=2)
    assert taken == []
    assert [frame.pts for frame in islice(frames, 20)] == list(range(20))
    assert len(taken) < 32
    frames.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("subpixel")]


def test_arrays_come_back_as_arrays() -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (20, 30, 3)).astype(np.uint8) for _ in range(3)]
    for small, big in zip(pictures, subpixel.upscale_frames(pictures, scale=2, model="espcn"), strict=True):
        assert (big == np.asarray(subpixel.upscale(small, scale=2, model="espcn"))).all()
    (grey,) = subpixel.upscale_frames([pictures[0][..., 0]], scale=2, model="bicubic")
    assert grey.shape == (40, 60)


def test_frames_of_other_formats_are_brought_into_planes() -> None:
    frames = [clips.frame(0, 32, 24).reformat(format=name) for name in ("nv12",)]
    (large,) = subpixel.upscale_frames(frames, scale=2, model="bicubic")
    (plain,) = subpixel.upscale_frames([clips.frame(0, 32, 24)], scale=2, model="bicubic", pixel_format="yuv420p10le")
    assert large.format.name == "yuv420p"
    assert plain.format.name == "yuv420p10le"
    assert np.abs(luma(plain) / 4 - luma(large)).max() <= 0.63


def test_what_cannot_be() -> None:
    with pytest.raises(InputError, match="a frame of 48×32 yuv420p comes after frames of 32×24 yuv420p"):
        list(subpixel.upscale_frames([clips.frame(0, 32, 24), clips.frame(1, 48, 32)], scale=2, model="bicubic"))
    with pytest.raises(UsageError, match="pixel_format is for video frames"):
        list(subpixel.upscale_frames([np.zeros((8, 8), np.uint8)], model="bicubic", pixel_format="gray"))
    assert list(subpixel.upscale_frames([], scale=2, model="bicubic")) == []


def test_an_error_of_the_source_comes_through() -> None:
    def broken() -> Iterator[av.VideoFrame]:
        yield clips.frame(0, 32, 24)
        raise RuntimeError("the camera is gone")

    with pytest.raises(RuntimeError, match="the camera is gone"):
        list(subpixel.upscale_frames(broken(), scale=2, model="bicubic"))


# --- in_order


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_are_in_order_and_never_too_many_under_way(workers: int) -> None:
    rng = np.random.default_rng(0)
    delays = rng.uniform(0, 0.004, 60)
    taken, given, running, most = [0], [0], [0], [0]
    lock = threading.Lock()

    def items() -> Iterator[int]:
        for index in range(60):
            taken[0] += 1
            assert taken[0] - given[0] <= 7
            yield index

    def work(index: int) -> int:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(delays[index])
        with lock:
            running[0] -= 1
        return index * index

    found = []
    for value in in_order(work, items(), workers=workers, ahead=6):
        given[0] += 1
        found.append(value)
    assert found == [index * index for index in range(60)]
    assert most[0] <= workers


def test_a_failure_comes_at_its_turn() -> None:
    def work(index: int) -> int:
        if index == 3:
            raise ValueError("three")
        return index

    found = []
    with pytest.raises(ValueError, match="three"):
        found.extend(in_order(work, range(10), workers=3, ahead=5))
    assert found == [0, 1, 2]
