"""Result files: one JSON object a line, appended when it is finished, so that a study can be stopped at any time.

docs/study/README.md describes the lines of each file.
"""

import datetime
import json
import os
import platform
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from subpixel.errors import InputError, OutputError
from subpixel.media.atomic import write_atomically
from subpixel.study.strict_json import parse
from subpixel.study.values import Needs, fault_of, is_text

Line = dict[str, Any]

PACKAGES = ("subpixel", "numpy", "torch", "pytorch-optimizer", "onnxruntime", "openvino")


class ResultFile:
    """The finished lines of one part of the study, by their key.

    A line that a kill cut short is dropped when the file is opened. Two processes must not write to one file.

    Args:
        path: of the file, which need not be there yet.
        needs: what a line must have beside its key.

    Raises:
        InputError: the file is no result file, or a line lacks what it needs; it is named.
    """

    def __init__(self, path: Path, needs: Callable[[Line], Needs] = lambda line: {}) -> None:
        self.path = path
        self.lines: dict[str, Line] = {line["key"]: line for line in _read(path, needs)}

    def __contains__(self, key: str) -> bool:
        return key in self.lines

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines.values())

    def __len__(self) -> int:
        return len(self.lines)

    def add(self, line: Line) -> None:
        """Append a finished line; it is on the disk when this returns.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, allow_nan=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(
                f"{self.path} cannot be written ({error.strerror}): name another place with -o"
            ) from error
        self.lines[line["key"]] = line


def _read(path: Path, needs: Callable[[Line], Needs]) -> list[Line]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): name another folder with -o") from error
    whole, newline, cut = content.rpartition(b"\n")
    if cut:  # killed while it was written
        write_atomically(path, whole + newline)
    lines = []
    for number, text in enumerate(whole.splitlines(), 1):
        try:
            line = parse(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"line {number} of {path} is no result of a study: move that file away") from error
        fault = fault_of(line, {"key": is_text, **needs(line)}) if isinstance(line, dict) else "it is no object"
        if fault is not None:
            raise InputError(f"line {number} of {path} is no result of a study ({fault}): move that file away")
        lines.append(line)
    return lines


def circumstances() -> Line:
    """Where and with what a line was made: date, processor, cores, system, versions."""
    from subpixel.runtime.cores import available_cores

    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "processor": processor(),
        "cores": available_cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def processor() -> str:
    """This machine's, as the system names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
