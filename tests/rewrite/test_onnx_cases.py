"""The onnx package's own node tests, their weights promoted to initializers: outputs still met, rewrites counted."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from subpixel.rewriting import rewrite
from subpixel.rewriting.proof.running import RunFailure, Runner

# operator: goal → how many of its cases are rewritten; lone resizes, convolutions and space-to-depth have no site
EXPECTED = {
    "ConvTranspose": {"lr": 11},
    "DepthToSpace": {"deconv": 2},
    "Conv": {"lr": 0},
    "SpaceToDepth": {"lr": 0},
    "Upsample": {"lr": 0},
    "Resize": {"lr": 0},
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


@pytest.mark.parametrize("op", EXPECTED)
def test_cases(op: str) -> None:
    seen = 0
    for goal, wanted in EXPECTED[op].items():
        count, names = 0, []
        for case in cases(op):
            model, x, y = promoted(case)
            feeds = {model.graph.input[0].name: x}
            try:
                before = Runner(model)(feeds)
            except RunFailure:
                continue
            seen += 1
            result = rewrite(model, goal)
            after = Runner(result.model)(feeds)
            assert after.shape == y.shape, case.name
            if np.allclose(before, y, rtol=1e-3, atol=1e-7):  # some runtimes miss some cases by themselves
                np.testing.assert_allclose(after, y, rtol=1e-3, atol=1e-6, err_msg=case.name)
            np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-5, err_msg=case.name)
            count += result.report["rewritten"]
            names += [case.name] if result.report["rewritten"] else []
        assert count == wanted, (goal, names)
    assert seen
