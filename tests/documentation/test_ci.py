"""`.ci/run` does with the browser what docs/site.md says."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("browser", [True, False])
def test_no_browser_is_skipped_silently(tmp_path, browser):
    """Programs of the same names stand in for Python, apt-get and the driver."""
    for name, does in {
        "python3": 'echo "SUBPIXEL_BROWSER=${SUBPIXEL_BROWSER:-}"',
        "apt-get": "exit 100",
        "id": "echo 1000",
        **({"chromedriver": "exit 0"} if browser else {}),
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "dirname").symlink_to("/usr/bin/dirname")
    bash = shutil.which("bash")
    environment = {"PATH": str(tmp_path)}
    made = subprocess.run([bash, ROOT / ".ci" / "run"], env=environment, capture_output=True, text=True, check=True)
    assert made.stdout == ("SUBPIXEL_BROWSER=required\n" if browser else "SUBPIXEL_BROWSER=\n")
    assert ("will be skipped" in made.stderr) != browser
    assert "without one it says on stderr" in " ".join((ROOT / "docs" / "site.md").read_text().split())
