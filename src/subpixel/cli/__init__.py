"""The command `subpixel`: one function per verb, heavy imports inside them.

Results go to stdout, progress and diagnostics to stderr. Exit code 0: done; 1: something failed; 2: bad usage.
"""

import io
import os
import signal
import sys
from contextlib import suppress
from itertools import takewhile

import click

from subpixel import __version__
from subpixel.cli.bench import bench
from subpixel.cli.compare import compare
from subpixel.cli.evaluate import evaluate
from subpixel.cli.inspect import inspect
from subpixel.cli.models import export, models
from subpixel.cli.options import print_json
from subpixel.cli.rewrite import rewrite
from subpixel.cli.study import study
from subpixel.cli.train import train
from subpixel.cli.upscale import upscale
from subpixel.cli.verify import verify
from subpixel.errors import SubpixelError, UsageError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(__version__, message="subpixel %(version)s")
def cli() -> None:
    """Enlarge pictures with networks that compute in low-resolution space."""


for verb in (upscale, models, evaluate, compare, train, study, export, bench, rewrite, verify, inspect):
    cli.add_command(verb)


def main() -> None:
    """Entry point: a user's mistake is one sentence on stderr, never a traceback."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that temporary files go
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may be no text
    try:
        code = cli(prog_name="subpixel", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        _print_json_error(error.format_message())
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("subpixel: interrupted; nothing is left half-written", err=True)
        code = 130
    except SubpixelError as error:
        code = _fail(str(error), 2 if isinstance(error, UsageError) else 1)
    except MemoryError:
        code = _fail("this machine's memory is too small for that: give smaller pictures, or fewer at once")
    except OSError as error:
        reason = error.strerror or str(error)
        code = _fail(f"{error.filename}: {reason}" if error.filename else f"the system refused: {reason}")
    sys.exit(code or 0)


def _fail(sentence: str, code: int = 1) -> int:
    with suppress(OSError):
        click.echo(f"subpixel: {sentence}", err=True)
    try:
        sys.stdout.flush()
    except OSError:
        _drop_stdout()
    _print_json_error(sentence)
    return code


def _print_json_error(sentence: str) -> None:
    """With --json a call that fails as a whole says so on stdout too, where its reader looks."""
    if "--json" in takewhile(lambda argument: argument != "--", sys.argv[1:]):
        try:
            print_json({"error": sentence})
        except OSError:
            _drop_stdout()


def _drop_stdout() -> None:
    """What is still in the buffer goes nowhere: Python would fail on it once more at the end."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
