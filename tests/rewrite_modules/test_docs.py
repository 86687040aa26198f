"""The example of docs/rewriting.md runs and prints what it says."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "rewriting.md").read_text(encoding="utf-8")


def test_the_example_for_pytorch() -> None:
    section = PAGE.split("## PyTorch\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    (printed,) = re.findall(r"```text\n(up1 .*?)```", section, re.DOTALL)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, "docs/rewriting.md", "exec"), {"__name__": "example"})
    assert output.getvalue() == printed
