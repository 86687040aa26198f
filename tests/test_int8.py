"""Eight bits: graphs that lose nothing where nothing is lost, equalising that changes no bit, refusals in words."""

import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from subpixel.errors import InputError, UsageError
from subpixel.models import build, load, read_weights
from subpixel.models.files import read_tensors, write_tensors
from subpixel.models.int8 import int8_graph, quantised, steps_of
from subpixel.models.network import Convolution, Network
from subpixel.models.onnx_graph import onnx_graph
from subpixel.models.trained import WEIGHTS
from subpixel.runtime import open_session
from subpixel.runtime.session import installed

RNG = np.random.default_rng


def random_weights(network, seed=0):
    rng = RNG(seed)
    return {n: rng.standard_normal(s).astype(np.float32) * 0.2 for n, s in network.parameters().items()}


@pytest.mark.parametrize(("least", "largest"), [(-0.3, 1.7), (0.2, 3.0), (-2.0, -1.0), (-1e-6, 1e6)])
def test_steps_hold_zero_and_both_ends(least, largest):
    scale, zero = steps_of(least, largest)
    least, largest = min(least, 0.0), max(largest, 0.0)
    reached = (np.arange(256) - int(zero)) * scale
    assert 0.0 in reached
    assert abs(reached[0] - least) <= scale * 0.51
    assert abs(reached[-1] - largest) <= scale * 0.51


def test_a_range_of_nothing_has_a_step():
    scale, zero = steps_of(0.0, 0.0)
    assert (scale, zero) == (1, 0)


def test_a_kernel_loses_half_a_step_at_most():
    kernel = RNG(1).standard_normal((5, 3, 3, 3)).astype(np.float32)
    kernel[2] = 0
    integers, scales = quantised(kernel)
    assert (integers.dtype, np.abs(integers).max()) == (np.int8, 127)
    assert (np.abs(integers * scales[:, None, None, None] - kernel) <= scales[:, None, None, None] * 0.501).all()


def test_integers_that_fit_go_through_exactly():
    """Inputs and kernels of few levels lose nothing, so the eight-bit graph is the f32 one."""
    network = Network("two", 1, (Convolution("a", 1, 4, 3), Convolution("b", 4, 1, 3)))
    rng = RNG(2)
    weights = {n: rng.integers(-3, 4, s).astype(np.float32) for n, s in network.parameters().items()}
    for name in ("a.weight", "b.weight"):  # the largest of each map decides its scale: 127 makes that 1
        weights[name][:, 0, 0, 0] = 127 if name == "b.weight" else 1
    weights["a.weight"] = np.sign(weights["a.weight"])
    weights["a.bias"][:] = 0
    graph = onnx_graph(network, weights)
    eight = int8_graph(graph, {"b": (-128.0, 127.0)})
    onnx.checker.check_model(eight, full_check=True)
    x = rng.integers(0, 9, (1, 1, 17, 23)).astype(np.float32)
    for runtime in ("onnxruntime", *(["openvino"] if installed("openvino") else [])):
        plain, coarse = (open_session(g, runtime=runtime, threads=1).run(x) for g in (graph, eight))
        np.testing.assert_array_equal(plain, coarse)


def test_only_what_has_a_range_is_changed():
    network = build("nano", 3)
    graph = onnx_graph(network, random_weights(network))
    before = graph.SerializeToString()
    eight = int8_graph(graph, {"conv2": (-1.0, 1.0), "conv5": (0.0, 2.0), "none": (0.0, 1.0)})
    assert graph.SerializeToString() == before
    operators = [node.op_type for node in eight.graph.node]
    assert operators.count("QuantizeLinear") == 2
    assert operators.count("DequantizeLinear") == 4
    bytes_kept = {t.name for t in eight.graph.initializer if numpy_helper.to_array(t).dtype == np.int8}
    assert {"conv2.int8", "conv5.int8"} <= bytes_kept
    assert not {"conv2.weight", "conv5.weight"} & {t.name for t in eight.graph.initializer}


def test_without_calibration_int8_is_refused():
    with pytest.raises(UsageError, match="int8 needs a network that was calibrated for it"):
        open_session(load("nano", 2).to_onnx(), precision="int8")


@pytest.mark.skipif(not installed("openvino"), reason="OpenVINO is not installed")
def test_a_processor_whose_sums_of_bytes_clip_is_refused(monkeypatch):
    from subpixel.runtime import on_openvino

    network = load("nano", 2)
    monkeypatch.setattr(on_openvino, "adds_bytes_exactly", lambda: False)
    with pytest.raises(UsageError, match="no instruction that adds up products of bytes without clipping"):
        open_session(network.to_onnx(), precision="int8", int8=network.to_int8(), threads=1)


@pytest.mark.skipif(not installed("openvino"), reason="OpenVINO is not installed")
def test_auto_measures_int8_where_it_is_close(monkeypatch, tmp_path):
    from subpixel.runtime import choice, on_openvino

    if not on_openvino.adds_bytes_exactly():
        pytest.skip("this processor has no VNNI")
    monkeypatch.setenv("SUBPIXEL_CACHE", str(tmp_path))
    monkeypatch.setattr(
        choice, "_measure", lambda graphs, candidates, threads: {c: 1.0 + (c[1] != "int8") for c in candidates}
    )
    network = load("small", 3)
    graphs = {"model": network.to_onnx(), "int8": network.to_int8(), "threads": 1}
    assert open_session(**graphs, close=("bf16", "int8")).precision == "int8"
    assert open_session(**graphs, close=("bf16",)).precision != "int8"
    assert open_session(**graphs, close=("int8",), runtime="onnxruntime").precision == "f32"


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_shipped_weights_state_what_int8_costs(scale):
    network = load("small", scale)
    for figure in network.header["figures"]:
        loss = figure["psnr"] - figure["int8_psnr"]
        assert 0 < loss < 0.2
    losses = [figure["psnr"] - figure["int8_psnr"] for figure in network.header["figures"]]
    assert ("int8" in network.close_precisions) == (max(losses) < 0.1)


@pytest.mark.parametrize(
    "stated",
    [3, {}, {"ranges": []}, {"ranges": {"conv2": 1}}, {"ranges": {"conv2": [1, 0]}}, {"ranges": {"conv2": ["a", 2]}}],
)
def test_ranges_that_are_none_are_refused(stated, tmp_path):
    tensors, header = read_tensors(WEIGHTS / "nano_x2.safetensors")
    write_tensors(tmp_path / "w.safetensors", tensors, header | {"int8": stated})
    with pytest.raises(InputError, match="states ranges for eight bits that are none"):
        read_weights(tmp_path / "w.safetensors")


class TestCalibration:
    """Needs PyTorch, as training does."""

    @pytest.fixture
    def pairs(self):
        pytest.importorskip("torch")
        from subpixel.train.patches import Pair

        rng = RNG(5)
        sizes = [(40, 60), (33, 50), (64, 41)]
        return [Pair(str(n), np.zeros((1, 1), np.uint8), rng.random(s, np.float32)) for n, s in enumerate(sizes)]

    @pytest.mark.parametrize("name", ["nano", "espcn"])
    def test_equalised_weights_compute_the_same_bits(self, name, pairs):
        from subpixel.train.calibrate import calibrated

        network = build(name, 3)
        weights = random_weights(network)
        weights["conv2.weight"][:, 1] *= 1000  # a map that is read with large weights
        weights["conv1.weight"][2] = 0  # and one that is always the bias
        equal, entry = calibrated(network, weights, pairs)
        assert any(not np.array_equal(equal[key], weights[key]) for key in weights)
        x = RNG(0).random((1, 1, 24, 31), np.float32)
        before, after = (
            open_session(onnx_graph(network, w), runtime="onnxruntime", threads=1).run(x) for w in (weights, equal)
        )
        np.testing.assert_array_equal(before, after)
        assert entry["pictures"] == 2  # the third is smaller than the middle one
        layers = [step.name for step in network.steps if isinstance(step, Convolution)]
        assert list(entry["ranges"]) == layers[1:]
        for least, most in entry["ranges"].values():
            assert least < most

    @pytest.mark.parametrize("name", ["espcn-tanh", "fsrcnn", "srcnn", "drcn"])
    def test_other_networks_stay_in_f32(self, name, pairs):
        from subpixel.train.calibrate import calibrated

        network = build(name, 3)
        weights = {n: np.zeros(s, np.float32) for n, s in network.parameters().items()}
        assert calibrated(network, weights, pairs) == (weights, None)

    @pytest.mark.parametrize("name", ["nano", "small"])
    def test_ranges_are_those_of_onnxruntime_s_own_calibration(self, name, tmp_path, capsys):
        """Which holds all maps at once; ours come of one crop at a time."""
        pytest.importorskip("torch")
        from onnxruntime.quantization import CalibrationMethod
        from onnxruntime.quantization.calibrate import create_calibrator

        from subpixel.train.calibrate import PERCENTILE, _inputs, _largest, _ranges

        trained = load(name, 3)
        crops = [RNG(seed).random((1, 1, 40, 40), np.float32) * (seed + 1) / 5 for seed in range(5)]
        graph = onnx_graph(trained.network, trained.weights)
        onnx.save(graph, tmp_path / "graph.onnx")
        options = {"symmetric": False, "percentile": PERCENTILE, "num_bins": 4096}
        calibrator = create_calibrator(
            tmp_path / "graph.onnx",
            ["Conv"],
            augmented_model_path=str(tmp_path / "augmented.onnx"),
            calibrate_method=CalibrationMethod.Percentile,
            extra_options=options,
        )
        left = iter([{"lr": crop} for crop in crops] + [None])
        calibrator.collect_data(type("Crops", (), {"get_next": lambda self: next(left)})())
        theirs = calibrator.compute_data().data
        ours = _ranges(graph, crops)
        assert len(ours) == sum(isinstance(step, Convolution) for step in trained.network.steps) - 1
        inputs = _inputs(graph)
        for layer, ends in ours.items():
            assert ends == tuple(float(end) for end in theirs[inputs[layer]].range_value)

        from subpixel.train.calibrate import _maps

        found = list(_maps(graph, crops))
        for layer, largest in _largest(trained.network, trained.weights, crops).items():
            together = np.stack([maps[layer] for maps in found], 1)
            expected = np.quantile(np.abs(together.reshape(len(together), -1)), 0.9999, axis=1)
            np.testing.assert_allclose(largest, expected, rtol=1e-6)

    def test_each_picture_is_looked_at_once_and_they_are_spread(self, monkeypatch):
        pytest.importorskip("torch")
        from subpixel.train import calibrate
        from subpixel.train.patches import Pair

        def pair(name, side, picture=""):
            return Pair(name, np.zeros((1, 1), np.uint8), RNG(0).random((side, side), np.float32), picture)

        pairs = [part for n in range(10) for part in (pair(f"{n}", 20 + n), pair(f"{n} at half its size", 10, f"{n}"))]
        network = build("nano", 2)
        _, entry = calibrate.calibrated(network, random_weights(network), pairs)
        assert entry["pictures"] == 6  # of at least the middle size, 24
        monkeypatch.setattr(calibrate, "_PICTURES", 3)
        sides = []
        monkeypatch.setattr(calibrate, "_crop", lambda lr, side: sides.append(len(lr)) or lr[None, None, :side, :side])
        _, entry = calibrate.calibrated(network, random_weights(network), pairs)
        assert (entry["pictures"], sides) == (3, [24, 26, 29])

    def test_calibrating_again_takes_the_figures_in_int8_out(self, pairs, tmp_path):
        from subpixel.train.calibrate import write_ranges

        tensors, header = read_tensors(WEIGHTS / "nano_x2.safetensors")
        assert all("int8_psnr" in figure for figure in header["figures"])
        write_tensors(tmp_path / "w.safetensors", tensors, header)
        assert write_ranges(tmp_path / "w.safetensors", pairs)
        figures = read_weights(tmp_path / "w.safetensors").header["figures"]
        assert [figure["psnr"] for figure in figures] == [figure["psnr"] for figure in header["figures"]]
        assert not any("int8_psnr" in figure for figure in figures)

    @pytest.mark.parametrize("module", ["calibrate", "figures"])
    @pytest.mark.parametrize("arguments", [[], ["w.safetensors"], ["nowhere", "nowhere.txt", "nowhere.safetensors"]])
    def test_what_is_missing_is_one_sentence(self, module, arguments, tmp_path):
        pytest.importorskip("torch")
        command = [sys.executable, "-m", f"subpixel.train.{module}", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith("subpixel: ")
