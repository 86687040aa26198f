"""A module's forward as a torch.fx graph, as much of it as can be one: see docs/decisions/0003-modules.md.

A *region* is a module whose whole forward is one graph for every input. Where a forward is not (it branches on
values, reads `self.training`, keeps state), the module is left as it is, and its children are regions of their own; in
a larger region it is one call that is not looked into.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx, nn

import subpixel.nn
from subpixel.nn.convert import Convertible
from subpixel.nn.shuffle import PeriodicShuffle, PeriodicUnshuffle, periodic_shuffle, periodic_unshuffle
from subpixel.rewriting.modules.guard import HOOKS, REGISTERED, Reads, listening

_OURS = (Convertible, PeriodicShuffle, PeriodicUnshuffle)


@dataclass(frozen=True, eq=False)
class Region:
    """A module and its forward as a graph.

    Attributes:
        path: of the module in the whole, "" for the whole itself.
        defaults: arguments of forward that are at their default values; the graph holds for these only.
        inlined: the modules whose forward is part of the graph, parents first; layers: those that it calls.
        reads: the attributes that were read on the way.
    """

    path: str
    module: nn.Module
    graph: fx.Graph
    defaults: dict[str, Any]
    inlined: list[nn.Module]
    layers: list[nn.Module]
    reads: Reads


@dataclass
class Regions:
    """The largest regions of a module, and why the modules around them are none."""

    found: list[Region] = field(default_factory=list)
    refused: list[tuple[str, nn.Module, str]] = field(default_factory=list)


def find_regions(root: nn.Module, given: frozenset[str] = frozenset()) -> Regions:
    """Trace `root`, or what is in it. The module's own state is as before when this returns.

    `given` names arguments of its forward that are passed though they have a default.
    """
    opaque: dict[int, str] = {}  # cannot be a region
    closed: set[int] = set()  # are not looked into by a larger one
    for module in reversed(list(root.modules())):  # children first
        if _is_leaf(module) or _is_container(module):
            continue
        reason = _why_opaque(module, closed, given if module is root else frozenset())
        if reason is not None:
            opaque[id(module)] = reason
        if reason is not None or hooks_of(module):
            closed.add(id(module))
    regions = Regions()
    seen: set[int] = set()

    def walk(module: nn.Module, path: str) -> None:
        if id(module) in seen:
            return
        seen.add(id(module))
        if id(module) in opaque:
            regions.refused.append((path, module, opaque[id(module)]))
        if id(module) in opaque or _is_container(module):
            for name, child in module.named_children():
                walk(child, f"{path}.{name}" if path else name)
            return
        reads: Reads = {}
        with listening(reads):
            graph, defaults = _trace(module, closed, given if module is root else frozenset())
        regions.found.append(Region(path, module, graph, defaults, *_parts(module, closed), reads))
        look_inside(module, path)

    def look_inside(module: nn.Module, path: str) -> None:
        """What the region does not look into is walked by itself."""
        for name, child in module.named_children():
            inner = f"{path}.{name}" if path else name
            if id(child) in closed:
                walk(child, inner)
            else:
                look_inside(child, inner)

    walk(root, "")
    return regions


def _is_container(module: nn.Module) -> bool:
    """A list of modules has no forward."""
    return isinstance(module, nn.ModuleList | nn.ModuleDict | nn.ParameterList | nn.ParameterDict)


def _is_leaf(module: nn.Module) -> bool:
    """One call of the graph, by its kind."""
    torchs = type(module).__module__.startswith(("torch.nn", "torch.ao.nn")) and not isinstance(module, nn.Sequential)
    return torchs or isinstance(module, _OURS)


class _Tracer(fx.Tracer):
    proxy_buffer_attributes = True  # a buffer's value is no constant, and tracing must not change it

    def __init__(self, closed: set[int]) -> None:
        super().__init__(autowrap_functions=(periodic_shuffle, periodic_unshuffle))
        self._autowrap_search.append(subpixel.nn)  # called as an attribute of their module, too
        self.closed = closed

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Torch's and our layers, what does not trace, and what hooks listen to."""
        return _is_leaf(m) or id(m) in self.closed


def _trace(module: nn.Module, closed: set[int], given: frozenset[str] = frozenset()) -> tuple[fx.Graph, dict[str, Any]]:
    """The graph, for arguments with a default at their defaults unless they are `given`."""
    if _is_leaf(module):  # a layer by itself: a graph of one call
        graph = fx.Graph()
        graph.output(graph.call_module("", (graph.placeholder("input"),)))
        parameters = list(inspect.signature(module.forward).parameters.values())
        return graph, {p.name: p.default for p in parameters if p.default is not p.empty}
    kind = type(module)
    names, defaults = [], {}
    for name, parameter in inspect.signature(kind.forward).parameters.items():
        if name in given or parameter.default is parameter.empty:
            names.append(name)
        else:
            defaults[name] = parameter.default
    listed = ", ".join(names)
    passed = ", ".join(f"{name}={name}" for name in names[1:])
    scope: dict[str, Any] = {"forward_of": kind.forward}
    exec(f"def forward({listed}): return forward_of({names[0]}, {passed})", scope)
    # fx traces the class's forward; concrete_args would leave placeholders and assertions in the graph
    module.__class__ = type(kind.__name__, (kind,), {"forward": scope["forward"], "__module__": kind.__module__})
    try:
        return _Tracer(closed).trace(module), defaults
    finally:
        module.__class__ = kind


def _parts(root: nn.Module, closed: set[int]) -> tuple[list[nn.Module], list[nn.Module]]:
    """The modules of a region: those that are looked into, parents first, and the layers that are called."""
    inlined: dict[int, nn.Module] = {}
    called: dict[int, nn.Module] = {}

    def walk(module: nn.Module) -> None:
        if _is_leaf(module) or (module is not root and id(module) in closed):
            called[id(module)] = module
        elif id(module) not in inlined:
            inlined[id(module)] = module
            for child in module.children():
                walk(child)

    walk(root)
    return list(inlined.values()), list(called.values())


def _why_opaque(module: nn.Module, closed: set[int], given: frozenset[str]) -> str | None:
    """Why the module's forward is not one graph, or None."""
    if isinstance(module, torch.jit.ScriptModule):
        return "it is compiled by TorchScript"
    try:
        parameters = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return "its forward has no signature"
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        return "its forward takes *args or **kwargs"
    flags = {m: m.training for m in module.modules()}
    states = {m: {**m.__dict__, **{name: dict(m.__dict__[name]) for name in REGISTERED}} for m in flags}
    codes = []
    try:
        for training in (True, False):
            for m in flags:
                m.__dict__["training"] = training
            graph, _ = _trace(module, closed, given)
            codes.append(graph.python_code("self").src)
    except Exception as error:  # whatever a forward does with a value that has no value
        return "its forward does not trace: " + " ".join(str(error).split())[:160]
    finally:
        changed = _restore(flags, states)
    if changed is not None and changed.startswith("_tensor_constant"):
        return "its forward makes a tensor of its own, which would not follow the module to another device or type"
    if changed is not None:
        return f"its forward sets the attribute {changed!r}"
    if codes[0] != codes[1]:
        return "its forward differs between training and evaluation (it reads self.training)"
    return None


def _restore(flags: dict[nn.Module, bool], states: dict[nn.Module, dict[str, Any]]) -> str | None:
    """Put flags and attributes back; the name of an attribute that tracing changed, if any."""
    changed = None
    for module, training in flags.items():
        module.__dict__["training"] = training
        before = states[module]
        for name in REGISTERED:
            own, kept = module.__dict__[name], before[name]
            changed = changed or next((key for key in own if own[key] is not kept.get(key)), None)
            own.clear()
            own.update(kept)
            before[name] = own
        for name in [*module.__dict__]:
            if name not in before or (module.__dict__[name] is not before[name] and name != "training"):
                changed = changed or name
        module.__dict__.clear()
        module.__dict__.update(before)
    return changed


def hooks_of(module: nn.Module) -> bool:
    """Does anything listen to the module's calls?"""
    return any(getattr(module, name, None) for name in HOOKS)
