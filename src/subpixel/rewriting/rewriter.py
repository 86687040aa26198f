"""`rewrite`: a model in, a model of the same function out, and a report of what was done and what was not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from onnx import ModelProto

from subpixel.errors import InputError, UsageError
from subpixel.rewriting.choice import macs
from subpixel.rewriting.choice.clock import Clock, RuntimeClock
from subpixel.rewriting.choice.neighbourhood import input_feeds, whole_shapes
from subpixel.rewriting.devices.profile import Profile, read_profile
from subpixel.rewriting.goals.change import Wish
from subpixel.rewriting.goals.device import fit, lowered
from subpixel.rewriting.goals.fastest import make_faster
from subpixel.rewriting.goals.passes import lift_one, rewrite_graph
from subpixel.rewriting.graph.edit import check
from subpixel.rewriting.graph.external import fill
from subpixel.rewriting.graph.inference import forget_doubtful
from subpixel.rewriting.graph.model_file import is_module, load, refuse_nan
from subpixel.rewriting.graph.soundness import inlined, refuse_faulty
from subpixel.rewriting.graph.view import opset_of, with_constant_weights
from subpixel.rewriting.reading.cuts import GOALS
from subpixel.rewriting.verifying import verify

if TYPE_CHECKING:
    from torch import nn

    from subpixel.rewriting.modules.clock import ModuleClock
    from subpixel.rewriting.modules.examples import Inputs

GROWTH = 16.0
"""A site's weights may grow by this factor unless the caller lifts the cap."""


@dataclass(frozen=True)
class Rewritten:
    """The rewritten model and its report (keys in docs/rewriting.md)."""

    model: ModelProto
    report: dict[str, Any]


@overload
def rewrite(
    model: ModelProto | str | Path,
    goal: str = ...,
    *,
    runtime: str | None = ...,
    threads: int | None = ...,
    inputs: dict[str, Sequence[int]] | None = ...,
    growth: float | None = ...,
    lift: bool = ...,
    clock: Clock | None = ...,
    profile: str | None = ...,
    smallest: dict[str, Sequence[int]] | None = ...,
    constant_weights: bool = ...,
) -> Rewritten: ...


@overload
def rewrite(
    model: nn.Module,
    goal: str = ...,
    *,
    runtime: str | None = ...,
    threads: int | None = ...,
    inputs: Inputs | None = ...,
    growth: float | None = ...,
    clock: ModuleClock | None = ...,
) -> nn.Module: ...


def rewrite(
    model: Any,
    goal: str = "fastest",
    *,
    runtime: str | None = None,
    threads: int | None = None,
    inputs: Any = None,
    growth: float | None = GROWTH,
    lift: bool = False,
    clock: Any = None,
    profile: str | None = None,
    smallest: dict[str, Sequence[int]] | None = None,
    constant_weights: bool = False,
) -> Any:
    """Rewrite every site of the model that the goal asks for and the laws allow; leave the rest alone.

    Args:
        model: an ONNX model or its file, or a torch.nn.Module; never changed. A module gives a module that trains
            and has the same state dict, with a `report`: see `subpixel.rewriting.modules.rewriter`.
        goal: "fastest" (the form that the clock likes best at each site, and the original model unless the whole
            is faster), "lr" (no transposed convolution left, convolutions after an upsampling moved before it)
            or "deconv" (no DepthToSpace left).
        runtime: where `fastest` measures: "onnxruntime" (default) or "openvino"; for modules "torch" (default) or
            "torch.compile".
        threads: how many it measures with; default: one per physical core.
        inputs: whole shapes by input name, to measure with where the model leaves sizes open. The model stays open.
            For modules also tensors, and one or several in order.
        growth: how many times the weights of a site may grow (small sites freely); None lifts the cap.
        lift: with goal "lr", move shuffles behind pointwise functions too, so that all convolutions after an
            upsampling move before it (A9, A10); each then has s² times the maps.
        clock: measures instead of the runtime.
        profile: instead of a goal, a device: its name (`profile_names()`), or a .toml file that states its limits.
            Whatever the device does not take is spelled so that it does; what cannot be is listed in `unmet`.
            `inputs` are written into the model: devices are given stated sizes.
        smallest: whole shapes by input name, the shortest that the result has to take. Sites whose border cells
            need more stay as they are. Without it they are rewritten, and the report says what they need.
        constant_weights: take weights that are inputs of the model too, so that whoever runs it may replace them, as
            constants; the result has no such inputs. Some exporters list every weight so.

    Raises:
        UsageError: an unknown goal, runtime or profile, a profile beside a goal, `inputs` or `smallest` that fit no
            input, options that say how to measure where nothing is measured, something that is no model.
        InputError: the file is no valid ONNX model, holds NaN, or does not run; or open sizes that `fastest` needs.
        MissingExtra: the runtime to measure in is not installed.
    """
    if goal not in GOALS:
        raise UsageError(f"unknown goal {goal!r}: choose {', '.join(GOALS)}")
    if growth is not None and not growth >= 1:
        raise UsageError(f"growth must be a number from 1 on, or None for no cap, not {growth!r}")
    if goal != "fastest" or profile is not None:
        for option, value in (("runtime", runtime), ("threads", threads), ("clock", clock)):
            if value is not None:
                raise UsageError(f"`{option}` says how goal 'fastest' measures: leave it out, nothing is measured")
    if is_module(model):
        from subpixel.rewriting.modules.rewriter import rewrite_module

        if profile is not None:
            raise UsageError("profiles are for ONNX models: export the module with torch.onnx.export first")
        if lift:
            raise UsageError("`lift` is for ONNX models: export the module with torch.onnx.export first")
        if smallest:
            raise UsageError("`smallest` is for ONNX models: a module runs shorter inputs as it did before")
        if constant_weights:
            raise UsageError("`constant_weights` is for ONNX models: a module's weights stay its parameters")
        settings: dict[str, Any] = {"threads": threads, "inputs": inputs, "growth": growth, "clock": clock}
        return rewrite_module(model, goal, runtime=runtime or "torch", **settings)
    if profile is not None and goal != "fastest":
        raise UsageError(f"a profile says what is wanted, and so does goal {goal!r}: give one of them")
    if lift and goal != "lr":
        raise UsageError("`lift` belongs to goal 'lr': give both")
    inputs, smallest = whole_shapes(inputs), whole_shapes(smallest, "smallest")
    device = None if profile is None else read_profile(profile)
    given = load(model, apart=True)
    if constant_weights:
        given = with_constant_weights(given)
    original, name = inlined(given), "the model" if isinstance(model, ModelProto) else str(model)
    refuse_nan(original, name)
    if goal == "fastest":  # a profile's goal, too: what is timed, or held against its conversion, must run
        fill(original)
    copy = original
    if isinstance(model, ModelProto) or goal == "fastest":
        copy = ModelProto()
        copy.CopyFrom(original)
    refuse_faulty(copy, name, inputs)
    if inputs:
        input_feeds(copy, inputs)  # refuses what fits no input
    if smallest:
        try:
            input_feeds(copy, smallest)
        except (InputError, UsageError) as error:
            raise UsageError(f"the smallest shapes: {error}".replace("--input", "--smallest")) from error
    wish = Wish(goal, growth, inputs, smallest=smallest).knowing(copy)
    if device is not None:
        before = opset_of(copy)
        copy = macs.with_shapes(copy, inputs) if inputs else copy
        copy = _in_its_opset(copy, device, inputs)
        outcome, unmet = fit(copy, replace(wish, goal="device"), device)
        whole: dict[str, Any] = {"profile": device.name, "device": device.device, "source": device.source}
        whole |= {"unmet": unmet, "opset_before": before, "opset_after": opset_of(copy)}
        whole |= {"sites": outcome.entries, "rewritten": outcome.rewritten, "ms_before": None, "ms_after": None}
    elif goal == "fastest":
        whole = make_faster(original, copy, wish, clock or RuntimeClock(runtime or "onnxruntime", threads), inputs)
    else:
        outcome = rewrite_graph(copy, wish)
        while lift and goal == "lr" and lift_one(copy, wish, outcome):
            pass
        whole = {"sites": outcome.entries, "rewritten": outcome.rewritten, "ms_before": None, "ms_after": None}
    if whole["rewritten"]:
        forget_doubtful(copy)
    elif given is not original and opset_of(copy) == opset_of(given):
        copy.CopyFrom(given)  # nothing changed: its functions stay, too
    fault = check(copy)
    if fault:
        raise AssertionError(f"rewriting made an invalid model: {fault}")
    fill(copy)
    errors = [site["max_error"] for site in whole["sites"] if site["max_error"] is not None]
    return Rewritten(copy, {"goal": "device" if device else goal, **whole, "max_error": max(errors, default=0.0)})


def _in_its_opset(model: ModelProto, device: Profile, inputs: dict[str, Sequence[int]] | None) -> ModelProto:
    """The model in the highest opset that the device reads, if it runs to the same; otherwise as it is."""
    converted = lowered(model, device)
    if converted is model:
        return model
    try:
        return converted if verify(model, converted, inputs=inputs)["equal"] else model
    except (InputError, UsageError):  # open sizes, or it does not run: nothing is known of the conversion
        return model
