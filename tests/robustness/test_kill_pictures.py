"""kill -9 at random moments: whatever is there is whole, and --resume ends where an uninterrupted run ends."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="POSIX signals")
PICTURES = 10


def make(folder: Path) -> None:
    """Pictures of several formats in subfolders, large enough that a kill meets every step."""
    rng = np.random.default_rng(0)
    for n in range(PICTURES):
        pixels = rng.integers(0, 256, (15, 20, 3)).astype(np.uint8).repeat(12, 0).repeat(12, 1)
        path = folder / ("a" if n % 2 else "b/c") / f"{n}.{('png', 'jpg', 'tif', 'webp', 'gif')[n % 5]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


def command(source: Path, out: Path, *more: str) -> list[str]:
    options = ["--scale", "2", "--runtime", "onnxruntime", "--threads", "1"]
    return [sys.executable, "-m", "subpixel", "upscale", str(source), "-o", str(out), *options, *more]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def kill_and_resume(tmp_path: Path, kills: int, seed: int) -> int:
    """How many of the kills met a run in the middle."""
    rng = random.Random(seed)
    env = {**os.environ, "SUBPIXEL_CACHE": str(tmp_path / "cache")}
    make(tmp_path / "in")
    start = time.monotonic()
    subprocess.run(command(tmp_path / "in", tmp_path / "whole"), check=True, env=env, capture_output=True)
    took = time.monotonic() - start
    expected = tree(tmp_path / "whole")
    assert len(expected) == PICTURES
    met = 0
    out, begun = tmp_path / "out", False
    for number in range(kills):
        if not begun:  # from nothing; later kills meet what earlier ones left
            out = tmp_path / f"out{number}"
        process = subprocess.Popen(
            command(tmp_path / "in", out, "--resume"), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(rng.uniform(0, took))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            met += 1
        there = tree(out) if out.exists() else {}
        whole = {name: content for name, content in there.items() if not name.endswith(".part")}
        assert whole == {name: expected[name] for name in whole}  # whole, each of them
        begun = rng.random() < 0.5
        if not begun or number == kills - 1:
            last = subprocess.run(
                command(tmp_path / "in", out, "--resume"), env=env, capture_output=True, text=True, check=False
            )
            assert last.returncode == 0, last.stderr
            assert tree(out) == expected  # and nothing else: no .part either
            begun = False
    return met


def test_kills_and_resumes(tmp_path):
    kill_and_resume(tmp_path, 3, 0)


@pytest.mark.long
def test_many_kills_and_resumes(tmp_path):
    met = kill_and_resume(tmp_path, 40, 1)
    print(f"{met} of 40 kills met a run in the middle")
    assert met >= 25


def test_resume_does_again_what_is_no_longer_so(tmp_path):
    """Another source, another setting, a result that was changed or removed: made anew. The rest is left alone."""
    env = {**os.environ, "SUBPIXEL_CACHE": str(tmp_path / "cache")}
    make(tmp_path / "in")
    (tmp_path / "in" / "broken.png").write_bytes(b"\x89PNG")

    def run(*more: str) -> tuple[int, str]:
        done = subprocess.run(
            command(tmp_path / "in", tmp_path / "out", "--resume", *more), env=env, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        return len(done.stdout.splitlines()), done.stderr

    assert run()[0] == PICTURES
    lines, said = run()
    assert lines == 0
    assert "10 of 11 were done before" in said
    assert "broken.png is damaged" in said
    (tmp_path / "out" / "a" / "1.jpg").unlink()
    (tmp_path / "out" / "a" / "3.webp").write_bytes(b"another")
    Image.new("RGB", (30, 20)).save(tmp_path / "in" / "a" / "5.png")
    assert run()[0] == 3
    assert run("--quality", "50")[0] == PICTURES
