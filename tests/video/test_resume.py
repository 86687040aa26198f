"""Interrupted work: resumed, it gives the file that an uninterrupted run gives; a killed run leaves none."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from subpixel.errors import InputError, OutputError
from subpixel.media.video.segments import read_head
from subpixel.upscaling import video_job as module
from subpixel.upscaling.video import upscale_video
from video import clips


@pytest.fixture(autouse=True)
def _short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FRAMES", 5)


def enlarge(source: Path, output: Path, stop_after: int | None = None, **options: Any) -> Any:
    def advance(done: int) -> None:
        if done == stop_after:
            raise KeyboardInterrupt

    return upscale_video(source, output, 2, model="bicubic", threads=2, advance=advance, **options)


@pytest.mark.parametrize("stop", [6, 10, 11, 22, 23])
@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_resumed_equals_uninterrupted(tmp_path: Path, ending: str, stop: int) -> None:
    source = clips.make(tmp_path / f"in{ending}", 23, audio="aac", chapters=True)
    enlarge(source, tmp_path / f"whole{ending}")
    output = tmp_path / f"out{ending}"
    with pytest.raises(KeyboardInterrupt):
        enlarge(source, output, stop)
    assert not output.exists()
    assert (tmp_path / f"out{ending}.part").is_dir()
    result = enlarge(source, output, resume=True)
    assert result.resumed == (stop - 1) // 5 * 5 or stop % 5 == 0
    assert result.frames == 23
    assert output.read_bytes() == (tmp_path / f"whole{ending}").read_bytes()
    assert not (tmp_path / f"out{ending}.part").exists()


def test_only_the_missing_frames_are_made(tmp_path: Path) -> None:
    source = clips.make(tmp_path / "in.mp4", 23)
    with pytest.raises(KeyboardInterrupt):
        enlarge(source, tmp_path / "out.mp4", 18)
    made: list[int] = []
    expected: list[tuple[int | None, int]] = []
    upscale_video(
        source, tmp_path / "out.mp4", 2, model="bicubic", resume=True, threads=2,
        advance=made.append, expect=lambda frames, resumed: expected.append((frames, resumed)),
    )  # fmt: skip
    assert expected == [(23, 15)]
    assert made == list(range(16, 24))


def test_without_resume_everything_begins_anew(tmp_path: Path) -> None:
    source = clips.make(tmp_path / "in.mp4", 12)
    with pytest.raises(KeyboardInterrupt):
        enlarge(source, tmp_path / "out.mp4", 11)
    assert enlarge(source, tmp_path / "out.mp4").resumed == 0


def test_other_settings_begin_anew_and_say_so(tmp_path: Path) -> None:
    source = clips.make(tmp_path / "in.mp4", 12)
    with pytest.raises(KeyboardInterrupt):
        enlarge(source, tmp_path / "out.mp4", 11)
    result = enlarge(source, tmp_path / "out.mp4", resume=True, crf=30)
    assert result.resumed == 0
    assert result.notices == [f"{tmp_path / 'out.mp4'}: the interrupted run was made with another encoder: begun anew"]


def test_another_source_under_the_same_name_is_noticed(tmp_path: Path) -> None:
    source = clips.make(tmp_path / "in.mp4", 12)
    with pytest.raises(KeyboardInterrupt):
        enlarge(source, tmp_path / "out.mp4", 11)
    status = source.stat()
    other = clips.make(tmp_path / "other.mp4", 12, seed=1).read_bytes()
    content = (
        np.resize(np.frombuffer(other, np.uint8), status.st_size).tobytes() if len(other) > status.st_size else other
    )
    source.write_bytes(content + bytes(max(0, status.st_size - len(content))))
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))  # same size, same date: only the frames tell
    with pytest.raises(InputError, match=r"does not give the frames that segment 0|has no frames|is damaged|no video"):
        enlarge(source, tmp_path / "out.mp4", resume=True)


def _rubbish(content: bytes) -> bytes:
    return b"rubbish"


def _cut(content: bytes) -> bytes:
    return content[:-1]


def _longer(content: bytes) -> bytes:
    return content + b"\0"


def _one_bit(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [_rubbish, _cut, _longer, _one_bit])
def test_a_damaged_segment_is_made_again(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    source = clips.make(tmp_path / "in.mp4", 23)
    enlarge(source, tmp_path / "whole.mp4")
    with pytest.raises(KeyboardInterrupt):
        enlarge(source, tmp_path / "out.mp4", 18)
    segment = tmp_path / "out.mp4.part" / "000001.segment"
    assert read_head(segment) is not None
    segment.write_bytes(damage(segment.read_bytes()))
    assert read_head(segment) is None
    assert enlarge(source, tmp_path / "out.mp4", resume=True).resumed == 5
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps nobody out")
def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    source = clips.make(tmp_path / "in.mp4", 8)

    def again(done: int) -> None:
        if done == 3:
            with pytest.raises(OutputError, match=r"out\.mp4 is being written by another run"):
                enlarge(source, tmp_path / "out.mp4")

    upscale_video(source, tmp_path / "out.mp4", 2, model="bicubic", threads=1, advance=again)
    assert (tmp_path / "out.mp4").exists()


def test_a_full_disk_keeps_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = clips.make(tmp_path / "in.mp4", 23)
    real, count = module.write_segment, [0]

    def failing(*arguments: Any) -> None:
        count[0] += 1
        if count[0] == 3:
            raise OSError(28, "No space left on device")
        real(*arguments)

    monkeypatch.setattr(module, "write_segment", failing)
    with pytest.raises(OutputError, match=r"No space left on device\): make room, then go on with --resume"):
        enlarge(source, tmp_path / "out.mp4")
    assert enlarge(source, tmp_path / "out.mp4", resume=True).resumed == 10


SCRIPT = """
import sys
from subpixel.upscaling import video, video_job
video_job.FRAMES = 5
video.upscale_video(sys.argv[1], sys.argv[2], 2, model="small", runtime="onnxruntime", threads=1, resume=True)
"""

KILLS_ITSELF = """
import os, signal, sys
from subpixel.upscaling import video, video_job
video_job.FRAMES = 5
def advance(done):
    if done == 13:
        os.kill(os.getpid(), signal.SIGKILL)
video.upscale_video(sys.argv[1], sys.argv[2], 2, model="small", runtime="onnxruntime", threads=1, advance=advance)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_network_is_the_same_in_the_next_process(tmp_path: Path) -> None:
    """The order of a weight file's header changes from process to process; the work must not begin anew for it."""
    source = clips.make(tmp_path / "in.mkv", 23, size=(48, 32))
    output = tmp_path / "out.mkv"
    killed = subprocess.run([sys.executable, "-c", KILLS_ITSELF, str(source), str(output)], check=False)
    assert killed.returncode == -signal.SIGKILL
    result = upscale_video(source, output, 2, model="small", runtime="onnxruntime", threads=1, resume=True)
    assert (result.resumed, result.frames, result.notices) == (10, 23, [])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
@pytest.mark.parametrize("ending", [".mp4", ".y4m"])
def test_an_interrupt_ends_at_once_and_leaves_nothing_broken(tmp_path: Path, ending: str) -> None:
    source = clips.make(tmp_path / "in.mp4", 700, size=(128, 96), options={"preset": "ultrafast"})
    output = tmp_path / f"out{ending}"
    command = [sys.executable, "-m", "subpixel", "upscale", str(source), "-o", str(output), "--model", "bicubic"]
    command += ["--threads", "1"]
    part = output.with_name(f"{output.name}.part")
    begun = part / "000000.segment" if ending == ".mp4" else part
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        while not begun.exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT)
    assert b"subpixel: interrupted; nothing is left half-written" in words
    assert b"Traceback" not in words
    assert not output.exists()
    if ending == ".y4m":
        assert not part.exists()
        return
    assert b"the same call with --resume goes on" in words
    done = subprocess.run([*command, "--resume", "--json"], capture_output=True, check=True)
    (made,) = json.loads(done.stdout)["outputs"]
    assert made["resumed"] >= 250  # a segment
    assert made["frames"] == 700


def killed_and_resumed(source: Path, whole: Path, output: Path, rng: np.random.Generator, longest: float) -> int:
    """Kill runs at random moments until one ends by itself; how many were killed.

    Raises:
        AssertionError: an output was there before its time, or it is not the uninterrupted one's.
    """
    kills = 0
    while True:
        process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(source), str(output)], env=os.environ)
        try:
            process.wait(timeout=float(rng.uniform(0.2, longest)))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            if output.exists():  # renamed just before it was killed: then it is whole
                break
            if kills % 8 == 0:
                longest *= 2  # a slow machine has to get somewhere, too
            continue
        assert process.returncode == 0
        break
    assert output.read_bytes() == whole.read_bytes()
    return kills


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("rounds", [1, pytest.param(12, marks=pytest.mark.long)])
def test_killed_at_random_moments(tmp_path: Path, rounds: int) -> None:
    source = clips.make(tmp_path / "in.mkv", 60 if rounds > 1 else 30, size=(320, 240), audio="aac")
    script = [sys.executable, "-c", SCRIPT, str(source), str(tmp_path / "whole.mkv")]
    start = time.monotonic()
    subprocess.run(script, check=True)
    once = time.monotonic() - start
    rng = np.random.default_rng(rounds)
    kills = 0
    for number in range(rounds):
        output = tmp_path / f"out{number}.mkv"
        kills += killed_and_resumed(source, tmp_path / "whole.mkv", output, rng, once)
        assert not output.with_name(f"{output.name}.part").exists() or output.exists()
        output.unlink()
        shutil.rmtree(output.with_name(f"{output.name}.part"), ignore_errors=True)
    print(f"{kills} kills in {rounds} rounds, every result equal to the uninterrupted one")
    assert rounds == 1 or kills >= 25
