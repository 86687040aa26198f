"""`subpixel study`: every part in turn into one folder, and again without making anything twice."""

import json
from dataclasses import replace

import pytest

pytest.importorskip("torch")

from subpixel.errors import InputError
from subpixel.study import power, speed, whole
from subpixel.study.drawn import write_drawn
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
    learn, judge, _ = write_drawn(tmp_path / "others")
    for given in (((learn,), (), "training"), ((), (sub_folder(judge),), "benchmark or held-out")):
        folders, benchmarks, what = given
        with pytest.raises(InputError, match=f"made from other {what}"):
            whole.study_everything(
                folders, benchmarks, tmp_path, quick=True, scales=(2,), held_out=("drawn00.png",) if folders else ()
            )
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.jsonl")} == files


def sub_folder(folder):
    """A folder of one of its pictures."""
    made = folder.parent / "one"
    made.mkdir()
    first = sorted(folder.iterdir())[0]
    (made / first.name).write_bytes(first.read_bytes())
    return made
