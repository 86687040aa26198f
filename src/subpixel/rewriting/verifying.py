"""`verify`: do two models compute the same? Both run on real-valued data and are held against a float64 run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto

from subpixel.errors import InputError
from subpixel.progress import Progress
from subpixel.rewriting.choice.neighbourhood import input_feeds
from subpixel.rewriting.graph.model_file import load
from subpixel.rewriting.proof.float64 import run_float64

SLACK = 8.0
"""The second model's error may be this many times the first's: another order of sums, not another function."""


def verify(
    a: ModelProto | str | Path, b: ModelProto | str | Path, *, inputs: dict[str, Sequence[int]] | None = None
) -> dict[str, Any]:
    """Compare two models on random input, in onnxruntime with its own rewriting switched off.

    Each output of `b` must be as close to a float64 run of `a` as `a`'s own is, times `SLACK`; an output that
    `a` computes exactly may differ by a rounding of its largest number. Where an operator has no float64 run,
    `b` is held against `a` itself and `reference` says so.

    Args:
        inputs: whole shapes by input name where the models leave sizes open.

    Returns:
        equal, max_error (of `b` against the reference), bound, reference, outputs [{name, max_error, bound, equal}].

    Raises:
        UsageError: `inputs` that fit no input.
        InputError: open sizes that `inputs` does not give; a model is no valid ONNX or does not run, or inputs and
            outputs have other names.
    """
    first, second = load(a), load(b)
    feeds = input_feeds(first, inputs)
    if set(feeds) != set(input_feeds(second, inputs)):
        raise InputError(f"the models have different inputs: {sorted(feeds)} and {sorted(input_feeds(second, inputs))}")
    names = [value.name for value in first.graph.output]
    if names != [value.name for value in second.graph.output]:
        others = [value.name for value in second.graph.output]
        raise InputError(f"the models have different outputs: {names} and {others}")
    with Progress("verifying", len(first.graph.node) + 2, unit="nodes") as progress:
        ours = _run(first, feeds, "first")
        progress.advance()
        theirs = _run(second, feeds, "second")
        progress.advance()
        try:
            exact: list[NDArray[Any]] | None = run_float64(first, feeds, progress.advance)
        except Exception:  # an operator that the evaluator does not know, or gets wrong types for
            exact = None
    outputs = []
    for i, name in enumerate(names):
        outputs.append({"name": name, **_judge(ours[i], theirs[i], None if exact is None else exact[i])})
    worst = max(outputs, key=lambda o: (not o["equal"], o["max_error"]))
    return {
        "equal": all(o["equal"] for o in outputs),
        "max_error": worst["max_error"],
        "bound": worst["bound"],
        "reference": "; ".join(dict.fromkeys(str(o["reference"]) for o in outputs)),
        "outputs": outputs,
    }


def _judge(x: NDArray[Any], y: NDArray[Any], exact: NDArray[Any] | None) -> dict[str, Any]:
    if x.shape != y.shape or x.dtype != y.dtype or x.dtype.kind != "f" or not x.size:
        equal = x.shape == y.shape and x.dtype == y.dtype and bool((x == y).all())
        return {
            "equal": equal,
            "max_error": 0.0 if equal else float("inf"),
            "bound": 0.0,
            "reference": "the first model",
        }
    unit = float(np.finfo(x.dtype).eps)
    wide_x, wide_y = x.astype(np.float64), y.astype(np.float64)
    reference = wide_x if exact is None else exact.astype(np.float64)
    own = float(np.abs(wide_x - reference).max())
    if own > 0.1 * float(np.abs(wide_x).max()):  # the evaluator is wrong about an operator: no reference
        return _judge(x, y, None)
    error = float(np.abs(wide_y - reference).max())
    # without a float64 run nothing says how well the first model does: a thousand roundings are granted
    floor = unit * float(np.abs(reference).max()) * (1.0 if exact is not None else 1000.0)
    bound = SLACK * max(own, floor)
    held_to = "the first model" if exact is None else "float64 run of the first model"
    return {"equal": bool(error <= bound), "max_error": error, "bound": bound, "reference": held_to}  # NaN: not equal


def _run(model: ModelProto, feeds: dict[str, NDArray[Any]], which: str) -> list[NDArray[Any]]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return [np.asarray(y) for y in session.run(None, feeds)]
    except Exception as error:  # onnxruntime's exceptions share no class but Exception
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"onnxruntime does not run the {which} model: {reason}") from error
