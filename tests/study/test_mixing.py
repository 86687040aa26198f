"""Files whose lines were made with different settings: it is said, and nothing is compared across them."""

import json

import pytest
from click.testing import CliRunner

from study.planted import lines_of
from subpixel.cli import cli
from subpixel.errors import InputError
from subpixel.study import speed
from subpixel.study.findings import findings
from subpixel.study.findings.initialisation import about_starts
from subpixel.study.findings.mixing import settings_of
from subpixel.study.findings.speed import about_speed
from subpixel.study.plan import plan
from subpixel.study.settings import QUICK, BudgetSettings

SETTINGS = BudgetSettings(maps=(2, 3, 4), seeds=2, rates=(0.01,), longer=1, timed=())


def made(scales=(2, 3)):
    return [
        {**line, "threads": 1, "data": "d", "judging": "j"}
        for line in lines_of(SETTINGS, scales, {"shuffle-last": 0.5})
    ]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"threads": 2}, "threads 1 and 2"),
        ({"recipe": {**SETTINGS.recipe(), "steps": 7, "patch": 9}}, "steps 5000 and 7, patch 24 and 9"),
        ({"data": "e"}, "training pictures that are not the same"),
        ({"judging": "k"}, "benchmark or held-out pictures that are not the same"),
    ],
)
def test_runs_of_different_settings_are_not_compared(other, said):
    lines = made()
    at = next(index for index, line in enumerate(lines) if line["scale"] == 3)
    lines[at + 4] |= other
    found = findings(lines, [3, 2], SETTINGS)
    mine = [one for one in found["sentences"] if one["scale"] == 3]
    assert [(one["part"], one["verdict"]) for one in mine] == [("budget", "missing")]
    assert mine[0]["text"].endswith(f"budget.jsonl holds runs of different settings ({said}).")
    assert {cell["scale"] for cell in found["cells"]} == {one["scale"] for one in found["comparisons"]} == {2}
    assert any(one["verdict"] == "holds" for one in found["sentences"] if one["scale"] == 2)
    assert not found["missing"]  # the runs are there


def test_scales_may_differ_and_old_lines_may_say_less():
    lines = made()
    for line in lines:
        if line["scale"] == 3:
            line["threads"] = 4
    del lines[0]["judging"], lines[1]["threads"]
    found = findings(lines, [3, 2], SETTINGS)
    assert "different settings" not in json.dumps(found["sentences"])
    assert found == findings(made(), [3, 2], SETTINGS)


def test_settings_are_those_of_the_lines():
    full = BudgetSettings()
    quick = [{"scale": 3, "recipe": QUICK.recipe()}]
    assert settings_of([], 3) == full
    assert settings_of(quick, 3) == settings_of(quick, 2) == QUICK
    both = [*quick, {"scale": 2, "recipe": full.recipe()}]
    assert (settings_of(both, 3), settings_of(both, 2)) == (QUICK, full)
    other = settings_of([{"scale": 3, "recipe": {**full.recipe(), "steps": 9, "rates": [0.1]}}], 3)
    assert (other.steps, other.rates, other.maps) == (9, (0.1,), full.maps)


def test_the_command_knows_a_quick_study_by_its_lines(tmp_path):
    lines = lines_of(QUICK, [3], {})
    (tmp_path / "budget.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = CliRunner().invoke(cli, ["study", "findings", "--scale", "3", "-o", str(tmp_path), "--json"])
    found = json.loads(done.stdout)
    assert found["planned"] == len(plan(3, QUICK)) == len(lines)
    assert found["missing"] == []


def test_starts_of_different_settings_are_not_compared():
    def line(start, seed, **more):
        after = {"index": 1.0, "ripple": 0.1}
        return {"scale": 3, "start": start, "seed": seed, "before": {"index": 0.0}, "after": after, "psnr": {}, **more}

    lines = [line(start, seed, recipe={"steps": 2000}) for start in ("random", "icnr", "resize") for seed in range(2)]
    assert len(about_starts(lines, [3])) == 4
    lines[2]["recipe"] = {"steps": 100}
    (sentence,) = about_starts(lines, [3])
    assert (sentence.part, sentence.verdict) == ("initialisation", "missing")
    assert "initialisation.jsonl holds runs of different settings (steps 2000 and 100)" in sentence.text


def test_times_of_two_processors_are_not_pooled():
    ms = {"transposed": 4.0, "zero-insertion": 16.0, "lr-shuffle": 1.0, "upscale-convolve": 16.0}
    line = {"runtime": "torch", "pass": "forward", "stride": 2, "ms": ms, "threads": 1, "rounds": 7, "processor": "A"}
    assert [one.text.partition(":")[0] for one in about_speed([line, line])] == [
        "×2, torch, forward, 1 thread, 7 rounds"
    ] * 2
    texts = [one.text for one in about_speed([line, {**line, "processor": "B 2"}])]
    assert [text.partition(":")[0].rpartition(", ")[2] for text in texts] == ["A", "A", "B 2", "B 2"]


def test_speed_is_measured_on_one_processor(tmp_path, monkeypatch):
    how = {"places": [("onnxruntime", "forward")], "rounds": 1}
    points = [speed.Point(2, 2, 1, 1, (4, 4)), speed.Point(4, 2, 1, 1, (4, 4))]
    before = speed.study_speed(tmp_path, points=points[:1], **how)
    monkeypatch.setattr(speed, "processor", lambda: "Another 3000")
    assert speed.study_speed(tmp_path, points=points[:1], **how) == before
    with pytest.raises(InputError, match="not Another 3000"):
        speed.study_speed(tmp_path, points=points, **how)


def test_times_of_two_processors_at_one_scale_are_not_compared():
    settings = BudgetSettings(maps=(2, 3, 4), seeds=2, rates=(0.01,), longer=1)
    lines = [{**line, "ms": 1.0, "ratio": 1.0} for line in lines_of(settings, (2, 3), {"shuffle-last": 0.5})]
    times = [{"scale": scale, "processor": "A", "size": [4, 4], "threads": 1} for scale in (2, 2, 3, 3)]
    assert findings(lines, [3, 2], settings, times) == findings(lines, [3, 2], settings)
    times[3]["processor"] = "B"
    found = findings(lines, [3, 2], settings, times)
    timed = [one for one in found["sentences"] if one["matching"].startswith("equal-ms")]
    assert {one["scale"] for one in timed} == {2}
    assert {one["scale"] for one in found["comparisons"] if one["matching"].startswith("equal-ms")} == {2}
    assert {one["scale"] for one in found["cells"] if one["matching"].startswith("equal-ms")} == {2}
    said = [one for one in found["sentences"] if one["matching"] == "equal-time"]
    assert [(one["scale"], one["verdict"]) for one in said] == [(3, "missing")]
    assert 'equal_time.jsonl holds times of different settings (processor "A" and "B")' in said[0]["text"]
    assert {one["scale"] for one in found["comparisons"]} == {2, 3}  # equal multiplications are compared as ever
