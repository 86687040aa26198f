"""Damaged pictures of every kind: no crash, no hang, no memory above the cap, no output for what failed."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from robustness.mutate import mutated
from robustness.seeds import write_seeds

TESTS = Path(__file__).parents[1]
PIECE = 300


def run(folder: Path, first: int, count: int) -> dict[str, int]:
    command = [sys.executable, "-m", "robustness.fuzz_pictures", str(folder), str(first), str(count)]
    paths = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "VIPS_CONCURRENCY": "1"},
    )  # fmt: skip
    last = done.stdout.split("\n")[-2:]
    assert done.returncode == 0, f"number {last}: {done.stderr[-3000:]}"
    return json.loads(done.stdout.splitlines()[-1])


def fuzz(folder: Path, count: int) -> dict[str, int]:
    (folder / "seeds").mkdir()
    assert len(write_seeds(folder / "seeds")) > 30
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda first: run(folder, first, min(PIECE, count - first)), range(0, count, PIECE)))
    return {name: sum(result[name] for result in results) for name in ("made", "refused")}


def test_the_seeds_are_sound(tmp_path):
    """Else most of the fuzzing would stop at the first byte."""
    from subpixel.media.image import read_picture

    for path in write_seeds(tmp_path):
        assert read_picture(path).pixels.size


def test_damage_is_repeatable_and_varied():
    seeds = [bytes(range(100)), bytes(200)]
    assert [mutated(seeds, n) for n in range(50)] == [mutated(seeds, n) for n in range(50)]
    assert len({mutated(seeds, n) for n in range(50)}) > 45


def test_some_hundred_damaged_pictures(tmp_path):
    result = fuzz(tmp_path, 600)
    assert sum(result.values()) == 600
    assert min(result.values()) > 60  # some damage is survived, some is not


@pytest.mark.long
def test_twenty_thousand_damaged_pictures(tmp_path):
    result = fuzz(tmp_path, 20000)
    print(result)
    assert sum(result.values()) == 20000
