"""Training: what it leaves, resuming after a kill, and trouble of every kind."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from subpixel.errors import InputError, MissingExtra, OutputError, UsageError
from subpixel.evaluate import evaluate
from subpixel.models import ZOO, build, read_weights
from subpixel.models.espcn import espcn
from subpixel.models.family import small
from subpixel.models.files import read_tensors, write_tensors
from subpixel.models.network import TransposedConvolution
from subpixel.models.references import fsrcnn, recursive
from subpixel.train import TrainConfig
from subpixel.train.patches import PatchSampler, make_pair

torch = pytest.importorskip("torch")

from subpixel.models.module import NetworkModule  # noqa: E402
from subpixel.train.branches import BranchedModule  # noqa: E402
from subpixel.train.descent import loss_of  # noqa: E402
from subpixel.train.initial import load_initial  # noqa: E402
from subpixel.train.initialise import initialise  # noqa: E402
from subpixel.train.loop import TrainingDiverged, train  # noqa: E402
from subpixel.train.pictures import read_training_set  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def paint(path: Path, seed: int, size=(60, 44)) -> None:
    """Discs and bars with hard edges."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[1], : size[0]]
    picture = np.full((size[1], size[0]), 90)
    for _ in range(12):
        cx, cy, r, shade = rng.integers(0, 60), rng.integers(0, 44), rng.integers(3, 12), rng.integers(0, 256)
        picture[(x - cx) ** 2 + (y - cy) ** 2 < r * r] = shade
    Image.fromarray(picture.astype(np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path):
    pictures = tmp_path / "pictures"
    (pictures / "below").mkdir(parents=True)
    for index, name in enumerate(("a.png", "b.png", "below/c.png")):
        paint(pictures / name, index)
    return pictures


@pytest.fixture
def config(folder, tmp_path):
    return TrainConfig(
        folders=(folder,),
        model="espcn",
        output=tmp_path / "out.safetensors",
        scale=2,
        steps=12,
        batch=2,
        patch=8,
        checkpoint_every=4,
        sizes=(1.0,),
        device="cpu",
        held_out=("b.png",),
    )


def tensors(path: Path):
    return {name: value.tobytes() for name, value in read_tensors(path)[0].items()}


def test_a_run_leaves_weights_with_their_story(config):
    result = train(config)
    trained = read_weights(result.output)
    assert trained.network == espcn(2)
    assert trained.header["recipe"]["steps"] == 12
    assert [picture["name"] for picture in trained.header["pictures"]] == ["a.png", "below/c.png"]
    assert trained.header["held_out"]["names"] == ["b.png"]
    assert result.held_out_psnr == trained.header["held_out"]["psnr"]
    assert (result.steps, result.pictures, result.skipped) == (12, 2, [])
    assert not config.checkpoint.exists()


def test_equal_seeds_give_equal_weights(config, tmp_path):
    train(config)
    train(replace(config, output=tmp_path / "again.safetensors"))
    train(replace(config, output=tmp_path / "other.safetensors", seed=1))
    first = tensors(config.output)
    assert tensors(tmp_path / "again.safetensors") == first
    assert tensors(tmp_path / "other.safetensors") != first


def test_learning_beats_where_it_began(config, folder):
    config = replace(config, steps=1000, batch=4, checkpoint_every=1000)
    best = evaluate(folder, train(config).output, 2, runtime="onnxruntime", threads=1)["psnr"]
    start = evaluate(folder, train(replace(config, steps=1)).output, 2, runtime="onnxruntime", threads=1)["psnr"]
    assert best > start + 1
    assert best > evaluate(folder, "bicubic", 2)["psnr"]


@pytest.mark.parametrize("optimizer", ["soap", "adam"])
def test_killed_and_resumed_equals_uninterrupted(config, folder, tmp_path, optimizer):
    config = replace(config, steps=200, checkpoint_every=3, optimizer=optimizer)
    program = (
        "import torch; torch.set_num_threads(1)\n"
        "from pathlib import Path, PosixPath, WindowsPath\n"
        "from subpixel.train import TrainConfig\n"
        "from subpixel.train.loop import train\n"
        f"train({config!r})\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not config.checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    _, complaint = process.communicate()
    assert config.checkpoint.exists(), complaint.decode()
    assert process.returncode == (-signal.SIGKILL if os.name == "posix" else 1)
    assert not config.output.exists()
    assert 0 < read_tensors(config.checkpoint)[1]["step"] < 200

    train(replace(config, resume=True))
    whole = replace(config, output=tmp_path / "whole.safetensors")
    train(whole)
    assert tensors(config.output) == tensors(whole.output)


def interrupted(config, monkeypatch, at):
    """Leave a checkpoint behind: the run ends while it makes batch `at`."""
    with monkeypatch.context() as patched:
        original, count = PatchSampler.batch, iter(range(10_000))

        def batch(self, *arguments):
            if next(count) == at:
                raise KeyboardInterrupt
            return original(self, *arguments)

        patched.setattr(PatchSampler, "batch", batch)
        with pytest.raises(KeyboardInterrupt):
            train(config)
    assert config.checkpoint.exists()


def test_a_checkpoint_in_the_way(config, monkeypatch):
    interrupted(config, monkeypatch, 6)
    with pytest.raises(UsageError, match=r"out\.checkpoint\.safetensors .* resume it, or delete"):
        train(config)


def test_a_checkpoint_of_another_recipe(config, monkeypatch):
    interrupted(config, monkeypatch, 6)
    with pytest.raises(InputError, match=r"other settings \(learning_rate, seed\)"):
        train(replace(config, resume=True, learning_rate=1e-4, seed=3))


def test_a_checkpoint_of_another_network(config, monkeypatch):
    interrupted(config, monkeypatch, 6)
    with pytest.raises(InputError, match="checkpoint of another network"):
        train(replace(config, resume=True, scale=3))


def test_a_checkpoint_of_other_pictures(config, monkeypatch, folder):
    interrupted(config, monkeypatch, 6)
    paint(folder / "new.png", 7)
    with pytest.raises(InputError, match="other training pictures"):
        train(replace(config, resume=True))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.98])
def test_a_truncated_checkpoint(config, monkeypatch, share):
    interrupted(config, monkeypatch, 6)
    content = config.checkpoint.read_bytes()
    config.checkpoint.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"out\.checkpoint\.safetensors is not a whole checkpoint: delete it"):
        train(replace(config, resume=True))


def test_a_checkpoint_with_a_tensor_missing(config, monkeypatch):
    interrupted(config, monkeypatch, 6)
    found, header = read_tensors(config.checkpoint)
    del found["conv1_bias.mean"]
    write_tensors(config.checkpoint, found, header)
    with pytest.raises(InputError, match="is not a whole checkpoint"):
        train(replace(config, resume=True))


def test_a_loss_that_is_no_number_stops_and_keeps_the_checkpoint(config, monkeypatch):
    interrupted(config, monkeypatch, 6)
    kept = config.checkpoint.read_bytes()
    with monkeypatch.context() as patched:
        nothing = np.full((2, 1, 8, 8), np.nan, np.float32), np.zeros((2, 1, 16, 16), np.float32)
        patched.setattr(PatchSampler, "batch", lambda *_: nothing)
        with pytest.raises(TrainingDiverged, match=r"nan at step 5; .*lower the learning rate \(=0.01\)"):
            train(replace(config, resume=True))
    assert config.checkpoint.read_bytes() == kept
    assert not config.output.exists()


def test_a_learning_rate_far_too_high_diverges(config):
    with pytest.raises(TrainingDiverged, match="lower the learning rate"):
        train(replace(config, learning_rate=1e30, checkpoint_every=100))


@pytest.mark.parametrize("held_out", [("b.png",), ()])
@pytest.mark.parametrize("model", ["fsrcnn-s", "nano"])
def test_a_run_whose_last_update_is_no_good_does_not_end_well(config, model, held_out):
    """Both losses are finite: each is of the weights before its update."""
    config = replace(config, model=model, steps=2, learning_rate=1e30, warm_up=0, held_out=held_out, checkpoint_every=1)
    with pytest.raises(TrainingDiverged, match=r"at step 2; .* lower the learning rate"):
        train(config)
    assert not config.output.exists()
    found, header = read_tensors(config.checkpoint)
    assert header["step"] == 1  # SOAP's first step changes no weight
    assert all(np.isfinite(value).all() for value in found.values())


def test_a_score_that_is_no_number_leaves_the_checkpoint(config, monkeypatch):
    interrupted(config, monkeypatch, 6)
    kept = config.checkpoint.read_bytes()
    monkeypatch.setattr("subpixel.train.loop.held_out_psnr", lambda *_: float("nan"))
    with pytest.raises(TrainingDiverged, match=r"score became nan at step 8; .*--initial .*checkpoint\.safetensors"):
        train(replace(config, resume=True))
    assert config.checkpoint.read_bytes() == kept


@pytest.mark.parametrize("branches", [0, 2])
def test_a_checkpoint_s_mean_is_something_to_start_from(config, monkeypatch, tmp_path, branches):
    config = replace(config, branches=branches)
    interrupted(config, monkeypatch, 6)
    mean = {k[:-5]: v for k, v in read_tensors(config.checkpoint)[0].items() if k.endswith(".mean")}
    network = build("espcn", 2)
    module = BranchedModule(network, branches) if branches else NetworkModule(network)
    assert load_initial(config.checkpoint, module)["fresh"] == []
    for name, parameter in module.named_parameters():
        assert np.array_equal(parameter.detach().numpy(), mean[name]), name
    train(replace(config, initial=config.checkpoint, output=tmp_path / "on.safetensors", learning_rate=1e-4))
    if branches:
        with pytest.raises(InputError, match="give the --branches"):
            load_initial(config.checkpoint, NetworkModule(network))


def test_a_transposed_convolution_of_another_stride_starts_fresh(config, tmp_path, capsys):
    network = fsrcnn(3)
    rng = np.random.default_rng(0)
    found = {name: rng.random(shape, np.float32) for name, shape in network.parameters().items()}
    path = tmp_path / "x3.safetensors"
    write_tensors(path, found, {"network": network.config()})
    theirs = NetworkModule(fsrcnn(2))
    before = theirs.weights()
    (transposed,) = (step for step in theirs.network.steps if isinstance(step, TransposedConvolution))
    names = list(transposed.parameters())
    assert load_initial(path, theirs)["fresh"] == names
    for name, weight in theirs.weights().items():
        assert np.array_equal(weight, (before if name in names else found)[name])
    same = NetworkModule(network)
    assert load_initial(path, same)["fresh"] == []
    train(replace(config, model="fsrcnn", initial=path, steps=1, learning_rate=1e-9))
    assert f"does not fit {', '.join(names)}, which start fresh" in capsys.readouterr().err


def test_initial_weights_that_are_of_no_use(config, tmp_path):
    path = tmp_path / "w.safetensors"
    header = {"network": espcn(2).config()}
    write_tensors(path, {"other": np.zeros(3, np.float32)}, header)
    with pytest.raises(InputError, match=r"nothing in .* fits espcn x2"):
        train(replace(config, initial=path))
    write_tensors(path, {"conv1.bias": np.full(64, np.nan, np.float32)}, header)
    with pytest.raises(InputError, match="no numbers"):
        train(replace(config, initial=path))


def test_a_finished_run_is_not_resumed(config, capsys):
    score = train(config).held_out_psnr
    kept = config.output.read_bytes()
    result = train(replace(config, resume=True))
    assert (result.held_out_psnr, result.steps, result.pictures) == (score, 12, 2)
    assert "is finished: it stays as it is" in capsys.readouterr().err
    with pytest.raises(UsageError, match="another recipe and no checkpoint"):
        train(replace(config, resume=True, seed=4))
    assert config.output.read_bytes() == kept


def test_other_threads_than_the_checkpoint_s_are_noted(config, monkeypatch, capsys):
    interrupted(config, monkeypatch, 6)
    assert "--resume goes on from the checkpoint of step 4" in capsys.readouterr().err
    found, header = read_tensors(config.checkpoint)
    assert (header["threads"], header["devices"]) == (1, 1)
    write_tensors(config.checkpoint, found, header | {"threads": 7})
    train(replace(config, resume=True))
    assert "made with 7 threads, now 1: the run goes on, but not bit for bit" in capsys.readouterr().err


def test_weights_are_there_before_they_are_calibrated(config, monkeypatch):
    def fails(*_):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr("subpixel.train.loop.calibrated", fails)
        with pytest.raises(MemoryError):
            train(config)
    assert "int8" not in read_weights(config.output).header
    train(replace(config, resume=True))
    assert "int8" in read_weights(config.output).header


def test_trouble_among_good_pictures_is_named(config, folder, capsys):
    (folder / "zero.png").write_bytes(b"")
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:60])
    Image.new("L", (15, 90)).save(folder / "small.png")
    result = train(config)
    reasons = {entry["name"]: entry["reason"] for entry in result.skipped}
    assert reasons.keys() == {"zero.png", "cut.png", "small.png"}
    assert "15x90 is smaller than a patch of 16x16" in reasons["small.png"]
    assert result.pictures == 2
    told = capsys.readouterr().err
    assert told.count("left out") == 3
    assert "3 of 6 pictures cannot be used" in told


def test_nothing_to_train_on(config, folder, tmp_path):
    with pytest.raises(InputError, match=r"none of 3 pictures can be trained on.*smaller than a patch"):
        train(replace(config, patch=64, held_out=()))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no pictures"):
        train(replace(config, folders=(tmp_path / "empty",)))
    with pytest.raises(InputError, match="does not exist"):
        train(replace(config, folders=(tmp_path / "nowhere",)))
    with pytest.raises(InputError, match=r"held-out picture nowhere\.png"):
        train(replace(config, held_out=("nowhere.png",)))


def test_a_list_of_pictures(config, tmp_path):
    names = tmp_path / "list.txt"
    names.write_text("# comment\nbelow/c.png\tCC0-1.0, someone\n\n")
    header = read_weights(train(replace(config, pictures=names)).output).header
    assert header["pictures"] == [{"name": "below/c.png", "licence": "CC0-1.0, someone"}]
    assert header["held_out"]["names"] == ["b.png"]
    names.write_text("a.png\ngone.png\n")
    with pytest.raises(InputError, match=r"list\.txt names gone\.png, which the training folders lack"):
        train(replace(config, pictures=names))
    names.write_text("# nothing\n")
    with pytest.raises(InputError, match="names no picture"):
        train(replace(config, pictures=names))


def test_one_name_in_two_folders(config, folder, tmp_path):
    second = tmp_path / "second"
    second.mkdir()
    paint(second / "a.png", 5)
    with pytest.raises(InputError, match=r"a\.png is in two training folders"):
        train(replace(config, folders=(folder, second)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": 1}, "any integer scale from 2, not for 1"),
        ({"steps": 0}, r"`steps` \(=0\)"),
        ({"seed": -1}, r"`seed` \(=-1\)"),
        ({"warm_up": -1}, r"`warm_up` \(=-1\)"),
        ({"scale": 100}, "scale 100 is impossible for espcn: it takes integers from 2 to 64"),
        ({"patch": 0}, r"`patch` \(=0\)"),
        ({"learning_rate": 0.0}, r"`learning_rate` \(=0.0\)"),
        ({"learning_rate": float("nan")}, r"`learning_rate` \(=nan\)"),
        ({"ema": 1.5}, r"`ema` \(=1.5\)"),
        ({"output": Path("weights.pt")}, r"weights\.pt needs that ending"),
        ({"folders": ()}, "no folder"),
        ({"model": "bicubic"}, "bicubic is an interpolation"),
        ({"model": "edsr"}, "'edsr'; there are"),
    ],
)
def test_bad_settings(config, changes, message):
    with pytest.raises(UsageError, match=message):
        train(replace(config, **changes))


def test_an_unwritable_output_shows_before_the_work(config, tmp_path, monkeypatch):
    monkeypatch.setattr(PatchSampler, "batch", lambda *_: pytest.fail("training began"))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"file.out\.safetensors cannot be written"):
        train(replace(config, output=tmp_path / "file" / "out.safetensors"))


def test_two_processes_share_every_batch(config, folder, tmp_path):
    """The same pictures in every step: equal but for the order of sums."""
    pytest.importorskip("lightning_fabric")
    # SOAP's eigenvectors magnify the rounding of sums; Adam's first steps are all of the rate's size.
    single = replace(config, optimizer="adam", learning_rate=1e-4, batch=4)
    train(single)
    settings = {"scale": 2, "model": "espcn", "steps": 12, "batch": 4, "patch": 8, "checkpoint-every": 4, "devices": 2}
    settings |= {"device": "cpu", "held-out": "b.png", "optimizer": "adam", "learning-rate": 1e-4, "threads": 1}
    options = [text for name, value in settings.items() for text in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "subpixel", "train", str(folder), "-o", str(tmp_path / "two.safetensors")]
    command += [*options, "--size", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1  # one of them reports
    assert done.stderr.count("step 4:") == 1
    one, two = read_weights(config.output), read_weights(tmp_path / "two.safetensors")
    for name, weight in one.weights.items():
        np.testing.assert_allclose(two.weights[name], weight, atol=2e-6)
    assert two.header["recipe"] == one.header["recipe"]


def test_several_devices_and_their_batches(config, monkeypatch):
    with pytest.raises(UsageError, match="a batch of 3 cannot be shared by 2 devices"):
        replace(config, batch=3, devices=2)
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(MissingExtra, match=r"pip install 'subpixel\[devices\]'"):
        train(replace(config, devices=2))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UsageError, match="there are 1 GPUs here, not 2"):
        train(replace(config, devices=2, device="cuda"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu(config):
    with pytest.raises(UsageError, match="finds no GPU here"):
        train(replace(config, device="cuda"))


def test_starting_from_weights_of_another_scale(config, tmp_path):
    train(config)
    ours = read_weights(config.output)
    third = replace(config, scale=3, patch=6, steps=1, learning_rate=1e-12, ema=0.0)
    third = replace(third, output=tmp_path / "x3.safetensors", initial=config.output)
    theirs = read_weights(train(third).output)
    # Both had their maps brought to equal range, by powers of two.
    factors = np.log2(theirs.weights["conv2.weight"] / ours.weights["conv2.weight"])
    np.testing.assert_allclose(factors, np.round(factors), atol=1e-6)
    assert theirs.weights["conv3.weight"].shape == (9, 32, 3, 3)
    assert theirs.header["started_from"] == {
        "file": "out.safetensors",
        "recipe": ours.header["recipe"],
        "fresh": ["conv3.weight", "conv3.bias"],
    }


def test_any_integer_scale_trains_and_runs(config, folder):
    output = train(replace(config, scale=5, patch=4, steps=2)).output
    assert evaluate(folder, output, runtime="onnxruntime", threads=1)["scale"] == 5


def test_figures_go_into_the_header(config, folder):
    figures = read_weights(train(replace(config, figures=(folder,))).output).header["figures"]
    assert [entry["set"] for entry in figures] == ["pictures"]
    assert figures[0]["bicubic_psnr"] == evaluate(folder, "bicubic", 2)["psnr"]
    assert figures[0]["protocol"].startswith("papers: x2")


def test_a_figures_folder_that_is_missing_shows_before_the_work(config, tmp_path, monkeypatch):
    monkeypatch.setattr(PatchSampler, "batch", lambda *_: pytest.fail("training began"))
    with pytest.raises(InputError, match="nowhere does not exist"):
        train(replace(config, figures=(tmp_path / "nowhere",)))


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text here")
def test_a_name_that_is_no_utf_8_does_not_lose_the_run(config, folder):
    (folder / "a.png").rename(folder / os.fsdecode(b"caf\xe9.png"))
    header = read_weights(train(config).output).header
    assert [picture["name"] for picture in header["pictures"]] == ["below/c.png", "caf?.png"]


def test_resuming_without_a_checkpoint_says_so(config, capsys):
    assert train(replace(config, resume=True)).steps == 12
    assert "out.checkpoint.safetensors to resume: the run starts anew" in capsys.readouterr().err


@pytest.mark.parametrize("scale", [2, 3])
def test_the_untrained_network_repeats_pixels(scale):
    module = NetworkModule(espcn(scale))
    initialise(module, 0)
    lr = torch.rand(1, 1, 9, 9)
    with torch.no_grad():
        for name in module.weights():  # without the noise of the other maps
            if name == "conv3.weight":
                module.weight(name)[:, 1:] = 0
        hr = module(lr)
    assert torch.equal(hr, lr.repeat_interleave(scale, 2).repeat_interleave(scale, 3))


@pytest.mark.parametrize("near_identity", [False, True])
@pytest.mark.parametrize("name", [n for n, d in ZOO.items() if d.build and build(n, 2).parameter_count < 1_000_000])
def test_every_network_starts_near_the_interpolation_it_improves_on(name, near_identity):
    network = build(name, 2)
    module = NetworkModule(network)
    initialise(module, 0, near_identity=near_identity)
    lr = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(0)) * 0.2 + 0.4
    lr = torch.nn.functional.avg_pool2d(lr, 5, 1, 2, count_include_pad=False)  # smooth, as pictures are
    with torch.no_grad():
        hr = module(lr)
    error = (hr - lr.repeat_interleave(2, 2).repeat_interleave(2, 3))[..., 20:-20, 20:-20]
    assert error.abs().mean() < 0.15


def test_near_identity_is_of_square_layers_and_leaves_the_rest():
    plain, near = NetworkModule(small(4)), NetworkModule(small(4))
    initialise(plain, 0)
    initialise(near, 0, near_identity=True)
    identity = torch.zeros(16, 16, 3, 3)
    identity[range(16), range(16), 1, 1] = 1
    for layer in range(2, 6):
        name = f"conv{layer}.weight"
        torch.testing.assert_close(near.weight(name), plain.weight(name) / 4 + identity)
    for name in ("conv1.weight", "conv6.weight"):  # the last one has 16 maps out too, of which each is a phase
        assert torch.equal(near.weight(name), plain.weight(name))


def test_near_identity_touches_a_shared_layer_once_and_keeps_the_picture_s_map():
    recursion = NetworkModule(recursive("r", 2, 4, 3))
    initialise(recursion, 0, near_identity=True)
    assert recursion.weight("recursion.weight").diagonal()[1, 1].mean() < 1.6  # 2 or more, if it were touched thrice
    first = NetworkModule(fsrcnn(2))
    initialise(first, 0, near_identity=True)
    assert first.weight("map1.weight")[0].sum() == first.weight("map1.weight")[0, 0, 1, 1] == 1


def test_an_ensemble_s_members_are_supervised():
    module = NetworkModule(recursive("r", 2, 4, 3))
    initialise(module, 0)
    assert module.weight("ensemble.weight").tolist() == pytest.approx([1 / 3] * 3)
    lr, hr = torch.rand(2, 1, 6, 6), torch.rand(2, 1, 12, 12)
    alone = loss_of(module, lr, hr, squared=True, supervision=0.0)
    _, remembered = module.forward_and_remember(lr)
    members = [30 * (remembered[f"prediction{d}"] - hr).square().mean() for d in (1, 2, 3)]
    half = loss_of(module, lr, hr, squared=True, supervision=0.5)
    torch.testing.assert_close(half, alone / 2 + sum(members) / 6)
    assert not torch.equal(half, alone)


def test_initial_phases_are_tied_and_seeded():
    modules = [NetworkModule(espcn(3)) for _ in range(3)]
    for module, seed in zip(modules, (0, 0, 1), strict=True):
        initialise(module, seed)
    last = [module.weight("conv3.weight") for module in modules]
    assert all(torch.equal(last[0][phase], last[0][0]) for phase in range(9))
    assert torch.equal(last[0], last[1])
    assert not torch.equal(last[0], last[2])


def test_patches_are_aligned_in_every_orientation():
    y = np.random.default_rng(0).uniform(16, 235, (60, 80))
    pair = make_pair("p", np.kron(y[:20, :27], np.ones((3, 3))), 3)
    sampler = PatchSampler([pair], 3, 6)
    lr, hr = sampler.batch(200, np.random.default_rng(1))
    means = hr.reshape(200, 6, 3, 6, 3).mean((2, 4))
    # On 3x3 tiles of one value each, LR pixels follow their tile's value.
    assert min(np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(lr[:, 0], means, strict=True)) > 0.95
    assert lr.shape == (200, 1, 6, 6)
    assert lr.dtype == hr.dtype == np.float32


def test_detail_is_drawn_more_often_than_sky():
    y = np.full((96, 192), 100.0)
    y[:, 96:] = np.random.default_rng(0).uniform(0, 255, (96, 96))
    sampler = PatchSampler([make_pair("half sky", y, 2)], 2, 8)
    lr, _ = sampler.batch(300, np.random.default_rng(0))
    assert (lr.std((1, 2, 3)) > 0.01).mean() > 0.95


def test_pictures_are_learnt_from_at_every_size_that_holds_a_patch(config):
    plain = read_training_set(config)
    both = read_training_set(replace(config, sizes=(1.0, 0.5, 0.25)))  # 60x44, and a patch has 16
    assert [pair.hr.shape for pair in plain.learn] == [(44, 60)] * 2
    assert [pair.hr.shape for pair in both.learn] == [(44, 60), (22, 30)] * 2
    assert [pair.hr.shape for pair in both.held_out] == [(44, 60)]
    assert both.story == plain.story
    shrunk = read_training_set(replace(config, sizes=(0.5,)))
    assert [pair.hr.tobytes() for pair in shrunk.learn] == [pair.hr.tobytes() for pair in both.learn[1::2]]


@pytest.mark.parametrize("sizes", [(), (1.0, 0.0), (1.5,), (0.5, 0.5), (float("nan"),)])
def test_sizes_that_are_none(config, sizes):
    with pytest.raises(UsageError, match=r"`sizes` \(=.*\) must be different parts of a picture's size"):
        replace(config, sizes=sizes)
