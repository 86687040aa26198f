"""Sentences on planted data: holds, does not hold, undecided, missing, diverged."""

import json
import re

import pytest

from study.planted import lines_of
from subpixel.study.comparing import Place, compare
from subpixel.study.findings import findings, write_findings
from subpixel.study.findings.initialisation import about_starts
from subpixel.study.findings.power import about_power
from subpixel.study.findings.speed import about_speed
from subpixel.study.settings import BudgetSettings

SETTINGS = BudgetSettings(maps=(2, 3, 4), seeds=3, rates=(0.01,))
BETTER = {"shuffle-last": 0.5, "deconvolution-last": 0.5, "resize-last": 0.2, "equal-weights": 0.3}


def only_macs(run):
    return run.matching.startswith("equal-ms")


def said(lines, part="budget", budget=3):
    """(verdict, text) of the first sentence of a part at a budget."""
    found = findings(lines, [3], SETTINGS)["sentences"]
    first = next(one for one in found if one["part"] == part and one["budget"] in (budget, None))
    return first["verdict"], first["text"]


def test_a_planted_gain_holds_and_is_stated():
    verdict, text = said(lines_of(SETTINGS, [3], BETTER, leave_out=only_macs))
    assert verdict == "holds"
    assert "+0.5" in text
    assert "3 seeds" in text
    assert "19 of 19 pictures" in text
    assert "×3, 1,944 multiplications for each LR pixel: LR convolutions" in text


def test_a_planted_loss_does_not_hold():
    verdict, text = said(lines_of(SETTINGS, [3], {"bicubic-first": 0.5}, leave_out=only_macs))
    assert verdict == "does not hold"
    assert "bicubic-first is better" in text


def test_no_difference_is_undecided():
    verdict, text = said(lines_of(SETTINGS, [3], {}, spread=0.2, leave_out=only_macs))
    assert verdict == "undecided"
    assert "undecided" in text


def test_too_few_runs_are_missing_and_listed():
    lines = lines_of(SETTINGS, [3], BETTER, leave_out=lambda run: only_macs(run) or run.family == "nearest-first")
    verdict, text = said(lines)
    assert verdict == "missing"
    assert "too few runs of nearest-first" in text
    missing = findings(lines, [3], SETTINGS)["missing"]
    assert "x3/equal-macs/3maps/nearest-first/seed1" in missing
    assert all("nearest-first" in key or "equal-ms" in key for key in missing)


def test_one_seed_alone_is_missing():
    lines = lines_of(SETTINGS, [3], BETTER, leave_out=lambda run: only_macs(run) or run.seed > 0)
    assert said(lines)[0] == "missing"


def test_a_family_that_diverged_is_named():
    def lost(run):
        return 42 if (run.family, run.seed) == ("nearest-first", 1) and run.matching == "equal-macs" else None

    verdict, text = said(lines_of(SETTINGS, [3], BETTER, leave_out=only_macs, diverged=lost))
    assert verdict == "holds"  # the two other seeds say so
    assert "nearest-first diverged at step 42 (seed 1)" in text

    lines = lines_of(
        SETTINGS,
        [3],
        BETTER,
        leave_out=only_macs,
        diverged=lambda run: 7 if run.family == "shuffle-last" and run.matching == "equal-macs" else None,
    )
    verdict, text = said(lines)
    assert verdict == "does not hold"
    assert "shuffle-last diverged at step 7" in text
    cell = next(x for x in findings(lines, [3], SETTINGS)["cells"] if x["family"] == "shuffle-last")
    assert cell["diverged"] == {"0": 7, "1": 7, "2": 7}


def test_causes_and_what_is_alike():
    found = findings(lines_of(SETTINGS, [3], BETTER, leave_out=only_macs), [3], SETTINGS)["sentences"]
    by_text = {re.sub("^[^:]*: ", "", one["text"]): one["verdict"] for one in found if one["part"] == "causes"}
    verdicts = {next(iter(text.split(" less "))).rsplit(" ", 1)[-1]: verdict for text, verdict in by_text.items()}
    assert verdicts["equal-weights"] == "holds"
    assert verdicts["tied-phases"] == "holds"
    assert verdicts["untied-phases"] != "holds"
    alike = [one for one in found if "learn alike" in one["text"]]
    assert {one["verdict"] for one in alike} == {"holds"}


@pytest.mark.parametrize(("last", "verdict"), [(0.0, "holds"), (0.2, "does not hold")])
def test_the_plateau_is_judged_by_the_last_quarter(last, verdict):
    lines = lines_of(SETTINGS, [3], BETTER, leave_out=only_macs)
    lines[5]["curve"][-1][1] += last
    assert said(lines, "plateau")[0] == verdict


def test_runs_are_paired_by_seed_and_picture():
    lines = lines_of(SETTINGS, [3], BETTER, leave_out=only_macs)
    place = Place(3, "equal-macs", 3)
    first, second = place.find(lines, "shuffle-last"), place.find(lines, "nearest-first")
    whole = compare(first, second)
    assert whole is not None
    assert (whole.seeds, whole.pictures) == (3, 19)
    del second[0]["psnr"]["Set"]["images"]["p3"]
    part = compare(first, second[:2])
    assert part is not None
    assert (part.seeds, part.pictures) == (2, 18)
    assert compare(first, []) is None


def test_equal_time_is_reported_where_it_was_measured(tmp_path):
    found = findings(lines_of(SETTINGS, [3], BETTER), [3], SETTINGS)
    texts = [one["text"] for one in found["sentences"] if one["matching"] == "equal-ms-openvino"]
    assert any(text.startswith("×3, the time of 1,944 multiplications for each LR pixel on openvino") for text in texts)
    assert not found["missing"]
    write_findings(tmp_path, found)
    assert json.loads((tmp_path / "findings.json").read_text()) == json.loads(json.dumps(found))


def test_power_holds_only_if_every_lr_run_is_far_better():
    def converse(student, residual, seed=0):
        return {
            "kind": "converse",
            "scale": 3,
            "teacher": "deep",
            "student": student,
            "seed": seed,
            "residual": residual,
            "floor": 0.1,
        }

    hr = [converse(name, 0.3) for name in ("nearest-first", "bicubic-first", "deconvolution-first")]
    assert about_power([converse("shuffle-last", 0.01), *hr], [3])[1].verdict == "holds"
    assert about_power([converse("shuffle-last", 0.2), *hr], [3])[1].verdict == "undecided"
    assert about_power([converse("shuffle-last", 0.9), *hr], [3])[1].verdict == "does not hold"
    fitted = [converse("shuffle-last", 1e-7), *hr, converse("deconvolution-first", 1e-5, seed=1)]
    assert about_power(fitted, [3])[1].verdict == "does not hold"  # a thousandth of a per cent is fitted, too
    lost = [converse("shuffle-last", None), *hr]
    assert about_power(lost, [3])[1].verdict == "missing"
    assert [one.verdict for one in about_power([], [3])] == ["missing", "missing"]
    lifted = {"kind": "lifting", "scale": 3, "values": 9, "differing": 0}
    assert about_power([lifted, lifted], [3])[0].verdict == "holds"
    assert about_power([lifted, {**lifted, "differing": 1}], [3])[0].verdict == "does not hold"


def test_starts_are_judged_by_index_and_error():
    def line(start, seed, before, after, level):
        images = {f"p{i}": level + 0.1 * i + 0.001 * seed for i in range(12)}
        return {
            "scale": 3,
            "start": start,
            "seed": seed,
            "before": {"index": before},
            "after": {"index": 1.0, "ripple": after + 0.001 * seed},
            "psnr": {"Set": {"mean": level, "images": images}},
        }

    def three(start, before, after, level):
        return [line(start, seed, before, after, level) for seed in range(3)]

    lines = [*three("random", 0.7, 0.5, 30.0), *three("icnr", 0.0, 0.2, 30.3), *three("resize", 0.0, 0.0, 30.2)]
    assert [one.verdict for one in about_starts(lines, [3])] == ["holds"] * 4
    lines = [*three("random", 0.7, 0.1, 30.4), *three("icnr", 0.2, 0.2, 30.3), *three("resize", 0.0, 0.0, 30.2)]
    verdicts = [one.verdict for one in about_starts(lines, [3])]
    assert verdicts == ["does not hold", "does not hold", "holds", "does not hold"]
    assert {one.verdict for one in about_starts([], [3])} == {"missing"}


def test_claims_of_speed_stand_beside_what_was_measured():
    def line(lr, what):
        ms = {"transposed": 4.0, "zero-insertion": 16.0, "lr-shuffle": lr, "upscale-convolve": 16.0}
        return {"runtime": "torch", "pass": what, "stride": 2, "ms": ms}

    fast = about_speed([line(1.0, "training"), line(1.1, "training")])
    assert [one.verdict for one in fast] == ["holds", "holds"]
    assert "log2(r²) = 2.00 times" in fast[0].text
    assert "median 3.8" in fast[0].text
    slow = about_speed([line(6.0, "forward")])
    assert [one.verdict for one in slow] == ["does not hold", "does not hold"]
