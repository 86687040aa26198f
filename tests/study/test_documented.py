"""docs/study.md repeats what findings.json says, word for word, and that is what the committed results say."""

import json
from pathlib import Path

from subpixel.study import budget, equal_time, initialisation, power, speed
from subpixel.study.findings import write_findings_of
from subpixel.study.glossary import CONTROLS, FAMILIES
from subpixel.study.results import ResultFile
from subpixel.study.settings import BudgetSettings

DOCS = Path(__file__).parents[2] / "docs"


def test_every_finding_on_the_page_is_the_programs():
    found = json.loads((DOCS / "study" / "findings.json").read_text())
    said = {f"- **{one['verdict']}** {one['text']}" for one in found["sentences"]}
    section = (DOCS / "study.md").read_text().partition("## What it found")[2]
    bullets = [line for line in section.splitlines() if line.startswith("- ")]
    assert bullets
    assert set(bullets) <= said
    made = found["planned"] - len(found["missing"])
    assert f"{made} of {found['planned']} runs" in section


def test_the_findings_are_those_of_the_committed_results(tmp_path):
    for name in (budget.FILE, equal_time.FILE, initialisation.FILE, power.FILE, speed.FILE):
        (tmp_path / name).write_bytes((DOCS / "study" / name).read_bytes())
    made = write_findings_of(tmp_path, (3, 2, 4), BudgetSettings())
    committed = json.loads((DOCS / "study" / "findings.json").read_text())
    assert made["missing"] == committed["missing"]
    assert [one["text"] for one in made["sentences"]] == [one["text"] for one in committed["sentences"]]


def test_the_tables_of_names_are_the_glossarys():
    text = (DOCS / "study.md").read_text()
    rows = [line for line in text.partition("## What it found")[0].splitlines() if line.startswith("| `")]
    assert rows == [f"| `{name}` | {what} |" for name, what in (*FAMILIES.items(), *CONTROLS.items())]


def test_no_run_is_there_twice_and_all_share_one_recipe():
    lines = list(ResultFile(DOCS / "study" / budget.FILE, lambda line: budget.NEEDS))
    text = (DOCS / "study" / budget.FILE).read_text().splitlines()
    assert len(lines) == len(text) > 0
    assert all(line["recipe"] == BudgetSettings().recipe() for line in lines)
    assert len({(line["scale"], line["data"]) for line in lines}) == len({line["scale"] for line in lines})
