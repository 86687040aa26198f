"""Inputs shorter than border cells need: onnxruntime refuses them, and never computes something else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest

from exactness.chains import Session, draw_chain
from rewrite.graphs import enlarged, graph, node, rewritten, whole
from subpixel.errors import UsageError
from subpixel.rewriting import rewrite
from subpixel.rewriting.writing import plans

SIZES = range(1, 8)
FLOOR: Any = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def interpolated() -> onnx.ModelProto:
    return enlarged(maps=(5, 3), pads=(1, 1, 2, 1), mode="linear")


def test_smallest_is_the_truth() -> None:
    """From there on the results are equal; whatever is shorter is refused at run time."""
    model = interpolated()
    result = rewrite(model, "lr")
    (site,) = result.report["sites"]
    assert site["smallest"] == [3, 3]
    before, after = Session(model), Session(result.model)
    for H in SIZES:
        for W in SIZES:
            feeds = {"x": whole(2, 5, H, W)}
            z = after(feeds)
            assert (z is None) == (H < 3 or W < 3), (H, W)
            assert z is None or np.array_equal(z, before(feeds))


@pytest.mark.parametrize("part", range(2))
def test_smallest_is_the_truth_of_random_chains(part: int) -> None:
    """Along every axis: it runs from there on, the sample before is refused, and nothing shorter comes out wrong."""
    bounded = 0
    for number in range(40 * part, 40 * part + 40):
        chain = draw_chain(np.random.default_rng([17, number]))
        if chain.d == 3 or chain.feeds([30 + i for i in range(chain.d)]) is None:
            continue
        model = chain.model()
        result = rewrite(model, "lr", growth=None)
        done = [site for site in result.report["sites"] if site["refused"] is None]
        if len(done) != 1 or done[0]["smallest"] is None or "x" not in done[0]["before"][0]["reads"]:
            continue  # of several sites, or one further in, the input's length is not the site's
        smallest = done[0]["smallest"]
        before, after = Session(model), Session(result.model)
        for axis, least in enumerate(smallest):
            for L in range(1, least + 4):
                feeds = chain.feeds([L if i == axis else n + 4 for i, n in enumerate(smallest)])
                y = None if feeds is None else before(feeds)
                if feeds is None or y is None:
                    continue  # it leaves nothing
                z = after(feeds)
                if z is None or least - 1 == L:
                    bounded += 1
                    assert z is None, (number, axis, L, smallest)
                    assert least > L, (number, axis, L, smallest)
                else:
                    assert z.shape == y.shape
                    assert np.abs(z - y).max(initial=0) <= 1e-4 * max(1, np.abs(y).max(initial=0)), (number, axis, L)
    assert bounded > 5


def test_a_rewrite_that_would_be_wrong_when_too_short_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the interior's Slice clamps at a short input and zeros fill it up again."""
    stretches = plans._stretches

    def clamping(cells: Any, axis: int) -> Any:
        inner = next(s for s in stretches(cells, axis) if s.fold is None)
        short = replace(inner, window=(inner.window[0], None), taps=(inner.taps[0], inner.taps[0] + 1), pads=(0, 0))
        return [short if s == inner else s for s in stretches(cells, axis)]

    monkeypatch.setattr(plans, "_stretches", clamping)
    result = rewrite(interpolated(), "lr")
    assert result.report["rewritten"] == 0
    assert "its shape is" in result.report["sites"][0]["refused"]


def test_a_promised_smallest_input() -> None:
    """What needs longer inputs than the result must take stays as it is; what does not is rewritten."""
    model = interpolated()
    assert rewrite(model, "lr", smallest={"x": [1, 5, 3, 3]}).report["rewritten"] == 1
    result = rewrite(model, "lr", smallest={"x": [1, 5, 2, 3]})
    assert result.report["rewritten"] == 0
    assert result.report["sites"][0]["refused"] == "its border cells need 3×3 samples, and `smallest` leaves 2×3 here"
    with pytest.raises(UsageError, match=r"the smallest shapes: input 'x'.*--smallest x="):
        rewrite(model, "lr", smallest={"x": [1, 5, 4]})


@pytest.mark.parametrize("K", [25, 41])
def test_layers_that_leave_nothing_of_short_inputs(K: int) -> None:
    """The proof's sizes grow with what a layer takes."""
    model = graph(
        [node("Resize", "x - s", "u", mode="nearest"), node("Conv", "u w", "y")],
        {"x": ["N", 1, "L"]},
        "y",
        w=whole(2, 1, K),
        s=np.array([1, 1, 2], np.float32),
    )
    assert rewritten(model, law="A6", sizes=[(K // 2 + 1,), (K + 3,)]).report["sites"][0]["proof"]["sizes"] > 5


@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_batch_of_nothing(d: int) -> None:
    """Of one axis it is refused at run time, as the documents say; of more it gives what the original gives."""
    model = graph(
        [node("ConvTranspose", "x w b", "y", strides=[2] * d, pads=[1] * 2 * d)],
        {"x": ["N", 4, *"DHW"[:d]]},
        "y",
        w=whole(4, 3, *[4] * d),
        b=whole(3),
    )
    result = rewritten(model, sizes=[(5,) * d])
    empty = {"x": np.zeros((0, 4, *range(3, 3 + d)), np.float32)}
    y, z = Session(model)(empty), Session(result.model)(empty)
    assert y is not None
    assert z is None if d == 1 else z is not None and z.shape == y.shape


def test_sources_far_apart() -> None:
    """A skip at 64 times the input's size."""
    model = graph(
        [
            node("ConvTranspose", "x w", "u", strides=[64], pads=[32, 32]),
            node("Concat", "u k", "c", axis=1),
            node("Conv", "c v", "y", pads=[1, 1]),
        ],
        {"x": ["N", 1, "L"], "k": ["N", 1, "64L"]},
        "y",
        w=whole(1, 1, 128),
        v=whole(1, 2, 3),
    )
    assert rewrite(model, "lr").report["rewritten"] == 1


def test_zeros_are_not_put_around_a_slice_of_too_little() -> None:
    """The kernel's last tap alone reads three samples on and two zeros beyond the end: of two samples one is left."""
    weight = np.zeros((1, 3, 1, 3), np.float32)
    weight[0, 0, 0, 2], weight[0, 1:, 0] = 3, 2
    model = graph(
        [
            node("Resize", "x - s", "u", mode="nearest", nearest_mode="floor"),
            node("Resize", "u - t", "v", mode="nearest", nearest_mode="ceil"),
            node("Concat", "v k", "c", axis=1),
            node("Conv", "c w", "y", dilations=[2, 2], pads=[0, 1, 1, 2]),
        ],
        {"x": ["N", 1, "H", "W"], "k": ["N", 2, "6H", "W"]},
        "y",
        s=np.array([1, 1, 3, 1], np.float32),
        t=np.array([1, 1, 2, 1], np.float32),
        w=weight,
    )
    (site,) = rewritten(model, law="A8", sizes=[(2, 2), (3, 2), (5, 6)]).report["sites"]
    assert site["smallest"] == [2, 2]


def emptied(pads: list[int]) -> onnx.ModelProto:
    """Twice the samples, three cut off at the start, zeros around what is left. Of one sample nothing is left."""
    nodes = [node("Resize", "x - s", "u", **FLOOR), node("Slice", "u a e i", "c"), node("Conv", "c w", "y", pads=pads)]
    numbers = {"a": np.array([3]), "e": np.array([2**31 - 1]), "i": np.array([2])}
    return graph(nodes, {"x": ["N", 2, "L"]}, "y", w=whole(2, 2, 1), s=np.array([1, 1, 2], np.float32), **numbers)


def test_what_goes_on_from_nothing_stays() -> None:
    """onnxruntime pads the empty tensor that the crop leaves; joined layers would go on from a negative length."""
    model = emptied([2, 2])
    result = rewrite(model, "lr")
    (site,) = result.report["sites"]
    assert "of less than 2 samples a layer leaves nothing" in site["refused"]
    assert result.model == model
    promised = rewrite(model, "lr", smallest={"x": [1, 2, 2]})
    assert promised.report["rewritten"] == 1
    for L in range(2, 6):
        feeds = {"x": whole(2, 2, L)}
        assert np.array_equal(Session(model)(feeds), Session(promised.model)(feeds))
    (site,) = rewrite(model, "lr", smallest={"x": [1, 2, 1]}).report["sites"]
    assert site["refused"] == "it needs 2 samples, or a layer leaves nothing, and `smallest` leaves 1 here"
    stated = onnx.ModelProto()
    stated.CopyFrom(model)
    stated.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 4
    assert rewrite(stated, "lr").report["rewritten"] == 1


def test_of_two_forms_the_one_that_the_runtime_refuses_is_taken() -> None:
    """The cheapest form gives no sample where the original gives one; another is refused there, not in silence."""
    model = emptied([0, 1])
    result = rewrite(model, "lr")
    assert result.report["rewritten"] == 1
    assert Session(model)({"x": whole(2, 2, 1)}) is not None
    assert Session(result.model)({"x": whole(2, 2, 1)}) is None
    for L in range(2, 6):
        feeds = {"x": whole(2, 2, L)}
        assert np.array_equal(Session(model)(feeds), Session(result.model)(feeds))
