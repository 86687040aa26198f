"""The virtual environment of `scripts/demo` and `scripts/test`: made once, renewed when pyproject.toml changes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def ready(extras: str = "") -> str:
    """Path of a Python in `.venv` that has subpixel (editable) with `extras` installed."""
    if sys.version_info < (3, 11):  # noqa: UP036 - the scripts start before any package metadata is read
        sys.exit(
            f"subpixel needs Python 3.11 or newer and this is {sys.version.split()[0]}: "
            "run this script with a newer one, for example `python3.12 scripts/demo`."
        )
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + extras.encode()).hexdigest()
    stamp = VENV / f"installed{extras}"
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted:
        return str(PYTHON)
    print(f"Installing subpixel{extras} into {VENV} …", file=sys.stderr, flush=True)
    if not _has_pip():
        try:
            venv.create(VENV, with_pip=True, clear=True)
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(
                f"{VENV} could not be made ({error}): check that this Python has venv and ensurepip "
                "(Debian and Ubuntu: apt install python3-venv) and run this script again."
            )
    install = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        code = subprocess.run([*install, "--editable", f"{ROOT}{extras}"]).returncode
    except KeyboardInterrupt:
        sys.exit(130)
    if code:
        sys.exit(f"pip could not install subpixel{extras} (see above): mend that and run this script again.")
    stamp.write_text(wanted)
    return str(PYTHON)


def _has_pip() -> bool:
    """Is there a `.venv` that an interrupted run did not leave half made?"""
    if not PYTHON.exists():
        return False
    return subprocess.run([str(PYTHON), "-m", "pip", "--version"], capture_output=True).returncode == 0


def run(*command: str) -> None:
    """Run a command from the project's root; end with its exit code where it fails."""
    print("+", " ".join(command), file=sys.stderr, flush=True)
    try:
        code = subprocess.run(command, cwd=ROOT).returncode
    except KeyboardInterrupt:
        sys.exit(130)
    if code:
        sys.exit(code)
