"""Strangers' networks: the shipped ESPCN in other dresses must be seen through."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from subpixel.errors import InputError, UsageError
from subpixel.runtime import Session, open_session
from subpixel.runtime.contract import Contract, find_contract
from subpixel.runtime.planar import as_planar


def found(graph, channels=None, **options):
    planar, channels = as_planar(graph, channels)
    session = open_session(planar, runtime="onnxruntime", threads=1)
    return find_contract(session, planar, channels, **options)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("white", [1.0, 255.0])
def test_scale_and_range_are_found(espcn_graph, scale, white):
    assert found(espcn_graph(scale, white=white)) == Contract(scale, 1, "y", white, halo=5)


@pytest.mark.parametrize("white", [1.0, 255.0])
def test_three_channels_are_rgb_unless_told(espcn_graph, white):
    graph = espcn_graph(2, channels=3, white=white)
    assert found(graph) == Contract(2, 3, "rgb", white, halo=5)
    assert found(graph, colour="bgr").colour == "bgr"


def test_options_go_before_what_is_found(espcn_graph):
    assert found(espcn_graph(3), white=255.0).white == 255.0


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_layout_and_type_computes_the_same(espcn_graph, last, half, channels):
    graph = espcn_graph(2, channels=channels, last=last, half=half)
    before = graph.SerializeToString()
    planar, count = as_planar(graph)
    onnx.checker.check_model(planar)
    assert graph.SerializeToString() == before  # the caller's graph is left alone
    assert count == channels
    contract = found(graph)
    assert (contract.scale, contract.channels, contract.white, contract.halo) == (2, channels, 1.0, 5)
    x = np.random.default_rng(0).random((1, channels, 11, 14), np.float32)
    y = open_session(planar, runtime="onnxruntime", threads=1).run(x)
    plain = open_session(espcn_graph(2), runtime="onnxruntime", threads=1)
    expected = np.concatenate([plain.run(plane[None, None]) for plane in x[0]], axis=1)
    np.testing.assert_allclose(y, expected, atol=5e-3 if half else 1e-5)


def test_a_fixed_size_is_found(espcn_graph):
    contract = found(espcn_graph(3, size=(24, 32)))
    assert contract.size == (24, 32)
    assert contract.halo == 5
    assert found(espcn_graph(3, size=(24, 32), last=True)).size == (24, 32)


def test_open_channels(espcn_graph):
    graph = espcn_graph(2)
    graph.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "C"
    assert found(graph, 1).channels == 1
    planar, _ = as_planar(graph, 1)
    assert open_session(planar, threads=1).run(np.zeros((1, 1, 4, 4), np.float32)).shape == (1, 1, 8, 8)
    with pytest.raises(InputError, match=r"onnxruntime cannot (open|run) this network"):
        found(graph)  # taken for three


def network(*nodes, shape=(1, 1, "H", "W"), kind=TensorProto.FLOAT, **tensors):
    """Nodes (operator, further inputs, attributes) in a row from "x"."""
    made, x = [], "x"
    for index, (name, others, attributes) in enumerate(nodes):
        made.append(helper.make_node(name, [x, *others], [f"t{index}"], **attributes))
        x = f"t{index}"
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        made,
        "test",
        [value("x", kind, shape)],
        [value(x, kind, [None] * 4)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in tensors.items()],
    )
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def up(r):
    """Nearest-neighbour enlargement as a node, and the tensor that goes with it."""
    return ("Resize", ["", "s"], {"mode": "nearest"}), {"s": np.array([1, 1, r, r], np.float32)}


def test_a_network_that_keeps_the_size_needs_a_scale():
    same = network(("Relu", [], {}))
    with pytest.raises(UsageError, match="keeps the size, so it takes an enlarged picture: say by --scale"):
        found(same)
    contract = found(same, scale=3)
    assert (contract.scale, contract.enlarges) == (3, False)


def test_a_scale_that_is_not_its_own(espcn_graph):
    with pytest.raises(UsageError, match="enlarges ×3, not ×2: leave --scale out"):
        found(espcn_graph(3), scale=2)
    assert found(espcn_graph(3), scale=3).scale == 3


def test_a_network_for_multiples():
    shrink = ("AveragePool", [], {"kernel_shape": [4, 4], "strides": [4, 4]})
    grow, tensors = up(8)
    contract = found(network(shrink, grow, **tensors))
    assert (contract.scale, contract.multiple, contract.halo) == (2, 4, None)


def test_types_and_shapes_that_are_no_picture():
    grow, tensors = up(2)
    for graph, message in (
        (network(("Identity", [], {}), kind=TensorProto.UINT8), "of type uint8: only floating point is taken"),
        (network(grow, shape=(1, 4, "H", "W"), **tensors), "takes 4 channels: only 1 .luma. and 3 .RGB."),
        (network(grow, shape=(1, "H", "W"), **tensors), "has the shape 1×.×.: one picture has"),
        (network(grow, shape=(8, 1, "H", "W"), **tensors), "has the shape 8×1×.×.: one picture has"),
    ):
        with pytest.raises(InputError, match=message):
            as_planar(graph)


def test_outputs_that_are_no_picture():
    (resize, _), tensors = up(2), {"s": np.array([1, 1, 2, 2], np.float32)}
    for graph, message in (
        (network(("GlobalAveragePool", [], {})), "turns 32×40 pixels into 1×1: only whole factors"),
        (network(resize, s=np.array([1, 1, 2, 3], np.float32)), "into 64×120: only whole"),
        (network(resize, s=np.array([1, 1, 1.5, 1.5], np.float32)), "into 48×60: only whole"),
        (network(resize, ("Concat", ["t0"], {"axis": 1}), **tensors), "a picture 1×1×32×40 into 1×2×64×80"),
        (network(resize, ("Mul", ["c"], {}), c=np.float32(0), **tensors), "not give back a flat picture"),
        (network(resize, ("Sub", ["c"], {}), c=np.float32(30), **tensors), "say by --value-range which it takes"),
        (network(resize, ("Div", ["c"], {}), c=np.float32(0), **tensors), "not give back a flat picture"),
    ):
        with pytest.raises(InputError, match=message):
            found(graph)


def test_channels_that_contradict(espcn_graph):
    with pytest.raises(UsageError, match="the network has 1 channels, not 3"):
        as_planar(espcn_graph(2), 3)
    with pytest.raises(UsageError, match="colour 'bgr' does not go with 1 channels"):
        found(espcn_graph(2), colour="bgr")


class Planted(Session):
    """A network given by a function, for answers that no real graph should give."""

    runtime = "planted"

    def __init__(self, function):
        super().__init__(1, "f32")
        self.function = function

    def _run(self, x):
        return self.function(x)


@pytest.mark.parametrize(("gain", "white"), [(1.0, 1.0), (0.95, 1.0), (1.05, 1.0), (0.85, None)])
def test_how_far_a_flat_picture_may_be_shifted(espcn_graph, gain, white):
    session = Planted(lambda x: gain * x.repeat(2, axis=2).repeat(2, axis=3))
    if white is None:
        with pytest.raises(InputError, match="does not give back a flat picture"):
            find_contract(session, espcn_graph(2), 1)
    else:
        assert find_contract(session, espcn_graph(2), 1).white == white


def test_not_a_number_is_no_flat_picture(espcn_graph):
    session = Planted(lambda x: np.full((1, 1, 2 * x.shape[2], 2 * x.shape[3]), np.nan, np.float32))
    with pytest.raises(InputError, match="does not give back a flat picture"):
        find_contract(session, espcn_graph(2), 1)
