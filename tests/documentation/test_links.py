"""Links lead somewhere, on GitHub too, and what the README names exists."""

import re

import pytest

from documentation.pages import PAGES, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target, _, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(#([^)]*))?\)", text):
        path = ((ROOT / page).parent / target) if target else ROOT / page
        assert path.exists(), f"{page} links to {target}"
        if anchor:
            assert anchor in _anchors(path), f"{page} links to #{anchor} in {path.name}"


def _anchors(path):
    """As GitHub names a page's headings: small letters, hyphens for spaces, no punctuation."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_readme_scripts_exist():
    for name in set(re.findall(r"scripts/[a-z-]+", README)):
        assert (ROOT / name).exists(), name
