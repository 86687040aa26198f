"""What the findings keep apart, the page does not pool."""

from __future__ import annotations

import pytest

from study_report.sample import SETTINGS, write_lines, write_sample
from study_report.test_report import lines_of, row_of, text_of
from subpixel.study.findings import write_findings_of
from subpixel.study.results import processor


@pytest.fixture
def folder(tmp_path):
    write_sample(tmp_path / "results")
    return tmp_path / "results"


ONE = "1 thread, 15 rounds"


@pytest.mark.parametrize(
    ("other", "first", "second"),
    [
        ({"threads": 2}, ONE, "2 threads, 15 rounds"),
        ({"rounds": 3}, ONE, "1 thread, 3 rounds"),
        ({"processor": "Z80"}, f"{ONE}, {processor()}", f"{ONE}, Z80"),
    ],
)
def test_layers_that_were_timed_otherwise_stand_apart(folder, tmp_path, other, first, second):
    lines = lines_of(folder, "speed")
    assert "onnxruntime, forward: the fastest form of 24 layers" in text_of(folder, tmp_path)
    faster = [{**x, **other, "key": f"{x['key']}/b", "ms": {**x["ms"], "transposed": 1.0}} for x in lines]
    for line in faster:
        line["ms"]["lr-shuffle"] = 0.5
    write_lines(folder / "speed.jsonl", lines + faster)
    write_findings_of(folder, (3,), SETTINGS)
    text = text_of(folder, tmp_path)
    assert "of 48 layers" not in text
    for how in (first, second):
        assert f"onnxruntime, forward, {how}: the fastest form of 24 layers" in text
    caption = "How many times as fast LR convolution + shuffle is, median and range over layers"
    for stride in (2, 3, 4):
        row = row_of(text, caption, f"onnxruntime, forward, {second}, r = {stride}")
        assert (row["layers"], row["as deconvolution"]) == ("8", "2.00 (2.00 to 2.00)")


def test_students_that_learnt_otherwise_stand_apart(folder, tmp_path):
    """One seed of each of two budgets: two seeds of neither, as the findings say."""
    lines = lines_of(folder, "power")
    for line in lines:
        if line["kind"] == "converse" and line["seed"] == 1:
            line["budget"] = 6
    kept = [line for line in lines if line["kind"] != "converse" or line["seed"] < 2]
    write_lines(folder / "power.jsonl", kept)
    found = write_findings_of(folder, (3,), SETTINGS)
    said = [one["text"] for one in found["sentences"] if one["matching"] == "converse" and one["scale"] == 2]
    assert len(said) == 2
    assert all("missing, fewer than 2 seeds" in text for text in said)
    text = text_of(folder, tmp_path)
    for budget in (4, 6):
        how = f"1,500 steps of one thread, a budget of {budget} maps, learning rate 0.01"
        assert f"fitting the teacher “four phases of their own”, {how}" in text
        row = row_of(text, "What is left at the end", f"×2, four phases of their own, {how}", "shuffle-last")
        assert row["seeds"] == "1"
