"""Device profiles: whatever the device does not take is spelled so that it does, or named; and files of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from rewrite.graphs import assert_same, counts, graph, node, whole
from subpixel.errors import InputError, UsageError
from subpixel.rewriting import profile_names, rewrite
from subpixel.rewriting.devices.limits import LIMITS
from subpixel.rewriting.devices.profile import read_profile
from subpixel.rewriting.graph.inference import infer, types_of
from subpixel.rewriting.graph.view import View, opset_of

NEAREST: Any = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
X: Any = {"x": [1, 5, 6, 7]}
OPEN: Any = {"x": ["N", 5, "H", "W"]}


def transposed(opset: int = 13, x: Any = X, **attributes: Any) -> onnx.ModelProto:
    K = attributes.pop("K", (4, 4))
    return graph(
        [node("ConvTranspose", "x w b", "y", **attributes)],
        x,
        "y",
        opset=opset,
        ir_version=8 if opset < 20 else 10,
        w=whole(5, 3, *K),
        b=whole(3),
    )


def subpixel(x: Any = X, mode: str = "CRD") -> onnx.ModelProto:
    return graph(
        [node("Conv", "x w b", "v", pads=[1] * 4), node("DepthToSpace", "v", "y", blocksize=3, mode=mode)],
        x,
        "y",
        opset=13,
        w=whole(18, 5, 3, 3),
        b=whole(18),
    )


def resized(s: tuple[int, int], **attributes: Any) -> onnx.ModelProto:
    return graph(
        [node("Resize", "x - s", "u", **attributes), node("Conv", "u w", "y", pads=[1] * 4)],
        X,
        "y",
        opset=13,
        w=whole(3, 5, 3, 3),
        s=np.array([1, 1, *s], np.float32),
    )


CASES: dict[str, tuple[str, onnx.ModelProto, str, str]] = {
    "no deconvolution, no DepthToSpace": (
        "esp-dl",
        transposed(strides=[2, 2], pads=[1] * 4),
        "ConvTranspose",
        "Reshape",
    ),
    "output_padding": (
        "coreml",
        transposed(K=(9, 9), strides=[3, 3], pads=[4] * 4, output_padding=[2, 2]),
        "ConvTranspose",
        "DepthToSpace",
    ),
    "output_shape": ("coreml", transposed(strides=[2, 2], output_shape=[12, 14]), "", "Conv"),
    "CRD for stated sizes only": ("coreml", subpixel({"x": ["N", 5, "H", "W"]}), "", "DepthToSpace"),
    "stride 3": ("tidl", transposed(K=(5, 5), strides=[3, 3], pads=[1] * 4), "ConvTranspose", "DepthToSpace"),
    "unequal strides": ("tidl", transposed(strides=[2, 3], pads=[1] * 4), "ConvTranspose", "Conv"),
    "cubic": ("tidl", resized((2, 2), mode="cubic"), "Resize", "Conv"),
    "nearest ×3": ("tidl", resized((3, 3), **NEAREST), "Resize", "Conv"),
    "unequal factors": ("tidl", resized((2, 4), **NEAREST), "Resize", "Conv"),
    "linear asymmetric": (
        "tidl",
        resized((2, 2), mode="linear", coordinate_transformation_mode="asymmetric"),
        "Resize",
        "Conv",
    ),
    "shuffle": ("esp-dl", subpixel(), "DepthToSpace", "Transpose"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_device_does_not_take_is_spelled_another_way(case: str) -> None:
    name, model, gone, has = CASES[case]
    result = rewrite(model, profile=name)
    assert (result.report["rewritten"], result.report["unmet"]) == (1, []), result.report
    assert (result.report["goal"], result.report["profile"]) == ("device", name)
    assert result.report["source"].startswith("https://")
    left = counts(result.model)
    assert not left[gone] or not gone, left
    assert left[has], left
    assert not left["Shape"]  # where sizes are stated nothing computes them
    onnx.checker.check_model(result.model, full_check=True)
    assert_same(model, result.model, [(6, 7)], exact=case != "cubic")
    again = rewrite(result.model, profile=name)
    assert again.report["rewritten"] == 0
    assert again.model.SerializeToString() == result.model.SerializeToString()


@pytest.mark.parametrize("name", profile_names())
def test_what_a_device_takes_is_left_alone(name: str) -> None:
    model = graph([node("Conv", "x w", "y")], X, "y", opset=13, w=whole(3, 5, 3, 3))
    result = rewrite(model, profile=name)
    assert result.model.SerializeToString() == model.SerializeToString()
    assert (result.report["sites"], result.report["unmet"]) == ([], [])


def lacks(*operators: str, **about: Any) -> str:
    """A profile that takes everything but these."""
    lines = ['device = "mine"', *(f"{key} = {value}" for key, value in about.items())]
    return "\n".join([*lines, *(f"[{op}]\nsupported = false" for op in operators)])


def own(folder: Path, text: str) -> str:
    (folder / "mine.toml").write_text(text)
    return str(folder / "mine.toml")


def test_shuffles_axis_by_axis_where_six_dimensions_are_too_many(tmp_path: Path) -> None:
    limits = lacks("ConvTranspose", "DepthToSpace", rank=5)
    for model in (transposed(strides=[2, 3], pads=[1] * 4), subpixel(mode="DCR"), subpixel({"x": ["N", 5, "H", "W"]})):
        result = rewrite(model, profile=own(tmp_path, limits))
        assert (result.report["rewritten"], result.report["unmet"]) == (1, []), result.report
        ranks = [len(a.ints) for n in result.model.graph.node for a in n.attribute if a.name == "perm"]
        assert ranks == [5, 5]
        assert_same(model, result.model, [(6, 7)])
        # read back as two shuffles, and from there as one transposed convolution
        back = rewrite(result.model, "deconv")
        assert (back.report["rewritten"], counts(back.model)["ConvTranspose"]) == (1, 1)
        assert_same(model, back.model, [(6, 7)])


def test_no_shuffle_at_all(tmp_path: Path) -> None:
    limits = lacks("DepthToSpace", "Transpose", "Tile")
    model = subpixel()
    tied = graph(
        [node("Conv", "x w", "v", pads=[1] * 4), node("DepthToSpace", "v", "y", blocksize=3, mode="CRD")],
        X,
        "y",
        opset=13,
        w=whole(18, 5, 3, 3),
    )
    result = rewrite(tied, profile=own(tmp_path, limits))
    assert (result.report["rewritten"], counts(result.model)["ConvTranspose"]) == (1, 1)
    assert_same(tied, result.model, [(6, 7)])
    # a bias that differs by phase needs a Tile here; the shuffle alone becomes a transposed convolution
    result = rewrite(model, profile=own(tmp_path, limits))
    assert (result.report["unmet"], counts(result.model)["Conv"]) == ([], 1)
    assert_same(model, result.model, [(6, 7)])


def test_what_cannot_be_met_is_named(tmp_path: Path) -> None:
    limits = lacks("ConvTranspose", "DepthToSpace", "Reshape", highest_opset=12)
    model = transposed(strides=[2, 2], pads=[1] * 4, x={"x": ["N", 5, "H", "W"]})
    result = rewrite(model, profile=own(tmp_path, limits))
    assert result.report["rewritten"] == 0
    assert [item["limit"] for item in result.report["unmet"]] == [
        "mine has no ConvTranspose",
        # with open sizes nothing shows that a conversion is right
        "mine reads opsets up to 12, not 13: export it with that one, or give whole input shapes",
    ]
    (site,) = result.report["sites"]
    assert site["refused"].startswith("mine has no ConvTranspose; no other form helps: mine has no DepthToSpace")
    # custom operators and whatever has nothing to do with upsampling are named, too
    other = graph([node("Erf", "x", "y")], X, "y", opset=13)
    assert rewrite(other, profile=own(tmp_path, lacks("Erf"))).report["unmet"] == [
        {"node": "the_y", "op": "Erf", "limit": "mine has no Erf"}
    ]


def test_the_opset_is_lowered_where_that_is_shown_to_be_right() -> None:
    model = transposed(21, strides=[2, 2], pads=[1] * 4)
    result = rewrite(model, profile="esp-dl")
    assert (result.report["opset_before"], result.report["opset_after"], result.report["unmet"]) == (21, 13, [])
    assert result.model.opset_import[0].version == 13
    assert_same(model, result.model, [(6, 7)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("device = ", "is no profile"),
        ("rank = 4", "'device' is missing"),
        ('device = "m"\nrank = "four"', "'rank' must be a whole number"),
        ('device = "m"\nspeed = 4', "'speed' is neither"),
        ('device = "m"\n[Conv]\nkernel = [3]', r"\[Conv\] states 'kernel', which is no limit"),
        ('device = "m"\n[Conv]\nkernels = [3]', r"kernels must be a list of sizes"),
        ('device = "m"\n[Conv]\nsupported = "no"', "supported must be true or false"),
        ('device = "m"\n[Conv]\nlargest_stride = true', "largest_stride must be a whole number"),
        ('device = "m"\n[Resize]\nmodes = "linear"', "modes must be a list"),
        ('device = "m"\n[Resize]\nfactors = "two"', "factors must be"),
        ('device = "m"\n[ConvTranspse]\nsupported = false', r"\[ConvTranspse\] is no operator of ONNX"),
        ('device = "m"\n[Conv]\ngroups = ["map"]', "groups must be a list of 'one', 'maps'"),
    ],
)
def test_profiles_that_say_nothing_sensible(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_profile(own(tmp_path, text))


def test_calls_that_name_no_profile(tmp_path: Path) -> None:
    model = transposed(strides=[2, 2])
    with pytest.raises(UsageError, match="unknown profile 'tpu': choose coreml, esp-dl, tidl"):
        rewrite(model, profile="tpu")
    with pytest.raises(UsageError, match="3 is no profile"):
        read_profile(3)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="give one of them"):
        rewrite(model, "lr", profile="tidl")
    with pytest.raises(InputError, match="does not exist"):
        rewrite(model, profile=str(tmp_path / "none.toml"))


def sliced(end: str) -> onnx.ModelProto:
    """A Slice whose end is stated, or computed from a shape."""
    nodes = [node("Shape", "x", "s"), node("Gather", "s i", "b"), node("Slice", f"x a {end} i", "y")]
    weights = {"a": np.array([0]), "i": np.array([2]), "c": np.array([3])}
    return graph(nodes, OPEN, "y", opset=13, **weights)


def reshaped(target: str) -> onnx.ModelProto:
    """A Reshape to a stated shape, or to a computed one."""
    return graph(
        [node("Shape", "x", "s"), node("Reshape", f"x {target}", "y")], OPEN, "y", opset=13, c=np.array([0, 0, -1, 1])
    )


ONE_AXIS = graph([node("ConvTranspose", "x w", "y")], {"x": [1, 5, 6]}, "y", w=whole(5, 3, 4))
GROUPED = graph([node("Conv", "x w", "y", group=5)], X, "y", w=whole(5, 1, 3, 3))
BITES: dict[str, tuple[str, str, onnx.ModelProto, onnx.ModelProto]] = {
    "supported": ("ConvTranspose", "false", transposed(), subpixel()),
    "axes": ("ConvTranspose", "[1]", transposed(), ONE_AXIS),
    "rank": ("ConvTranspose", "3", transposed(), ONE_AXIS),
    "kernels": ("ConvTranspose", "[[3, 3]]", transposed(), transposed(K=(3, 3))),
    "strides": ("ConvTranspose", "[[2, 2]]", transposed(strides=[3, 3]), transposed(strides=[2, 2])),
    "largest_stride": ("ConvTranspose", "2", transposed(strides=[2, 3]), transposed(strides=[2, 2])),
    "equal_strides": ("ConvTranspose", "true", transposed(strides=[2, 3]), transposed(strides=[3, 3])),
    "largest_dilation": ("ConvTranspose", "1", transposed(dilations=[1, 2]), transposed()),
    "groups": ("Conv", '["one"]', GROUPED, subpixel()),
    "output_padding": ("ConvTranspose", "false", transposed(strides=[2, 2], output_padding=[1, 0]), transposed()),
    "output_shape": ("ConvTranspose", "false", transposed(strides=[2, 2], output_shape=[12, 14]), transposed()),
    "auto_pad": ("ConvTranspose", '["NOTSET"]', transposed(auto_pad="SAME_UPPER"), transposed()),
    "modes": ("DepthToSpace", '["DCR"]', subpixel(), subpixel(mode="DCR")),
    "stated_sizes": ("DepthToSpace", '["CRD"]', subpixel(OPEN), subpixel(OPEN, "DCR")),
    "coordinates": (
        "Resize",
        '["nearest asymmetric floor"]',
        resized((2, 2), mode="linear"),
        resized((2, 2), **NEAREST),
    ),
    "unset": (
        "Resize",
        '["cubic_coeff_a"]',
        resized((2, 2), mode="cubic", cubic_coeff_a=-0.5),
        resized((2, 2), mode="cubic"),
    ),
    "factors": ("Resize", '"powers of two"', resized((3, 2), **NEAREST), resized((4, 2), **NEAREST)),
    "stated_inputs": ("Slice", "true", sliced("b"), sliced("c")),
    "stated_shape": ("Reshape", "true", reshaped("s"), reshaped("c")),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_every_limit_can_bite(limit: str, tmp_path: Path) -> None:
    """Each limit that a file may state has a node that breaks it, and one that does not."""
    op, value, bad, good = BITES[limit]
    profile = own(tmp_path, f'device = "m"\n[{op}]\n{limit} = {value}\n')
    faults = [op for op, _ in _broken(bad, profile)]
    assert (faults, _broken(good, profile)) == ([op], [])


@pytest.mark.parametrize(("limit", "model"), [("stated_inputs", sliced("b")), ("stated_shape", reshaped("s"))])
def test_a_limit_that_is_switched_off_does_not_bite(limit: str, model: onnx.ModelProto, tmp_path: Path) -> None:
    op = BITES[limit][0]
    assert _broken(model, own(tmp_path, f'device = "m"\n[{op}]\n{limit} = false\n')) == []


def test_the_groups_that_a_device_takes_are_named(tmp_path: Path) -> None:
    ((_, why),) = _broken(GROUPED, own(tmp_path, 'device = "m"\n[Conv]\ngroups = ["one"]\n'))
    assert why.endswith("takes one group, not 5")


def _broken(model: onnx.ModelProto, profile: str) -> list[tuple[str, str]]:
    """Operators that break a limit, and what the profile says of them."""
    types = types_of(infer(model).graph)
    view, limits = View(model.graph, opset_of(model), types), read_profile(profile)
    return [(n.op_type, why) for n in model.graph.node if (why := limits.fault(view, n)) is not None]


def test_whole_input_shapes_are_written_into_the_model() -> None:
    """With open sizes the shuffle would have to compute shapes, which this device does not."""
    model = subpixel(OPEN)
    (site,) = rewrite(model, profile="esp-dl").report["sites"]
    assert site["refused"].endswith("its sizes are open: with whole input shapes there are more forms")
    result = rewrite(model, profile="esp-dl", inputs={"x": [1, 5, 6, 7]})
    assert (result.report["rewritten"], result.report["unmet"]) == (1, [])
    (x,), (y,) = result.model.graph.input, result.model.graph.output
    assert [d.dim_value for d in x.type.tensor_type.shape.dim] == [1, 5, 6, 7]
    assert [d.dim_value for d in y.type.tensor_type.shape.dim] == [1, 2, 18, 21]
    assert_same(result.model, model, [(6, 7)])


def test_sizes_are_stated_under_names_that_the_graph_does_not_have() -> None:
    nodes = [node("ConvTranspose", "x w", "u", strides=[2, 2]), node("Add", "u u/Concat/stated", "y")]
    weights = {"w": whole(5, 3, 2, 2), "u/Concat/stated": whole(1)}
    model = graph(nodes, X, "y", opset=13, **weights)
    result = rewrite(model, profile="esp-dl")
    assert "u/Concat/stated_2" in {t.name for t in result.model.graph.initializer}
    assert_same(model, result.model, [(6, 7)])
