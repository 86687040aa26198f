"""Goal `fastest` with a clock that says what the test wants: every form gets its turn, nothing gets slower."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest

from rewrite.graphs import assert_same, counts, enlarged, graph, node, whole
from subpixel.errors import InputError, UsageError
from subpixel.rewriting import rewrite
from subpixel.rewriting.choice.clock import RuntimeClock
from subpixel.rewriting.choice.duel import Duel, fight
from subpixel.rewriting.rewriter import Rewritten

X: Any = {"x": ["N", 4, "H", "W"]}
SIZE = {"x": [1, 4, 6, 7]}


class Fake:
    """Forms whose name holds `likes` take 1 ms, all others 2; the rewritten whole takes `whole` ms of 2."""

    def __init__(self, likes: str, whole: float = 1.0, runtime: str = "onnxruntime") -> None:
        self.identity, self.likes, self.whole, self.races = f"fake {likes}", likes, whole, 0
        self.runtime = runtime
        self.seen: set[str] = set()

    def race(
        self, models: Sequence[onnx.ModelProto], feeds: dict[str, np.ndarray], names: Sequence[str]
    ) -> list[float | None]:
        self.races += 1
        self.seen |= set(names)
        for model in models:  # what is timed must be a model that runs
            assert RuntimeClock(self.runtime, seconds=0.0, threads=1).race([model], feeds, ["it"]) != [None]
        return [1.0 if self.likes in name else 2.0 for name in names]

    def duel(self, before: onnx.ModelProto, after: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> Duel:
        return Duel([2e-3] * 8, [1e-3 * self.whole] * 8)


def transposed() -> onnx.ModelProto:
    return graph(
        [
            node("Relu", "x", "r"),
            node("ConvTranspose", "r w b", "u", strides=[2, 2], pads=[1] * 4),
            node("Sigmoid", "u", "y"),
        ],
        X,
        "y",
        w=whole(4, 3, 4, 4),
        b=whole(3),
    )


def nearest() -> onnx.ModelProto:
    return enlarged(mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")


def linear() -> onnx.ModelProto:
    return enlarged(mode="linear")


def pointwise() -> onnx.ModelProto:
    return enlarged(K=1, mode="linear", coordinate_transformation_mode="align_corners")


def concat() -> onnx.ModelProto:
    return graph(
        [
            node("ConvTranspose", "x t", "u", strides=[2, 2]),
            node("Concat", "u k", "c", axis=1),
            node("Conv", "c w b", "y", pads=[1] * 4),
        ],
        {**X, "k": ["N", 2, "2H", "2W"]},
        "y",
        t=whole(4, 3, 2, 2),
        w=whole(3, 5, 3, 3),
        b=whole(3),
    )


def faster(model: onnx.ModelProto, clock: Fake, **options: Any) -> Rewritten:
    inputs = {"k": [1, 2, 12, 14], **SIZE} if len(model.graph.input) > 1 else SIZE
    return rewrite(model, clock=clock, inputs=inputs, **options)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_neighbours_that_read_a_computed_shape_are_timed_with_that_shape(runtime: str) -> None:
    if runtime == "openvino":
        pytest.importorskip("openvino", reason="OpenVINO is not installed")
    model = graph(
        [
            node("Shape", "x", "sizes"),
            node("Relu", "x", "r"),
            node("Reshape", "r sizes", "a"),  # noise as its shape would be nonsense: the site could not be timed
            node("ConvTranspose", "a w", "y", strides=[2, 2]),
        ],
        X,
        "y",
        w=whole(4, 3, 2, 2),
    )
    result = faster(model, Fake("shuffle, CRD", runtime=runtime))
    assert result.report["rewritten"] == 1, result.report["sites"]


@pytest.mark.parametrize(
    ("make", "likes", "has"),
    [
        (transposed, "shuffle, CRD, crop", "DepthToSpace Slice"),
        (transposed, "shuffle, DCR", "DepthToSpace"),
        (transposed, "per phase", "Concat DepthToSpace"),
        (nearest, "convolution + shuffle", "DepthToSpace"),
        (nearest, "transposed", "ConvTranspose"),
        (nearest, "per phase", "Concat"),
        (linear, "border cells", "Slice DepthToSpace"),
        (pointwise, "1×1 convolution first", "Conv Resize"),
        (concat, "crop (1, 1)", "Add DepthToSpace"),
    ],
)
def test_the_form_that_wins_is_written(make: Any, likes: str, has: str) -> None:
    model, clock = make(), Fake(likes)
    result = faster(model, clock)
    assert result.report["rewritten"] == 1, result.report
    (site,) = [s for s in result.report["sites"] if s["refused"] is None]
    assert likes in site["form"]
    assert (site["ms_before"], site["ms_after"]) == (2.0, 1.0)
    assert (result.report["ms_before"], result.report["ms_after"]) == (2.0, 1.0)
    left = counts(result.model)
    assert all(left[op] for op in has.split()), left
    assert_same(model, result.model, [(5, 6), (8, 7)], exact=make is not pointwise)
    # the second time the winner is what is there, and its timing is remembered
    again = faster(result.model, clock)
    assert again.report["rewritten"] == 0
    assert again.model.SerializeToString() == result.model.SerializeToString()


def test_one_dimensional_overlap_add() -> None:
    model = graph(
        [node("ConvTranspose", "x w b", "y", strides=[4], pads=[2, 1])],
        {"x": ["N", 3, "T"]},
        "y",
        w=whole(3, 2, 11),
        b=whole(2),
    )
    result = rewrite(model, clock=Fake("overlap-add"), inputs={"x": [1, 3, 9]})
    assert result.report["rewritten"] == 1, result.report
    assert counts(result.model)["ConvTranspose"] == 0
    assert_same(model, result.model, [(5,), (1,), (9,)])


def test_nothing_is_rewritten_where_nothing_is_faster() -> None:
    model = transposed()
    result = faster(model, Fake("transposed"))  # what is there already
    assert result.report["rewritten"] == 0
    assert result.model.SerializeToString() == model.SerializeToString()
    assert result.report["sites"][0]["refused"] == "no form beats what is there beyond the noise: kept"


def test_what_cannot_be_read_is_listed() -> None:
    model = graph(
        [
            node("Resize", "x - s", "u", mode="linear", coordinate_transformation_mode="align_corners"),
            node("Relu", "u", "r"),
            node("Resize", "r - s", "y", mode="nearest"),
        ],
        X,
        "y",
        s=np.array([1, 1, 2, 2], np.float32),
    )
    corners, alone = faster(model, Fake("shuffle")).report["sites"]
    assert corners["refused"].startswith("align_corners")
    assert alone["refused"].startswith("no convolution follows")


def test_the_original_is_returned_when_the_whole_is_slower() -> None:
    model = transposed()
    result = faster(model, Fake("shuffle", whole=2.5))
    assert result.report["rewritten"] == 0
    assert result.model.SerializeToString() == model.SerializeToString()
    assert "the model as a whole is no faster" in result.report["sites"][0]["refused"]


@pytest.mark.parametrize(
    ("before", "after", "won"),
    [
        ([2.0] * 8, [1.0] * 8, True),
        ([2.0] * 8, [1.99] * 8, False),  # always faster, but by less than the margin
        ([2.0] * 8, [1.0] * 6 + [3.0] * 2, False),  # the median says yes, the sign test no: 6 of 8
        ([2.0] * 8, [1.0] * 7 + [90.0], True),  # a slow moment in one round
        ([2.0] * 4 + [20.0] * 4, [2.1] * 4 + [19.0] * 4, False),  # whichever ran while the machine was busy
        ([9.0, *[2.0] * 7], [2.2] * 8, False),
        ([1.0] * 8, [2.0] * 8, False),
        ([2.0] * 40, [1.0] * 25 + [3.0] * 15, False),
        ([2.0] * 40, [1.0] * 26 + [3.0] * 14, True),
    ],
)
def test_a_duel_is_judged_round_by_round(before: list[float], after: list[float], won: bool) -> None:
    assert Duel(before, after).is_won is won


def test_a_duel_alternates() -> None:
    ran: list[str] = []
    duel = fight(lambda: ran.append("a"), lambda: ran.append("b"), 0.0)
    assert len(duel.before) == len(duel.after) == 8
    assert "".join(ran) == "ba" + "abba" * 3 + "ab"


def test_without_what_gains_least_the_whole_may_be_faster() -> None:
    """Two sites win alone; together with the second, which gains less, the whole does not."""

    class Picky(Fake):
        asked: list[int]

        def race(
            self, models: Sequence[onnx.ModelProto], feeds: dict[str, np.ndarray], names: Sequence[str]
        ) -> list[float | None]:
            is_first = any(n.output[0] == "u" and n.op_type == "ConvTranspose" for n in models[0].graph.node)
            gain = 1.0 if is_first else 1.5
            return [gain if "shuffle" in name else 2.0 for name in names]

        def duel(self, before: onnx.ModelProto, after: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> Duel:
            self.asked = [*getattr(self, "asked", []), counts(after)["ConvTranspose"]]
            return Duel([2.0] * 8, [1.0 if counts(after)["ConvTranspose"] == self.whole else 3.0] * 8)

    w, v = whole(4, 4, 2, 2), whole(4, 3, 2, 2)
    nodes = [
        node("ConvTranspose", "x w", "u", strides=[2, 2]),
        node("Relu", "u", "a"),
        node("Sigmoid", "a", "b"),
        node("Relu", "b", "c"),
        node("ConvTranspose", "c v", "y", strides=[2, 2]),
    ]
    model = graph(nodes, X, "y", w=w, v=v)
    clock = Picky("shuffle", whole=1)
    result = faster(model, clock)
    assert clock.asked == [0, 1]
    assert result.report["rewritten"] == 1
    assert (result.report["ms_before"], result.report["ms_after"]) == (2000.0, 1000.0)
    assert [site["refused"] is None for site in result.report["sites"]] == [True, False]
    assert [n.output[0] for n in result.model.graph.node if n.op_type == "ConvTranspose"] == ["y"]
    assert_same(model, result.model, [(5, 6)])
    clock = Picky("shuffle", whole=9)
    result = faster(model, clock)
    assert clock.asked == [0, 1]
    assert result.report["rewritten"] == 0
    assert result.model == model


def test_timings_are_remembered_by_normal_form() -> None:
    clock = Fake("nothing at all")
    faster(nearest(), clock)
    races = clock.races
    assert races
    faster(nearest(), clock)  # other weights, the same geometry
    assert clock.races == races


def test_open_sizes_are_asked_for() -> None:
    with pytest.raises(InputError, match=r"input 'x' has shape \?×4×\?×\?: give its whole shape"):
        rewrite(transposed(), clock=Fake("shuffle"))
    with pytest.raises(UsageError, match="give its whole shape"):
        rewrite(transposed(), clock=Fake("shuffle"), inputs={"x": [1, 5, 6, 7]})
    with pytest.raises(UsageError, match="no input 'z'"):
        rewrite(transposed(), clock=Fake("shuffle"), inputs={**SIZE, "z": [1]})
    with pytest.raises(UsageError, match="unknown runtime 'tpu'"):
        rewrite(transposed(), runtime="tpu", inputs=SIZE)


def test_a_model_that_does_not_run() -> None:
    model = graph(
        [node("Reshape", "x t", "r"), node("ConvTranspose", "r w", "y", strides=[2, 2])],
        X,
        "y",
        t=np.array([1, 4, 5, 5]),
        w=whole(4, 3, 2, 2),
    )
    with pytest.raises(InputError, match="does not run the model"):
        rewrite(model, clock=Fake("shuffle"), inputs=SIZE)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_with_the_real_clock(runtime: str) -> None:
    pytest.importorskip(runtime, reason=f"{runtime} is not installed")
    model = nearest()
    clock = RuntimeClock(runtime, threads=1, seconds=0.05)
    result = rewrite(model, clock=clock, inputs=SIZE)
    assert_same(model, result.model, [(5, 6)])
    assert all(site["ms_before"] > 0 for site in result.report["sites"])


def test_for_openvino_border_cells_need_a_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    """It refuses no input that is too short for them: only stated or promised sizes allow them."""
    likes = Fake("border cells")
    monkeypatch.setattr(RuntimeClock, "duel", lambda clock, *models: likes.duel(*models))
    monkeypatch.setattr(RuntimeClock, "race", lambda clock, models, feeds, names: [2 - ("cells" in n) for n in names])
    on = {runtime: RuntimeClock(runtime, threads=1) for runtime in ("onnxruntime", "openvino")}
    (site,) = rewrite(linear(), clock=on["onnxruntime"], inputs=SIZE).report["sites"]
    assert site["form"].startswith("border cells")
    needs = site["smallest"]
    (site,) = rewrite(linear(), clock=on["openvino"], inputs=SIZE).report["sites"]
    assert site["refused"].startswith(
        f"its border cells need {needs[0]}×{needs[1]} samples, and OpenVINO does not refuse"
    )
    promised = {"x": [1, 4, *needs]}
    assert rewrite(linear(), clock=on["openvino"], inputs=SIZE, smallest=promised).report["rewritten"] == 1
    stated = linear()
    for dim, n in zip(stated.graph.input[0].type.tensor_type.shape.dim, SIZE["x"], strict=True):
        dim.dim_value = n
    del stated.graph.output[0].type.tensor_type.shape.dim[:]
    assert rewrite(stated, clock=on["openvino"]).report["rewritten"] == 1


def two_ups() -> onnx.ModelProto:
    """Two transposed convolutions in a row: a site each, and one that covers both."""
    return graph(
        [
            node("Relu", "x", "r"),
            node("ConvTranspose", "r w", "u", strides=[2, 2]),
            node("ConvTranspose", "u v", "y", strides=[2, 2]),
        ],
        X,
        "y",
        w=whole(4, 3, 2, 2),
        v=whole(3, 2, 2, 2),
    )


def test_cuts_that_save_more_together_win() -> None:
    """The whole chain saves 6 ms; its two halves save 4 each. With 9 for the whole it is the other way round."""
    from subpixel.rewriting.choice.fastest import Alternative, Form, _Timed
    from subpixel.rewriting.choice.together import most_saved

    def timed(names: str, saved: float) -> _Timed:
        nodes = tuple(node("ConvTranspose", "x w", name) for name in names)
        form = Form("it", [], {}, dict)
        return _Timed(Alternative(nodes[0], "A2", nodes, ("x",), names[-1], (form,), ""), 10.0, {"it": 10.0 - saved})

    both, first, second = timed("ab", 6.0), timed("a", 4.0), timed("b", 4.0)
    assert set(map(id, most_saved([both, first, second]))) == {id(first), id(second)}
    both = timed("ab", 9.0)
    assert most_saved([both, first, second]) == [both]
    assert most_saved([timed("a", 0.1)]) == []  # within the noise


def test_a_site_of_shuffles_alone_is_settled_once() -> None:
    """Several sites may share a shuffle, yet no two write one output: the choice would never come to an end."""
    from subpixel.rewriting.choice.fastest import Alternative, Form, _Timed
    from subpixel.rewriting.choice.together import settle

    nodes = (node("Reshape", "x s", "a"), node("Transpose", "a", "b"), node("Reshape", "b t", "y"))
    t = _Timed(Alternative(nodes[0], "A2", nodes, ("x",), "y", (Form("it", [], {}, dict),), ""), 2.0, {"it": 1.0})
    asked: list[_Timed] = []

    def prove(t: _Timed) -> _Timed:
        asked.append(t)
        assert len(asked) < 9
        return t

    done, kept = settle([t, t], prove)
    assert asked == done == [t]
    assert not kept


def test_every_cut_is_timed() -> None:
    model = two_ups()
    clock = Fake("shuffle")
    result = faster(model, clock)
    assert clock.races == 3  # each alone, and both as one
    assert result.report["rewritten"] >= 1
    assert_same(model, result.model, [(5, 6)])


def test_forms_that_cost_many_times_the_cheapest_are_not_timed() -> None:
    from subpixel.rewriting.goals.fastest import FORMS, PRUNE, affordable
    from subpixel.rewriting.writing.forms import Form

    picks = [[Form(str(macs), None, None, macs)] for macs in (10, 20, int(10 * PRUNE), int(10 * PRUNE) + 1)]  # type: ignore[arg-type]
    assert [picked[0].name for picked in affordable(picks)] == ["10", "20", "80"]
    assert len(affordable(picks[:1] * 9)) == FORMS


def test_upsamplings_in_branches_are_named() -> None:
    inner = onnx.helper.make_graph(
        [node("ConvTranspose", "x w", "t", strides=[2, 2])],
        "then",
        [],
        [onnx.helper.make_tensor_value_info("t", onnx.TensorProto.FLOAT, None)],
    )
    other = onnx.helper.make_graph(
        [node("ConvTranspose", "x v", "e", strides=[2, 2])],
        "else",
        [],
        [onnx.helper.make_tensor_value_info("e", onnx.TensorProto.FLOAT, None)],
    )
    model = graph(
        [onnx.helper.make_node("If", ["flag"], ["y"], then_branch=inner, else_branch=other)],
        X,
        "y",
        w=whole(4, 3, 2, 2),
        v=whole(4, 3, 2, 2),
        flag=np.array(True),
    )
    sites = faster(model, Fake("shuffle")).report["sites"]
    assert len(sites) == 2
    assert all("a branch or a loop" in site["refused"] for site in sites)


def test_a_shuffle_that_its_reader_takes_along_is_no_site_of_its_own() -> None:
    """Written alone and with the convolution after it, both win; the shuffle alone has no reader then."""
    model = graph(
        [
            node("DepthToSpace", "x", "u", blocksize=2),
            node("DepthToSpace", "u", "v", blocksize=2),
            node("Conv", "v w", "y", pads=[1] * 4),
        ],
        {"x": [1, 48, 6, 7]},
        "y",
        w=whole(2, 3, 3, 3),
    )

    class All(Fake):
        def race(self, models: Any, feeds: Any, names: Any) -> Any:
            return [2.0, *(1.0 for _ in names[1:])]

    result = rewrite(model, clock=All(""))
    done = [site for site in result.report["sites"] if site["refused"] is None]
    assert result.report["rewritten"] == len(done) == 1
    assert done[0]["law"] == "A9"
    assert_same(model, result.model, [(6, 7)])
