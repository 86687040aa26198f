"""The command: what it refuses, and what it says when a part is missing."""

import json

import pytest
from click.testing import CliRunner

from subpixel.cli import cli
from subpixel.errors import InputError, MissingExtra, UsageError
from subpixel.study.results import ResultFile


def run(*arguments):
    return CliRunner().invoke(cli, ["study", *arguments], catch_exceptions=True)


@pytest.mark.parametrize("part", ["budget", "initialisation"])
def test_a_part_that_trains_wants_pictures(part, tmp_path):
    done = run(part, "-o", str(tmp_path))
    assert isinstance(done.exception, UsageError)
    assert "give a folder of them with --pictures-folder" in str(done.exception)
    done = run(part, "-o", str(tmp_path), "--pictures-folder", str(tmp_path))
    assert "give a folder of them with --benchmark" in str(done.exception)


@pytest.mark.parametrize("early", [("--scale", "2"), ("--quick",), ("--threads", "2")])
def test_options_before_a_part_are_refused(early, tmp_path):
    done = run(*early, "findings", "--scale", "3", "-o", str(tmp_path))
    assert isinstance(done.exception, UsageError)
    assert "put them behind it" in str(done.exception)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", [("--held-out", "a.png"), ("--pictures", __file__)])
def test_a_choice_of_pictures_wants_their_folder(option, tmp_path):
    done = run("--quick", "-o", str(tmp_path), *option)
    assert isinstance(done.exception, UsageError)
    assert "add --pictures-folder" in str(done.exception)
    assert not list(tmp_path.iterdir())


def test_the_study_wants_a_folder():
    assert "give one with -o" in str(run("--quick").exception)


@pytest.mark.parametrize("arguments", [("--quick",), ("power",), ("speed",)])
def test_without_pytorch_the_install_line_is_named(arguments, tmp_path, monkeypatch):
    from subpixel.runtime import session

    monkeypatch.setattr(session, "find_spec", lambda name: None)
    done = run(*arguments, "-o", str(tmp_path))
    assert isinstance(done.exception, MissingExtra)
    assert "pip install 'subpixel[torch]'" in str(done.exception)


def test_lifting_from_the_command(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from subpixel.study import power

    monkeypatch.setattr(power, "QUICK", power.PowerSettings(networks=2, maps=1, seeds=1, steps=2, points=1, draws=8))
    done = run("power", "--quick", "--scale", "2", "-o", str(tmp_path))
    assert done.exit_code == 0, done.exception
    assert "6 HR networks lifted to LR space, 0 of them differ" in done.output
    assert len(ResultFile(tmp_path / "power.jsonl")) == 6 + 12


def test_speed_goes_on_where_the_whole_study_has_been(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from subpixel.study import speed

    monkeypatch.setattr(speed, "grid", lambda quick: [])
    ms = {"transposed": 1.0, "zero-insertion": 1.0, "lr-shuffle": 1.0, "upscale-convolve": 1.0}
    line = {"key": "a", "runtime": "torch", "pass": "forward", "stride": 2, "ms": ms, "threads": 1}
    for options, rounds in ((("--quick",), 3), ((), 7), (("--quick", "--rounds", "5"), 5)):
        (tmp_path / "speed.jsonl").write_text(json.dumps({**line, "rounds": rounds}) + "\n")
        done = run("speed", *options, "-o", str(tmp_path))
        assert done.exit_code == 0, done.exception
    assert "not 3" in str(run("speed", "--quick", "-o", str(tmp_path)).exception)


def test_findings_of_a_folder_that_is_not_there_are_refused(tmp_path):
    done = run("findings", "-o", str(tmp_path / "misspelt"))
    assert isinstance(done.exception, InputError)
    assert "misspelt is no folder of result files" in str(done.exception)
    assert not list(tmp_path.iterdir())


def test_pictures_that_cannot_be_used_are_refused_before_anything_is_timed(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "empty").mkdir()
    for option in ("--pictures-folder", "--benchmark"):
        done = run("--quick", "--scale", "2", "-o", str(tmp_path / "out"), option, str(tmp_path / "empty"))
        assert isinstance(done.exception, InputError)
        assert "empty holds no pictures" in str(done.exception)
        assert not list((tmp_path / "out").glob("*.jsonl"))


def test_findings_of_an_empty_folder_list_everything_as_missing(tmp_path):
    done = run("findings", "--scale", "3", "-o", str(tmp_path))
    assert done.exit_code == 0, done.exception
    found = json.loads((tmp_path / "findings.json").read_text())
    assert len(found["missing"]) == found["planned"] > 100
    assert {one["verdict"] for one in found["sentences"]} == {"missing"}
    assert (tmp_path / "report.html").exists()


def test_help_needs_no_pytorch():
    assert "initialisation" in run("--help").output
