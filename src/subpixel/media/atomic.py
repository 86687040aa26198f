"""Files that are whole or not there."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from subpixel.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be removed
    fcntl = None  # type: ignore[assignment]

_PART = re.compile(r"\.[0-9a-f]{16}\.part")


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; see `opened`.

    Raises:
        OutputError: it cannot be written; the temporary file is gone.
    """
    with opened(path) as file:
        file.write(content)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file to write under a temporary name in its own folder, renamed at the end; the folder is made if missing.

    Whatever ends this early, a full disk or an interrupt too, leaves the old file or none at `path`.

    Raises:
        OutputError: it cannot be written; the temporary file is gone.
    """
    temporary = path.with_name(f".{token_hex(8)}.part")  # the own name may be as long as a name can be
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                _lock(file)
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{path} cannot be written ({reason}): name another place with -o") from error


@contextmanager
def place_for(path: Path) -> Iterator[None]:
    """Work whose result goes to `path`: what shows now that it cannot be written is refused before.

    Where the work fails, folders that were made for the result are gone again.

    Raises:
        OutputError: a folder on the way is none, or nothing may be written there.
    """
    folders = (path.parent, *path.parent.parents)
    missing = list(takewhile(lambda folder: not os.path.lexists(folder), folders))
    there = folders[len(missing)]
    fault = None
    if not there.is_dir():
        fault = f"{there} is no folder"
    elif not os.access(there, os.W_OK | os.X_OK):
        fault = f"{there} takes no new files"
    if fault is not None:
        raise OutputError(f"{path} cannot be written ({fault}): name another place with -o")
    try:
        yield
    except BaseException:
        for folder in missing:
            with suppress(OSError):  # never made, or somebody else uses it by now
                folder.rmdir()
        raise


def sweep(folder: Path) -> None:
    """Remove the temporary files of processes that were killed; those that are being written stay."""
    with suppress(OSError):
        for path in folder.iterdir():
            if _PART.fullmatch(path.name):
                with suppress(OSError), path.open("rb") as file:
                    _lock(file)
                    path.unlink()


def _lock(file: BinaryIO) -> None:
    """Held as long as the file is open, and by nobody after a kill."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
