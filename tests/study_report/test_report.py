"""The page of the study without a browser: what is in the files is on it, what is not is named, nothing is believed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html import escape

import pytest

from study_report.sample import DIVERGES, SETTINGS, write_lines, write_sample
from subpixel.errors import InputError, OutputError
from subpixel.study.findings import write_findings_of
from subpixel.study.report import write_report
from subpixel.study.report.drawing import colours
from subpixel.study.report.plots.axes import Scale, around
from subpixel.study.report.results import FILES, read_results


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("results")
    write_sample(path)
    return path


@pytest.fixture
def copy(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def text_of(folder, tmp_path):
    write_report(folder, tmp_path / "page.html")
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def lines_of(folder, name):
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_numbers_of_the_files_are_on_it(folder, tmp_path):
    text = text_of(folder, tmp_path)
    found = json.loads((folder / "findings.json").read_text())
    for sentence in found["sentences"]:
        assert escape(sentence["text"]) in text
    for cell in found["cells"]:
        if "all" in cell["psnr"] and cell["psnr"]["all"]["low"] is not None:
            half = (cell["psnr"]["all"]["high"] - cell["psnr"]["all"]["low"]) / 2
            assert f"{cell['psnr']['all']['mean']:.2f} ±{half:.2f}" in text
    for comparison in found["comparisons"]:
        if comparison["set"] == "all":
            assert f">{comparison['difference']:+.3f}<" in text
    for line in lines_of(folder, "speed"):
        assert f">{line['ms']['lr-shuffle']:.3g}<" in text
    assert "560 values" not in text  # of one group
    assert "5,460 values were compared: every one equal" in text


def test_circumstances_are_on_it(folder, tmp_path):
    text = text_of(folder, tmp_path)
    line = lines_of(folder, "budget")[0]
    assert line["processor"] in text
    assert f"torch {line['versions']['torch']}" in text
    assert "subpixel study budget -o FOLDER --scale 3 --pictures-folder PICTURES" in text
    assert "<b>Seeds</b>: 0; 1; 2" in text
    assert "<b>Wall time</b>" in text


def test_runs_that_were_not_made_are_named(folder, tmp_path):
    text = text_of(folder, tmp_path)
    missing = json.loads((folder / "findings.json").read_text())["missing"]
    assert missing
    for key in missing:
        assert f"<li>{key}</li>" in text


def test_runs_that_were_not_made_are_counted_by_what_was_made_equal(folder, tmp_path):
    text = text_of(folder, tmp_path)
    assert "<li>×3, equal multiplications: 3 of 54 runs</li>" in text
    assert "<li>×3, equal time, OpenVINO: 3 of 54 runs</li>" in text


def test_the_answer_in_short_counts_verdicts_and_states_the_lead(copy, tmp_path):
    found = json.loads((copy / "findings.json").read_text())
    mine = [
        one for one in found["sentences"] if "beat every network" in one["text"] and one["matching"] == "equal-macs"
    ]
    for one, verdict in zip(mine, ("holds", "missing", "holds"), strict=True):
        one["verdict"] = verdict
    for one in found["comparisons"]:
        if one["matching"] == "equal-macs":
            at_2, first = one["budget"] == mine[0]["budget"], one["second"].endswith("-first")
            one["difference"] = (0.25 if at_2 else 0.75) if first else -9.0
            if one["budget"] == mine[1]["budget"]:
                one["difference"] = -5.0  # too few runs for a verdict: nothing to state
    (copy / "findings.json").write_text(json.dumps(found))
    text = text_of(copy, tmp_path)
    lead = "holds 2, missing 1; its lead over the best of those: +0.25 to +0.75 dB"
    assert f"<li><b>equal multiplications</b>: {lead}</li>" in text
    for name in ("weights", "window", "caveats"):
        assert f"<li>{escape(found['short'][name])}</li>" in text


def test_lines_that_the_findings_count_as_missing_are_not_drawn(copy, tmp_path):
    """They are outdated: of a learning rate or a network that is no longer the plan's."""
    found = json.loads((copy / "findings.json").read_text())
    gone = [line["key"] for line in lines_of(copy, "budget") if line["key"].startswith("x3/equal-macs/2maps/")]
    (copy / "findings.json").write_text(json.dumps({**found, "missing": [*found["missing"], *gone]}))
    kept = [line["key"] for line in read_results(copy).budget]
    assert gone
    assert len(kept) == len(lines_of(copy, "budget")) - len(gone)
    assert not set(kept) & set(gone)


def test_the_matrix_names_the_budgets_of_each_verdict(copy, tmp_path):
    found = json.loads((copy / "findings.json").read_text())
    mine = [one for one in found["sentences"] if "nearest neighbour and a" in one["text"]]
    for one in mine:
        one["verdict"] = "holds" if one["budget"] != 4 else "undecided"
    (copy / "findings.json").write_text(json.dumps(found))
    text = text_of(copy, tmp_path)
    row = text[text.index('<tr><th scope="row">×3, equal multiplications</th>') :].partition("</tr>")[0]
    assert '<b class="v right">holds</b> <span class="soft">2, 6 maps</span><br>' in row
    assert '<b class="v ">undecided</b> <span class="soft">4 maps</span>' in row


def test_tables_of_times_say_what_was_timed(copy, tmp_path):
    lines = [{**line, "size": [320, 180], "threads": 1} for line in lines_of(copy, "equal_time")]
    write_lines(copy / "equal_time.jsonl", lines)
    text = text_of(copy, tmp_path)
    assert "field in LR pixels; times of LR pictures of 320×180, 1 thread" in text
    assert "<b>Timed</b>: 320×180" in text


def test_a_family_that_diverged_is_named_with_its_step(folder, tmp_path):
    text = text_of(folder, tmp_path)
    family, seed = DIVERGES
    assert f"{family}: x3/equal-macs/2maps/{family}/seed{seed} at step 61" in text
    assert f"seed {seed} diverged at step 61" in text


@pytest.mark.parametrize("name", [*(f"{name}.jsonl" for name in FILES), "findings.json"])
def test_a_file_that_is_not_there_is_missed(copy, tmp_path, name):
    (copy / name).unlink()
    text = text_of(copy, tmp_path)
    assert f"{name}: " in text[text.index('id="found"') :]


def test_an_empty_folder_gives_the_note_and_says_what_is_missing(tmp_path):
    (tmp_path / "results").mkdir()
    text = text_of(tmp_path / "results", tmp_path)
    assert text.count("No results yet.") == 3
    assert all(f"{name}.jsonl: no line of it" in text for name in FILES)


def test_computed_pictures_of_lines_that_do_not_say_are_those_of_the_studys_folder(copy, tmp_path):
    assert "computed pictures" not in text_of(copy, tmp_path)
    (copy / "pictures" / "drawn").mkdir(parents=True)
    text = text_of(copy, tmp_path)
    assert "Networks learnt from computed pictures" in text
    assert "Networks were judged on computed pictures" in text


@pytest.mark.parametrize("drawn", [[], ["learning"], ["judging"], ["learning", "judging"]])
def test_computed_pictures_are_those_that_the_lines_name(copy, tmp_path, drawn):
    """Whatever folders are called: learnt from photographs and judged on computed ones is something else."""
    for name in ("budget", "initialisation"):
        write_lines(copy / f"{name}.jsonl", [{**line, "drawn": drawn} for line in lines_of(copy, name)])
    (copy / "pictures" / "drawn").mkdir(parents=True)
    text = text_of(copy, tmp_path)
    assert ("Networks learnt from computed pictures" in text) == ("learning" in drawn)
    assert ("Networks were judged on computed pictures" in text) == ("judging" in drawn)
    assert ("Not from photographs" in text) == bool(drawn)


def test_a_difference_in_the_lifting_is_said(copy, tmp_path):
    lines = lines_of(copy, "power")
    lines[0]["differing"] = 7
    write_lines(copy / "power.jsonl", lines)
    assert "5,460 values were compared: 7 of them different" in text_of(copy, tmp_path)


def test_what_diverged_elsewhere_is_named_too(copy, tmp_path):
    lines = lines_of(copy, "power")
    for line in lines:
        if line["kind"] == "converse" and line["seed"] == 1:
            line.update(residual=None, diverged=31)
    write_lines(copy / "power.jsonl", lines)
    starts = lines_of(copy, "initialisation")
    starts[0].update(after={}, diverged=41, error=None)
    write_lines(copy / "initialisation.jsonl", starts)
    text = text_of(copy, tmp_path)
    assert text.count("3; diverged at step 31") == 2
    assert "2; diverged at step 41" in text


def test_a_line_that_is_being_written_is_left_for_later(copy, tmp_path):
    with (copy / "speed.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"key": "half')
    before = (copy / "speed.jsonl").read_bytes()
    text_of(copy, tmp_path)
    assert (copy / "speed.jsonl").read_bytes() == before


def test_strange_names_are_text_and_not_markup(copy, tmp_path):
    evil = '<script>alert("x")</script>'
    lines = lines_of(copy, "power")
    for line in lines:
        if line["kind"] == "converse":
            line["teacher"] = evil
            line["student"] = "&<b>"
    write_lines(copy / "power.jsonl", lines)
    text = text_of(copy, tmp_path)
    assert evil not in text
    assert "&lt;script&gt;alert(" in text


def mutated(value, path, evil):
    """`value` with everything at `path` replaced: keys of objects, None for any place in a list."""
    if not path:
        return evil
    if value is None:
        return None
    if isinstance(value, list):
        return [mutated(one, path[1:], evil) for one in value] if path[0] is None else value
    return {k: mutated(v, path[1:], evil) if k == path[0] else v for k, v in value.items()}


def places(value, path=()):
    """The paths of `mutated` to every leaf."""
    if isinstance(value, dict):
        return {found for key, one in value.items() for found in places(one, (*path, key))}
    if isinstance(value, list):
        return {found for one in value for found in places(one, (*path, None))}
    return {path}


def renamed(value, evil):
    """Every name in the file made hostile that is no word of the format: those of sets, pictures and forms."""
    if isinstance(value, dict):
        return {f"{k}{evil}" if k in ("Set5", "baby", "numpy") else k: renamed(v, evil) for k, v in value.items()}
    return [renamed(one, evil) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["findings.json", *(f"{name}.jsonl" for name in FILES)])
def test_no_value_of_a_file_becomes_markup(folder, tmp_path, name):
    """Each value in turn: the page shows it as text, or the file is refused in a sentence."""
    evil = "\"'><img src=x>"
    results = tmp_path / "results"
    results.mkdir()
    for path in folder.iterdir():
        (results / path.name).write_bytes(path.read_bytes())
    kept = (lambda x: x["budget"] == 2 or x["matching"] == "control") if name == "budget.jsonl" else lambda x: True
    if name == "findings.json":
        found = json.loads((folder / name).read_text())
        found["cells"], found["comparisons"] = found["cells"][:12], found["comparisons"][:12]
        found["missing"] = found["missing"][:2]
    else:
        found = [line for line in lines_of(folder, name.removesuffix(".jsonl")) if kept(line)]
    shown = 0
    for other in [*(mutated(found, path, evil) for path in sorted(places(found), key=str)), renamed(found, evil)]:
        text = json.dumps(other) if name == "findings.json" else "".join(json.dumps(line) + "\n" for line in other)
        (results / name).write_text(text)
        try:
            write_report(results, tmp_path / "page.html")
        except InputError:
            continue
        page = (tmp_path / "page.html").read_text(encoding="utf-8")
        assert "<img" not in page
        assert "\"'&gt;" not in page
        shown += "&lt;img" in page
    assert shown >= 2


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("budget.jsonl", b"[1]\n", "line 1 of"),
        ("speed.jsonl", b"\xff\xfe\n", "is no result of a study"),
        ("power.jsonl", b'{"kind": "lifting"}\n', "not as this version writes them (KeyError"),
        ("findings.json", b"[]", "holds no findings"),
        ("findings.json", b"{", "is no result of a study"),
        ("findings.json", b'{"sentences": 3}', "not as this version writes them"),
    ],
)
def test_files_of_something_else_are_refused_in_a_sentence(copy, tmp_path, name, content, says):
    (copy / name).write_bytes(content)
    with pytest.raises(InputError, match=re.escape(says)):
        write_report(copy, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_no_folder_and_no_place_to_write(folder, tmp_path):
    with pytest.raises(InputError, match="is no folder of result files"):
        write_report(tmp_path / "none", tmp_path / "page.html")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_report(folder, tmp_path / "file" / "page.html")


def test_the_command(folder, tmp_path):
    output = tmp_path / "page.html"
    command = [sys.executable, "-m", "subpixel.study.report", str(folder), str(output)]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == str(output)
    assert output.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_commands_mistakes_are_a_sentence(tmp_path):
    command = [sys.executable, "-m", "subpixel.study.report", str(tmp_path / "none"), str(tmp_path / "page.html")]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    assert made.returncode == 1
    assert made.stderr.startswith("subpixel: ")
    assert "is no folder of result files" in made.stderr
    assert "Traceback" not in made.stderr


def test_every_part_says_its_own_rule(folder, tmp_path):
    text = text_of(folder, tmp_path)
    found = json.loads((folder / "findings.json").read_text())
    assert {one["part"] for one in found["sentences"]} == set(found["rules"])
    assert all(escape(rule) in text for rule in found["rules"].values())
    assert "A claim counts as holding only if" not in text


@pytest.mark.parametrize("verdict", ["holds", "does not hold", "undecided"])
def test_the_converse_is_headed_by_its_verdicts(copy, tmp_path, verdict):
    found = json.loads((copy / "findings.json").read_text())
    claims = [one for one in found["sentences"] if one["matching"] == "converse"]
    for one in claims:
        one["verdict"] = verdict
    (copy / "findings.json").write_text(json.dumps(found))
    text = text_of(copy, tmp_path)
    assert claims
    assert f"That it cannot at equal cost: {verdict} {len(claims)}." in text
    assert "The converse fails" not in text


def test_a_lifting_that_differs_is_in_the_heading(copy, tmp_path):
    assert "<h3>Every HR network is an LR network</h3>" in text_of(copy, tmp_path)
    lines = lines_of(copy, "power")
    lines[0]["differing"] = 7
    write_lines(copy / "power.jsonl", lines)
    assert "<h3>Not every HR network is an LR network</h3>" in text_of(copy, tmp_path)


def test_a_curve_is_said_to_do_what_it_does(copy, tmp_path):
    lines = lines_of(copy, "budget")
    for line in lines:
        line["curve"] = [[step, 30 - step / 100] for step, _ in line["curve"]]
    write_lines(copy / "budget.jsonl", lines)
    text = text_of(copy, tmp_path)
    assert "shuffle-last 28.00 dB (-0.60)" in text  # from step 140 to 200
    assert "levels off" not in text


def test_what_was_judged_on_is_said_to_be_apart_only_where_it_was_checked(copy, tmp_path):
    assert "was checked, pixel for pixel, for 0 of" in text_of(copy, tmp_path)
    for name in ("budget", "initialisation"):
        write_lines(copy / f"{name}.jsonl", [{**line, "apart": True} for line in lines_of(copy, name)])
    assert "Evaluation pictures were never trained on" in text_of(copy, tmp_path)


def test_each_family_stands_at_its_own_time_and_unequal_ones_are_named(copy, tmp_path):
    lines = lines_of(copy, "budget")
    for line in lines:
        if line.get("ms") and line["family"] == "shuffle-last":
            line.update(ms=99.0, ratio=0.681)  # of another sitting: the ratio counts
        if line.get("ms") and line["family"] == "resize-last":
            line["ratio"] = 1.04
    write_lines(copy / "budget.jsonl", lines)
    text = text_of(copy, tmp_path)
    runtimes = len({line["matching"] for line in lines if line.get("ms")})
    budgets = sorted({line["budget"] for line in lines if line.get("ms")})
    assert runtimes
    for maps in budgets:
        row = f'<td class="n">{0.681 * (3 + maps):.2f}</td><td class="n">0.68</td><td class="n">not equal</td>'
        assert text.count(row) == runtimes
    assert text.count(">not equal<") == runtimes * len(budgets)
    assert "Not equal to the budget&#x27;s time: shuffle-last at" in text
    assert ">99.00<" not in text


def row_of(text, caption, *begins):
    """Cells of the row of a table that begins so."""
    table = text[text.index(f'<table aria-label="{escape(caption, quote=True)}') :]
    table = table[: table.index("</table>")]
    rows = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in re.findall("<tr>(.*?)</tr>", table)]
    return next(dict(zip(rows[0], row, strict=True)) for row in rows if row[: len(begins)] == list(begins))


def test_pairs_of_unequal_time_are_marked_where_it_was_measured(copy, tmp_path):
    """At equal multiplications too: networks of one count may take half the time."""
    text = text_of(copy, tmp_path)
    pairs = "×3, equal multiplications: paired differences over all pictures"
    row = row_of(text, pairs, "shuffle-last less nearest-first", "4 maps")
    assert row["time on onnxruntime, first over second"] == "0.50, not equal"
    assert not any("openvino" in name for name in row)  # not measured
    assert (
        row_of(text, pairs, "shuffle-last less resize-last", "4 maps")["time on onnxruntime, first over second"]
        == "1.00"
    )
    counts = "×3, equal multiplications. MACs"
    assert row_of(text, counts, "bicubic-first", "3,240")["of the budget&#x27;s time, onnxruntime"] == "1.02"
    lines = lines_of(copy, "budget")
    for line in lines:
        if line.get("ms") and line["family"] == "resize-last":
            line["ratio"] = 1.25
    write_lines(copy / "budget.jsonl", lines)
    text = text_of(copy, tmp_path)
    pairs = "×3, equal time on openvino: paired differences over all pictures"
    row = row_of(text, pairs, "shuffle-last less resize-last", "4 maps")
    assert row["time on openvino, first over second"] == "0.80, not equal"
    write_lines(copy / "equal_time.jsonl", [x for x in lines_of(copy, "equal_time") if x["family"] != "nearest-first"])
    row = row_of(
        text_of(copy, tmp_path), "×3, equal multiplications: paired", "shuffle-last less nearest-first", "4 maps"
    )
    assert row["time on onnxruntime, first over second"] == "–"


def test_runs_of_different_settings_are_said_to_be_and_not_drawn(copy, tmp_path):
    for name in ("budget", "initialisation"):
        lines = lines_of(copy, name)
        write_lines(copy / f"{name}.jsonl", [{**lines[0], "threads": 3}, *({**x, "threads": 1} for x in lines[1:])])
    write_findings_of(copy, (3,), SETTINGS)
    text = text_of(copy, tmp_path)
    for name in ("budget", "initialisation"):
        section = text[text.index(f'<h2 id="{name}"') :]
        section = section[: section.index("<h2", 1)]
        assert f"{name}.jsonl holds runs of different settings (threads 3 and 1)" in section
        assert "<figure" not in section


def test_times_of_two_processors_are_said_to_be_and_not_shown(copy, tmp_path):
    before = text_of(copy, tmp_path)
    lines = lines_of(copy, "equal_time")
    write_lines(copy / "equal_time.jsonl", [{**lines[0], "processor": "Another 3000"}, *lines[1:]])
    write_findings_of(copy, (3,), SETTINGS)
    text = text_of(copy, tmp_path)
    said = "×3: A comparison at equal time: missing, equal_time.jsonl holds times of different settings (processor"
    assert said in text
    assert said not in before
    for shown in ("×3: equal time on", "×3, equal time on", "time on onnxruntime, first over second"):
        assert shown in before
        assert shown not in text


def test_the_same_files_give_the_same_page(folder, tmp_path):
    assert text_of(folder, tmp_path) == text_of(folder, tmp_path)


# --- drawing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("ends", [(0.3, 0.31), (1, 1), (2, 9), (30.02, 30.64), (810, 8000), (1e-7, 3), (5e5, 3e9)])
def test_ticks_are_round_few_and_within(ends, log):
    low, high = around(ends, log)
    assert low <= min(ends) <= max(ends) <= high
    scale = Scale(low, high, 0, 100, log)
    ticks = scale.ticks()
    assert 1 <= len(ticks) <= 7
    assert ticks == sorted(set(ticks))
    assert all(-1e-6 <= scale(tick) <= 100 + 1e-6 for tick in ticks)


def test_ticks_by_a_logarithm_spread_over_the_axis():
    assert Scale(6.7, 17.5, 0, 100, True).ticks(5) == [7, 10, 15]
    assert Scale(11, 31, 0, 100, True).ticks(5) == [15, 20, 30]


def contrast(a, b):
    """WCAG 2's ratio of two colours #rrggbb."""

    def light(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(a), light(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def themes():
    """Variables of light, dark and print."""
    found = []
    for block in re.findall(r":root,svg\{(.*?)\}", colours(), re.DOTALL):
        values = dict(re.findall(r"--(\w+):(#\w+)", block))
        found.append({k: v if len(v) == 7 else "#" + "".join(2 * c for c in v[1:]) for k, v in values.items()})
    return found


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark", "print"])
def test_colours_can_be_read(theme):
    assert len(themes()) == 3
    theme = themes()[theme]
    for name in ("ink", "soft"):
        assert contrast(theme[name], theme["paper"]) >= 4.5
        assert contrast(theme[name], theme["card"]) >= 4.5
    for name in [f"c{i}" for i in range(8)]:
        assert contrast(theme[name], theme["paper"]) >= 4.5, name  # lines need 3, words in a colour 4.5


# Machado, Oliveira and Fernandes 2009, severity 1.0, in linear RGB
PROTAN = ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998))
DEUTAN = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881))


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("seen", [PROTAN, DEUTAN], ids=["protan", "deutan"])
def test_neighbouring_colours_differ_for_the_colour_blind(theme, seen):
    """The four of the figures, and the six families; signs and dashes tell them apart besides."""
    found = [lab(themes()[theme][f"c{i}"], seen) for i in range(6)]
    for i in range(6):
        for j in range(i):
            distance = sum((a - b) ** 2 for a, b in zip(found[i], found[j], strict=True)) ** 0.5
            assert distance >= 14, (i, j, distance)


def lab(colour, matrix):
    """CIELAB of a colour as it is seen with a matrix in linear RGB."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    rgb = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    r, g, b = (min(1, max(0, sum(m * v for m, v in zip(row, rgb, strict=True)))) for row in matrix)
    x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)
