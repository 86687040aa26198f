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

from subpixel.errors import OutputError
from subpixel.media.atomic import write_atomically
from subpixel.study.lines import Line, no_result, read_lines
from subpixel.study.values import Needs, fault_of, is_text

PACKAGES = ("subpixel", "numpy", "torch", "pytorch-optimizer", "onnxruntime", "openvino")


class ResultFile:
    """The finished lines of one part of the study, by their key.

    Reading changes nothing: a line that a kill cut short is dropped when the next one is added. Two processes must not
    write to one file (`subpixel.study.alone`).

    Args:
        path: of the file, which need not be there yet.
        needs: what a line must have beside its key.

    Raises:
        InputError: the file is no result file, holds two results of one run, or a line lacks what it needs.
    """

    def __init__(self, path: Path, needs: Callable[[Line], Needs] = lambda line: {}) -> None:
        self.path = path
        self.lines: dict[str, Line] = {}
        lines, self._cut = read_lines(path)
        for number, line in lines.items():
            fault = fault_of(line, {"key": is_text, **needs(line)})
            if fault is not None:
                raise no_result(path, number, fault)
            self.lines[line["key"]] = line

    def __contains__(self, key: str) -> bool:
        return key in self.lines

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines.values())

    def __len__(self) -> int:
        return len(self.lines)

    def add(self, line: Line) -> None:
        """Append a finished line; it is on the disk when this returns. One of the same key is replaced.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if line["key"] in self.lines:
                others = (json.dumps(other) + "\n" for key, other in self.lines.items() if key != line["key"])
                write_atomically(self.path, "".join(others).encode())
                self._cut = b""
            with self.path.open("a+b") as file:
                end = file.truncate(file.seek(0, os.SEEK_END) - len(self._cut))
                self._cut = b""
                file.seek(max(0, end - 1))
                newline = b"" if file.read(1) in (b"", b"\n") else b"\n"
                file.write(newline + json.dumps(line, allow_nan=False).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(
                f"{self.path} cannot be written ({error.strerror}): name another place with -o"
            ) from error
        self.lines.pop(line["key"], None)
        self.lines[line["key"]] = line


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
