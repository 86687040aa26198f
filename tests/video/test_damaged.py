"""Bad input: one sentence that names what is wrong, where, and the way out; nothing is left behind."""

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from subpixel.errors import InputError
from subpixel.media.video.kinds import is_video
from subpixel.media.video.reader import Reader
from subpixel.media.video.source import Wishes
from subpixel.upscaling.video import upscale_video
from video import clips


def enlarge(source: Path, output: Path, **options: Any) -> Any:
    return upscale_video(source, output, 2, model="bicubic", threads=1, **options)


def cut(path: Path, share: float) -> Path:
    """The first part of a file."""
    content = path.read_bytes()
    short = path.with_stem("short")
    short.write_bytes(content[: int(len(content) * share)])
    return short


@pytest.mark.parametrize(
    ("ending", "message"),
    [
        (".mkv", r"short\.mkv is cut short: it ends at 0:0\d\.\d\d of 0:02\.4\d; fetch it again, or --salvage"),
        (".mp4", r"short\.mp4 is damaged at 0:0\d\.\d\d .*; fetch it again, or --salvage writes what can be decoded"),
        (".ts", r"short\.ts is damaged at 0:0\d\.\d\d"),
    ],
)
def test_a_truncated_video_fails_or_is_salvaged(tmp_path: Path, ending: str, message: str) -> None:
    options = {"movflags": "faststart"} if ending == ".mp4" else None
    source = clips.make(tmp_path / f"whole{ending}", 60, size=(160, 120), options={"g": "12"}, audio="aac")
    if options:  # the index at the front, as on the web
        with av.open(str(source)) as old, av.open(str(tmp_path / "front.mp4"), "w", options=options) as new:
            streams = {s.index: new.add_stream_from_template(s, opaque=True) for s in old.streams}
            for packet in old.demux():
                if packet.size:
                    packet.stream = streams[packet.stream.index]
                    new.mux(packet)
        source = tmp_path / "front.mp4"
    short = cut(source, 0.6)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=message):
        enlarge(short, tmp_path / f"out{ending}")
    assert sorted(tmp_path.iterdir()) == before
    result = enlarge(short, tmp_path / f"out{ending}", salvage=True)
    assert 12 <= result.frames < 60
    assert clips.moments(tmp_path / f"out{ending}")[:12] == clips.moments(source)[:12]
    assert any("what could be decoded was written" in notice for notice in result.notices) or ending == ".ts"


def test_an_mp4_without_its_index_says_so(tmp_path: Path) -> None:
    short = cut(clips.make(tmp_path / "whole.mp4", 30), 0.5)
    with pytest.raises(InputError, match=r"short\.mp4 is no video that can be read, or its header is missing"):
        enlarge(short, tmp_path / "out.mp4")


def test_damage_in_the_middle_is_named_by_its_time(tmp_path: Path) -> None:
    source = clips.make(tmp_path / "in.mkv", 50, codec="mpeg4", size=(160, 120))
    content = bytearray(source.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    source.write_bytes(content)
    with pytest.raises(InputError, match=r"in\.mkv is (damaged|cut short)"):
        enlarge(source, tmp_path / "out.mkv")
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "in.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        clips._tone(container, stream, 0.2, 0)
    with pytest.raises(InputError, match=r"in\.mp4 has no video stream in it \(audio\): name a file with a video"):
        enlarge(path, tmp_path / "out.mp4")


def test_no_frames(tmp_path: Path) -> None:
    path = tmp_path / "in.y4m"
    path.write_bytes(b"YUV4MPEG2 W16 H16 F25:1 Ip A1:1 C420jpeg\n")
    with pytest.raises(InputError, match=r"in\.y4m (has no frames|is no video)"):
        enlarge(path, tmp_path / "out.mkv")
    source = clips.make(tmp_path / "in.mp4", 5)
    with pytest.raises(InputError, match="has no frames between --start and --end"):
        enlarge(source, tmp_path / "out.mkv", start=10.0)


def test_an_empty_or_missing_file(tmp_path: Path) -> None:
    (tmp_path / "in.mp4").touch()
    with pytest.raises(InputError, match=r"in\.mp4 is empty \(0 bytes\): fetch it again"):
        enlarge(tmp_path / "in.mp4", tmp_path / "out.mp4")
    with pytest.raises(InputError, match=r"nothing\.mp4 does not exist"):
        enlarge(tmp_path / "nothing.mp4", tmp_path / "out.mp4")
    (tmp_path / "text.mp4").write_text("no video at all\n" * 100)
    with pytest.raises(InputError, match=r"text\.mp4 is no video that can be read"):
        enlarge(tmp_path / "text.mp4", tmp_path / "out.mp4")


def test_frames_that_change_their_size(tmp_path: Path) -> None:
    """Two streams of raw H.264, one after the other, in one file."""
    parts = [clips.make(tmp_path / f"{i}.h264", 5, size=size) for i, size in enumerate([(64, 48), (96, 64)])]
    path = tmp_path / "in.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    with pytest.raises(
        InputError, match=r"changes from 64×48 to 96×64 at 0:00\.\d\d: cut it there, --end 0\.\d+ gives"
    ):
        enlarge(path, tmp_path / "out.mkv")
    result = enlarge(path, tmp_path / "out.mkv", end=0.16)
    assert result.frames == 4


def test_missing_timestamps_are_made_from_the_rate(tmp_path: Path) -> None:
    path = clips.make(tmp_path / "in.h264", 6)
    result = enlarge(path, tmp_path / "out.mkv")
    assert result.notices == [f"{path} has frames without a timestamp: they are made from the frame rate"]
    assert clips.moments(tmp_path / "out.mkv") == [Fraction(i, 25) for i in range(6)]


def test_timestamps_that_go_back_are_mended(tmp_path: Path) -> None:
    path = clips.make(tmp_path / "in.avi", 10, codec="libx264")  # AVI has none, B-frames come out of order
    enlarge(path, tmp_path / "out.mkv")
    found = clips.moments(tmp_path / "out.mkv")
    assert len(found) == 10
    assert all(a < b for a, b in pairwise(found))


def test_a_picture_is_no_video(tmp_path: Path, photo: Path) -> None:
    path = tmp_path / "photo.mp4"
    path.write_bytes(photo.read_bytes())
    with pytest.raises(InputError, match=r"photo\.mp4 is a picture \(PNG\), not a video: give it a picture's ending"):
        enlarge(path, tmp_path / "out.mp4")


def test_the_kind_is_told_by_content_before_the_name(tmp_path: Path, photo: Path) -> None:
    video = clips.make(tmp_path / "clip.mp4", 2)
    assert is_video(video)
    assert is_video(video.rename(tmp_path / "clip.png"))
    assert not is_video(photo)
    for ending in (".mkv", ".ts", ".avi", ".nut"):
        path = clips.make(tmp_path / f"clip{ending}", 8, codec="mpeg4")
        assert is_video(path.rename(tmp_path / f"x{ending}.jpg")), ending
    (tmp_path / "notes.mp4").write_text("words")
    assert is_video(tmp_path / "notes.mp4")
    assert not is_video(tmp_path / "missing.png")


def test_an_encoder_that_would_crash_is_not_asked(tmp_path: Path) -> None:
    source = clips.make(tmp_path / "in.mkv", 2, size=(24, 16), codec="ffv1", pixel_format="yuv420p10le")
    with pytest.raises(InputError, match="hevc of 10 bits takes frames from 64×64 pixels, not 48×32"):
        enlarge(source, tmp_path / "out.mkv", codec="hevc")


def test_memory_is_guarded_before_a_frame_is_decoded(tmp_path: Path) -> None:
    source = clips.make(tmp_path / "in.mkv", 2, size=(320, 240))
    with (
        pytest.raises(InputError, match=r"frames of 320×240 pixels, more than the 0 megapixels"),
        Reader(source, Wishes(max_pixels=10_000)),
    ):
        pass


@pytest.mark.parametrize("kind", ["mkv", "mp4"])
def test_a_few_mutated_files_do_no_harm(tmp_path: Path, kind: str) -> None:
    """The full number runs in scripts/check-video; these stay in one process."""
    seed = clips.make(tmp_path / f"seed.{kind}", 6, size=(32, 24), audio="aac")
    content = np.frombuffer(seed.read_bytes(), np.uint8)
    rng = np.random.default_rng(0)
    mutate: Callable[[], Any] = lambda: rng.integers(0, len(content), 12)  # noqa: E731
    sentences: list[str] = []
    for number in range(25):
        mutated = content.copy()
        mutated[mutate()] = rng.integers(0, 256, 12)
        path = tmp_path / f"mutated.{kind}"
        path.write_bytes(mutated[: len(mutated) if number % 3 else len(mutated) * 2 // 3].tobytes())
        output = tmp_path / f"out.{kind}"
        try:
            enlarge(path, output, max_megapixels=1)
            output.unlink()
        except InputError as error:
            sentences.append(str(error))
            assert not output.exists()
        assert not output.with_name(f"{output.name}.part").exists()
    assert sentences
    assert not any("\n" in sentence for sentence in sentences)
