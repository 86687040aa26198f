"""Few maps on pairs of pixels: the plain graph's numbers, every one, on the sessions of pictures and of frames."""

import numpy as np
import onnx
import pytest

from subpixel.media.video.pixels import planar
from subpixel.models import build, load
from subpixel.models.network import (
    Activation,
    AddRemembered,
    Convolution,
    Network,
    PeriodicShuffle,
    Remember,
)
from subpixel.models.onnx_graph import onnx_graph
from subpixel.models.pairs import gains_from_pairs, pair_graph
from subpixel.runtime import open_session
from subpixel.runtime.on_openvino import adds_bytes_exactly
from subpixel.upscaling.planes import PlaneUpscaler
from subpixel.upscaling.upscaler import NetworkUpscaler, open_upscaler

needs_vnni = pytest.mark.skipif(not adds_bytes_exactly(), reason="needs a processor with VNNI")


def random_stack(rng):
    """A network of 2 to 5 layers and integer weights for it."""
    r, layers = int(rng.integers(1, 5)), int(rng.integers(2, 6))
    skip, kind = bool(rng.integers(2)), rng.choice(["relu", "one slope", "slopes"])
    widths = [1, *rng.integers(1, 9, layers - 1).tolist(), r * r]
    steps = [Remember("lr")] if skip else []
    for n in range(layers):
        steps.append(Convolution(f"conv{n}", widths[n], widths[n + 1], int(rng.choice([1, 3, 5]))))
        if n < layers - 1:
            slopes = {"relu": 0, "one slope": 1, "slopes": widths[n + 1]}[kind]
            steps.append(Activation("prelu", f"act{n}", slopes) if slopes else Activation("relu"))
    if skip:
        steps.append(AddRemembered("lr", r * r))
    if r > 1 or not skip:
        steps.append(PeriodicShuffle(r))
    network = Network("stack", r, tuple(steps))
    weights = {name: rng.integers(-2, 3, shape).astype(np.float32) for name, shape in network.parameters().items()}
    return network, weights


def through(graph, x):
    return open_session(graph, runtime="onnxruntime", threads=1, precision="f32").run(x)


@pytest.mark.parametrize("seed", range(30))
def test_every_integer_is_the_plain_graphs(seed):
    rng = np.random.default_rng(seed)
    network, weights = random_stack(rng)
    assert gains_from_pairs(network)
    shape = (int(rng.integers(1, 3)), 1, int(rng.integers(1, 9)), 2 * int(rng.integers(1, 7)))
    x = rng.integers(-3, 4, shape).astype(np.float32)
    plain = through(onnx_graph(network, weights), x)
    graph = pair_graph(network, weights)
    onnx.checker.check_model(graph, full_check=True)
    assert np.abs(plain).max() < 2**24  # integers, all exact
    np.testing.assert_array_equal(through(graph, x), plain)
    r = network.scale
    phases = through(pair_graph(network, weights, shuffled=False), x)
    n, _, height, half = phases.shape
    apart = phases.reshape(n, r, 2 * r, height, half).transpose(0, 3, 1, 4, 2)
    np.testing.assert_array_equal(apart.reshape(plain.shape), plain)


def test_only_stacks_of_few_maps_gain():
    assert [
        name for name in ("nano", "small", "espcn", "srcnn", "fsrcnn", "drcn") if gains_from_pairs(build(name, 3))
    ] == ["nano"]
    assert load("espcn", 3).to_int8_pairs() is None


@needs_vnni
@pytest.mark.parametrize("width", [44, 45, 1, 2])
@pytest.mark.parametrize("scale", [3, 4])
def test_int8_gives_the_same_bits(scale, width):
    nano = load("nano", scale)
    graphs = {"threads": 1, "runtime": "openvino", "precision": "int8", "int8": nano.to_int8()}
    x = np.random.default_rng(width).random((1, 1, 31, width), np.float32)
    plain = open_session(nano.to_onnx(), **graphs)
    either = open_session(nano.to_onnx(), **graphs, int8_even=nano.to_int8_pairs())
    np.testing.assert_array_equal(either.run(x), plain.run(x))


@needs_vnni
@pytest.mark.parametrize("width", [64, 63])
def test_frames_are_the_same_bits(width):
    upscaler = open_upscaler("nano", 3, runtime="openvino", precision="int8", threads=1)
    assert isinstance(upscaler, NetworkUpscaler)
    assert upscaler.pairs is not None
    without = NetworkUpscaler("nano", upscaler.session, upscaler.contract, upscaler.graph)
    layout = planar("gray")
    assert layout is not None
    source = np.random.default_rng(5).integers(0, 256, (41, width), dtype=np.uint8)
    results = []
    for one in (upscaler, without):
        target = np.zeros((3 * 41, 3 * width), np.uint8)
        PlaneUpscaler(one, layout, layout, full_range=False).enlarge([source], [target])
        results.append(target)
    assert results[0].std() > 10
    np.testing.assert_array_equal(*results)
