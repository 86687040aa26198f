"""Findings for one scale in a folder that has more."""

import json

from study.planted import lines_of
from subpixel.study.findings import findings, write_findings_of
from subpixel.study.plan import plan
from subpixel.study.settings import QUICK, BudgetSettings

SETTINGS = BudgetSettings(maps=(2, 3, 4), seeds=3, rates=(0.01,))
BETTER = {"shuffle-last": 0.5}


def test_scales_that_were_not_asked_for_are_reported_if_the_file_has_them():
    lines = lines_of(SETTINGS, [3], BETTER) + lines_of(QUICK, [2], BETTER, leave_out=lambda run: run.seed == 2)
    found = findings(lines, [3], SETTINGS)
    left = [run.key for run in plan(2, QUICK) if run.seed == 2]
    assert found["missing"] == [*findings(lines_of(SETTINGS, [3], BETTER), [3], SETTINGS)["missing"], *left]
    assert found["planned"] == len(plan(3, SETTINGS)) + len(plan(2, QUICK))
    assert {one["scale"] for one in found["comparisons"]} == {2, 3}


def test_findings_of_one_scale_says_what_all_of_the_page_lacks(tmp_path):
    """Else "0 runs are missing", under a page that shows another scale without its comparisons."""
    lines = lines_of(QUICK, [3], BETTER) + lines_of(QUICK, [2], BETTER, leave_out=lambda run: run.seed == 2)
    (tmp_path / "budget.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    start = {"key": "a", "scale": 4, "start": "icnr", "seed": 0, "before": {"index": 0.0}, "after": {}, "psnr": {}}
    lifted = {"key": "a", "kind": "lifting", "scale": 5, "values": 3, "differing": 0}
    found = write_findings_of(tmp_path, (3,))
    assert (len(found["missing"]), found["planned"]) == (2 * len(plan(2, QUICK)) - len(lines), 2 * len(plan(2, QUICK)))
    (tmp_path / "initialisation.jsonl").write_text(json.dumps(start) + "\n")
    (tmp_path / "power.jsonl").write_text(json.dumps(lifted) + "\n")
    found = write_findings_of(tmp_path, (3,))
    for part, scale in (("budget", 2), ("initialisation", 4), ("power", 5)):
        assert {one["scale"] for one in found["sentences"] if one["part"] == part} == {3, scale}
