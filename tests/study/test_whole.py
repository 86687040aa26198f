"""`subpixel study`: every part in turn into one folder, and again without making anything twice."""

import json
from dataclasses import replace

import pytest

pytest.importorskip("torch")

from subpixel.study import power, speed, whole
from subpixel.study.settings import BudgetSettings

TINY = BudgetSettings(
    maps=(2,),
    seeds=2,
    steps=2,
    batch=1,
    patch=6,
    rates=(1e-2,),
    rate_steps=1,
    longer=1,
    timed=(2,),
    time_size=(16, 12),
    time_rounds=1,
    points=1,
    held_out_side=48,
)


def test_the_whole_study_is_made_once(tmp_path, monkeypatch):
    points = speed.grid(True)[:1]
    monkeypatch.setattr(whole, "QUICK", TINY)
    monkeypatch.setattr(power, "QUICK", replace(power.QUICK, networks=1, seeds=1, steps=2, points=1, draws=20))
    monkeypatch.setattr(speed, "grid", lambda quick: points)
    said: list[str] = []
    found = whole.study_everything((), (), tmp_path, quick=True, scales=(2,), shown=said.append)
    assert found["missing"] == []
    assert json.loads((tmp_path / "findings.json").read_text(encoding="utf-8")) == json.loads(json.dumps(found))
    assert any("computed ones" in line for line in said)
    assert "<svg" in (tmp_path / whole.PAGE).read_text(encoding="utf-8")
    files = {path.name: path.read_bytes() for path in tmp_path.glob("*.jsonl")}
    assert set(files) >= {"budget.jsonl", "power.jsonl", "initialisation.jsonl", "speed.jsonl", "equal_time.jsonl"}
    again = whole.study_everything((), (), tmp_path, quick=True, scales=(2,))
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.jsonl")} == files
    assert again == found
