"""The command `subpixel`: one function per verb, heavy imports inside them.

Results go to stdout, progress and diagnostics to stderr. Exit code 0: done; 1: something failed; 2: bad usage.
"""

import signal
import sys

import click

from subpixel import __version__
from subpixel.cli.bench import bench
from subpixel.cli.evaluate import evaluate
from subpixel.cli.inspect import inspect
from subpixel.cli.models import export, models
from subpixel.cli.rewrite import rewrite
from subpixel.cli.train import train
from subpixel.cli.upscale import upscale
from subpixel.cli.verify import verify
from subpixel.errors import SubpixelError, UsageError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(__version__, message="subpixel %(version)s")
def cli() -> None:
    """Enlarge pictures with networks that compute in low-resolution space."""


for verb in (upscale, models, evaluate, train, export, bench, rewrite, verify, inspect):
    cli.add_command(verb)


def main() -> None:
    """Entry point: a user's mistake is one sentence on stderr, never a traceback."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that temporary files go
    try:
        code = cli(prog_name="subpixel", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("subpixel: interrupted; nothing is left half-written", err=True)
        code = 130
    except SubpixelError as error:
        click.echo(f"subpixel: {error}", err=True)
        code = 2 if isinstance(error, UsageError) else 1
    sys.exit(code or 0)
