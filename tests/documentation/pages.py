"""The pages of the documentation, their blocks of code, and running them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")),
]
LANGUAGES = ("python", "sh", "console", "text", "toml", "json")
RUN = ("python", "sh", "console")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; `line` is that of its fence."""

    page: str
    line: int
    language: str
    code: str


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a page but MyST's directives, `{…}`."""
    found, opened = [], None
    for number, line in enumerate((ROOT / page).read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            if opened is None:
                opened = (number, line[3:].strip(), [])
            else:
                start, language, lines = opened
                found.append(Block(page, start, language, "".join(f"{text}\n" for text in lines)))
                opened = None
        elif opened is not None:
            opened[2].append(line)
    assert opened is None, f"{page}: the block of line {opened[0]} does not end"
    return [block for block in found if not block.language.startswith("{")]


def commands(block: Block) -> list[tuple[str, str]]:
    """(command, what the page says it prints) of a block of shell; of `sh` blocks nothing is said."""
    if block.language == "sh":
        joined = block.code.replace("\\\n", " ")
        return [(line, "…") for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    found: list[tuple[str, list[str]]] = []
    for line in block.code.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return [(command, "\n".join(said)) for command, said in found]


def run_shell(command: str) -> tuple[int, str]:
    """Exit code and standard output.

    `subpixel` runs in this process, which saves importing everything anew, unless the shell or the process matters.
    """
    if any(sign in shlex.split(command, comments=True) for sign in ("|", ">", "<", "&&", "--memory")):
        shim = Path("bin")
        shim.mkdir(exist_ok=True)
        (shim / "subpixel").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m subpixel "$@"\n')
        (shim / "subpixel").chmod(0o755)
        path = f"{shim.resolve()}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path}
        done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, env=environment)
        return done.returncode, done.stdout.decode(errors="replace")
    words = [
        name
        for word in shlex.split(command, comments=True)
        for name in (sorted(map(str, Path().glob(word))) if "*" in word else [word])
    ]
    if words[0] != "subpixel":
        words[0] = {"python": sys.executable, "python3": sys.executable}.get(words[0], words[0])
        done = subprocess.run(words, capture_output=True, text=True)
        return done.returncode, done.stdout
    from click.testing import CliRunner

    from subpixel.cli import cli

    result = CliRunner().invoke(cli, words[1:], standalone_mode=False, catch_exceptions=False)
    return result.return_value or 0, result.stdout


def same_text(said: str, printed: str) -> bool:
    """Is it what the page says? `…` stands for anything; numbers with a point differ from machine to machine."""

    def plain(text: str) -> str:
        return re.sub(r"\s+", " ", re.sub(r"\d+\.\d+(e[+-]\d+)?", "#", text)).strip()

    pattern = ".*".join(re.escape(part.strip()) for part in plain(said).split("…"))
    return re.fullmatch(rf"{pattern}", plain(printed), re.DOTALL) is not None or (
        # white space around `…` may be missing where it stands for nothing
        re.fullmatch(pattern.replace("\\ ", r"\s*"), plain(printed), re.DOTALL) is not None
    )
