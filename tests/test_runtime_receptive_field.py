"""The halo: enough for every tile to equal the whole, and no bound where there is none."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from subpixel.media.tiles import cut
from subpixel.runtime import open_session
from subpixel.runtime.receptive_field import halo


def graph(*nodes, opset=13, **tensors):
    """Nodes (operator, inputs after the moving one, attributes) in a row from "x" [1, 2, H, W]."""
    made, x = [], "x"
    for index, (name, others, attributes) in enumerate(nodes):
        made.append(helper.make_node(name, [x, *others], [f"t{index}"], **attributes))
        x = f"t{index}"
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        made,
        "test",
        [value("x", TensorProto.FLOAT, [1, 2, "H", "W"])],
        [value(x, TensorProto.FLOAT, [None] * 4)],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def integers(*shape):
    return np.random.default_rng(0).integers(1, 5, shape).astype(np.float32)


def scales(*factors):
    return np.array([1, 1, *factors], np.float32)


CONV3 = ("Conv", ["w3"], {"pads": [1, 1, 1, 1]})
W3 = {"w3": integers(2, 2, 3, 3)}
SHUFFLE = ("DepthToSpace", [], {"blocksize": 2, "mode": "CRD"})
W8 = {"w8": integers(8, 2, 3, 3)}
TALL = ("Conv", ["tall"], {"pads": [3, 0, 1, 0]})
RESIZE = {
    "cubic": ("Resize", ["", "s"], {"mode": "cubic"}),
    "linear": ("Resize", ["", "s"], {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}),
    "nearest": ("Resize", ["", "s"], {"mode": "nearest", "nearest_mode": "ceil"}),
}
BOUNDED = {
    "one convolution": (graph(CONV3, **W3), 1),
    "two convolutions": (graph(CONV3, CONV3, **W3), 2),
    "dilated": (graph(("Conv", ["w3"], {"pads": [2] * 4, "dilations": [2, 2]}), **W3), 2),
    "asymmetric": (graph(TALL, tall=integers(2, 2, 5, 1)), 3),
    "same upper": (graph(("Conv", ["w4"], {"auto_pad": "SAME_UPPER"}), w4=integers(2, 2, 4, 4)), 2),
    "pointwise": (graph(("Relu", [], {}), ("Mul", ["c"], {}), c=integers(2, 1, 1)), 0),
    "convolution, shuffle": (graph(("Conv", ["w8"], {"pads": [1] * 4}), SHUFFLE, **W8), 2),
    "convolutions after the shuffle": (graph(("Conv", ["w8"], {"pads": [1] * 4}), SHUFFLE, CONV3, **W3, **W8), 3),
    "transposed 9 by 3": (
        graph(
            ("ConvTranspose", ["w9"], {"strides": [3, 3], "pads": [4] * 4, "output_padding": [2, 2]}),
            w9=integers(2, 1, 9, 9),
        ),
        2,
    ),
    "transposed 2 by 2": (graph(("ConvTranspose", ["w2"], {"strides": [2, 2]}), w2=integers(2, 1, 2, 2)), 1),
    "cubic": (graph(RESIZE["cubic"], CONV3, **W3, s=scales(3, 3)), 4),
    "linear": (graph(RESIZE["linear"], s=scales(2, 2)), 2),
    "nearest": (graph(RESIZE["nearest"], CONV3, **W3, s=scales(2, 2)), 3),
    "reflected border": (
        graph(("Pad", ["p"], {"mode": "reflect"}), ("Conv", ["w3"], {}), **W3, p=np.array([0, 0, 1, 1] * 2)),
        1,
    ),
    "average": (graph(("AveragePool", [], {"kernel_shape": [3, 3], "pads": [1] * 4})), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", BOUNDED)
def test_tiles_that_overlap_by_the_halo_equal_the_whole(name):
    model, expected = BOUNDED[name]
    found = halo(model)
    assert found == expected
    session = open_session(model, runtime="onnxruntime", threads=1)
    x = np.random.default_rng(1).integers(-9, 9, (1, 2, 23, 31)).astype(np.float32)
    whole = session.run(x)
    assert whole.std() > 0
    r = whole.shape[2] // 23
    joined = np.full_like(whole, np.nan)
    for rows, columns in cut((23, 31), (2 * found + 5, 2 * found + 6), found):
        y = session.run(x[:, :, rows.start : rows.stop, columns.start : columns.stop])
        joined[:, :, rows.target(r), columns.target(r)] = y[:, :, rows.kept(r), columns.kept(r)]
    # Integers: a halo one pixel short would show as a difference, not as round-off.
    np.testing.assert_allclose(joined, whole, atol=1e-3 if name == "cubic" else 0)


def test_a_halo_that_is_too_short_shows():
    model, expected = BOUNDED["two convolutions"]
    session = open_session(model, runtime="onnxruntime", threads=1)
    x = np.random.default_rng(1).integers(-9, 9, (1, 2, 23, 31)).astype(np.float32)
    whole = session.run(x)
    rows, columns = list(cut((23, 31), (9, 9), expected - 1))[5]
    y = session.run(x[:, :, rows.start : rows.stop, columns.start : columns.stop])
    assert (y[:, :, rows.kept(), columns.kept()] != whole[:, :, rows.target(), columns.target()]).any()


def test_branches_count_by_the_widest():
    nodes = [
        helper.make_node("Conv", ["x", "w3"], ["a"], pads=[1] * 4),
        helper.make_node("Conv", ["a", "w3"], ["b"], pads=[1] * 4),
        helper.make_node("Concat", ["x", "a", "b"], ["t0"], axis=1),
    ]
    model = graph(CONV3, **W3)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    assert halo(model) == 2


@pytest.mark.parametrize(
    "model",
    [
        graph(("GlobalAveragePool", [], {})),
        graph(("Conv", ["w3"], {"pads": [1] * 4, "strides": [2, 2]}), **W3),
        graph(("Conv", ["w3"], {}), **W3),  # the result is smaller than the picture
        graph(("Add", ["c"], {}), c=integers(4, 4)),  # differs from place to place
        graph(("Add", ["c"], {}), c=integers(4)),  # along the width
        graph(("Resize", ["", "s"], {"mode": "linear", "coordinate_transformation_mode": "align_corners"}),
              s=scales(2, 2)),
        graph(("Resize", ["", "s"], {"mode": "linear"}), s=scales(1.5, 1.5)),
        graph(("Concat", ["c"], {"axis": 2}), c=integers(1, 2, 1, 1)),
        graph(("InstanceNormalization", ["a", "b"], {}), a=integers(2), b=integers(2)),
        graph(("SpaceToDepth", [], {"blocksize": 2})),
        graph(("Softmax", [], {"axis": 3})),
    ],
)  # fmt: skip
def test_what_looks_everywhere_or_moves_with_the_place_has_no_halo(model):
    assert halo(model) is None
