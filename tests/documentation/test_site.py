"""The site is built as strictly as in CI: every warning is an error."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytest.importorskip("sphinx", reason="the site is built by the extra docs")
pytest.importorskip("furo", reason="the site is built by the extra docs")


def build(docs: Path, output: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-b", "html", str(docs), str(output)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The documentation beside the files outside that it links to."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("_extra", "report.html"))
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "src", "scripts", "tests", "examples"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def test_it_builds_without_a_warning(copy):
    done = build(copy / "docs", copy / "out")
    assert done.returncode == 0, done.stderr
    pages = {path.relative_to(copy / "docs").with_suffix(".html") for path in (copy / "docs").rglob("*.md")}
    assert all((copy / "out" / page).exists() for page in pages)


def links_to_the_page(output):
    """What the pages that speak of the study's page link it to."""
    pages = {name: (output / name).read_text(encoding="utf-8") for name in ("index.html", "study.html")}
    return {
        name: [href for href, words in re.findall(r'<a [^>]*href="([^"]+)"[^>]*>(.*?)</a>', text)
               if re.sub("<[^>]+>", "", words).lower() == "the page" and "note.html" not in href]
        for name, text in pages.items()
    }  # fmt: skip


def test_the_link_to_the_studys_page_leads_to_what_scripts_docs_copies(copy, tmp_path):
    """Where it is not made, the link leads to the section on how to make it, as it does on GitHub."""
    made = re.search(r'"docs/(_extra/[^"]+)"', (ROOT / "scripts" / "docs").read_text(encoding="utf-8"))
    assert made
    assert links_to_the_page(copy / "out") == {name: ["site.html#the-page"] for name in ("index.html", "study.html")}
    page = copy / "docs" / made[1]
    page.parent.mkdir()
    page.write_text("<!doctype html><title>the page</title>", encoding="utf-8")
    done = build(copy / "docs", tmp_path)
    shutil.rmtree(page.parent)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / page.name).read_text(encoding="utf-8") == "<!doctype html><title>the page</title>"
    assert links_to_the_page(tmp_path) == {name: [page.name] for name in ("index.html", "study.html")}


def test_it_fetches_nothing_from_elsewhere(copy):
    text = (copy / "out" / "note.html").read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(https?:[^"]+\.(?:js|css|woff2?|png|svg))"', text)


@pytest.mark.parametrize(
    ("mistake", "warning"),
    [
        ("[x](nowhere.md)", "nowhere"),
        ("[x](notation.md#nothing)", "nothing"),
        ("![x](images/none.png)", "none.png"),
    ],
)
def test_mistakes_are_found(copy, mistake, warning):
    page = copy / "docs" / "evaluation.md"
    text = page.read_text(encoding="utf-8")
    try:
        page.write_text(f"{text}\n\n{mistake}\n", encoding="utf-8")
        done = build(copy / "docs", copy / "out")  # the pages that stay are not read again
        assert done.returncode != 0
        assert warning in done.stderr
    finally:
        page.write_text(text, encoding="utf-8")


def test_a_page_that_no_other_leads_to_is_found(copy):
    (copy / "docs" / "alone.md").write_text("# Alone\n", encoding="utf-8")
    done = build(copy / "docs", copy / "out")
    (copy / "docs" / "alone.md").unlink()
    assert done.returncode != 0
    assert "alone" in done.stderr
