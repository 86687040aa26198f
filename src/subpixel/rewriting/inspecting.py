"""`inspect`: every upsampling of a model, what it costs, how even it is, and what could be done about it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnx import ModelProto, NodeProto

from subpixel.algebra import Layer, layers, lift
from subpixel.algebra.checkerboard import checkerboard_index
from subpixel.algebra.cost import receptive_field
from subpixel.errors import InputError
from subpixel.progress import track
from subpixel.rewriting.choice.clock import Feeds
from subpixel.rewriting.choice.macs import chain
from subpixel.rewriting.choice.neighbourhood import input_feeds, values_of, whole_shapes
from subpixel.rewriting.graph.inference import infer, types_of
from subpixel.rewriting.graph.model_file import load
from subpixel.rewriting.graph.soundness import inlined, refuse_faulty
from subpixel.rewriting.graph.view import View, opset_of, overridable_of, with_constant_weights
from subpixel.rewriting.reading.chains import find_chains, has, is_upsampling, read_all
from subpixel.rewriting.reading.cuts import find_sites
from subpixel.rewriting.reading.reading import Reading
from subpixel.rewriting.refusal import Refusal
from subpixel.rewriting.writing.build import joined
from subpixel.rewriting.writing.forms import forms
from subpixel.runtime.onnxruntime_options import session_options


def inspect(
    model: ModelProto | str | Path,
    *,
    inputs: dict[str, Sequence[int]] | None = None,
    threads: int = 1,
    constant_weights: bool = False,
) -> dict[str, Any]:
    """List every upsampling of the model's main graph.

    Args:
        inputs: whole shapes by input name. Without them, in a model with open sizes, nothing is run and
            `macs`, `ms` and `share` stay null.
        threads: for the run that shares are taken from.
        constant_weights: what could be done if weights that are inputs too were constants, as in `rewrite`.

    Returns:
        sites [{node, op, form, factor, parameters, macs, receptive_field, checkerboard, ms, share, options
        [{goal, law, form, refused}]}], ms: the whole run, by onnxruntime's own profile.

    Raises:
        InputError: no valid ONNX model.
        UsageError: `inputs` do not fit the model.
    """
    inputs = whole_shapes(inputs)
    given, name = load(model), "the model" if isinstance(model, ModelProto) else str(model)
    loaded = inlined(with_constant_weights(given) if constant_weights else given)
    if loaded is model:
        loaded = ModelProto()
        loaded.CopyFrom(given)
    refuse_faulty(loaded, name, inputs)
    view = View(loaded.graph, opset_of(loaded), types_of(infer(loaded).graph), overridable=overridable_of(loaded))
    readings, refused = read_all(view)
    why = {node.output[0]: refusal for node, refusal in refused}
    nodes = [node for node in view.graph.node if is_upsampling(node)]
    nodes += [r.nodes[0] for r in readings.values() if len(r.nodes) > 1 and not has(r, layers.PeriodicUnshuffle)]
    times: dict[str, float] = {}
    sizes: dict[str, tuple[int, ...]] = {}
    if inputs is not None or not _is_open(loaded):
        feeds = input_feeds(loaded, inputs)
        values = values_of(loaded, [node.input[0] for node in nodes if node.input[0]], feeds)
        sizes = {name: value.shape for name, value in values.items()}
        times = profile(loaded, feeds, threads)
    total = sum(times.values())
    options = _options(view, readings)
    sites = []
    for node in nodes:
        reading = next((r for r in readings.values() if r.nodes[0].output[0] == node.output[0]), None)
        site = _describe(node, reading, why.get(node.output[0]), sizes.get(node.input[0]))
        # onnxruntime names a node that it laid out in blocks after its output
        own = [times[name] for name in (node.name, f"{node.output[0]}_nchwc") if name and name in times]
        ms = sum(own) if own else None
        site |= {"ms": ms, "share": ms / total if ms is not None and total else None}
        sites.append({**site, "options": options.get(node.output[0], [])})
    return {"sites": sites, "ms": total or None}


def _describe(
    node: NodeProto, reading: Reading | None, refusal: Refusal | None, shape: tuple[int, ...] | None
) -> dict[str, Any]:
    site: dict[str, Any] = {
        "node": node.name or node.output[0],
        "op": node.op_type,
        "form": None,
        "factor": None,
        "parameters": None,
        "macs": None,
        "receptive_field": None,
        "checkerboard": None,
        "unread": None if refusal is None else refusal.reason,
    }
    if reading is None or not reading.layers:
        return site
    layer = reading.layers[0]
    # one map stands for all where every map has the same kernel
    small = lift(_one_map(layer))
    small = replace(small, kernel=np.asarray(small.kernel, np.float64))
    weight, bias = getattr(layer, "weight", None), getattr(layer, "bias", None)
    site["form"] = _form(layer)
    site["factor"] = list(small.up)
    site["parameters"] = sum(int(np.prod(a.shape)) for a in (weight, bias) if a is not None)
    site["receptive_field"] = list(receptive_field(small))
    spread = layers.PeriodicShuffle  # a shuffle alone has no kernel to be even or uneven
    site["checkerboard"] = None if isinstance(layer, spread) else checkerboard_index(small)
    if shape is not None:
        site["macs"] = shape[0] * chain((layer,), shape[2:])
    return site


def _one_map(layer: Layer) -> Layer:
    if isinstance(layer, layers.Resize | layers.ZeroInsertion | layers.PeriodicShuffle):
        return replace(layer, maps=1)
    return layer


def _form(layer: Layer) -> str:
    match layer:
        case layers.TransposedConvolution():
            K, s = "×".join(map(str, layer.weight.shape[2:])), "×".join(map(str, layer.stride))
            maps = f"{layer.weight.shape[0]}→{layer.weight.shape[1] * layer.groups}"
            return f"transposed convolution {K}, stride {s}, {maps} maps"
        case layers.Resize():
            return f"{layer.mode} ×{'×'.join(map(str, layer.factor))}, {layer.maps} maps"
        case layers.PeriodicShuffle():
            return f"shuffle ×{'×'.join(map(str, layer.factor))} ({layer.order}), to {layer.maps} maps"
        case layers.ZeroInsertion():
            return f"zero insertion ×{'×'.join(map(str, layer.factor))}, {layer.maps} maps"
    return type(layer).__name__


def _options(view: View, readings: dict[str, Reading]) -> dict[str, list[dict[str, Any]]]:
    """By the output of the upsampling node: what each goal would make of its site, or why it would not."""
    found: dict[str, list[dict[str, Any]]] = {}
    for goal in ("lr", "deconv"):
        for site, *_ in track(find_sites(view, find_chains(view, readings), goal), "joining", unit="sites"):
            option: dict[str, Any] = {"goal": goal, "law": site.law, "form": None, "refused": None}
            rewritten = [term for term in site.terms if not term.keep]
            try:
                if site.refusal is not None:
                    raise site.refusal
                picked = [
                    forms(layer, term.layers, goal, view.opset)[0]
                    for term, layer in zip(rewritten, joined(view, site), strict=True)
                ]
                option["form"] = "; ".join(form.name for form in picked)
            except Refusal as refusal:
                option |= {"law": refusal.law or site.law, "refused": refusal.reason}
            for node in site.nodes:
                if is_upsampling(node) or node is site.node:
                    found.setdefault(node.output[0], []).append(option)
    return found


def profile(model: ModelProto, feeds: Feeds, threads: int, runs: int = 5) -> dict[str, float]:
    """Milliseconds per run by node name, from onnxruntime's profile, the first run left out.

    Raises:
        InputError: onnxruntime does not run the model.
    """
    options = session_options(threads)
    with tempfile.TemporaryDirectory() as folder:
        try:
            session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            session.run(None, feeds)
            options.enable_profiling = True
            options.profile_file_prefix = str(Path(folder) / "profile")
            session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            for _ in track(range(runs + 1), "profiling", unit="runs"):
                session.run(None, feeds)
            events = json.loads(Path(session.end_profiling()).read_text())
        except Exception as error:  # onnxruntime's exceptions share no class but Exception
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"onnxruntime does not run the model: {reason}") from error
    spans: dict[str, list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            spans.setdefault(event["name"].removesuffix("_kernel_time"), []).append(event["dur"] / 1e3)
    return {name: sum(taken[len(taken) // (runs + 1) :]) / runs for name, taken in spans.items()}


def _is_open(model: ModelProto) -> bool:
    """Does any input leave a size other than the batch open?"""
    weights = {t.name for t in model.graph.initializer}
    return any(
        d.dim_value <= 0
        for value in model.graph.input
        if value.name not in weights
        for i, d in enumerate(value.type.tensor_type.shape.dim)
        if i > 0
    )
