"""docs/algebra.md keeps its promises: a section and a test for every law, and links that lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
TEXT = (DOCS / "algebra.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("law", range(1, 16))
def test_every_law_has_a_section_that_names_its_test(law: int) -> None:
    section = re.search(rf"^## A{law} .*?(?=^## |^---|\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert section is not None
    assert "**Proof.**" in section[0]
    (test,) = HERE.glob(f"test_a{law:02}_*.py")
    assert f"`{test.name}`" in section[0]
    assert f"def test_a{law:02}_" in test.read_text(encoding="utf-8")


def test_every_test_named_is_there() -> None:
    assert all((HERE / name).exists() for name in re.findall(r"`(test_\w+\.py)`", TEXT))


def test_links_lead_somewhere() -> None:
    """To headings, as GitHub names them, and to files."""
    headings = re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\(([^)]*)\)", TEXT):
        assert target[1:] in anchors if target.startswith("#") else (DOCS / target).exists(), target
