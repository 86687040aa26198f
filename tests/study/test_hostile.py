"""Result files that somebody else wrote: one sentence, never a traceback, and findings.json stays as it was."""

import re

import pytest
from click.testing import CliRunner

from subpixel.cli import cli
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


RUN = (
    '{"key": "a", "scale": 2, "matching": "rate", "family": "shuffle-last", "seed": 0, "widths": [1], "curve": [],'
    ' "learning_rate": 0.01, "diverged": null, "psnr": null, "data": "d", "recipe": {}}'
)
TIME = (
    '{"key": "a", "scale": 2, "widths": [1], "ms": 1.0, "ratio": 1.0, "size": [4, 4], "threads": 1, "processor": "p"}'
)


@pytest.mark.parametrize(
    ("name", "line", "says"),
    [
        ("budget", RUN.replace('"recipe": {}', '"recipe": null'), "`recipe` is None"),
        ("budget", RUN.replace('"curve": []', '"curve": [3]'), r"`curve` is \[3\]"),
        ("budget", RUN.replace('"psnr": null', '"psnr": {"Set5": {"mean": "x", "images": {}}}'), "`psnr` is {'Set5'"),
        ("budget", RUN.replace('"seed": 0', '"seed": true'), "`seed` is True"),
        ("initialisation", '{"key": "a", "scale": 2, "recipe": 5, "data": "d"}', "`recipe` is 5"),
        ("power", '{"key": "a"}', "`kind` is missing"),
        ("power", '{"key": "a", "kind": [], "scale": 2}', r"`kind` is \[\]"),
        ("power", '{"key": "a", "kind": "lifting", "scale": 2, "values": 3}', "`differing` is missing"),
        ("speed", LAYER.replace('"ms": {', '"ms": {"x": "y", '), "`ms` is {"),
        ("equal_time", TIME.replace("[1]", '"x"', 1), "`widths` is x"),
        ("equal_time", TIME[:-1] + ', "key": 5}', "`key` is 5"),
    ],
)
def test_a_study_does_not_go_on_from_foreign_lines(name, line, says, tmp_path):
    """Each of these was a traceback, or would have been one further on."""
    pytest.importorskip("torch")
    pictures = ["--pictures-folder", str(tmp_path), "--benchmark", str(tmp_path)]
    given = pictures if name in ("budget", "initialisation") else []
    (tmp_path / f"{name}.jsonl").write_text(f"{good(name)}\n{line}\n")
    command = ["study", name.replace("_", "-"), "--quick", *([] if name == "speed" else ["--scale", "2"])]
    done = CliRunner().invoke(cli, [*command, "-o", str(tmp_path), *given])
    assert isinstance(done.exception, InputError)
    assert re.search(rf"line 2 of .*{name}\.jsonl is no result of a study \({says}", str(done.exception))


def good(name):
    """A line of each file that a study goes on from."""
    return {
        "budget": RUN,
        "initialisation": '{"key": "b", "scale": 2, "recipe": {}, "data": "d"}',
        "power": '{"key": "b", "kind": "lifting", "scale": 2, "values": 3, "differing": 0}',
        "speed": LAYER,
        "equal_time": TIME,
    }[name].replace('"key": "a"', '"key": "b"')
