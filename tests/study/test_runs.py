"""The runs: tied phases, resuming, diverging, bad input. Small networks on computed pictures."""

import json
from dataclasses import replace

import numpy as np
import pytest

from subpixel.errors import InputError, UsageError
from subpixel.media.picture import from_array
from subpixel.media.writing import write_picture
from subpixel.study import budget
from subpixel.study import plan as planning
from subpixel.study.budget import study_budget
from subpixel.study.drawn import draw, write_drawn
from subpixel.study.missing import missing_runs
from subpixel.study.plan import ONE_LAYER, Run, plan
from subpixel.study.results import ResultFile
from subpixel.study.settings import BudgetSettings

torch = pytest.importorskip("torch")

from subpixel.evaluate import evaluate  # noqa: E402
from subpixel.models.module import NetworkModule  # noqa: E402
from subpixel.models.network import Interpolation, Network  # noqa: E402
from subpixel.study.families import build  # noqa: E402
from subpixel.study.initialisation import study_initialisation  # noqa: E402
from subpixel.study.learning.converse import fit_teacher, floor_of, residual, teacher_of  # noqa: E402
from subpixel.study.learning.fit import fit, judge, read_data  # noqa: E402
from subpixel.study.learning.starts import checkerboard  # noqa: E402
from subpixel.study.learning.starts import draw as draw_start  # noqa: E402
from subpixel.study.learning.tied import TiedModule  # noqa: E402
from subpixel.train.descent import Descent  # noqa: E402
from subpixel.train.initialise import initialise  # noqa: E402

TINY = BudgetSettings(
    maps=(1, 2), seeds=1, steps=6, batch=2, patch=8, rates=(1e-2, 3e-2), rate_steps=2, longer=1, points=3,
    held_out_side=48,
)  # fmt: skip
WHERE = ("date", "processor", "wall_seconds", "cpu_seconds")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return write_drawn(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def data(pictures):
    learn, judged, held_out = pictures
    return read_data([learn], [judged], 2, TINY, held_out=held_out)


def run_study(pictures, output, settings=TINY, **more):
    learn, judged, held_out = pictures
    how = {"scales": (2,), "match": ("macs",), "threads": 1, **more}
    return study_budget([learn], [judged], output, settings=settings, held_out=held_out, **how)


def lines(folder):
    text = (folder / "budget.jsonl").read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if key not in WHERE} for line in text]


# --- tied phases ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_tied_phases_are_the_hr_network_exactly(scale):
    network = build("nearest-first", scale, (2, 3, 2))
    hr, tied = NetworkModule(network).double(), TiedModule(network, 0).double()
    generator = torch.Generator().manual_seed(scale)
    with torch.no_grad():
        for mine, theirs in zip(hr.parameters(), tied.parameters(), strict=True):
            mine.copy_(torch.randint(-3, 4, mine.shape, generator=generator).double())
            theirs.copy_(mine)
    x = 1024 * torch.randint(0, 256, (2, 1, 6, 5), generator=generator).double()
    y, z = hr(x), tied(x)
    skip = NetworkModule(Network("skip", scale, (Interpolation(scale),)))(x)
    assert torch.equal((y - skip).round(), (z - skip).round())
    assert (y - z).abs().max() < 1e-6 * y.abs().max()  # the skip's weights are fractions
    y.sum().backward()
    z.sum().backward()
    for mine, theirs in zip(hr.parameters(), tied.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad)


def test_tied_phases_start_as_the_hr_network_does():
    network = build("nearest-first", 2, (2, 2, 2))
    hr = NetworkModule(network)
    initialise(hr, 5)
    x = torch.rand(1, 1, 6, 6)
    torch.testing.assert_close(TiedModule(network, 5)(x), hr(x))


# --- runs ------------------------------------------------------------------------------------------------------------


def test_scores_are_those_of_subpixel_evaluate(pictures, data):
    ours = judge(NetworkModule(Network("bicubic", 2, (Interpolation(2),))), data)["drawn"]
    theirs = evaluate(pictures[1], "bicubic", 2)
    # Ours repeats the border where MATLAB mirrors it; the shaved pixels hide most of that.
    assert ours["mean"] == pytest.approx(theirs["psnr"], abs=0.05)
    assert set(ours["images"]) == {image["name"] for image in theirs["images"]}


def test_stopped_and_resumed_gives_the_file_of_one_that_was_not(pictures, tmp_path, monkeypatch):
    run_study(pictures, tmp_path / "whole")
    original, count = Descent.step, iter(range(10_000))

    def step(self, *arguments):
        if next(count) == 40:
            raise KeyboardInterrupt
        return original(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Descent, "step", step)
        with pytest.raises(KeyboardInterrupt):
            run_study(pictures, tmp_path / "stopped")
    before = lines(tmp_path / "stopped")
    assert 0 < len(before) < len(lines(tmp_path / "whole"))
    with (tmp_path / "stopped" / "budget.jsonl").open("a") as file:
        file.write('{"key": "x2/equal-m')  # killed while a line was written
    run_study(pictures, tmp_path / "stopped")
    assert lines(tmp_path / "stopped") == lines(tmp_path / "whole")
    assert [line["key"] for line in lines(tmp_path / "whole")] == [run.key for run in plan(2, TINY, ("macs",))]
    done = (tmp_path / "whole" / "budget.jsonl").read_bytes()
    run_study(pictures, tmp_path / "whole")
    assert (tmp_path / "whole" / "budget.jsonl").read_bytes() == done


def test_the_learning_rate_is_the_one_that_the_search_liked(pictures, tmp_path):
    run_study(pictures, tmp_path)
    found = lines(tmp_path)
    for line in found:
        if line["matching"] == "equal-macs" and line["family"] not in ONE_LAYER:
            tried = [x for x in found if x["matching"] == "rate" and x["family"] == line["family"]]
            best = max(tried, key=lambda x: x["curve"][-1][1])
            assert line["learning_rate"] == best["learning_rate"]
    assert len({line["learning_rate"] for line in found if line["matching"] == "equal-macs"}) > 1
    assert len({x["learning_rate"] for x in found if x["family"] in ONE_LAYER and x["matching"] != "rate"}) == 1


def test_a_line_of_another_rate_than_the_search_gives_is_made_again(pictures, tmp_path):
    run_study(pictures, tmp_path)
    path = tmp_path / "budget.jsonl"
    whole = [json.loads(line) for line in path.read_text().splitlines()]
    for line in whole:
        if line["matching"] == "rate" and line["family"] in ONE_LAYER:
            line["curve"][-1][1] = {0.01: 20.0, 0.03: 10.0}[line["learning_rate"]]
        elif line["family"] == "shuffle-last":
            line["learning_rate"] = 0.03
        elif line["family"] in (*ONE_LAYER, "equal-weights", "equal-receptive-field", "untied-phases"):
            line["learning_rate"] = 0.01
    path.write_text("".join(json.dumps(line) + "\n" for line in whole))
    before = {line["key"]: line for line in whole}
    wanted = {key for key, line in before.items() if line["family"] == "shuffle-last" and line["matching"] != "rate"}
    assert {run.key for run in missing_runs(whole, 2, TINY, ("macs",))} == wanted
    run_study(pictures, tmp_path)
    after = {line["key"]: line for line in lines(tmp_path)}
    assert len(after) == len(path.read_text().splitlines()) == len(whole)
    for key, line in after.items():
        if key in wanted:
            assert line["learning_rate"] == 0.01
        else:
            assert line == {name: value for name, value in before[key].items() if name not in WHERE}


def test_a_run_that_diverges_is_a_line(data):
    made = fit(build("nearest-first", 2, (2, 2, 2)), data, TINY, seed=0, learning_rate=1e30)
    assert made["curve"][0][0] == 0
    assert made["diverged"] is not None
    assert made["psnr"] is None
    line = {"key": "k", **made, "wall_seconds": 1.0}
    assert f"diverged at step {made['diverged']}" in budget.summary(line)
    json.dumps(made, allow_nan=False)


def test_networks_of_one_seed_see_the_same_batches(data, monkeypatch):
    seen = []
    original = data.sampler.batch
    monkeypatch.setattr(data.sampler, "batch", lambda *a: seen.append(original(*a)[0].tobytes()) or original(*a))
    for family in ("nearest-first", "shuffle-last"):
        fit(build(family, 2, (2, 2, 2)), data, TINY, seed=3, learning_rate=1e-2)
    assert seen[: TINY.steps] == seen[TINY.steps :]


def test_other_settings_or_pictures_are_refused(pictures, tmp_path):
    run_study(pictures, tmp_path)
    with pytest.raises(InputError, match=r"other settings \(steps\)"):
        run_study(pictures, tmp_path, replace(TINY, steps=7, seeds=2))
    learn, judged, _ = pictures
    with pytest.raises(InputError, match="other training pictures"):
        run_study((learn, judged, ("drawn00.png",)), tmp_path, replace(TINY, seeds=2))


def test_other_benchmarks_or_threads_are_refused(pictures, tmp_path):
    learn, judged, held_out = pictures
    run_study(pictures, tmp_path)
    more = replace(TINY, seeds=2)
    with pytest.raises(InputError, match="threads 1, not 2"):
        run_study(pictures, tmp_path, more, threads=2)
    fewer = tmp_path / "fewer" / judged.name
    fewer.mkdir(parents=True)
    first = sorted(judged.iterdir())[0]
    (fewer / first.name).write_bytes(first.read_bytes())
    with pytest.raises(InputError, match="other benchmark or held-out pictures"):
        run_study((learn, fewer, held_out), tmp_path, more)
    # The first lines of a study do not say what they were judged on: it goes on from them.
    path = tmp_path / "budget.jsonl"
    old = [{k: v for k, v in json.loads(x).items() if k != "judging"} for x in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in old[:-1]))
    assert len(run_study(pictures, tmp_path)) == len(old)


def test_a_folder_where_nothing_is_missing_refuses_others_as_well(pictures, tmp_path):
    learn, judged, held_out = pictures
    fewer = tmp_path / "fewer" / judged.name
    fewer.mkdir(parents=True)
    first = sorted(judged.iterdir())[0]
    (fewer / first.name).write_bytes(first.read_bytes())

    def start(pictures, output, settings=TINY, threads=1):
        learn, judged, held_out = pictures
        how = {"scales": (2,), "settings": settings, "held_out": held_out, "threads": threads}
        return study_initialisation([learn], [judged], output, **how)

    for study in (run_study, start):
        study(pictures, tmp_path)
        before = {path: path.read_bytes() for path in tmp_path.glob("*.jsonl")}
        with pytest.raises(InputError, match="other training pictures"):
            study((learn, judged, ("drawn00.png",)), tmp_path)
        with pytest.raises(InputError, match="other benchmark or held-out pictures"):
            study((learn, fewer, held_out), tmp_path)
        with pytest.raises(InputError, match=r"other settings \(steps\)"):
            study(pictures, tmp_path, replace(TINY, steps=7))
        with pytest.raises(InputError, match="threads 1, not 2"):
            study(pictures, tmp_path, threads=2)
        assert {path: path.read_bytes() for path in tmp_path.glob("*.jsonl")} == before


def test_parts_of_other_settings_are_not_mixed(tmp_path):
    from subpixel.study import power, speed

    tiny = power.PowerSettings(networks=1, maps=1, seeds=1, steps=2, points=1, draws=8)
    made = power.study_power(tmp_path, scales=(2,), settings=tiny)
    fits = [line for line in made if line["kind"] == "converse"]
    assert all(line["floor_error"] >= 0 and line["steps"] == 2 and line["threads"] == 1 for line in fits)
    for other, threads, what in (
        (replace(tiny, steps=3), 1, "steps 2, not 3"),
        (replace(tiny, maps=2), 1, "budget 1, not 2"),
        (tiny, 2, "threads 1, not 2"),
    ):
        with pytest.raises(InputError, match=what):
            power.study_power(tmp_path, scales=(2,), settings=other, threads=threads)
    points = [speed.Point(2, 2, 1, 1, (4, 4))]
    speed.study_speed(tmp_path, points=points, places=[("torch", "forward")], rounds=1)
    with pytest.raises(InputError, match="rounds 1, not 2"):
        speed.study_speed(tmp_path, points=points, places=[("torch", "forward")], rounds=2)


def test_every_line_has_its_own_date(tmp_path, monkeypatch):
    from subpixel.study import power, speed

    for part in (power, speed):
        number = iter(range(1000))
        monkeypatch.setattr(part, "circumstances", lambda number=number: {"date": str(next(number))})
    tiny = power.PowerSettings(networks=1, maps=1, seeds=1, steps=1, points=1, draws=8)
    made = power.study_power(tmp_path, scales=(2,), settings=tiny)
    assert len({line["date"] for line in made}) == len(made)
    points = [speed.Point(2, 2, 1, 1, (4, 4)), speed.Point(3, 3, 1, 1, (4, 4))]
    made = speed.study_speed(tmp_path, points=points, places=[("torch", "forward")], rounds=1)
    assert [line["date"] for line in made] == ["0", "1"]


def test_equal_time_trains_no_network_twice(pictures, tmp_path, monkeypatch):
    """Widths are found by measuring; here the clock is planted, so that some widths are those of equal MACs."""
    from subpixel.study import equal_time

    def planted(self, networks, rounds):
        costs = [network.macs_per_lr_pixel for network in networks]
        return [[cost / costs[0]] * rounds for cost in costs], float(costs[0])

    monkeypatch.setattr(equal_time.Clock, "race", planted)
    monkeypatch.setattr(equal_time.Clock, "quickest", lambda self, network: network.macs_per_lr_pixel)
    monkeypatch.setattr(planning, "RUNTIMES", ("onnxruntime",))
    monkeypatch.setattr(equal_time, "RUNTIMES", ("onnxruntime",))
    run_study(pictures, tmp_path, match=("macs", "time"))
    found = {line["key"]: line for line in lines(tmp_path)}
    twin = found["x2/equal-ms-onnxruntime/2maps/nearest-first/seed0"]
    assert twin["same_as"] == "x2/equal-macs/2maps/nearest-first/seed0"
    assert twin["psnr"] == found[twin["same_as"]]["psnr"]
    written = [json.loads(line) for line in (tmp_path / "budget.jsonl").read_text().splitlines()]
    assert {line["key"] for line in written if "wall_seconds" not in line} == {
        line["key"] for line in written if "same_as" in line
    }
    other = found["x2/equal-ms-onnxruntime/2maps/shuffle-last/seed0"]
    assert len(set(other["widths"])) == 1
    assert other["ratio"] <= equal_time.SLACK
    macs = other["macs_per_lr_pixel"]
    wider = build("shuffle-last", 2, tuple(width + 1 for width in other["widths"])).macs_per_lr_pixel
    assert macs <= equal_time.SLACK * other["budget_macs"] < wider


def test_pictures_that_cannot_be_used_are_named(pictures, tmp_path):
    learn, judged, held_out = pictures
    with pytest.raises(InputError, match="fewer than twenty: name some with --held-out"):
        run_study((learn, judged, ()), tmp_path)
    with pytest.raises(UsageError, match="bear one name"):
        read_data([learn], [judged, judged], 2, TINY, held_out=held_out)
    small = tmp_path / "small"
    small.mkdir()
    write_picture(from_array(draw(0, 6)), small / "tiny.png")
    with pytest.raises(InputError, match="tiny is too small to be judged at x3"):
        read_data([learn], [small], 3, TINY, held_out=held_out)
    assert not (tmp_path / "budget.jsonl").exists()


def test_a_damaged_result_file_is_named(tmp_path):
    (tmp_path / "budget.jsonl").write_text("[]\n")
    with pytest.raises(InputError, match=r"line 1 of .*budget\.jsonl is no result"):
        ResultFile(tmp_path / "budget.jsonl")
    (tmp_path / "budget.jsonl").write_text('{"key": "a"}\n')
    assert len(ResultFile(tmp_path / "budget.jsonl")) == 1
    with pytest.raises(InputError, match=r"line 1 of .*budget\.jsonl is no result"):
        study_budget([tmp_path], [tmp_path], tmp_path, settings=TINY)


# --- the other parts -------------------------------------------------------------------------------------------------


def test_starts_and_their_checkerboards():
    for scale in (2, 3):
        index = {start: checkerboard(draw_start(start, scale, (8, 8, 8), 0)) for start in ("random", "icnr", "resize")}
        assert index["random"]["index"] > 0.1
        assert index["icnr"]["index"] == index["resize"]["index"] == 0.0
        assert index["random"]["ripple"] > 100 * index["icnr"]["ripple"]
        assert index["random"]["peak_db"] > 10 > 1 > index["icnr"]["peak_db"]
        assert len(index["icnr"]["spectrum"]) == len(index["icnr"]["frequencies"]) == 32 * scale + 1


def test_initialisation_resumes(pictures, tmp_path):
    learn, judged, held_out = pictures
    how = {"scales": (2,), "settings": TINY, "held_out": held_out}
    made = study_initialisation([learn], [judged], tmp_path, **how)
    assert [line["start"] for line in made] == ["random", "icnr", "resize"]
    assert all(line["after"]["index"] >= 0 and line["error"] > 0 for line in made)
    before = (tmp_path / "initialisation.jsonl").read_bytes()
    study_initialisation([learn], [judged], tmp_path, **how)
    assert (tmp_path / "initialisation.jsonl").read_bytes() == before


def test_a_student_of_the_teachers_kind_learns_what_another_cannot():
    teacher = teacher_of(build("shuffle-last", 2, (3, 3, 3)), 7)
    left = {
        family: fit_teacher(build(family, 2, widths), teacher, seed=0, steps=60, learning_rate=1e-2, points=1)[
            "residual"
        ]
        for family, widths in (("shuffle-last", (3, 3, 3)), ("nearest-first", (2, 2, 2)))
    }
    assert left["shuffle-last"] < left["nearest-first"]


def test_a_small_residual_is_not_nothing():
    """To six significant digits, not places: a hundred thousandth off in every weight is no nought."""
    teacher = teacher_of(build("shuffle-last", 2, (3, 3, 3)), 7)
    left = residual(teacher, [weight.detach() * (1 + 1e-5) for weight in teacher.parameters()], teacher)
    assert 1e-11 < left < 1e-8
    assert left == float(f"{left:.6g}")


def test_the_floor_is_what_a_receptive_field_cannot_see():
    """A teacher of one linear layer of 5 × 5 random taps: a student of one 3 × 3 layer sees the middle nine."""
    teacher = teacher_of(build("shuffle-last", 2, (), (5,)), 1)
    student = build("shuffle-last", 2, (), (3,))
    weight = teacher.weight("conv1.weight").detach().double().numpy()[:, 0]
    unseen = (weight**2).sum() - (weight[:, 1:4, 1:4] ** 2).sum()
    variance, mean = 1 / 12, 0.5
    whole = variance * (weight**2).sum() + mean**2 * (weight.sum(axis=(1, 2)) ** 2).sum()
    floor, error = floor_of(student, teacher, draws=8_000)
    assert floor == pytest.approx(variance * unseen / whole, rel=0.08)
    assert abs(floor - variance * unseen / whole) < 4 * error < 0.16 * floor
    wider = floor_of(student, teacher, draws=500)[1]
    assert 2 < wider / error < 8  # sixteen times the draws, a quarter of the error
    assert floor_of(build("shuffle-last", 2, (), (5,)), teacher, draws=50) == (0.0, 0.0)


def test_forms_of_a_layer_are_equal_and_timed(tmp_path):
    from subpixel.study.speed import FORMS, PLACES, Point, study_speed

    points = [Point(4, 2, 2, 1, (6, 5)), Point(3, 2, 1, 2, (5, 6)), Point(9, 3, 2, 2, (4, 4))]
    made = study_speed(tmp_path, points=points, places=PLACES, rounds=1)
    assert len(made) >= 9  # OpenVINO may be missing
    for line in made:
        assert all(line["ms"][form] > 0 for form in (*FORMS, "upscale-convolve"))
        assert line["fastest"] in FORMS
    assert len(study_speed(tmp_path, points=points, rounds=1)) == len(made)


def test_drawn_pictures_are_the_same_everywhere_and_no_two_alike():
    assert (draw(3, 40) == draw(3, 40)).all()
    assert (draw(3, 40) != draw(4, 40)).any()
    assert np.ptp(draw(5, 40)) > 60


def test_a_run_takes_the_rate_of_the_family_that_it_controls():
    assert Run(3, "control", 4, "tied-phases", 0).rated_as == "nearest-first"
    assert Run(3, "control", 4, "equal-weights", 0).rated_as == "shuffle-last"
