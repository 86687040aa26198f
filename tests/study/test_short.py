"""The five sentences, on lines whose answer is known."""

from study.planted import lines_of
from subpixel.study.findings.short import in_short
from subpixel.study.settings import BudgetSettings

SETTINGS = BudgetSettings(maps=(2, 4), seeds=2)
GAINS = {
    "shuffle-last": 0.5,
    "bicubic-first": 0.2,
    "equal-weights": -0.05,
    "equal-receptive-field": 0.3,
}


def timed(run):
    return run.matching.startswith("equal-ms-")


def test_each_says_the_numbers_of_its_own_runs():
    said = in_short(lines_of(SETTINGS, [3], GAINS, spread=0.0, leave_out=timed), [3], SETTINGS)
    assert list(said) == ["lead", "weights", "window", "caveats"]
    assert said["lead"].endswith("+0.30 dB at ×3 (2 budgets).")
    assert "-0.05 dB (95 % interval -0.05 to -0.05; 11% of the multiplications) at ×3" in said["weights"]
    assert "+0.30 dB (95 % interval +0.30 to +0.30; 3 LR pixels against 4) at ×3, holds" in said["window"]
    assert "3 times the steps still bring nearest-first +0.00 dB at ×3 and shuffle-last +0.00 dB" in said["caveats"]
    assert "equal widths" not in said["caveats"]


def test_what_was_not_run_is_not_said():
    def lacking(run):
        return run.matching != "equal-macs" and not timed(run)

    said = in_short(lines_of(SETTINGS, [2, 3], GAINS, leave_out=lacking), [2, 3], SETTINGS)
    assert list(said) == ["lead", "time", "caveats"]
    assert said["time"].count("×2") == said["time"].count("×3") == 2  # two runtimes
    assert "leads there are upper ends" in said["caveats"]
    assert in_short([], [2, 3], SETTINGS) == {}


def test_a_scale_of_two_settings_is_left_out():
    lines = lines_of(SETTINGS, [2, 3], GAINS)
    lines[0]["recipe"] = {**lines[0]["recipe"], "steps": 7}
    said = in_short(lines, [2, 3], SETTINGS)
    assert lines[0]["scale"] == 2
    assert said
    assert "×2" not in " ".join(said.values())
