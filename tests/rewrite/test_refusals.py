"""What is left alone, and the reason given."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from rewrite.graphs import enlarged, graph, node, rewritten, whole
from subpixel.errors import InputError, MissingExtra, UsageError
from subpixel.rewriting import inspect, rewrite, verify
from subpixel.rewriting.writing import build

X: Any = {"x": ["N", 5, "H", "W"]}


def reason(model: onnx.ModelProto, goal: str = "lr", **options: Any) -> str:
    """Nothing rewritten, the model unchanged, one refusal: its law and reason."""
    result = rewrite(model, goal, **options)
    assert result.report["rewritten"] == 0
    assert result.model.SerializeToString() == model.SerializeToString()
    (site,) = result.report["sites"]
    return f"{site['law']}: {site['refused']}"


def resize(mode: str = "nearest", s: float = 2.0, **attributes: Any) -> onnx.ModelProto:
    return enlarged((s, s), (5, 3), pads=(0, 1, 2, 1), opset=18, mode=mode, **attributes)


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"coordinate_transformation_mode": "align_corners"}, "A7: align_corners has no shift-covariant kernel"),
        ({"s": 1.5}, r"A7: its factors \[1.0, 1.0, 1.5, 1.5\] are not whole numbers"),
        ({"s": 0.5}, "A7: its factors .* are not whole numbers ≥ 1"),
        ({"mode": "linear", "antialias": 1}, "A7: its antialias mode renormalises"),
        ({"mode": "cubic", "exclude_outside": 1}, "A7: its exclude_outside renormalises"),
        ({"mode": "linear", "coordinate_transformation_mode": "tf_half_pixel_for_nn"}, "A7: its coordinates"),
        ({"keep_aspect_ratio_policy": "not_larger"}, "A7: its keep_aspect_ratio_policy"),
    ],
)
def test_resizes_without_a_kernel(attributes: dict[str, Any], text: str) -> None:
    import re

    assert re.match(text, reason(resize(**attributes)))


def test_computed_weights() -> None:
    model = graph([node("ConvTranspose", "x w", "y", strides=[2, 2])], {**X, "w": [5, 3, 2, 2]}, "y")
    assert reason(model) == ": its weight 'w' is computed, not constant"


def test_float16_weights_that_would_be_rounded() -> None:
    w = (whole(3, 5, 3, 3) * 1.0009765625).astype(np.float16)
    model = graph(
        [
            node(
                "Resize",
                "x - s",
                "u",
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            ),
            node("Conv", "u w", "y", pads=[1] * 4),
        ],
        X,
        "y",
        dtype=TensorProto.FLOAT16,
        w=w,
        s=np.array([1, 1, 2, 2], np.float32),
    )
    assert "its composed weights are no float16 numbers" in reason(model)


def test_nan_weights() -> None:
    w = whole(5, 3, 2, 2)
    w[0, 0, 0, 0] = np.nan
    model = graph([node("ConvTranspose", "x w", "y", strides=[2, 2])], X, "y", w=w)
    with pytest.raises(InputError, match="the model holds NaN in the weight 'w'"):
        rewrite(model, "lr")
    w[0, 0, 0, 0] = np.inf
    model = graph([node("ConvTranspose", "x w", "y", strides=[2, 2])], X, "y", w=w)
    assert reason(model) == ": its weight holds NaN or infinite values"


def test_verify_sends_a_module_to_onnx_export() -> None:
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    with pytest.raises(UsageError, match=r"torch\.onnx\.export"):
        verify(torch.nn.Conv2d(1, 1, 1), torch.nn.Conv2d(1, 1, 1))


def test_growth_cap_and_its_lifting(monkeypatch: pytest.MonkeyPatch) -> None:
    model = graph(
        [
            node("DepthToSpace", "x", "u", blocksize=4, mode="CRD"),
            node("Conv", "u w", "y", pads=[1] * 4),
        ],
        {"x": ["N", 64, "H", "W"]},
        "y",
        w=whole(4, 4, 3, 3),
    )
    rewritten(model)  # small sites grow freely
    monkeypatch.setattr(build, "FREE", 0)
    assert reason(model).startswith("cap: its weights would grow from 144 to ")
    rewritten(model, growth=None)


def test_reflect_padding() -> None:
    model = graph(
        [
            node("ConvTranspose", "x w", "u", strides=[2, 2]),
            node("Pad", "u p", "q", mode="reflect"),
            node("Conv", "q v", "y"),
        ],
        X,
        "y",
        w=whole(5, 3, 2, 2),
        v=whole(2, 3, 3, 3),
        p=np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    )
    rewritten(model, gone="ConvTranspose", has="Pad DepthToSpace")  # the rest is left where it was


def test_what_comes_before_the_next_convolution_is_named() -> None:
    def nodes(*between: Any) -> Any:
        return [node("Resize", "x - s", "u", mode="nearest"), *between]

    s = np.array([1, 1, 2, 2], np.float32)
    relu = graph(nodes(node("Relu", "u", "r"), node("Conv", "r w", "y")), X, "y", w=whole(3, 5, 3, 3), s=s)
    assert reason(relu).endswith("no convolution follows with nothing but linear work between: Relu the_r reads it")
    affine = graph(nodes(node("Mul", "u c", "m"), node("Softmax", "m", "y")), X, "y", c=whole(5, 1, 1), s=s)
    assert reason(affine).endswith("Softmax the_y reads it")
    assert reason(graph(nodes(), X, "u", s=s)).endswith("it is what the graph gives")


def test_each_refusal_names_its_own_obstacle() -> None:
    """One attribute at a time; none stands for two."""
    up = node("Resize", "x - s", "u", mode="nearest")
    conv = node("Conv", "v w", "y")
    weights: Any = {"w": whole(3, 5, 3, 3), "s": np.array([1, 1, 2, 2], np.float32)}
    cases = {
        "ceil_mode rounds": node("AveragePool", "u", "v", kernel_shape=[2, 2], ceil_mode=1),
        "continues the input by 2,": node("Pad", "u p two", "v"),
        "reflects samples": node("Pad", "u p -", "v", mode="reflect"),
    }
    more = {"p": np.array([0, 0, 2, 2, 0, 0, 2, 2]), "two": np.array(2.0, np.float32)}
    for expected, between in cases.items():
        given = {name: value for name, value in more.items() if name in between.input}
        assert expected in reason(graph([up, between, conv], X, "y", **weights, **given))


def test_a_site_without_an_affordable_form_is_refused_for_that_and_not_by_the_clock() -> None:
    """Goal `fastest` never times it: no form keeps within the cap."""
    model = graph(
        [node("Resize", "x - s", "u", mode="nearest"), node("Conv", "u w", "y", pads=[1] * 4)],
        {"x": [1, 128, 8, 8]},
        "y",
        w=whole(128, 128, 3, 3),
        s=np.array([1, 1, 4, 4], np.float32),
    )

    class Never:
        identity = "never"

        def race(self, *given: Any) -> Any:
            raise AssertionError("nothing is to be timed")

        duel = race

    (site,) = rewrite(model, clock=Never(), growth=1.5).report["sites"]  # type: ignore[arg-type]
    assert site["law"] == "cap"
    assert "beyond the cap of 1.5×" in site["refused"]


def test_sizes_that_cannot_be_proved() -> None:
    model = graph(
        [
            node("Shape", "k", "shape"),
            node("Slice", "shape two four", "hw"),
            node("Concat", "nc hw", "z", axis=0),
            node("Resize", "x - - z", "u", mode="nearest"),
            node("Conv", "u w", "y"),
        ],
        {**X, "k": ["N", 2, "H2", "W2"]},
        "y",
        w=whole(3, 5, 3, 3),
        two=np.array([2]),
        four=np.array([4]),
        nc=np.array([1, 5]),
    )
    assert reason(model).startswith("A7: its factor cannot be proved")


def test_unknown_shapes_ask_for_them() -> None:
    model = graph(
        [
            helper.make_node("Custom", ["x"], ["c"], domain="com.example"),
            node("DepthToSpace", "c", "u", blocksize=2),
        ],
        X,
        "u",
        domain="com.example",
    )
    assert "give the model's input shapes" in reason(model, "deconv")


def test_custom_operators_around_are_left_alone() -> None:
    model = graph(
        [
            node("ConvTranspose", "x w", "u", strides=[2, 2]),
            helper.make_node("ConvTranspose", ["u"], ["y"], domain="com.example"),
        ],
        X,
        "y",
        domain="com.example",
        w=whole(5, 3, 2, 2),
    )
    result = rewrite(model, "lr")
    assert [(n.domain, n.op_type) for n in result.model.graph.node] == [
        ("", "Conv"),
        ("", "DepthToSpace"),
        ("com.example", "ConvTranspose"),
    ]


# --- files and calls ---------------------------------------------------------------------------------


def test_bad_files(tmp_path: Path) -> None:
    cases = {"empty": b"", "noise": b"\x00\x01noise" * 9, "text": b"not a model"}
    for name, content in cases.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(content)
        with pytest.raises(InputError, match=name):
            rewrite(path, "lr")
    good = graph([node("ConvTranspose", "x w", "y", strides=[2, 2])], X, "y", w=whole(5, 3, 2, 2)).SerializeToString()
    (tmp_path / "cut.onnx").write_bytes(good[: len(good) // 2])
    with pytest.raises(InputError, match=r"cut\.onnx"):
        rewrite(tmp_path / "cut.onnx", "lr")
    with pytest.raises(InputError, match="does not exist"):
        rewrite(tmp_path / "none.onnx", "lr")
    with pytest.raises(InputError, match="is a folder"):
        rewrite(tmp_path, "lr")


def test_external_data_outside_the_folder(tmp_path: Path) -> None:
    model = graph([node("ConvTranspose", "x w", "y", strides=[2, 2])], X, "y", w=whole(5, 3, 2, 2))
    inside = tmp_path / "inside"
    inside.mkdir()
    onnx.save(model, inside / "m.onnx", save_as_external_data=True, size_threshold=0, location="w.bin")
    assert rewrite(inside / "m.onnx", "lr").report["rewritten"] == 1
    (inside / "w.bin").rename(tmp_path / "w.bin")
    moved = onnx.load(inside / "m.onnx", load_external_data=False)
    moved.graph.initializer[0].external_data[0].value = "../w.bin"
    (inside / "m.onnx").write_bytes(moved.SerializeToString())
    with pytest.raises(InputError, match="outside its own folder"):
        rewrite(inside / "m.onnx", "lr")


def test_unknown_goal_and_unknown_opset() -> None:
    model = graph([node("ConvTranspose", "x w", "y", strides=[2, 2])], X, "y", w=whole(5, 3, 2, 2))
    with pytest.raises(UsageError, match="unknown goal 'fast'"):
        rewrite(model, "fast")
    for option, value in (("runtime", "openvino"), ("threads", 2), ("clock", object())):
        for wanted in ({"goal": "lr"}, {"goal": "deconv"}, {"profile": "tidl"}):
            with pytest.raises(UsageError, match=f"`{option}` says how goal 'fastest' measures"):
                rewrite(model, **wanted, **{option: value})
    with pytest.raises(UsageError, match="`lift` belongs to goal 'lr'"):
        rewrite(model, "deconv", lift=True)
    model.opset_import[0].version = 9999
    with pytest.raises(InputError, match="opset 9999"):
        rewrite(model, "lr")


@pytest.mark.parametrize(
    "wrong", [[1, 5, 8, 8], {"x": "1x5x8x8"}, {"x": 8}, {"x": [1, 5, -8, 8]}, {"x": [1, 5, 8.5, 8]}]
)
def test_shapes_that_are_none(wrong: Any) -> None:
    model = graph([node("ConvTranspose", "x w", "y", strides=[2, 2])], X, "y", w=whole(5, 3, 2, 2))
    for option in ("inputs", "smallest"):
        with pytest.raises(UsageError, match=f"`{option}` must give whole shapes by input name"):
            rewrite(model, "lr", **{option: wrong})
    for call in (inspect, partial(verify, model)):
        with pytest.raises(UsageError, match="`inputs` must give whole shapes by input name"):
            call(model, inputs=wrong)


def test_numbers_that_are_out_of_range() -> None:
    model = graph([node("ConvTranspose", "x w", "y", strides=[2, 2])], X, "y", w=whole(5, 3, 2, 2))
    for growth in (-1, 0.5, float("nan")):
        with pytest.raises(UsageError, match="growth must be a number from 1 on"):
            rewrite(model, "lr", growth=growth)
    for threads in (-3, 0, 9999):
        with pytest.raises(UsageError, match="threads must be from 1 to 256"):
            rewrite(model, threads=threads, inputs={"x": [1, 5, 6, 7]})


def test_a_runtime_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subpixel.runtime.session.find_spec", lambda package: None)
    model = graph([node("ConvTranspose", "x w", "y", strides=[2, 2])], X, "y", w=whole(5, 3, 2, 2))
    with pytest.raises(MissingExtra, match="pip install openvino"):
        rewrite(model, runtime="openvino", inputs={"x": [1, 5, 6, 7]})


def test_weights_whose_bytes_are_not_those_of_their_shape() -> None:
    model = graph(
        [node("DepthToSpace", "x", "u", blocksize=1), node("Slice", "u a b", "y")],
        X,
        "y",
        a=np.array([0, 0, 1, 1]),
        b=np.array([9, 9, -1, -1]),
    )
    for kind in (TensorProto.UINT8, 99):
        model.graph.initializer[0].data_type = kind
        with pytest.raises(InputError, match="damaged: the weight 'a'"):
            rewrite(model, "lr")
