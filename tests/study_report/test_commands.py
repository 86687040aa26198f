"""The commands on the page repeat the runs, as far as the lines state what they were made with."""

import pytest
from click.testing import CliRunner

from subpixel.cli import cli
from subpixel.study import power, speed
from subpixel.study.report.sections.commands import FILL_IN, PARTS, QUICK, ROUNDS, command
from subpixel.study.settings import QUICK as SMALL
from subpixel.study.settings import BudgetSettings

FULL = BudgetSettings()
RUN = {"scale": 3, "threads": 1, "recipe": FULL.recipe(), "psnr": {"Set5": {}, "Set14": {}}}


def test_a_command_names_scales_sets_threads_and_what_is_to_be_filled_in():
    pictures = "--pictures-folder PICTURES --pictures LIST --held-out NAME"
    said = command("budget", [{**RUN, "psnr": None}, RUN, {**RUN, "scale": 2}])
    assert said == (
        f"subpixel study budget -o FOLDER --scale 3 --scale 2 {pictures} --benchmark Set5 --benchmark Set14"
    )
    assert all(word in FILL_IN for word in ("FOLDER", "PICTURES", "LIST", "NAME"))
    assert "--threads 4" in command("initialisation", [{**RUN, "threads": 4}])
    assert command("budget", [{**RUN, "psnr": None}]).endswith(f"{pictures} --benchmark SET")


def test_of_computed_pictures_it_is_the_whole_study_that_draws_them():
    drawn = {**RUN, "recipe": SMALL.recipe(), "drawn": ["learning", "judging"]}
    assert command("budget", [drawn]) == "subpixel study -o FOLDER --quick --scale 3"
    half = command("initialisation", [{**RUN, "drawn": ["learning"]}])
    assert half == "subpixel study -o FOLDER --scale 3 --benchmark Set5 --benchmark Set14"


def test_small_studies_are_known_by_what_the_program_makes_them_with():
    for small, settings, powers, rounds in (
        (True, SMALL, power.QUICK, speed.QUICK_ROUNDS),
        (False, FULL, power.PowerSettings(), speed.ROUNDS),
    ):
        lines = {
            "budget": {"recipe": settings.recipe()},
            "initialisation": {"recipe": settings.recipe()},
            "equal_time": {"size": list(settings.time_size)},
            "power": {"steps": powers.steps},
            "speed": {"rounds": rounds},
        }
        assert {name: QUICK[name](line) for name, line in lines.items()} == dict.fromkeys(PARTS, small)
    assert ROUNDS == (speed.QUICK_ROUNDS, speed.ROUNDS)


@pytest.mark.parametrize("name", PARTS)
def test_every_command_is_one_that_the_program_takes(name):
    options = [part for part in command(name, [{**RUN, "threads": 2, "rounds": 5}]).split()[2:] if part != "-o"]
    told = CliRunner().invoke(cli, ["study", options[0], "--help"], catch_exceptions=False).output
    assert all(option in told for option in options if option.startswith("--"))
