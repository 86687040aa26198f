"""Widths of equal time, against planted clocks: time that falls where a block is full, chance, other circumstances."""

import json

import pytest
from click.testing import CliRunner

from subpixel.cli import cli
from subpixel.errors import InputError
from subpixel.models.random_weights import random_weights
from subpixel.study import equal_time
from subpixel.study.equal_time import (
    BLOCK,
    CONFIRMED,
    SLACK,
    Clock,
    curve,
    study_equal_time,
    time_equal_macs,
    widest_as_fast,
)
from subpixel.study.families import build, widths_of
from subpixel.study.glossary import FAMILIES
from subpixel.study.plan import Run, budget_of, network_of
from subpixel.study.settings import BudgetSettings

TIMED = BudgetSettings(maps=(2, 3), time_size=(16, 12), time_rounds=3)
CLOCK = Clock("onnxruntime", (16, 12), 1)


@pytest.fixture
def plant(monkeypatch):
    """Makes the clock show what `cost(network, race)` says; races are counted from 0, None outside of one."""
    monkeypatch.setattr(equal_time, "RUNTIMES", ("onnxruntime",))
    ran: list[list[tuple[str, int]]] = []

    def planted(cost):
        def race(self, networks, rounds):
            ran.append([(network.name, widths_of(network)[0]) for network in networks])
            costs = [cost(network, len(ran) - 1) for network in networks]
            return [[one / costs[0]] * rounds for one in costs], costs[0]

        monkeypatch.setattr(Clock, "quickest", lambda self, network: cost(network, None))
        monkeypatch.setattr(Clock, "race", race)
        return ran

    return planted


def blocks_of_eight(network, race):
    """Channels that fill a block are fast, others cost twice their block: the last falls back to a slower kernel."""
    if network.name == "nearest-first":
        return 10.0
    width = widths_of(network)[0]
    return {8: 4.0, 16: 7.0, 24: 10.2, 32: 13.0}.get(width, 5.0 + 2 * (width // 8) * 4.0)


def test_the_widest_that_is_no_slower_is_found_behind_slower_ones(plant):
    ran = plant(blocks_of_eight)
    by_width = curve("shuffle-last", 2, CLOCK, 11.5)
    assert by_width[9] > 11.5 > by_width[16]  # not monotone
    assert max(by_width) == 24 + BLOCK  # the whole block beyond the last one in question was looked at
    width, ratios = widest_as_fast("shuffle-last", budget_of(2, 3), by_width, CLOCK, 3)
    assert (width, ratios) == (24, [pytest.approx(1.02)] * CONFIRMED)
    race, confirmed = ran
    assert race == [("nearest-first", 3), *(("shuffle-last", w) for w in (*range(1, 9), 16, 24))]
    assert confirmed == [("nearest-first", 3), ("shuffle-last", 24)]


def test_what_proves_slower_than_the_slack_gives_way_to_the_next_narrower(plant):
    def cost(network, race):
        if network.name == "nearest-first":
            return 10.0
        width = widths_of(network)[0]
        favoured = race == 0 and width <= 12  # by chance, in the race that chooses
        return 10.0 if favoured else 10.0 + (width - 10) * 0.2

    ran = plant(cost)
    width, ratios = widest_as_fast("shuffle-last", budget_of(2, 3), curve("shuffle-last", 2, CLOCK, 11.5), CLOCK, 3)
    assert [names[1][1] for names in ran[1:]] == [12, 11]
    assert width == 11
    assert max(ratios) <= SLACK


def test_where_the_whole_race_is_too_slow_narrower_ones_are_measured(plant):
    def cost(network, race):
        return 10.0 if network.name == "nearest-first" else 9.0 if widths_of(network)[0] <= 20 else 11.0

    plant(cost)
    by_width = {width: 11.0 if width > 20 else 9.0 for width in range(1, 61)}
    assert widest_as_fast("shuffle-last", budget_of(2, 3), by_width, CLOCK, 3)[0] == 20


def test_what_is_too_slow_at_any_width_is_said_to_be(plant, tmp_path):
    plant(lambda network, race: 10.0 if network.name == "nearest-first" else 20.0)
    said: list[str] = []
    found = study_equal_time(tmp_path, scales=(2,), settings=TIMED, shown=said.append)
    line = found.lines["x2/onnxruntime/2maps/bicubic-first"]
    assert (line["widths"], line["ratio"]) == ([1, 1, 1], 2.0)
    assert sum("too slow at any width, one map a layer takes 2.000" in one for one in said) == 2 * (len(FAMILIES) - 1)


def test_a_line_holds_its_interval_and_the_budgets_milliseconds_times_its_ratio(plant, tmp_path, monkeypatch):
    plant(blocks_of_eight)
    flat = Clock.race

    def noisy(self, networks, rounds):
        ratios, ms = flat(self, networks, rounds)
        if rounds >= CONFIRMED and len(ratios) > 1:
            ratios[1] = [0.9 + index / 100 for index in range(rounds)]
        return ratios, ms

    monkeypatch.setattr(Clock, "race", noisy)
    line = study_equal_time(tmp_path, scales=(2,), settings=TIMED).lines["x2/onnxruntime/2maps/shuffle-last"]
    # 25 values: the 8th and the 18th enclose the median in 95.7 % of cases.
    assert (line["ratio"], line["ratio_low"], line["ratio_high"], line["rounds"]) == (1.02, 0.97, 1.07, 25)
    assert line["ms"] == 10.2


def test_every_width_of_a_curve_is_timed_once_for_all_budgets(plant, tmp_path, monkeypatch):
    plant(blocks_of_eight)
    timed: list[tuple[str, int]] = []
    quickest = Clock.quickest

    def counted(self, network):
        timed.append((network.name, widths_of(network)[0]))
        return quickest(self, network)

    monkeypatch.setattr(Clock, "quickest", counted)
    found = study_equal_time(tmp_path, scales=(2,), settings=TIMED)
    assert len(found) == 2 * len(FAMILIES)
    others = [one for one in timed if one[0] != "nearest-first"]
    assert len(others) == len(set(others))


def test_a_folder_measured_otherwise_is_refused(plant, tmp_path, monkeypatch):
    from dataclasses import replace

    plant(blocks_of_eight)
    how = {"scales": (2,), "settings": TIMED}
    made = (study_equal_time(tmp_path, **how).path).read_bytes()
    with pytest.raises(InputError, match=r"made with other settings \(threads 1, not 2\): use the same, or another -o"):
        study_equal_time(tmp_path, **how, threads=2)
    with pytest.raises(InputError, match=r"size \[16, 12\], not \[32, 24\]"):
        study_equal_time(tmp_path, scales=(2,), settings=replace(TIMED, time_size=(32, 24)))
    monkeypatch.setattr(equal_time, "processor", lambda: "Another 3000")
    assert study_equal_time(tmp_path, **how).path.read_bytes() == made  # whole: nothing is measured
    with pytest.raises(InputError, match="not Another 3000"):
        study_equal_time(tmp_path, scales=(2, 3), settings=TIMED)
    assert (tmp_path / equal_time.FILE).read_bytes() == made


def test_a_whole_file_of_two_processors_at_one_scale_is_refused(plant, tmp_path):
    plant(blocks_of_eight)
    path = study_equal_time(tmp_path, scales=(2, 3), settings=TIMED).path
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    joined = [{**line, "processor": "B"} if line["scale"] == 3 else line for line in lines]  # a scale on each machine
    path.write_text("".join(json.dumps(line) + "\n" for line in joined))
    assert len(study_equal_time(tmp_path, scales=(2, 3), settings=TIMED)) == len(lines)
    lines[-1]["processor"] = "Another 3000"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(
        InputError, match=r"more than one processor at x3 \(.*, Another 3000\), which cannot be compared"
    ):
        study_equal_time(tmp_path, scales=(2, 3), settings=TIMED)
    study_equal_time(tmp_path, scales=(2,), settings=TIMED)


def test_networks_of_equal_multiplications_are_timed_beside_the_budget(plant, tmp_path):
    ran = plant(lambda network, race: float(network.parameter_count))
    found = time_equal_macs(tmp_path, scales=(3,), settings=TIMED)
    assert len(found) == len(FAMILIES) * 2
    assert [race[0] for race in ran] == [("nearest-first", 3), ("nearest-first", 2)]
    line = found.lines["x3/onnxruntime/3maps/shuffle-last/equal-macs"]
    network = network_of(Run(3, "equal-macs", 3, "shuffle-last", 0))  # the one that is trained
    assert line["widths"] == list(widths_of(network))
    assert line["ratio"] == round(network.parameter_count / budget_of(3, 3).parameter_count, 3)
    before = found.path.read_bytes()
    assert time_equal_macs(tmp_path, scales=(3,), settings=TIMED).path.read_bytes() == before
    study_equal_time(tmp_path, scales=(3,), settings=TIMED)  # its own lines, in the same file
    assert len(found.path.read_bytes().splitlines()) == 2 * len(found)


def test_a_real_clock_and_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(equal_time, "RUNTIMES", ("onnxruntime",))
    monkeypatch.setattr(equal_time, "FAMILIES", {name: FAMILIES[name] for name in ("nearest-first", "shuffle-last")})
    arguments = ["study", "equal-time", "--quick", "--scale", "2", "-o", str(tmp_path), "--json"]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    lines = json.loads(done.stdout)["networks"]
    keys = [f"x2/onnxruntime/3maps/{name}" for name in ("nearest-first", "shuffle-last")]
    assert [line["key"] for line in lines] == [*keys, *(f"{key}/equal-macs" for key in keys)]
    assert lines[1]["ratio_low"] <= lines[1]["ratio"] <= lines[1]["ratio_high"]
    assert lines[1]["ratio"] <= SLACK or lines[1]["widths"] == [1, 1, 1]
    assert not (tmp_path / "budget.jsonl").exists()


def test_random_weights_fit_the_network_and_are_no_subnormal_numbers():
    network = build("deconvolution-last", 3, (4, 5, 6))
    weights = random_weights(network)
    assert {name: value.shape for name, value in weights.items()} == network.parameters()
    assert all((abs(value) > 1e-30).all() for value in weights.values())
    assert weights["conv2.weight"].std() == pytest.approx((4 * 9) ** -0.5, rel=0.2)
