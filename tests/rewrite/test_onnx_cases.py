"""The onnx package's own node tests, their weights promoted to initializers: outputs still met, rewrites counted."""

from __future__ import annotations

import warnings
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from algebra import oracle
from exactness.chains import Whim
from subpixel.rewriting import rewrite
from subpixel.rewriting.proof.running import RunFailure, Runner

# Operator: how many of its cases run here, and goal → how many of them are rewritten. A lone resize, convolution or
# space-to-depth is no site of any goal: `NEIGHBOURED` is about those.
ALONE: dict[str, tuple[int, dict[str, int]]] = {
    "ConvTranspose": (11, {"lr": 11, "deconv": 0, "fastest": 11}),
    "Conv": (6, {"lr": 0, "deconv": 0, "fastest": 0}),
    "Resize": (39, {"lr": 0, "deconv": 0, "fastest": 0}),
    "Upsample": (1, {"lr": 0, "deconv": 0, "fastest": 0}),
    "DepthToSpace": (2, {"lr": 0, "deconv": 2, "fastest": 0}),
    "SpaceToDepth": (4, {"lr": 0, "deconv": 0, "fastest": 0}),
}
# The same cases with a neighbour that makes a site of them: a convolution 3×3 behind what enlarges, a transposed
# convolution by the identity before the others.
NEIGHBOURED: dict[str, dict[str, int]] = {
    "Conv": {"lr": 6, "deconv": 0, "fastest": 6},
    "Resize": {"lr": 8, "deconv": 3, "fastest": 8},
    "Upsample": {"lr": 1, "deconv": 1, "fastest": 1},
    "DepthToSpace": {"lr": 2, "deconv": 2, "fastest": 2},
    "SpaceToDepth": {"lr": 4, "deconv": 0, "fastest": 4},
}
# Why the other resizes stay with goal `lr`: what the report's reason holds → how many of the cases.
STAY = {
    "align_corners": 3,
    "exclude_outside": 1,
    "keep_aspect_ratio_policy": 4,
    "whole number": 23,
}


@cache
def every_case() -> list[Any]:
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it builds the cases of every operator
        return list(collect_testcases(None))


def cases(op: str) -> list[Any]:
    nodes = ((case, case.model.graph.node) for case in every_case())
    return [case for case, (*_, last) in nodes if last.op_type == op and len(case.data_sets[0][0]) > 0]


def promoted(case: Any) -> tuple[onnx.ModelProto, np.ndarray, np.ndarray]:
    """The model with every input but the first as an initializer, that input, and the output expected."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    inputs, outputs = case.data_sets[0]
    names = [value.name for value in model.graph.input]
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(v), n) for n, v in zip(names[1:], inputs[1:], strict=True)
    )
    del model.graph.input[1:]
    return model, np.asarray(inputs[0]), np.asarray(outputs[0])


def check(model: onnx.ModelProto, goal: str, x: np.ndarray, y: np.ndarray, name: str) -> tuple[int, list[Any]] | None:
    """Rewrite, run, compare with what is expected; how many were rewritten, and the sites. None: it does not run."""
    feeds = {model.graph.input[0].name: x}
    try:
        before = Runner(model)(feeds)
    except RunFailure:
        return None
    options = {"clock": Whim(np.random.default_rng(0))} if goal == "fastest" else {}
    result = rewrite(model, goal, **options)
    after = Runner(result.model)(feeds)
    assert after.shape == y.shape, name
    if np.allclose(before, y, rtol=1e-3, atol=1e-5):  # some runtimes miss some cases by themselves
        np.testing.assert_allclose(after, y, rtol=1e-3, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-5, err_msg=name)
    again = rewrite(result.model, goal) if goal != "fastest" else result
    assert again.model == result.model
    return result.report["rewritten"], result.report["sites"]


@pytest.mark.parametrize("op", ALONE)
@pytest.mark.parametrize("goal", ["lr", "deconv", "fastest"])
def test_alone(op: str, goal: str) -> None:
    done = [check(*promoted_for(case, goal), case.name) for case in cases(op)]
    ran = [facts for facts in done if facts is not None]
    assert len(ran) == ALONE[op][0]
    assert sum(count for count, _ in ran) == ALONE[op][1][goal]
    if not ALONE[op][1][goal] and op in ("Resize", "Upsample"):
        assert all(site["refused"] for _, sites in ran for site in sites)
        assert all(len(sites) == 1 for _, sites in ran)


def promoted_for(case: Any, goal: str) -> tuple[onnx.ModelProto, str, np.ndarray, np.ndarray]:
    model, x, y = promoted(case)
    return model, goal, x, y


def neighboured(op: str, case: Any) -> tuple[onnx.ModelProto, np.ndarray, np.ndarray]:
    """The case with its neighbour, its input, and the output expected."""
    model, x, y = promoted(case)
    graph = model.graph
    if op in ("Conv", "SpaceToDepth"):
        C = x.shape[1]
        graph.initializer.append(numpy_helper.from_array(np.eye(C, dtype=x.dtype).reshape(C, C, 1, 1), "identity"))
        old = graph.input[0].name
        for node in graph.node:
            names = ["same" if name == old else name for name in node.input]
            del node.input[:]
            node.input.extend(names)
        graph.node.insert(0, helper.make_node("ConvTranspose", [old, "identity"], ["same"]))
        return model, x, y
    w = np.random.default_rng(0).integers(-3, 4, (2, y.shape[1], 3, 3))
    graph.initializer.append(numpy_helper.from_array(w.astype(np.float32), "kernel"))
    graph.node.append(helper.make_node("Conv", [graph.output[0].name, "kernel"], ["convolved"], pads=[1] * 4))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("convolved", TensorProto.FLOAT, [None] * 4))
    fine = 2.0**30  # the loops take whole numbers
    whole = np.rint(y.astype(np.float64) * fine).astype(np.int64)
    return model, x, oracle.convolution(whole, w, None, (1, 1), ((1, 1),) * 2, (1, 1)) / fine


@pytest.mark.parametrize("op", NEIGHBOURED)
@pytest.mark.parametrize("goal", ["lr", "deconv", "fastest"])
def test_with_a_neighbour(op: str, goal: str) -> None:
    total, stay = 0, Counter[str]()
    for case in cases(op):
        model, x, y = neighboured(op, case)
        facts = check(model, goal, x, y, case.name)
        if facts is None:
            continue
        total += facts[0]
        reasons = [str(site["refused"]) for site in facts[1] if site["refused"] is not None]
        stay.update(word for word in STAY for reason in reasons[:1] if word in reason.partition(":")[0])
        if goal == "lr":
            assert facts[0] == 1 or len(reasons) == 1, case.name
    assert total == NEIGHBOURED[op][goal]
    if op == "Resize" and goal == "lr":
        assert stay == STAY
