"""docs/study.md repeats what findings.json says, word for word, and that is what the committed results say."""

import json
import re
from pathlib import Path

from subpixel.study import budget, equal_time, initialisation, power, speed
from subpixel.study.findings import write_findings_of
from subpixel.study.glossary import CONTROLS, FAMILIES
from subpixel.study.results import ResultFile
from subpixel.study.settings import BudgetSettings

DOCS = Path(__file__).parents[2] / "docs"


def test_every_finding_on_the_page_is_the_programs():
    """`scripts/study-text` writes them."""
    found = json.loads((DOCS / "study" / "findings.json").read_text())
    said = [one for one in found["sentences"] if one["verdict"] != "missing" and one["part"] != "speed"]
    wanted = [f"- **{one['verdict']}** {one['text']}" for one in said]
    summary = [f"- {text}" for text in found["short"].values()]
    section = (DOCS / "study.md").read_text().partition("## What it found")[2]
    bullets = [line for line in section.splitlines() if line.startswith("- ")]
    assert len(summary) == 5
    assert bullets[:5] == summary
    assert sorted(bullets[5:]) == sorted(wanted)
    made = found["planned"] - len(found["missing"])
    assert f"{made} of {found['planned']} runs" in section


def test_the_leads_in_the_readme_are_the_findings():
    short = json.loads((DOCS / "study" / "findings.json").read_text())["short"]
    text = " ".join((DOCS.parent / "README.md").read_text().split())
    paragraph = text.partition("At equal multiplications networks")[2].partition("(`subpixel study`")[0]
    ranges = re.findall(r"\+([\d.]+) to \+([\d.]+) dB at ×(\d)", f"{short['lead']} {short['time']}")
    assert len(ranges) >= 4
    said = re.findall(r"([\d.]+) to ([\d.]+) dB at ×(\d)", paragraph)
    assert sorted(said) == sorted(ranges)
    parts = re.findall(r"(\d+)% of the multiplications\) at ×(\d)", short["weights"])
    assert parts
    assert re.findall(r"(\d+) % at ×(\d)", paragraph) == parts


def test_the_findings_are_those_of_the_committed_results(tmp_path):
    for name in (budget.FILE, equal_time.FILE, initialisation.FILE, power.FILE, speed.FILE):
        (tmp_path / name).write_bytes((DOCS / "study" / name).read_bytes())
    made = write_findings_of(tmp_path, (3, 2, 4), BudgetSettings())
    committed = json.loads((DOCS / "study" / "findings.json").read_text())
    assert made.keys() == committed.keys()
    made = json.loads(json.dumps(made))
    for name, value in committed.items():
        assert _rounded(made[name]) == _rounded(value), name


def _rounded(value):
    """Floats to nine digits: the last ones are the machine's."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return {key: _rounded(one) for key, one in value.items()} if isinstance(value, dict) else value


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
