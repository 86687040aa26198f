"""Result files that somebody else wrote: one sentence, never a traceback, and findings.json stays as it was."""

import pytest

from subpixel.errors import InputError
from subpixel.study.findings import write_findings_of
from subpixel.study.report import write_report
from subpixel.study.results import ResultFile
from subpixel.study.settings import BudgetSettings

MS = '{"transposed": 1, "zero-insertion": 1, "lr-shuffle": 0, "upscale-convolve": 1}'
LAYER = (
    '{"key": "a", "runtime": "torch", "pass": "forward", "stride": 2, "kernel": 2, "inputs": 1, "outputs": 1,'
    f' "size": [4, 4], "threads": 1, "rounds": 1, "ms": {MS}}}'
)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" + 400 * "0"])
def test_what_is_no_number_is_refused_by_all_readers(number, tmp_path):
    for name in ("budget", "power", "initialisation", "speed"):
        path = tmp_path / f"{name}.jsonl"
        path.write_text(f'{{"key": "a", "psnr": {number}}}\n')
        with pytest.raises(InputError, match=rf"line 1 of .*{name}\.jsonl is no result"):
            ResultFile(path)
        with pytest.raises(InputError, match=rf"line 1 of .*{name}\.jsonl is no result"):
            write_report(tmp_path, tmp_path / "page.html")
        path.unlink()
    (tmp_path / "findings.json").write_text(f'{{"cells": [{number}]}}')
    with pytest.raises(InputError, match=r"findings\.json is no result"):
        write_report(tmp_path, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("name", "line"),
    [(name, '{"key": "a"}') for name in ("budget", "power", "initialisation", "speed")] + [("speed", LAYER)],
)
def test_lines_that_cannot_be_used_are_one_sentence(name, line, tmp_path):
    (tmp_path / f"{name}.jsonl").write_text(line + "\n")
    (tmp_path / "findings.json").write_text("{}")
    with pytest.raises(InputError, match="not as this version writes them"):
        write_findings_of(tmp_path, (3,), BudgetSettings())
    assert (tmp_path / "findings.json").read_text() == "{}"
