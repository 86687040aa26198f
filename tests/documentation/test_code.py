"""Every block of code in the documentation runs, page by page; what does not is listed here with the reason."""

from __future__ import annotations

import shlex
import shutil

import pytest

from documentation.pages import LANGUAGES, PAGES, RUN, blocks, commands, run_shell, same_text
from documentation.sandbox import furnish, names

# What a command begins with, to why it is not run.
NOT_RUN = {
    "python3 scripts/": "makes an environment of its own, or is this very test",
    "scripts/": "a script of many minutes, or this very test",
    "pip install": "changes the environment that the tests run in",
    "subpixel train FREE_PICTURES": "hours of training, on pictures that are not in the repository",
    "subpixel train PICTURES": "50,000 steps of training; the tutorial trains for 20",
    "subpixel train pictures --model nano --scale 2 --steps 60000": "hours of training",
    "subpixel bench": "minutes of timing: docs/benchmarks.md",
    "subpixel study": "minutes to hours of training: tests/study runs it at its smallest",
    "ffmpeg": "needs ffmpeg",
}
NOT_RUN_PYTHON = {"train(TrainConfig(": "50,000 steps of training; the tutorial trains for 20"}
# Exit code 1 where the page says so: the device's other limits are not met.
MAY_FAIL = ("subpixel rewrite model.onnx -o for_device.onnx --profile tidl", "--profile esp-dl", "--profile coreml")

WITH_CODE = [page for page in PAGES if any(block.language in RUN for block in blocks(page))]


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is(page):
    """So that no code escapes by being called nothing."""
    for block in blocks(page):
        assert block.language in LANGUAGES, f"{page}:{block.line}: ```{block.language}: one of {', '.join(LANGUAGES)}"
        if block.language == "text":
            first = block.code.lstrip().split(" ")[0]
            assert first not in ("subpixel", "python", "pip", "$", "import", "from"), f"{page}:{block.line} is code"


def why_not(command):
    if command.startswith("ffmpeg") and shutil.which("ffmpeg"):
        return None
    return next((reason for start, reason in NOT_RUN.items() if command.startswith(start)), None)


@pytest.mark.parametrize("page", WITH_CODE)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    if any("torch" in block.code for block in blocks(page)):
        pytest.importorskip("torch", reason="the page uses PyTorch")
    monkeypatch.chdir(tmp_path)
    furnish(tmp_path, page)
    known = names(page)
    for block in blocks(page):
        where = f"{page}:{block.line}"
        if block.language == "python":
            if not any(part in block.code for part in NOT_RUN_PYTHON):
                exec(compile("\n" * block.line + block.code, where, "exec"), known)
        elif block.language in RUN:
            for command, said in commands(block):
                if why_not(command):
                    continue
                code, printed = run_shell(command)
                allowed = (0, 1) if any(part in command for part in MAY_FAIL) else (0,)
                assert code in allowed, f"{where}: {command} ended with exit code {code}"
                assert same_text(said, printed), f"{where}: {command} printed\n{printed}\nand the page says\n{said}"


@pytest.mark.parametrize("page", WITH_CODE)
def test_options_of_commands_that_are_not_run_exist(page):
    """Those are read by the command line, down to `--help` at their end."""
    for block in blocks(page):
        if block.language in ("sh", "console"):
            for command, _ in commands(block):
                words = shlex.split(command, comments=True)
                if why_not(command) and words[0] == "subpixel" and "|" not in words:
                    code, printed = run_shell(f"{shlex.join(words)} --help")
                    assert code == 0
                    assert "Usage: " in printed


def test_reasons_are_of_something():
    """No entry outlives its block."""
    every = [block for page in WITH_CODE for block in blocks(page)]
    lines = [command for block in every if block.language in ("sh", "console") for command, _ in commands(block)]
    for start in NOT_RUN:
        if start not in ("subpixel bench", "subpixel study"):
            assert any(line.startswith(start) for line in lines), start
    for part in NOT_RUN_PYTHON:
        assert any(part in block.code for block in every), part


def test_what_is_said_is_compared():
    assert same_text("a 1.25 ms\n…\nend", "a 3.5 ms\nb\nc\nend\n")
    assert same_text("y …  equal", "y   3.7e-06  2.9e-05  equal\n")
    assert not same_text("2 of 2 sites", "1 of 2 sites\n")
    assert not same_text("equal", "equal\nand more\n")
    assert not same_text("weights 2,601", "weights 2,602")


def test_wrong_code_is_noticed(tmp_path, monkeypatch):
    from subpixel.errors import InputError

    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        run_shell("subpixel evaluate nothing --scale 3")
