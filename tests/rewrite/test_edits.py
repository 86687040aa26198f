"""Edits of a graph: what they leave behind."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rewrite.graphs import graph, node, rewritten, whole
from rewrite.patterns import inside_a_loop, inside_branches
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


def weights_of(model: onnx.ModelProto) -> set[str]:
    return {tensor.name for tensor in model.graph.initializer}


def test_weights_that_only_branches_read_go_with_their_nodes() -> None:
    """The graph around a branch holds its weights; composed ones stand in the branch."""
    model = inside_branches()
    model.graph.initializer.append(numpy_helper.from_array(np.ones(1, np.float32), "idle"))
    done = rewritten(model, count=2, gone="")
    assert weights_of(done.model) == {"cond", "idle"}  # `idle` was nobody's before


def test_weights_that_a_branch_still_reads_stay() -> None:
    """Both branches upsample with `w`; one of them reads its sum, too."""
    model = inside_branches()
    bodies = {attribute.name: attribute.g for attribute in model.graph.node[1].attribute}
    (first,) = bodies["else_branch"].node
    first.name, first.input[1], first.output[0] = "up", "w", "b/up"
    bodies["else_branch"].node.extend([node("ReduceSum", "w", "sum"), node("Add", "b/up sum", "b")])
    done = rewritten(model, count=2)
    assert weights_of(done.model) == {"cond", "w", "v"}  # `v` was nobody's before


def test_weights_and_what_computed_them_go_with_a_loops_nodes() -> None:
    model = inside_a_loop()
    model.graph.node[0].input[1] = "x2"  # not the loop's
    model.graph.initializer.append(numpy_helper.from_array(whole(5, 3, 2, 2), "x2"))
    tensor = next(t for t in model.graph.initializer if t.name == "w")
    tensor.name = "stored"
    model.graph.node.insert(0, helper.make_node("Identity", ["stored"], ["w"]))
    done = rewritten(model, count=2, gone="ConvTranspose Identity")
    assert {"x2", "stored"}.isdisjoint(weights_of(done.model))
    assert "times" in weights_of(done.model)


def test_branches_that_use_the_same_names_are_told_apart() -> None:
    """One is rewritten and the other not: a name alone would make both one site."""

    def body(weight: str, name: str) -> onnx.GraphProto:
        out = helper.make_tensor_value_info("z", TensorProto.FLOAT, None)
        return helper.make_graph([node("ConvTranspose", f"x {weight}", "z", strides=[2, 2])], name, [], [out])

    def model(first: str, second: str) -> onnx.ModelProto:
        bodies = {"then_branch": body(first, "a"), "else_branch": body(second, "b")}
        branch = helper.make_node("If", ["cond"], ["y"], name="branch", **bodies)
        inputs = {"x": ["N", 5, "H", "W"], "given": [5, 3, 2, 2]}
        weights = {"cond": np.array(True), "w": whole(5, 3, 2, 2), "v": whole(5, 3, 4, 4)}
        return graph([node("Abs", "given", "u"), branch], inputs, "y", **weights)

    for first, second, count in (("w", "u", 1), ("u", "w", 1), ("w", "v", 2)):
        sites = rewritten(model(first, second), count=count).report["sites"]
        assert [site["node"] for site in sites] == ["the_z", "the_z"]
        assert sum(site["refused"] is not None for site in sites) == 2 - count


def test_what_nobody_reads_is_no_site() -> None:
    nodes = [
        node("ConvTranspose", "x w", "unread", strides=[2, 2]),
        node("Relu", "x", "y"),
    ]
    model = graph(nodes, {"x": ["N", 5, "H", "W"]}, "y", w=whole(5, 3, 2, 2))
    for goal, why in (("lr", ["nobody reads its result"]), ("deconv", [])):
        done = rewritten(model, goal, count=0)
        assert [site["refused"] for site in done.report["sites"]] == why
        assert done.model == model
