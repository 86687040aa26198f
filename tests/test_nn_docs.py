"""docs/layers.md does what it says."""

import re
from pathlib import Path

import torch

DOCUMENT = Path(__file__).parents[1] / "docs" / "layers.md"


def test_the_examples_run():
    torch.manual_seed(0)
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 5
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(DOCUMENT), "exec"), names)
