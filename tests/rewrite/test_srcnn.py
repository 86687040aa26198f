"""SRCNN, Dong et al. 2014: an HR network. Lifted whole it is an LR network with one shuffle at its end (A7, A9, A10).

What it then costs is what counting predicts: an HR layer of n maps is an LR layer of r²n maps, r² times the
multiplications where the kernel is dense, r⁴ the weights of a 1×1 layer, kernels of 2⌈((k-1)/2)/r⌉ + 1 taps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from rewrite.graphs import counts, graph, node, outputs_of, whole
from subpixel.rewriting import rewrite, verify


def srcnn(r: int, maps: tuple[int, int] = (64, 32), mode: str = "cubic", integers: bool = False) -> onnx.ModelProto:
    """9-1-5 behind an interpolation ×r, luma in and out, sizes open."""
    n, m = maps
    rng = np.random.default_rng(0)

    def kernel(O: int, C: int, K: int) -> np.ndarray:
        if integers:
            return rng.integers(-2, 3, (O, C, K, K)).astype(np.float32)
        return (rng.standard_normal((O, C, K, K)) / K / C**0.5).astype(np.float32)

    weights = {"w1": kernel(n, 1, 9), "w2": kernel(m, n, 1), "w3": kernel(1, m, 5)}
    weights |= {"b1": whole(n), "b2": whole(m), "b3": whole(1), "s": np.array([1, 1, r, r], np.float32)}
    nodes = [
        node("Resize", "x - s", "u", mode=mode),
        node("Conv", "u w1 b1", "c1", pads=[4] * 4),
        node("Relu", "c1", "r1"),
        node("Conv", "r1 w2 b2", "c2"),
        node("Relu", "c2", "r2"),
        node("Conv", "r2 w3 b3", "y", pads=[2] * 4),
    ]
    return graph(nodes, {"x": ["N", 1, "H", "W"]}, "y", **weights)


def lifted(model: onnx.ModelProto, **options: Any) -> Any:
    return rewrite(model, "lr", lift=True, growth=None, **options)


@pytest.mark.parametrize(("r", "mode"), [(2, "linear"), (4, "linear"), (2, "cubic"), (3, "cubic")])
def test_equal_border_included(r: int, mode: str) -> None:
    model = srcnn(r, (3, 2), mode, integers=True)
    done = lifted(model)
    kinds = [n.op_type for n in done.model.graph.node]
    assert done.report["rewritten"] == 3
    assert counts(done.model)["Resize"] == 0
    assert kinds.count("DepthToSpace") == 1
    assert set(kinds[kinds.index("DepthToSpace") + 1 :]) <= {"Slice"}  # at the end, perhaps a crop after it
    least = max(max(site["smallest"] or [1]) for site in done.report["sites"])
    for size in [(least, least), (least, least + 3), (15, 12)]:
        x = np.random.default_rng(1).integers(-2, 3, (2, 1, *size)).astype(np.float32)
        (y,), (z,) = outputs_of(model, {"x": x}), outputs_of(done.model, {"x": x})
        if mode == "linear":
            np.testing.assert_array_equal(y, z)
        else:  # cubic kernels are no short binary fractions
            assert np.abs(y - z).max() <= 3e-6 * np.abs(y).max()


@pytest.mark.parametrize("r", [2, 3])
def test_the_whole_network_and_what_it_costs(r: int) -> None:
    """The published layers, 8,032 weights, bicubic; ×3 is the paper's own."""
    H, W = 24, 20
    model = srcnn(r)
    weights = {t.name: t for t in model.graph.initializer}
    assert sum(int(np.prod(weights[name].dims)) for name in ("w1", "w2", "w3")) == 8032
    done = lifted(model, inputs={"x": [1, 1, H, W]})
    assert done.report["rewritten"] == 3
    assert verify(model, done.model, inputs={"x": [1, 1, H, W]})["equal"]
    first, second, third = done.report["sites"]
    assert (first["law"], second["law"], third["law"]) == ("A7", "A9", "A9")
    # 1×1, 64 → 32 maps: r⁴ the weights, r² the multiplications
    assert second["macs_before"] == 64 * 32 * r**2 * H * W
    assert second["macs_after"] == r**2 * second["macs_before"]
    assert second["weights_before"] == 64 * 32 + 32
    assert second["weights_after"] == r**4 * 64 * 32 + r**2 * 32
    # 5×5, 32 → 1: a kernel of 2⌈2/r⌉ + 1 taps over r²·32 maps into r²
    K = 2 * -(-2 // r) + 1
    assert third["macs_before"] == 32 * 25 * r**2 * H * W
    dense = r**2 * 32 * r**2 * K * K * H * W
    if r == 2:
        assert third["form"].startswith("convolution + shuffle")
        shapes = [tuple(t.dims) for t in done.model.graph.initializer]
        assert (r**2, 32 * r**2, K, K) in shapes
        assert third["macs_after"] == dense
    else:  # one convolution per phase leaves zero taps out: 2, 3 and 2 taps instead of 3 each
        assert third["form"].startswith("one convolution per phase")
        assert third["macs_after"] * 81 == dense * 49
