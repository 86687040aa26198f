"""`Guard`: what a rewritten forward took for granted when it was traced, looked at again in every call.

A graph has read plain attributes (`self.alpha`, `self.flag`), the configuration of the layers that its sites replace,
and which modules there are. Whoever changes one of them later gets the original forward, which reads it anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

REGISTERED = ("_parameters", "_buffers", "_modules")
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
Reads = dict[int, tuple[nn.Module, set[str]]]
"""Names of attributes by the module that they were read of; by its id, since modules may define equality."""

_OF_MODULE = frozenset(dir(nn.Module()))  # methods, `training`, hooks: what every module has
_SCALARS = (type(None), bool, int, float, complex, str, bytes)
_ATOMS = (type, FunctionType, BuiltinFunctionType, torch.dtype, torch.device)
_LARGEST = 4096  # numbers of an array that are looked at in every call
_DEEPEST = 6
_OF_CLASS, _ABSENT, _CHANGES = "(of the class)", "(absent)", "(changes)"


@contextmanager
def listening(reads: Reads) -> Iterator[None]:
    """Note which attributes of modules are read meanwhile, beside those that every module has."""

    def read(self: nn.Module, name: str) -> Any:
        if name not in _OF_MODULE:
            reads.setdefault(id(self), (self, set()))[1].add(name)
        return super(nn.Module, self).__getattribute__(name)

    nn.Module.__getattribute__ = read  # type: ignore[method-assign, assignment] # fx does the same with __getattr__
    try:
        yield
    finally:
        del nn.Module.__getattribute__


@dataclass(frozen=True, eq=False)
class _Itself:
    """A value that is compared by identity."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and other.value is self.value

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, eq=False)
class _Watched:
    """A module, None for the root, and what must be as it was.

    Attributes:
        kind: its class; None where another class would do as well. children: by name; None where they do not matter.
        silent: nothing may listen to its calls, for they are not made.
        attributes: of each its name, its value if that cannot change within (quick to compare), and its `_print`.
    """

    module: nn.Module | None
    kind: type | None
    children: tuple[tuple[str, nn.Module | None], ...] | None
    silent: bool
    attributes: tuple[tuple[str, Any, Any], ...]

    def holds(self, root: nn.Module) -> bool:
        module = root if self.module is None else self.module
        if self.kind is not None and kind_of(module) is not self.kind:
            return False
        own = module.__dict__
        if self.children is not None:
            now = own["_modules"]
            if len(now) != len(self.children):
                return False
            for (name, child), (same, kept) in zip(now.items(), self.children, strict=True):
                if name != same or child is not kept:
                    return False
        if self.silent:
            for hooks in HOOKS:
                if own.get(hooks):
                    return False
        for name, kept, before in self.attributes:
            value = _look(module, name)
            if value is not kept and _print(value) != before:
                return False
        return True


@dataclass(frozen=True, eq=False)
class Guard:
    """Called at the start of a rewritten forward. Parents come before children."""

    watched: tuple[_Watched, ...]

    def holds(self, root: nn.Module) -> bool:
        """Is everything as it was when the module was rewritten?"""
        for watched in self.watched:  # noqa: SIM110 (torch.compile takes loops, not generators)
            if not watched.holds(root):
                return False
        return True


def guard_of(root: nn.Module, inlined: list[nn.Module], layers: list[nn.Module], replaced: list[nn.Module], reads: Reads) -> Guard:  # fmt: skip # noqa: E501
    """What to look at.

    Args:
        root: the module that is rewritten.
        inlined: modules whose forward is part of the graph, parents first.
        layers: modules that the graph calls.
        replaced: those of them whose calls sites stand for.
        reads: what was read while the forward was traced.
    """
    gone = {id(m) for m in replaced}
    inside = {id(m) for m in inlined}
    others = [m for m, _ in reads.values() if id(m) not in inside | gone | {id(m) for m in layers}]
    watched = []
    for module in [*inlined, *layers, *others]:
        names = set(reads[id(module)][1]) if id(module) in reads else set()
        own = id(module) in inside or id(module) in gone
        if own and module is not root:
            names.add("forward")
        if id(module) in gone:
            names |= {n for n in module.__dict__ if not n.startswith("_") and n != "training"} | {"weight", "bias"}
        elif "inplace" in module.__dict__:
            names.add("inplace")
        children = tuple(module._modules.items()) if id(module) in inside else None
        item = _Watched(
            None if module is root else module,
            kind_of(module) if own and module is not root else None,
            children,
            own and module is not root,
            tuple((name, _constant(value := _look(module, name)), _print(value)) for name in sorted(names)),
        )
        if item.kind or item.children is not None or item.attributes:
            watched.append(item)
    return Guard(tuple(watched))


def kind_of(module: nn.Module) -> type:
    """Its class, or the one that it had before it was itself rewritten."""
    kind = type(module)
    return getattr(kind, "rewritten_from", kind)


def _look(module: nn.Module, name: str) -> Any:
    """What `module.name` is without calling anything; of tensors in their place only the shape."""
    own = module.__dict__
    if name in own:
        return own[name]
    for registered in REGISTERED:
        if name in own[registered]:
            value = own[registered][name]
            return tuple(value.shape) if isinstance(value, Tensor) else value
    value = getattr(type(module), name, _ABSENT)
    return _OF_CLASS if callable(value) or hasattr(value, "__get__") else value


def _constant(value: Any) -> Any:
    """The value itself where being the same object means being the same value, else one that no attribute has."""
    simple = (*_SCALARS, *_ATOMS, Tensor, nn.Module)
    fixed = isinstance(value, simple) or (isinstance(value, tuple) and all(isinstance(v, _SCALARS) for v in value))
    return value if fixed else _CHANGES


def _print(value: Any, depth: int = 0) -> Any:
    """Something that compares equal as long as the value is the same, and does not change with it."""
    kind = type(value)
    if kind in _SCALARS:
        return kind, value
    if isinstance(value, _ATOMS):
        return value
    if isinstance(value, Tensor | nn.Module) or depth > _DEEPEST:
        return _Itself(value)
    inner: Callable[[Any], Any] = lambda v: _print(v, depth + 1)  # noqa: E731
    if isinstance(value, list | tuple):
        return kind, tuple([inner(v) for v in value])
    if isinstance(value, dict):
        return kind, tuple([(inner(k), inner(v)) for k, v in value.items()])
    if isinstance(value, np.ndarray) and value.size <= _LARGEST and value.dtype != object:
        return kind, value.shape, str(value.dtype), value.tobytes()
    if isinstance(getattr(value, "__dict__", None), dict):
        return kind, inner(vars(value))
    return _Itself(value)
