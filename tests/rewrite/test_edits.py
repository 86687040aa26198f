"""Edits of a graph: what they leave behind."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from subpixel.rewriting.graph.edit import Edit, apply_edits


def test_an_edit_that_another_one_makes_needless_leaves_nothing() -> None:
    """Two cuts that share a resize, found by random chains: the first wrote border cells for nobody."""
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Neg", ["a"], ["b"]),
        helper.make_node("Exp", ["x"], ["unread"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [value("x", TensorProto.FLOAT, [1])],
        [value("b", TensorProto.FLOAT, [1])],
        [numpy_helper.from_array(np.ones(1, np.float32), "idle")],
    )
    first = Edit(
        "a",
        [helper.make_node("Add", ["x", "w"], ["a/1"]), helper.make_node("Abs", ["a/1"], ["a"])],
        {"w": np.ones(1, np.float32)},
    )
    second = Edit("b", [helper.make_node("Mul", ["x", "v"], ["b"])], {"v": np.ones(1, np.float32)})
    apply_edits(graph, [first, second], 8)
    assert [node.op_type for node in graph.node] == ["Mul", "Exp"]  # what nobody read before is the caller's own
    assert [tensor.name for tensor in graph.initializer] == ["idle", "v"]
