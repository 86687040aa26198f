"""Result files: what a kill leaves, lines that contradict each other, and two processes in one folder."""

import os
import subprocess
import sys

import pytest

from subpixel.errors import InputError, OutputError
from subpixel.study import alone
from subpixel.study.alone import NAME, only_writer
from subpixel.study.findings import write_findings_of
from subpixel.study.report import write_report
from subpixel.study.results import ResultFile
from subpixel.study.speed import study_speed

FIRST, SECOND = b'{"key": "a", "x": 1}', b'{"key": "b", "x": 2}'


def test_a_last_line_without_its_newline_is_a_result(tmp_path):
    path = tmp_path / "f.jsonl"
    path.write_bytes(FIRST + b"\n" + SECOND)
    results = ResultFile(path)
    assert [line["x"] for line in results] == [1, 2]
    assert path.read_bytes() == FIRST + b"\n" + SECOND  # reading changes nothing
    results.add({"key": "c"})
    assert path.read_bytes() == FIRST + b"\n" + SECOND + b'\n{"key": "c"}\n'
    assert len(ResultFile(path)) == 3


@pytest.mark.parametrize("before", [b"", FIRST + b"\n"])
@pytest.mark.parametrize("length", range(1, len(SECOND)))
def test_a_line_that_was_cut_short_goes_when_the_next_is_added(before, length, tmp_path):
    path = tmp_path / "f.jsonl"
    path.write_bytes(before + SECOND[:length])
    results = ResultFile(path)
    assert len(results) == bool(before)
    assert path.read_bytes() == before + SECOND[:length]
    results.add({"key": "b", "x": 2})
    results.add({"key": "c"})
    assert path.read_bytes() == before + SECOND + b'\n{"key": "c"}\n'


def test_a_last_line_of_something_else_is_refused_as_any_other(tmp_path):
    path = tmp_path / "f.jsonl"
    for last in (b"[1]", b'{"key": "b", "x": NaN}', b'{"x": 1}'):
        path.write_bytes(FIRST + b"\n" + last)
        with pytest.raises(InputError, match=r"line 2 of .* is no result of a study"):
            ResultFile(path)
        assert path.read_bytes() == FIRST + b"\n" + last


def test_findings_and_page_write_to_no_file_of_results(tmp_path):
    before = b'{"key": "half'
    (tmp_path / "budget.jsonl").write_bytes(before)
    write_findings_of(tmp_path, (3,))
    write_report(tmp_path, tmp_path / "report.html")
    assert (tmp_path / "budget.jsonl").read_bytes() == before


def test_two_results_of_one_run_are_refused_by_all_readers_and_equal_lines_are_one(tmp_path):
    path = tmp_path / "speed.jsonl"
    path.write_bytes(FIRST + b"\n" + SECOND + b"\n" + FIRST + b"\n")  # two folders that share a line, joined
    assert len(ResultFile(path)) == 2
    path.write_bytes(FIRST + b"\n" + SECOND + b"\n" + FIRST.replace(b"1", b"3") + b"\n")
    says = r"lines 1 and 3 of .*speed\.jsonl are different results of one run \(a\): remove one of them"
    for read in (ResultFile, lambda path: write_findings_of(tmp_path, (3,)), lambda path: write_report(tmp_path, path)):
        with pytest.raises(InputError, match=says):
            read(path)


HOLD = """
import sys, time
from pathlib import Path
from subpixel.study import alone
from subpixel.study.alone import only_writer
with only_writer(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_processes_do_not_write_to_one_folder(tmp_path):
    folder = tmp_path / "results"
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(OutputError, match=r"results is being written by another `subpixel study`: wait for it"):
            study_speed(folder, points=[], places=[("onnxruntime", "forward")])
        with only_writer(tmp_path / "elsewhere"):
            pass
    finally:
        other.kill()  # leaves its lock file, which holds nobody up
        other.wait()
        other.stdout.close()
    assert (folder / NAME).exists()
    with only_writer(folder), only_writer(folder):  # parts run inside of others
        assert (folder / NAME).exists()
    assert not list(folder.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="an open file stays there")
def test_a_lock_file_that_its_holder_removed_meanwhile_is_no_lock(tmp_path, monkeypatch):
    lock, locked = alone._lock, []

    def removed_once(file):
        lock(file)
        locked.append(file)
        if len(locked) == 1:
            (tmp_path / NAME).unlink()

    monkeypatch.setattr(alone, "_lock", removed_once)
    with only_writer(tmp_path):
        assert (tmp_path / NAME).exists()
    assert len(locked) == 2


def test_what_fails_leaves_no_folder(tmp_path):
    with pytest.raises(KeyError), only_writer(tmp_path / "a" / "b"):
        raise KeyError
    assert not list(tmp_path.iterdir())
