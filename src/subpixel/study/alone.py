"""One process at a time makes the lines of a folder: two would make each run twice."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar

from subpixel.errors import OutputError
from subpixel.media.atomic import place_for

NAME = ".lock"

P = ParamSpec("P")
R = TypeVar("R")

_ours: set[Path] = set()
"""Folders that this process holds: parts run inside of others."""


def writes_alone(study: Callable[P, R]) -> Callable[P, R]:
    """While a function runs, no other process may run one of these for the same folder, its argument `output`."""

    @wraps(study)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        with only_writer(Path(signature(study).bind(*args, **kwargs).arguments["output"])):
            return study(*args, **kwargs)

    return alone


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the folder, which is made if missing, by a lock that a kill ends too.

    Raises:
        OutputError: another process holds it, or nothing can be written there.
    """
    of = folder.resolve()
    if of in _ours:
        yield
        return
    path = folder / NAME
    with place_for(path):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = _locked(path)
        except BlockingIOError as error:
            raise OutputError(
                f"{folder} is being written by another `subpixel study`: wait for it, or name another place with -o"
            ) from error
        except OSError as error:
            raise OutputError(f"{path} cannot be written ({error.strerror}): name another place with -o") from error
        _ours.add(of)
        try:
            yield
        finally:
            _ours.discard(of)
            with suppress(OSError):  # Windows, where a file that is open cannot be removed
                path.unlink()
            file.close()


def _locked(path: Path) -> BinaryIO:
    """The lock file, open and locked; a file that its holder has removed meanwhile is no lock."""
    while True:
        file = path.open("ab")
        try:
            _lock(file)
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except FileNotFoundError:
            pass
        except BaseException:
            file.close()
            raise
        file.close()


def _lock(file: BinaryIO) -> None:
    """Raises BlockingIOError where another process has it; a file system without locks keeps nobody out."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(*error.args) from error
    else:
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            return
