"""The learning rates that the search gives, and lines that they make outdated."""

from study.planted import lines_of
from subpixel.study.findings.budget import findings
from subpixel.study.glossary import CONTROLS, FAMILIES
from subpixel.study.missing import current, missing_runs
from subpixel.study.rates import best_rate
from subpixel.study.settings import BudgetSettings

SETTINGS = BudgetSettings(maps=(2, 4), seeds=2)
LEVELS = {
    "shuffle-last": {0.003: 3.1, 0.01: 3.0, 0.03: 1.0},
    "deconvolution-last": {0.003: 2.0, 0.01: 3.0, 0.03: 1.0},
}


def search(scale=3, levels=LEVELS):
    return [
        {
            "key": f"x{scale}/rate/4maps/{family}/rate{rate}/seed1000",
            "scale": scale,
            "matching": "rate",
            "budget": 4,
            "family": family,
            "seed": 1000,
            "learning_rate": rate,
            "curve": [[0, 0.0], [100, level]],
            "diverged": None,
            "psnr": None,
            "recipe": SETTINGS.recipe(),
        }
        for family in FAMILIES
        for rate, level in levels.get(family, {0.003: 1.0, 0.01: 1.0, 0.03: 2.0}).items()
    ]


def test_forms_of_one_layer_share_the_rate_that_is_best_for_both():
    lines = search()
    assert best_rate("shuffle-last", 3, lines) == best_rate("deconvolution-last", 3, lines) == 0.01
    assert best_rate("resize-last", 3, lines) == 0.03
    assert best_rate("shuffle-last", 2, lines) is None
    # A rate at which one of them diverged, or was not tried, is none for both.
    lost = [{**x, "diverged": 7} if (x["family"], x["learning_rate"]) == ("shuffle-last", 0.01) else x for x in lines]
    assert best_rate("deconvolution-last", 3, lost) == 0.003
    assert best_rate("shuffle-last", 3, [x for x in lines if x["family"] != "deconvolution-last"]) is None


def made(wrong=lambda line: False):
    runs = lines_of(SETTINGS, [3], {"shuffle-last": 0.5})
    lower = {"shuffle-last", "deconvolution-last", *CONTROLS} - {"tied-phases"}
    for line in runs:
        line["learning_rate"] = 0.003 if wrong(line) else 0.01 if line["family"] in lower else 0.03
    return [*search(), *runs]


def test_lines_of_another_rate_count_as_missing_and_are_compared_with_nothing():
    assert len(current(made(), {3: SETTINGS})) == len(made())
    settled = findings(made(), [3], SETTINGS)
    assert settled["missing"] == []
    lines = made(lambda line: line["family"] in ("shuffle-last", "equal-weights"))
    gone = [line["key"] for line in lines if line["learning_rate"] == 0.003 and line["matching"] != "rate"]
    assert sorted(gone) == sorted(run.key for run in missing_runs(lines, 3, SETTINGS))
    found = findings(lines, [3], SETTINGS)
    assert sorted(found["missing"]) == sorted(gone)
    assert not [cell for cell in found["cells"] if cell["family"] in ("shuffle-last", "equal-weights")]
    assert found["comparisons"] == []
    assert settled["comparisons"]


def test_a_line_of_another_network_than_the_plans_counts_as_missing():
    lines = made()
    (old,) = (x for x in lines if x["key"] == "x3/control/4maps/equal-receptive-field/seed0")
    (timed,) = (x for x in lines if x["key"] == "x3/equal-ms-openvino/4maps/shuffle-last/seed0")
    other = next(x for x in lines if x["family"] == "untied-phases")
    old["network"] = timed["network"] = other["network"]
    # The widths of equal time were measured: the plan does not know them.
    assert [run.key for run in missing_runs(lines, 3, SETTINGS)] == [old["key"]]
