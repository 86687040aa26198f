"""Pattern × goal × runtime: what must be rewritten into what, equal, and counted. Refusing fails here."""

from __future__ import annotations

from collections import Counter
from functools import cache
from io import BytesIO

import numpy as np
import onnx
import pytest

from exactness.chains import Turn
from rewrite import patterns as p
from rewrite.graphs import counts, feeds_for, outputs_of
from subpixel.rewriting import Rewritten, rewrite

# Pattern: model, what `lr` must make, what `deconv` must make. "2: A B → C" reads: two sites, no A or B left, C there.
# "" says that the goal has nothing to do: the model comes back as it is.
D2S = "ConvTranspose → Conv DepthToSpace"
SPELLED = "Resize → Conv DepthToSpace"
MATRIX: dict[str, tuple[p.Build, str, str]] = {
    # transposed convolutions
    "ConvTranspose with bias": (p.transposed(), D2S, ""),
    "ConvTranspose without bias": (p.transposed(bias=False), D2S, ""),
    "ConvTranspose, BatchNormalization": (
        p.transposed(after=p.batch_norm),
        "ConvTranspose BatchNormalization → DepthToSpace",
        "",
    ),
    "ConvTranspose, Mul, Add": (p.transposed(after=p.scale_and_shift), "ConvTranspose Mul Add → DepthToSpace", ""),
    "ConvTranspose stride 1": (p.transposed(strides=[1, 1]), "ConvTranspose → Conv", ""),
    "ConvTranspose depthwise": (p.transposed(O=1, group=5), D2S, ""),
    "ConvTranspose depthwise, stride 1, dilated": (
        p.transposed((3, 3), 1, group=5, strides=[1, 1], dilations=[5, 1], pads=[5, 1, 5, 1]),
        "ConvTranspose → Conv",
        "",
    ),
    "ConvTranspose dilated": (p.transposed((3, 3), dilations=[3, 3]), "ConvTranspose → Conv", ""),
    "ConvTranspose output_padding": (p.transposed((3, 3), output_padding=[1, 1]), D2S, ""),
    "ConvTranspose auto_pad SAME_UPPER": (
        p.transposed((3, 3), auto_pad="SAME_UPPER", pads=None),
        "ConvTranspose → Conv",
        "",
    ),
    "ConvTranspose auto_pad SAME_LOWER": (
        p.transposed((3, 3), auto_pad="SAME_LOWER", pads=None),
        "ConvTranspose → Conv",
        "",
    ),
    "ConvTranspose auto_pad VALID": (p.transposed(auto_pad="VALID", pads=None), D2S, ""),
    "ConvTranspose opset 7": (p.transposed(opset=7), D2S, ""),
    "ConvTranspose opset 22": (p.transposed(opset=22), D2S, ""),
    "ConvTranspose 1-D": (p.transposed((5,)), "ConvTranspose → Conv Transpose", ""),
    "ConvTranspose 3-D": (p.transposed((3, 2, 4)), "ConvTranspose → Conv Transpose", ""),
    "FCN's diagonal bilinear ConvTranspose": (p.diagonal_bilinear, D2S, ""),
    "zero insertion written out": (
        p.zero_insertion,
        "Pad → Conv DepthToSpace",
        "Pad Conv → ConvTranspose",
    ),
    # resize and convolution
    "Upsample opset 7": (
        p.resized({"mode": "nearest"}, opset=7, op="Upsample"),
        "Upsample → Conv DepthToSpace",
        "Upsample → ConvTranspose",
    ),
    "Upsample opset 9": (
        p.resized({"mode": "nearest"}, opset=9, op="Upsample"),
        "Upsample → Conv DepthToSpace",
        "Upsample → ConvTranspose",
    ),
    "Resize opset 10": (p.resized({"mode": "nearest"}, opset=10), SPELLED, "Resize → ConvTranspose"),
    "Resize opset 11": (p.resized(p.NEAREST, opset=11), SPELLED, "Resize → ConvTranspose"),
    "Resize opset 19": (p.resized(p.NEAREST, opset=19), SPELLED, "Resize → ConvTranspose"),
    "nearest half_pixel": (
        p.resized({"mode": "nearest", "coordinate_transformation_mode": "half_pixel"}),
        SPELLED,
        "Resize → ConvTranspose",
    ),
    "nearest asymmetric ceil": (p.resized({**p.NEAREST, "nearest_mode": "ceil"}), SPELLED, ""),
    "nearest asymmetric round_prefer_ceil": (
        p.resized({**p.NEAREST, "nearest_mode": "round_prefer_ceil"}),
        SPELLED,
        "",
    ),
    "linear half_pixel": (p.resized({"mode": "linear"}), SPELLED, ""),
    "linear asymmetric": (
        p.resized({"mode": "linear", "coordinate_transformation_mode": "asymmetric"}),
        SPELLED,
        "",
    ),
    "cubic ×2": (p.resized({"mode": "cubic"}), SPELLED, ""),
    "nearest ×4, 9×9": (p.resized(p.NEAREST, s=4, K=9), SPELLED, "Resize → ConvTranspose"),
    "nearest in 1-D": (p.resized_in(1), "Resize → Conv Transpose", "Resize → ConvTranspose"),
    "nearest in 3-D": (p.resized_in(3), "Resize → Conv Transpose", "Resize → ConvTranspose"),
    "Pad with zeros before the convolution": (
        p.resized(p.NEAREST, between=p.padding("constant")),
        "Resize Pad → Conv DepthToSpace",
        "Resize Pad → ConvTranspose",
    ),
    "Pad with the edge before the convolution": (
        p.resized(p.NEAREST, between=p.padding("edge")),
        "Resize → Conv DepthToSpace",
        "Resize Conv → Pad ConvTranspose",
    ),
    "Pad reflecting before the convolution": (
        p.resized(p.NEAREST, between=p.padding("reflect")),
        "Resize → Conv DepthToSpace",
        "Resize Conv → Pad ConvTranspose",
    ),
    "average pooling after nearest": (p.pooled, "Resize AveragePool → Conv", ""),
    "1×1 after align_corners": (
        p.resized({"mode": "linear", "coordinate_transformation_mode": "align_corners"}, K=1),
        "→ Resize Conv",
        "",
    ),
    "1×1 after ×1.5": (p.resized({"mode": "linear"}, s=1.5, K=1), "→ Resize Conv", ""),
    # shuffles
    "convolution, DepthToSpace CRD": (p.shuffled("CRD"), "", "DepthToSpace → ConvTranspose"),
    "convolution, DepthToSpace DCR": (p.shuffled("DCR"), "", "DepthToSpace → ConvTranspose"),
    "convolution, DepthToSpace without mode": (p.shuffled("", opset=10), "", "DepthToSpace → ConvTranspose"),
    "DepthToSpace, convolution": (p.shuffle_then_convolution, "→ DepthToSpace", "DepthToSpace → ConvTranspose"),
    "SpaceToDepth": (p.space_to_depth, "Resize → Conv", ""),
    "SpaceToDepth spelled out": (p.unshuffle_spelled_out, "Resize → Conv", ""),
    "Reshape–Transpose–Reshape CRD": (p.spelled_out("crd", False), "", "Transpose → ConvTranspose"),
    "Reshape–Transpose–Reshape DCR": (p.spelled_out("dcr", False), "", "Transpose → ConvTranspose"),
    "Reshape–Transpose–Reshape CRD, dynamic": (p.spelled_out("crd", True), "", "Transpose → ConvTranspose"),
    "Reshape–Transpose–Reshape DCR, dynamic": (p.spelled_out("dcr", True), "", "Transpose → ConvTranspose"),
    # sums
    "sizes from a skip tensor's Shape": (p.sizes_from_a_skip, "Resize → DepthToSpace Add", ""),
    "nearest, Concat, convolution": (p.concatenated("Resize"), "Resize Concat → DepthToSpace Add", ""),
    "ConvTranspose, Concat, convolution": (
        p.concatenated("ConvTranspose"),
        "ConvTranspose Concat → DepthToSpace Add",
        "",
    ),
    "global skip, nearest": (p.global_skip(p.NEAREST), "Resize → DepthToSpace", "DepthToSpace → ConvTranspose"),
    "global skip, cubic": (p.global_skip({"mode": "cubic"}), "Resize → DepthToSpace", "DepthToSpace → ConvTranspose"),
    # habits of real graphs
    "a resize that two convolutions read": (
        p.read_twice,
        "2: Resize → Conv DepthToSpace",
        "2: Resize → ConvTranspose",
    ),
    "shared weights": (p.shared_weights, "2: ConvTranspose → DepthToSpace", ""),
    "weights behind Identity, Constant, Cast": (p.weights_behind_nodes, D2S, ""),
    "a graph output in the middle": (p.output_in_the_middle, "→ Resize DepthToSpace", "→ Resize ConvTranspose"),
    "inside If": (p.inside_branches, "2: → If", ""),
    "inside Loop": (p.inside_a_loop, "2: → Loop", ""),
    "float16": (p.half, D2S, ""),
    "weights among the inputs": (p.old_file, D2S, ""),
}
ROUNDED = ("cubic ×2", "1×1 after align_corners", "1×1 after ×1.5", "global skip, cubic")
# What `fastest` does not time: nested graphs
NOT_TIMED = ("inside If",)
RUNTIMES = ("onnxruntime", "openvino")


def size_of(model: onnx.ModelProto) -> tuple[int, ...]:
    return (5, 6, 7)[: len(model.graph.input[0].type.tensor_type.shape.dim) - 2]


@cache
def made(name: str) -> onnx.ModelProto:
    return MATRIX[name][0]()


@cache
def results(name: str, goal: str) -> list[Rewritten]:
    """With `fastest` one for every candidate."""
    model = made(name)
    if goal != "fastest":
        return [rewrite(model, goal)]
    feeds = feeds_for(model, size_of(model))
    inputs = {key: list(value.shape) for key, value in feeds.items()}
    found = []
    turn = last = 0
    while turn <= last:
        clock = Turn(turn)
        found.append(rewrite(model, clock=clock, inputs=inputs))
        turn, last = turn + 1, clock.count - 1
    return found


@pytest.mark.parametrize("name", MATRIX)
@pytest.mark.parametrize("goal", ["lr", "deconv"])
def test_what_becomes_of_it(name: str, goal: str) -> None:
    model, (done,) = made(name), results(name, goal)
    wanted = MATRIX[name][1 if goal == "lr" else 2]
    if not wanted:
        assert done.report["rewritten"] == 0
        assert done.model == model
        return
    count, colon, rest = wanted.rpartition(": ")
    gone, _, there = rest.partition("→")
    assert done.report["rewritten"] == (int(count) if colon else 1), done.report["sites"]
    left = counts(done.model)
    assert not [op for op in gone.split() if left[op]], left
    assert not [op for op in there.split() if not left[op]], left
    onnx.checker.check_model(done.model, full_check=True)
    assert list(done.model.graph.input) == list(model.graph.input)[: len(done.model.graph.input)]
    assert list(done.model.graph.output) == list(model.graph.output)  # open sizes stay open
    again = rewrite(done.model, goal)
    assert again.report["rewritten"] == 0
    assert again.model == done.model


@pytest.mark.parametrize("name", [name for name in MATRIX if name not in NOT_TIMED])
def test_every_candidate_of_fastest_gets_its_turn(name: str) -> None:
    found = results(name, "fastest")
    for done in found:
        assert done.report["rewritten"] == 1
        for site in done.report["sites"]:
            kept = str(site["refused"])
            assert not any(word in kept for word in ("differs", "read back", "shape is", "does not take")), site
    models = {done.model.SerializeToString() for done in found}
    assert len(models) == len(found)


ASKED = [
    (name, goal)
    for name, (_, lr, deconv) in MATRIX.items()
    for goal, asked in (("lr", lr), ("deconv", deconv), ("fastest", name not in NOT_TIMED))
    if asked
]


@pytest.mark.parametrize(("name", "goal"), ASKED)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_equal(name: str, goal: str, runtime: str) -> None:
    pytest.importorskip(runtime, reason=f"{runtime} is not installed")
    model = made(name)
    feeds = feeds_for(model, size_of(model))
    expected = outputs_of(model, feeds)
    for done in results(name, goal):
        for y, z in zip(expected, run(runtime, done.model, feeds), strict=True):
            assert (y.shape, y.dtype) == (z.shape, z.dtype)
            assert y.any()
            if name in ROUNDED:
                assert np.abs(y - z).max() <= 1e-5 * np.abs(y).max()
            else:
                np.testing.assert_array_equal(z, y)


def run(runtime: str, model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    if runtime == "onnxruntime":
        return outputs_of(model, feeds)
    import openvino

    core = openvino.Core()
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = core.compile_model(core.read_model(BytesIO(model.SerializeToString())), "CPU", options)
    outputs = compiled(feeds)
    return [np.asarray(outputs[i]) for i in range(len(model.graph.output))]


def test_the_matrix_is_as_large_as_it_says() -> None:
    assert len(MATRIX) >= 25
    asked = Counter(goal for _, goal in ASKED)
    assert asked["lr"] >= 50
    assert asked["deconv"] >= 20
    assert asked["fastest"] >= 50
