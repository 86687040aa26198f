"""A whole model in float64, to hold two float32 runs against: onnx's evaluator, its slow and its wrong operators ours.

onnx's own ConvTranspose is wrong with groups or dilation and output_padding, its Resize and pooling loop in
Python. The replacements here share nothing with reader or algebra.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

Array = NDArray[Any]


def run_float64(model: ModelProto, feeds: dict[str, Array], step: Callable[[], object] = lambda: None) -> list[Array]:
    """All outputs of the model, its floating-point numbers and arithmetic in float64. `step` is called after each node.

    Raises:
        Exception: whatever the evaluator raises on an operator that it does not know.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    _widen(copy.graph)
    for value in (*copy.graph.input, *copy.graph.output):
        if value.type.tensor_type.elem_type in _NARROW:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    evaluator = ReferenceEvaluator(copy, new_ops=[Conv, ConvTranspose, Resize, Upsample, MaxPool, BatchNormalization])
    for node in evaluator.rt_nodes_:
        node.run = _stepping(node.run, step)
    wide = {name: x.astype(np.float64) if x.dtype.kind == "f" else x for name, x in feeds.items()}
    with np.errstate(all="ignore"):  # a sigmoid may overflow on its way to 0
        return [np.asarray(y) for y in evaluator.run(None, wide)]


def _stepping(run: Callable[..., Any], step: Callable[[], object]) -> Callable[..., Any]:
    def stepping(*args: Any, **kwargs: Any) -> Any:
        result = run(*args, **kwargs)
        step()
        return result

    return stepping


_NARROW = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16)


def _widen(graph: GraphProto) -> None:
    for tensor in graph.initializer:
        _widen_tensor(tensor)
    del graph.value_info[:]
    for node in graph.node:
        for a in node.attribute:
            if a.type == AttributeProto.TENSOR:
                _widen_tensor(a.t)
            elif a.type == AttributeProto.GRAPH:
                _widen(a.g)
            elif node.op_type == "Cast" and a.name == "to" and a.i in _NARROW:
                a.i = TensorProto.DOUBLE
            elif node.op_type == "Constant" and a.name in ("value_float", "value_floats"):
                numbers = np.asarray(helper.get_attribute_value(a), np.float64)
                a.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(numbers)))


def _widen_tensor(tensor: TensorProto) -> None:
    if tensor.data_type in _NARROW:
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), name))


# --- operators -------------------------------------------------------------------------------------------------


def _same(auto_pad: str, total: int) -> tuple[int, int]:
    small, large = total // 2, total - total // 2
    return (small, large) if auto_pad == "SAME_UPPER" else (large, small)


def _ends(pads: Any, auto_pad: str, size: Any, K: Any, s: Any, d: Any) -> list[tuple[int, int]]:
    n = len(K)
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        need = [max(0, (-(-size[i] // s[i]) - 1) * s[i] + d[i] * (K[i] - 1) + 1 - size[i]) for i in range(n)]
        return [_same(auto_pad, t) for t in need]
    flat = list(pads) if pads is not None and auto_pad == "NOTSET" else [0] * 2 * n
    return list(zip(flat[:n], flat[n:], strict=True))


def _strided(x: Array, at: tuple[int, ...], s: Any, d: Any, out: tuple[int, ...]) -> Array:
    """The samples that tap `at` reads, of a padded input."""
    cut = tuple(slice(k * D, k * D + (n - 1) * S + 1, S) for k, D, S, n in zip(at, d, s, out, strict=True))
    return np.asarray(x[(slice(None), slice(None), *cut)])


class Conv(OpRun):
    """Convolution: one matrix product per tap and group."""

    op_domain = ""

    def _run(self, X: Array, W: Array, B: Array | None = None, **a: Any) -> tuple[Array]:
        K, n = W.shape[2:], W.ndim - 2
        s, d, g = a.get("strides") or [1] * n, a.get("dilations") or [1] * n, a.get("group") or 1
        ends = _ends(a.get("pads"), a.get("auto_pad") or "NOTSET", X.shape[2:], K, s, d)
        x = np.pad(X, [(0, 0), (0, 0), *ends])
        out = tuple((x.shape[2 + i] - d[i] * (K[i] - 1) - 1) // s[i] + 1 for i in range(n))
        O, c = W.shape[:2]
        y = np.zeros((X.shape[0], O, *out))
        for at in np.ndindex(*K):
            window = _strided(x, at, s, d, out)
            for i in range(g):
                rows = slice(i * O // g, (i + 1) * O // g)
                y[:, rows] += np.einsum("oc,bc...->bo...", W[(rows, slice(None), *at)], window[:, i * c : (i + 1) * c])
        return (y if B is None else y + B.reshape(-1, *(1,) * n),)


class ConvTranspose(OpRun):
    """Transposed convolution: every tap's product added where it lands, then cropped."""

    op_domain = ""

    def _run(self, X: Array, W: Array, B: Array | None = None, **a: Any) -> tuple[Array]:
        K, n = W.shape[2:], W.ndim - 2
        s, d, g = a.get("strides") or [1] * n, a.get("dilations") or [1] * n, a.get("group") or 1
        adj, auto_pad = a.get("output_padding") or [0] * n, a.get("auto_pad") or "NOTSET"
        size = X.shape[2:]
        full = [s[i] * (size[i] - 1) + d[i] * (K[i] - 1) + 1 + adj[i] for i in range(n)]
        wanted = a.get("output_shape")
        if wanted:
            ends = [_same(auto_pad, f - w) for f, w in zip(full, wanted[-n:], strict=True)]
        elif auto_pad in ("SAME_UPPER", "SAME_LOWER"):
            ends = [_same(auto_pad, max(0, full[i] - size[i] * s[i])) for i in range(n)]
        else:
            ends = _ends(a.get("pads"), auto_pad, size, K, s, d)
        C, o = W.shape[:2]
        y = np.zeros((X.shape[0], o * g, *full))
        for at in np.ndindex(*K):
            where = _strided(y, at, s, d, size)
            for i in range(g):
                rows, columns = slice(i * C // g, (i + 1) * C // g), slice(i * o, (i + 1) * o)
                where[:, columns] += np.einsum("co,bc...->bo...", W[(rows, slice(None), *at)], X[:, rows])
        cut = (slice(p, f - q) for (p, q), f in zip(ends, full, strict=True))
        y = y[(slice(None), slice(None), *cut)]
        return (y if B is None else y + B.reshape(-1, *(1,) * n),)


class BatchNormalization(OpRun):
    """Inference only; onnx's own takes the batch's statistics for files of opset 9 to 13."""

    op_domain = ""

    def _run(self, X: Array, scale: Array, shift: Array, mean: Array, variance: Array, **a: Any) -> tuple[Array]:
        if a.get("training_mode"):
            raise NotImplementedError("BatchNormalization in training has no float64 run")
        ones = (-1, *(1,) * (X.ndim - 2))
        gain = scale / np.sqrt(variance + (1e-5 if a.get("epsilon") is None else a["epsilon"]))
        return ((X - mean.reshape(ones)) * gain.reshape(ones) + shift.reshape(ones),)


class MaxPool(OpRun):
    """Maximum over windows; the indices output is not computed."""

    op_domain = ""

    def _run(self, X: Array, **a: Any) -> tuple[Array]:
        K = a["kernel_shape"]
        n = len(K)
        s, d = a.get("strides") or [1] * n, a.get("dilations") or [1] * n
        ends = _ends(a.get("pads"), a.get("auto_pad") or "NOTSET", X.shape[2:], K, s, d)
        if a.get("ceil_mode"):  # a window more where the last one would not fit; it must start inside
            more = [(-(X.shape[2 + i] + sum(ends[i]) - d[i] * (K[i] - 1) - 1)) % s[i] for i in range(n)]
            ends = [(p, q + m) for (p, q), m in zip(ends, more, strict=True)]
        x = np.pad(X, [(0, 0), (0, 0), *ends], constant_values=-np.inf)
        out = tuple((x.shape[2 + i] - d[i] * (K[i] - 1) - 1) // s[i] + 1 for i in range(n))
        taps = [_strided(x, at, s, d, out) for at in np.ndindex(*K)]
        return (np.maximum.reduce(taps),)


class Resize(OpRun):
    """Interpolation as one matrix per axis, from the definition in ONNX's operator documentation."""

    op_domain = ""

    def _run(
        self, X: Array, roi: Array | None = None, scales: Array | None = None, sizes: Array | None = None, **a: Any
    ) -> tuple[Array]:
        if scales is None and sizes is None:  # opset 10: the second input is the scales
            scales, roi = roi, None
            a = {**a, "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        if a.get("antialias") or a.get("exclude_outside") or a.get("keep_aspect_ratio_policy") not in (None, "stretch"):
            raise NotImplementedError("this mode of Resize has no float64 run")
        axes = list(a.get("axes") or range(X.ndim))
        y = X
        for i, axis in enumerate(axes):
            L = X.shape[axis]
            if scales is not None and scales.size:
                s = float(scales.reshape(-1)[i])
                n = int(np.floor(L * s))
            else:
                assert sizes is not None
                n = int(sizes[i])
                s = n / L
            if n != L or s != 1:
                matrix = _interpolation(L, n, s, a)
                y = np.moveaxis(np.tensordot(matrix, y, axes=(1, axis)), 0, axis)
        return (y,)


class Upsample(OpRun):
    """The old name of Resize, asymmetric and rounded down."""

    op_domain = ""

    def _run(self, X: Array, scales: Array | None = None, **a: Any) -> tuple[Array]:
        factors = np.asarray(a["scales"] if scales is None else scales, np.float64)
        y = X
        modes = {**a, "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        for axis, s in enumerate(factors):
            if s != 1:
                matrix = _interpolation(X.shape[axis], int(np.floor(X.shape[axis] * s)), float(s), modes)
                y = np.moveaxis(np.tensordot(matrix, y, axes=(1, axis)), 0, axis)
        return (y,)


def _interpolation(L: int, n: int, s: float, a: dict[str, Any]) -> Array:
    """Weights of the L samples in each of n new ones."""
    j = np.arange(n)
    match a.get("coordinate_transformation_mode") or "half_pixel":
        case "half_pixel" | "half_pixel_symmetric":
            x = (j + 0.5) / s - 0.5
        case "pytorch_half_pixel":
            x = (j + 0.5) / s - 0.5 if n > 1 else np.zeros(n)
        case "asymmetric":
            x = j / s
        case "align_corners":
            x = j * (L - 1) / (n - 1) if n > 1 else np.zeros(n)
        case "tf_half_pixel_for_nn":
            x = (j + 0.5) / s
        case other:
            raise NotImplementedError(f"Resize with {other} has no float64 run")
    matrix = np.zeros((n, L))
    mode = a.get("mode") or "nearest"
    if mode == "nearest":
        down, up = np.floor(x), np.ceil(x)
        half = {"round_prefer_floor": np.ceil(x - 0.5), "round_prefer_ceil": np.floor(x + 0.5)}
        at = {"floor": down, "ceil": up, **half}[a.get("nearest_mode") or "round_prefer_floor"]
        taps = [(at, np.ones(n))]
    elif mode in ("linear", "bilinear"):
        t = x - np.floor(x)
        taps = [(np.floor(x), 1 - t), (np.floor(x) + 1, t)]
    else:
        c = a.get("cubic_coeff_a") or -0.75
        t = x - np.floor(x)
        taps = [(np.floor(x) + k, _keys(np.abs(t - k), c)) for k in (-1, 0, 1, 2)]
    for at, weight in taps:
        np.add.at(matrix, (j, np.clip(at, 0, L - 1).astype(int)), weight)
    return matrix


def _keys(q: Array, a: float) -> Array:
    near, far = ((a + 2) * q - (a + 3)) * q**2 + 1, ((a * q - 5 * a) * q + 8 * a) * q - 4 * a
    return np.where(q <= 1, near, np.where(q < 2, far, 0.0))
