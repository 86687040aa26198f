"""Goal `fastest`: the forms of every site timed with their neighbourhood, winners kept beyond the noise."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper

from subpixel.algebra import Cells, Op
from subpixel.progress import track
from subpixel.rewriting.choice.clock import Clock
from subpixel.rewriting.choice.neighbourhood import Neighbourhood, Values, around, with_types
from subpixel.rewriting.choice.together import UNBEATEN, settle
from subpixel.rewriting.entry import Entry, refused
from subpixel.rewriting.graph.edit import Edit, apply_edits
from subpixel.rewriting.graph.view import View
from subpixel.rewriting.reading.cuts import is_free
from subpixel.rewriting.refusal import Refusal

MARGIN = 0.05
"""A form must beat what is there by this much: the noise of one machine, A against A, reaches 5 %."""
FORMS = 5
"""Forms timed per site, those with the fewest multiplications."""


@dataclass(frozen=True, eq=False)
class Form:
    """One way to write a site, written. `prove` raises Refusal, or returns what the report says of it."""

    name: str
    nodes: Sequence[NodeProto]
    weights: dict[str, NDArray[Any]]
    prove: Callable[[], Entry]


@dataclass(frozen=True, eq=False)
class Alternative:
    """A site and its forms. `print_` is its normal form as text: the same function has the same timings."""

    node: NodeProto
    law: str
    nodes: tuple[NodeProto, ...]
    sources: tuple[str, ...]
    output: str
    forms: tuple[Form, ...]
    print_: str


@dataclass(frozen=True, eq=False)
class _Timed:
    """A site, its time as it is, and the times of its `others`, the forms that are not what is there already."""

    alternative: Alternative
    before: float
    times: dict[str, float]
    others: int = 0

    def ranking(self) -> list[Form]:
        """Forms that beat what is there beyond the noise, fastest first."""
        good = [f for f in self.alternative.forms if self.times.get(f.name, np.inf) < (1 - MARGIN) * self.before]
        return sorted(good, key=lambda form: self.times[form.name])

    @property
    def own(self) -> set[str]:
        """What it writes; resizes, shuffles and concatenations within it may serve several sites."""
        nodes = self.alternative.nodes
        return {name for node in nodes for name in node.output if not is_free(node)} | {self.alternative.output}

    @property
    def saved(self) -> float:
        """Milliseconds that the best form saves."""
        return max((self.before - self.times[form.name] for form in self.ranking()), default=0.0)

    @property
    def unbeaten(self) -> Refusal:
        """Why it stays where no form saves anything."""
        if self.times:
            return UNBEATEN
        reason = "the runtime takes none of its other forms" if self.others else "there is no other form of it"
        return Refusal(f"{reason}: kept", "clock")


def choose(
    view: View,
    alternatives: Sequence[Alternative],
    clock: Clock,
    values: Callable[[list[str]], Values],
    ir_version: int,
) -> tuple[list[Edit], list[Entry]]:
    """The edits that make the graph faster; an entry for every site that was timed, those of the edits first."""
    near = [around(view, a.nodes, a.sources, a.output, ir_version) for a in alternatives]
    known = values(sorted({name for n in near for name in n.inputs}))
    timed: list[_Timed] = []
    failed: list[Entry] = []
    for a, n in track(list(zip(alternatives, near, strict=True)), "timing", unit="sites"):
        times = _time(a, n, clock, known, ir_version)
        if times is not None:
            timed.append(times)
        else:
            failed.append(refused(a.node, Refusal("the runtime does not take it as it is: nothing is timed", "clock")))
    done, kept = settle(timed, _proved)
    entries = [item for _, item in done]
    named = {item["node"] for item in entries}
    for t, reason in kept:
        a = t.alternative
        if (a.node.name or a.node.output[0]) in named and all(is_free(node) for node in a.nodes):
            continue  # a shuffle that another site takes along
        ms = round(t.before, 4)
        entries.append({**refused(t.alternative.node, reason), "ms_before": ms, "ms_after": ms})
    listed = {item["node"] for item in entries}
    return [edit for edit, _ in done], [*entries, *(item for item in failed if item["node"] not in listed)]


def _proved(t: _Timed) -> tuple[Edit, Entry] | Refusal:
    """The fastest form that can be proved."""
    reason = Refusal("no form can be proved")
    for form in t.ranking():
        try:
            shown = form.prove()
        except Refusal as refusal:
            reason = refusal
            continue
        times = {"ms_before": round(t.before, 4), "ms_after": round(t.times[form.name], 4)}
        return Edit(t.alternative.output, form.nodes, form.weights), {**shown, **times}
    return reason


def _time(a: Alternative, near: Neighbourhood, clock: Clock, known: Values, ir_version: int) -> _Timed | None:
    """Time the forms, or find their times in the cache. None where the runtime does not take the site as it is."""
    now = _signature(a.nodes)
    twins = {form.name for form in a.forms if _signature(form.nodes) == now}
    original = next(iter(twins), "as it is: " + " ".join(node.op_type for node in a.nodes))
    forms = [form for form in a.forms if form.name not in twins]
    names = [original, *(form.name for form in forms)]
    shapes = {name: [list(known[name].shape), str(known[name].dtype)] for name in near.inputs}
    operators = [node.op_type for node in near.model.graph.node if node.output[0] not in {n.output[0] for n in a.nodes}]
    written = {f.name: sorted(str(w.shape) for w in f.weights.values() if w.dtype.kind == "f") for f in a.forms}
    question = {
        "written": written,
        "clock": clock.identity,
        "function": a.print_,
        "shapes": sorted(map(str, shapes.values())),
        "near": operators,
    }
    remembered = recall(question)
    if not set(names) <= set(remembered):
        models = []
        for form in [None, *forms]:
            model = ModelProto()
            model.CopyFrom(near.model)
            if form is not None:
                apply_edits(model.graph, [Edit(a.output, form.nodes, form.weights)], max(ir_version, 4))
            models.append(with_types(model, known))
        times = clock.race(models, near.feeds(known), names)
        remembered = {**remembered, **{n: t for n, t in zip(names, times, strict=True) if t is not None}}
        remember(question, remembered)
    if original not in remembered:
        return None
    found = {name: remembered[name] for name in names[1:] if name in remembered}
    return _Timed(a, remembered[original], found, len(forms))


_DEFAULTS = {"auto_pad": b"NOTSET", "group": 1, "mode": b"DCR"}


def _signature(nodes: Sequence[NodeProto]) -> list[Any]:
    """What the nodes are: operators and attributes other than the default ones, names aside."""
    signature = []
    for node in nodes:
        if node.op_type == "Constant":
            continue
        values = {a.name: helper.get_attribute_value(a) for a in node.attribute if a.name != "kernel_shape"}
        plain = {"strides": 1, "dilations": 1, "pads": 0, "output_padding": 0}
        kept = {
            name: value
            for name, value in values.items()
            if value != _DEFAULTS.get(name) and not (name in plain and set(value) == {plain[name]})
        }
        signature.append((node.op_type, sorted(kept.items(), key=str)))
    return signature


def print_of(whole: Sequence[Op | Cells]) -> str:
    """The geometry of normal forms: with the shapes of the weights it decides the time, not the weights' values."""
    return "; ".join(f"{layer!r} {getattr(layer, 'places', '')}" for layer in whole)


def _path(question: dict[str, Any]) -> Any:
    from subpixel.runtime.choice import cache_folder

    digest = sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()[:24]
    return cache_folder() / "rewrite" / f"{digest}.json"


def recall(question: dict[str, Any]) -> dict[str, float]:
    with suppress(OSError, ValueError, KeyError, TypeError):  # no answer, or a damaged one
        return {str(name): float(ms) for name, ms in json.loads(_path(question).read_text())["ms"].items()}
    return {}


def remember(question: dict[str, Any], times: dict[str, float]) -> None:
    path = _path(question)
    with suppress(OSError):  # nowhere to remember it: measured again next time
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps({"ms": times, **question}, indent=1))
        partial.replace(path)
