"""The oracle itself, held against PyTorch and onnxruntime: what everything else rests on."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from algebra import oracle
from exactness.pairs import COORDINATES, ROUNDINGS

RNG = np.random.default_rng(0)


def integers(*shape: int) -> np.ndarray:
    return RNG.integers(-4, 5, shape)


def tensor(array: np.ndarray):
    torch = pytest.importorskip("torch", reason="the oracle is compared with PyTorch's own layers")
    return torch.from_numpy(np.asarray(array, dtype=np.float64))


def functional(name: str):
    torch = pytest.importorskip("torch", reason="the oracle is compared with PyTorch's own layers")
    return getattr(torch.nn.functional, name)


def exactly(ours: np.ndarray, theirs) -> None:
    assert ours.shape == tuple(theirs.shape)
    np.testing.assert_array_equal(ours, np.asarray(theirs))


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_convolution(dim: int, groups: int) -> None:
    x, w, b = integers(2, 4, 7, 6, 5)[(..., *[0] * (3 - dim))], integers(6, 4 // groups, *(3, 2, 2)[:dim]), integers(6)
    stride, padding, dilation = (2, 1, 3)[:dim], (1, 2, 0)[:dim], (2, 3, 1)[:dim]
    ours = oracle.convolution(x, w, b, stride, [(p, p) for p in padding], dilation, groups)
    conv = functional(f"conv{dim}d")
    exactly(ours, conv(tensor(x), tensor(w), tensor(b), stride, padding, dilation, groups))


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_transposed_convolution(dim: int, groups: int) -> None:
    x, w, b = integers(2, 4, 5, 4, 3)[(..., *[0] * (3 - dim))], integers(4, 3, *(5, 2, 3)[:dim]), integers(3 * groups)
    stride, padding, extra, dilation = (2, 3, 1)[:dim], (1, 2, 0)[:dim], (1, 2, 0)[:dim], (2, 1, 2)[:dim]
    ours = oracle.transposed_convolution(x, w, b, stride, [(p, p) for p in padding], extra, dilation, groups)
    conv = functional(f"conv_transpose{dim}d")
    exactly(ours, conv(tensor(x), tensor(w), tensor(b), stride, padding, extra, groups, dilation))


def test_pad() -> None:
    x = integers(1, 2, 4, 5)
    exactly(oracle.pad(x, [(2, -1), (0, 3)]), functional("pad")(tensor(x), (0, 3, 2, -1)))
    exactly(oracle.pad(x, [(2, 1), (0, 3)], "edge"), functional("pad")(tensor(x), (0, 3, 2, 1), mode="replicate"))


def test_shuffle_is_torch_crd() -> None:
    x = integers(2, 18, 2, 4)
    exactly(oracle.shuffle(x, (3, 3), "crd"), functional("pixel_shuffle")(tensor(x), 3))
    y = integers(2, 2, 6, 9)
    exactly(oracle.unshuffle(y, (3, 3), "crd"), functional("pixel_unshuffle")(tensor(y), 3))


@pytest.mark.parametrize("order", ["CRD", "DCR"])
def test_shuffle_is_onnxruntime_depth_to_space(order: str) -> None:
    x = integers(1, 18, 2, 4)
    theirs = run_node("DepthToSpace", x, blocksize=3, mode=order)
    exactly(oracle.shuffle(x, (3, 3), order.lower()), theirs)


def test_unshuffle_is_onnxruntime_space_to_depth() -> None:
    x = integers(1, 2, 6, 9)
    exactly(oracle.unshuffle(x, (3, 3), "dcr"), run_node("SpaceToDepth", x, blocksize=3))


def test_unshuffle_undoes_shuffle_and_fills_the_tail_with_zeros() -> None:
    x = integers(2, 12, 2, 3)
    for order in ("crd", "dcr"):
        np.testing.assert_array_equal(oracle.unshuffle(oracle.shuffle(x, (3, 2), order), (3, 2), order), x)
    y = oracle.unshuffle(np.array([[[1, 2, 3]]]), (2,), "crd")
    np.testing.assert_array_equal(y, [[[1, 3], [2, 0]]])


def test_average_pool() -> None:
    x = integers(2, 3, 7, 6)
    theirs = functional("avg_pool2d")(tensor(x), (3, 2), (2, 1), (1, 0), count_include_pad=True, divisor_override=1)
    exactly(oracle.sum_pool(x, (3, 2), (2, 1), [(1, 1), (0, 0)]), theirs)


@pytest.mark.parametrize("s", [2, 4, 3])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic"])
def test_interpolation_is_torch_interpolate(mode: str, s: int) -> None:
    x = integers(2, 3, 4, 5)
    unit = {"bilinear": 2 * s, "bicubic": 4 * (2 * s) ** 3}.get(mode, 1)
    rows = {
        "nearest": lambda L: oracle.nearest(L, s, "asymmetric", "floor"),
        "nearest-exact": lambda L: oracle.nearest(L, s, "half_pixel", "round_prefer_ceil"),
        "bilinear": lambda L: oracle.linear(L, s, "half_pixel"),
        "bicubic": lambda L: oracle.cubic(L, s, "half_pixel", Fraction(-3, 4)),
    }[mode]
    ours = oracle.resize(x, [rows(4), rows(5)], unit)
    theirs = functional("interpolate")(tensor(x), scale_factor=s, mode=mode) * unit**2
    if s == 3 and "bi" in mode:  # thirds are not floats: PyTorch rounds, the oracle does not
        np.testing.assert_allclose(ours, np.asarray(theirs), rtol=1e-12, atol=1e-9 * unit**2)
    else:
        exactly(ours, theirs)


def test_align_corners() -> None:
    x = integers(1, 2, 3, 5)
    ours = oracle.resize(x, [oracle.align_corners(3, 5), oracle.align_corners(5, 9)], 2)
    exactly(ours, functional("interpolate")(tensor(x), size=(5, 9), mode="bilinear", align_corners=True) * 4)


@pytest.mark.parametrize("s", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("coordinate", COORDINATES)
def test_nearest_is_onnxruntime_resize(coordinate: str, rounding: str, s: int) -> None:
    x = integers(1, 1, 4, 5)
    rows = [oracle.nearest(L, s, coordinate, rounding) for L in (4, 5)]
    exactly(oracle.resize(x, rows), run_resize(x, s, mode="nearest", coordinate=coordinate, nearest_mode=rounding))


@pytest.mark.parametrize("s", [2, 3, 4])
@pytest.mark.parametrize("coordinate", ["asymmetric", "half_pixel"])
@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_linear_and_cubic_are_onnxruntime_resize(mode: str, coordinate: str, s: int) -> None:
    x = integers(1, 1, 4, 5)
    unit = 2 * s if mode == "linear" else 4 * (2 * s) ** 3
    if mode == "linear":
        rows = [oracle.linear(L, s, coordinate) for L in (4, 5)]
    else:
        rows = [oracle.cubic(L, s, coordinate, Fraction(-1, 2)) for L in (4, 5)]
    theirs = run_resize(x, s, mode=mode, coordinate=coordinate, cubic_coeff_a=-0.5)
    np.testing.assert_allclose(oracle.resize(x, rows, unit) / unit**2, theirs, rtol=0, atol=1e-4)  # float32


def run_resize(x: np.ndarray, s: int, mode: str, coordinate: str, **attributes: object) -> np.ndarray:
    """ONNX Resize of the two last axes."""
    attributes |= {"mode": mode, "coordinate_transformation_mode": coordinate}
    return run_node("Resize", x, None, np.array([1, 1, s, s], dtype=np.float32), **attributes)


def run_node(op: str, x: np.ndarray, *constants: np.ndarray | None, **attributes: object) -> np.ndarray:
    """A single node in onnxruntime, float32."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="the oracle is compared with onnxruntime's nodes")
    from onnx import TensorProto, checker, helper, numpy_helper

    names = ["" if c is None else f"c{i}" for i, c in enumerate(constants)]
    graph = helper.make_graph(
        [helper.make_node(op, ["x", *names], ["y"], **attributes)],
        op,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(x.shape))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * x.ndim)],
        [numpy_helper.from_array(c, name) for c, name in zip(constants, names, strict=True) if c is not None],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # tf_half_pixel_for_nn is deprecated, and still what old graphs say
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x.astype(np.float32)})[0]
