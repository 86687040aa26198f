"""The lines of a result file, read and not changed: another process may be writing to it."""

import json
from pathlib import Path
from typing import Any

from subpixel.errors import InputError
from subpixel.study.strict_json import parse

Line = dict[str, Any]


def read_lines(path: Path) -> tuple[dict[int, Line], bytes]:
    """The finished lines by their number, the same line only once, and what a kill left of the last one.

    A last line without its newline is finished if it is JSON: no beginning of an object is.

    Raises:
        InputError: the file cannot be read, holds something else, or two lines of one key that say different things.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}, b""
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): name another folder with -o") from error
    whole, newline, cut = content.rpartition(b"\n")
    if _is_json(cut):
        whole, cut = whole + newline + cut, b""
    lines: dict[int, Line] = {}
    seen: dict[object, int] = {}
    for number, text in enumerate(whole.splitlines(), 1):
        try:
            line = parse(text)
        except (ValueError, RecursionError) as error:
            raise no_result(path, number) from error
        if not isinstance(line, dict):
            raise no_result(path, number, "it is no object")
        key = line.get("key")
        first = seen.setdefault(key, number) if isinstance(key, str) else number
        if first == number:
            lines[number] = line
        elif lines[first] != line:
            raise InputError(
                f"lines {first} and {number} of {path} are different results of one run ({key}): remove one of them"
            )
    return lines, cut


def no_result(path: Path, number: int, fault: str = "") -> InputError:
    """What is raised for a line that cannot be used; `fault` says why, where that is known."""
    why = f" ({fault})" if fault else ""
    return InputError(f"line {number} of {path} is no result of a study{why}: move that file away")


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
