"""The errors that a user's mistake or a user's file can cause.

Each message is one sentence that names what was wrong, where, and the way out. The command line prints it
and exits; it never shows a traceback for one of these.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def in_one_sentence(code: int) -> Iterator[None]:
    """For commands run with `python -m`: one of these errors ends the process with its sentence and that exit code."""
    try:
        yield
    except SubpixelError as error:
        print(f"subpixel: {error}", file=sys.stderr)
        sys.exit(code)


class SubpixelError(Exception):
    """Something given by the user could not be used. Command line: exit code 1."""


class UsageError(SubpixelError, ValueError):
    """The call itself is off: an unknown model name, an impossible scale. Command line: exit code 2."""


class InputError(SubpixelError):
    """A file or folder that was named could not be read for what it should be."""


class OutputError(SubpixelError):
    """A result could not be written; nothing half-written is left behind."""


class MissingExtra(SubpixelError):
    """An optional dependency is needed; the message carries the line that installs it."""
