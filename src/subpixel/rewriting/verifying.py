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
from subpixel.runtime.onnxruntime_options import session_options

SLACK = 8.0
"""The second model's error may be this many times the first's: another order of sums, not another function."""

MAP_SAMPLES = 16
"""Maps with at least so many samples are judged one by one: an error in a faint one does not hide behind a loud one."""


def verify(
    a: ModelProto | str | Path, b: ModelProto | str | Path, *, inputs: dict[str, Sequence[int]] | None = None
) -> dict[str, Any]:
    """Compare two models on random input, in onnxruntime with its own rewriting switched off.

    Each output of `b` must be as close to a float64 run of `a` as `a`'s own is, times `SLACK`; an output that
    `a` computes exactly may differ by a rounding of its largest number; each map (axis 1) by its own numbers, and NaN
    and infinity must stand at the same places. Where an operator has no float64 run,
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
        return _told(equal, 0.0 if equal else float("inf"), 0.0, "the first model")
    unit = float(np.finfo(x.dtype).eps)
    wide_x, wide_y = x.astype(np.float64), y.astype(np.float64)
    finite = np.isfinite(x)
    if not np.array_equal(wide_x[~finite], wide_y[~finite], equal_nan=True) or not np.isfinite(y[finite]).all():
        return _told(False, float("inf"), 0.0, "the first model")
    reference = wide_x if exact is None else exact.astype(np.float64)
    if not np.isfinite(reference[finite]).all():
        return _judge(x, y, None)
    # NaN and infinity stand at the same places: what is left to compare is finite
    wide_x, wide_y, reference = (np.where(finite, a, 0.0) for a in (wide_x, wide_y, reference))
    own = np.abs(wide_x - reference)
    if own.max() > 0.1 * np.abs(wide_x).max():  # the evaluator is wrong about an operator: no reference
        return _judge(x, y, None)
    error, size = np.abs(wide_y - reference), np.abs(reference)
    # without a float64 run nothing says how well the first model does: a thousand roundings are granted
    relative = max(
        float(own.max() / max(size.max(), np.finfo(np.float64).tiny)), unit * (1 if exact is not None else 1000)
    )
    axes = _others(x.shape)
    bound = SLACK * np.maximum(own.max(axes), relative * size.max(axes))
    worst = error.max(axes)
    held_to = "the first model" if exact is None else "float64 run of the first model"
    at = int(np.argmax(np.where(worst > bound, worst / np.maximum(bound, np.finfo(np.float64).tiny), -1)))
    if bool((worst <= bound).all()):
        at = int(np.argmax(worst))
    return _told(bool((worst <= bound).all()), float(worst.flat[at]), float(bound.flat[at]), held_to)


def _others(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes that share a bound: a map has its own, where it has samples enough to show how well it is computed."""
    alone = len(shape) > 2 and shape[1] * MAP_SAMPLES <= np.prod(shape)
    return tuple(axis for axis in range(len(shape)) if axis != 1 or not alone)


def _told(equal: bool, error: float, bound: float, reference: str) -> dict[str, Any]:
    return {"equal": equal, "max_error": error, "bound": bound, "reference": reference}


def _run(model: ModelProto, feeds: dict[str, NDArray[Any]], which: str) -> list[NDArray[Any]]:
    options = session_options(optimise=False)
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return [np.asarray(y) for y in session.run(None, feeds)]
    except Exception as error:  # onnxruntime's exceptions share no class but Exception
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"onnxruntime does not run the {which} model: {reason}") from error
