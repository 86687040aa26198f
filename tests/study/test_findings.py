"""Sentences on planted data: holds, does not hold, undecided, missing, diverged."""

import json
import re

from study.planted import lines_of
from subpixel.study.comparing import Place, compare
from subpixel.study.findings import findings, write_findings
from subpixel.study.findings.budget import about_place, about_plateau, about_rates
from subpixel.study.findings.initialisation import about_starts
from subpixel.study.findings.power import about_power
from subpixel.study.findings.speed import about_speed
from subpixel.study.glossary import FAMILIES
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


def plateau(brought, leave_out=only_macs, last=0.0):
    lines = lines_of(SETTINGS, [3], BETTER, leave_out=leave_out)
    lines[5]["curve"][-1][1] += last
    for line in lines:
        if line["matching"] == "longer":
            for picture in line["psnr"]["Set"]["images"]:
                line["psnr"]["Set"]["images"][picture] += brought
    return said(lines, "plateau")


def test_the_plateau_is_judged_by_longer_runs():
    assert plateau(0.01)[0] == "holds"
    verdict, text = plateau(0.2)
    assert verdict == "does not hold"
    assert "shuffle-last +0.200 dB" in text
    # The curve's end is stated, and decides nothing: the falling rate flattens it.
    verdict, text = plateau(0.01, last=0.3)
    assert verdict == "holds"
    assert "1 of 66 runs made, of 174 planned" in text
    verdict, text = plateau(0.0, leave_out=lambda run: only_macs(run) or run.matching == "longer")
    assert verdict == "undecided"
    assert "nearest-first was not run for longer" in text


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


TIMED = Place(3, "equal-ms-openvino", 3)


def at(place, gains, leave_out=lambda run: False, diverged=lambda run: None):
    """Verdicts and texts at one place alone."""

    def elsewhere(run):
        return (run.matching, run.budget) != (place.matching, place.budget) or leave_out(run)

    lines = lines_of(SETTINGS, [3], gains, leave_out=elsewhere, diverged=diverged)
    for line in lines:
        if place is TIMED:
            line["ratio"] = {"bicubic-first": 0.8, "deconvolution-first": 1.2}.get(line["family"], 1.0)
    return [(one.verdict, one.text) for one in about_place(lines, place)]


def test_at_equal_time_widths_differ_so_that_nothing_is_the_same_layer_and_times_are_said():
    (first, ours), (second, deconvolution), (_, resize) = at(TIMED, BETTER)
    assert first == "holds"
    assert (
        "shuffle-last 1.00, nearest-first 1.00, bicubic-first 0.80, deconvolution-first 1.20 (too slow at any" in ours
    )
    assert second == "undecided"  # equally good is not better
    assert "A shuffle at the end is better than a deconvolution of 3r × 3r taps: undecided;" in deconvolution
    assert "the same layer" not in deconvolution
    assert resize.endswith(" Of the budget's time they take: shuffle-last 1.00, resize-last 1.00.")


PLACE = Place(3, "equal-macs", 3)


def test_one_missing_rival_hides_neither_a_loss_nor_the_other_claims():
    (verdict, text), *others = at(PLACE, BETTER, leave_out=lambda run: run.family == "nearest-first")
    assert verdict == "missing"
    assert text.endswith("missing, too few runs of nearest-first.")
    assert [one for one, _ in others] == ["holds", "holds"]
    (verdict, text), *_ = at(PLACE, {"bicubic-first": 0.5}, leave_out=lambda run: run.family == "nearest-first")
    assert verdict == "does not hold"
    assert "bicubic-first is better" in text
    # Who is missing is named, and nobody else.
    texts = [text for _, text in at(PLACE, BETTER, leave_out=lambda run: run.family == "shuffle-last")]
    assert [text.partition("too few runs of ")[2] for text in texts] == ["shuffle-last."] * 3
    (only,) = at(PLACE, BETTER, leave_out=lambda run: True)
    assert only[0] == "missing"
    assert only[1].endswith("missing, no run was made.")


def test_what_diverged_is_said_with_each_claim_it_belongs_to():
    def lost(*names, seeds=range(3)):
        return lambda run: 7 if run.family in names and run.seed in seeds else None

    first, deconvolution, resize = at(PLACE, BETTER, diverged=lost("deconvolution-last", "resize-last"))
    assert first[0] == "holds"
    assert "diverged" not in first[1]
    assert deconvolution[0] == "does not hold"
    assert "no run of deconvolution-last ended (deconvolution-last diverged at step 7 (seed 0)" in deconvolution[1]
    assert resize[0] == "holds"
    assert [verdict for verdict, _ in at(PLACE, BETTER, diverged=lost("shuffle-last"))] == ["does not hold"] * 3
    *_, resize = at(PLACE, BETTER, diverged=lost("resize-last", seeds=[1]))
    assert resize[0] == "holds"
    assert "2 seeds" in resize[1]
    assert resize[1].endswith("(resize-last diverged at step 7 (seed 1)).")
    *_, resize = at(PLACE, BETTER, diverged=lost("resize-last", seeds=[0, 1]))
    assert resize[1].endswith("too few runs of resize-last (resize-last diverged at step 7 (seed 0), step 7 (seed 1)).")


def test_a_control_that_diverged_once_is_said_to():
    def lost(run):
        return 9 if (run.family, run.seed) == ("equal-weights", 1) else None

    lines = lines_of(SETTINGS, [3], BETTER, leave_out=lambda run: only_macs(run) or run.budget != 3, diverged=lost)
    verdict, text = said(lines, "causes")
    assert verdict == "holds"
    assert text.endswith("(equal-weights diverged at step 9 (seed 1)).")
    text = said([line for line in lines if line["family"] != "nearest-first"], "causes")[1]
    assert "missing, too few runs of nearest-first (" in text


def test_without_longer_runs_no_number_of_steps_is_named():
    asked = BudgetSettings(maps=(2, 3, 4), rates=(0.01,), longer=1)
    assert (
        about_plateau([], 3, asked).text == "×3: More steps bring less than 0.05 dB more: missing, there are no runs."
    )


def converse(student, residual, seed=0, **more):
    line = {"kind": "converse", "scale": 3, "teacher": "deep", "student": student, "seed": seed}
    return {**line, "budget": 4, "residual": residual, "floor": 0.1, **more}


def both(student, residual, **more):
    return [converse(student, residual, seed, **more) for seed in range(2)]


HR = [line for name in ("nearest-first", "bicubic-first", "deconvolution-first") for line in both(name, 0.3)]


def test_power_holds_only_if_every_lr_run_is_far_better():
    assert about_power([*both("shuffle-last", 0.01), *HR], [3])[1].verdict == "holds"
    assert about_power([*both("shuffle-last", 0.2), *HR], [3])[1].verdict == "undecided"
    assert about_power([*both("shuffle-last", 0.9), *HR], [3])[1].verdict == "does not hold"
    fitted = [*both("shuffle-last", 1e-7), *HR, converse("deconvolution-first", 1e-5, seed=2)]
    assert about_power(fitted, [3])[1].verdict == "does not hold"  # a thousandth of a per cent is fitted, too
    lost = [*both("shuffle-last", None), *HR]
    assert about_power(lost, [3])[1].verdict == "missing"
    assert [one.verdict for one in about_power([], [3])] == ["missing", "missing"]
    lifted = {"kind": "lifting", "scale": 3, "values": 9, "differing": 0}
    assert about_power([lifted, lifted], [3])[0].verdict == "holds"
    assert about_power([lifted, {**lifted, "differing": 1}], [3])[0].verdict == "does not hold"


def test_one_seed_of_any_family_says_nothing_of_power():
    ours = both("shuffle-last", 0.01)
    for lines in ([ours[0], *HR], [*ours, *HR[:-1]], [ours[0], converse("shuffle-last", None, 1), *HR]):
        sentence = about_power(lines, [3])[1]
        assert sentence.verdict == "missing"
        assert "fewer than 2 seeds of" in sentence.text


def test_a_sentence_on_power_says_how_it_was_made():
    lines = [*both("shuffle-last", 0.01), *HR, converse("nearest-first", 0.3, 2)]
    text = about_power(lines, [3])[1].text
    assert "shuffle-last 2, nearest-first 3, bicubic-first 2" in text
    assert "one learning rate, 0.01, for every student" in text
    assert "10.00% of the teacher's power (an estimate, standard error not recorded) lies outside" in text
    text = about_power([{**line, "floor_error": 0.002} for line in lines], [3])[1].text
    assert "standard error 0.20%" in text
    assert "10.00% of which" not in text
    assert "above that nearest-first leaves 20.00 times what shuffle-last leaves. Runs" in text


def test_what_holds_by_the_receptive_field_alone_says_so():
    by_window = [*both("shuffle-last", 0.04), *({**line, "residual": 0.14} for line in HR)]
    sentence = about_power(by_window, [3])[1]
    assert sentence.verdict == "holds"
    assert "leaves 1.00 times what shuffle-last leaves, less than the 2 that the rule asks for: it holds by the" in (
        sentence.text
    )
    enough = [*both("shuffle-last", 0.01), *HR]
    assert "it holds by" not in about_power(enough, [3])[1].text


def test_power_of_other_settings_has_its_own_sentence():
    lines = [*both("shuffle-last", 0.01), *HR]
    for other in ({"steps": 150}, {"budget": 2}, {"threads": 2}, {"learning_rate": 0.1}):
        mixed = [*lines, *({**line, **other, "residual": 0.5} for line in lines)]
        assert [one.verdict for one in about_power(mixed, [3])[1:]] == ["holds", "undecided"]
    # What the first lines do not record is what they were made with.
    recorded = [{**line, "steps": 1500, "threads": 1, "learning_rate": 0.01} for line in lines]
    assert len(about_power([*lines[:3], *recorded[3:]], [3])) == 2


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
    def line(lr, what, threads=1):
        ms = {"transposed": 4.0, "zero-insertion": 16.0, "lr-shuffle": lr, "upscale-convolve": 16.0}
        return {"runtime": "torch", "pass": what, "stride": 2, "ms": ms, "threads": threads, "rounds": 7}

    fast = about_speed([line(1.0, "training"), line(1.1, "training")])
    assert [one.verdict for one in fast] == ["holds", "holds"]
    assert "log2(r²) = 2.00 times" in fast[0].text
    assert "median 3.8" in fast[0].text
    slow = about_speed([line(6.0, "forward")])
    assert [one.verdict for one in slow] == ["does not hold", "does not hold"]
    # Threads and rounds are not pooled.
    mixed = about_speed([line(1.0, "forward"), line(6.0, "forward", threads=2), {**line(6.0, "forward"), "rounds": 3}])
    assert [one.verdict for one in mixed] == ["holds", "holds", *["does not hold"] * 4]
    assert "forward, 2 threads, 7 rounds" in mixed[2].text


def test_a_control_of_more_weights_is_no_control():
    lines = lines_of(SETTINGS, [3], BETTER, leave_out=only_macs)
    for line in lines:
        if line["family"] == "equal-weights":
            line["weights"] = 10_000
    verdict, text = said(lines, "causes")
    assert verdict == "missing"
    assert "equal-weights has 10,000 weights, nearest-first" in text


def test_a_best_rate_at_the_edge_is_a_finding():
    def line(family, rate, level):
        mark = {"scale": 3, "matching": "rate", "family": family, "learning_rate": rate, "diverged": None}
        return {**mark, "curve": [[100, level]]}

    inside = [
        line(family, rate, level) for family in FAMILIES for rate, level in ((0.003, 1.0), (0.01, 2.0), (0.03, 1.5))
    ]
    assert about_rates(inside, 3).verdict == "holds"
    at_edge = [{**x, "curve": [[100, 9.0]]} if (x["family"], x["learning_rate"]) == EDGE else x for x in inside]
    found = about_rates(at_edge, 3)
    assert found.verdict == "does not hold"
    assert "best at the edge of the grid, and perhaps better beyond it: nearest-first 0.03;" in found.text
    assert about_rates(inside[:5], 3).verdict == "missing"


EDGE = ("nearest-first", 0.03)
