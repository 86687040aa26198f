"""Inputs to measure with: what a caller gives for them, and the shapes that values take inside a module."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx, nn

from subpixel.errors import InputError, UsageError
from subpixel.rewriting.modules.tracing import Region
from subpixel.rewriting.modules.view import Shapes

Inputs = Tensor | Sequence[int] | Sequence[Tensor | Sequence[int]] | dict[str, Tensor | Sequence[int]]


def arguments_of(module: nn.Module, inputs: Inputs | None) -> dict[str, Tensor]:
    """Arguments of the module's forward by name: tensors as given, noise where a shape is given.

    Raises:
        UsageError: they fit no argument.
    """
    if inputs is None:
        return {}
    names = list(inspect.signature(module.forward).parameters)
    if isinstance(inputs, dict):
        given: dict[str, Any] = dict(inputs)
    elif isinstance(inputs, Tensor) or all(isinstance(n, int) for n in inputs):
        given = {names[0]: inputs}
    else:
        given = dict(zip(names, inputs, strict=False))
        if len(inputs) > len(names):
            raise UsageError(f"{len(inputs)} inputs given: forward takes {len(names)}, {', '.join(names)}")
    first = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0))
    found = {}
    for name, value in given.items():
        if name not in names:
            raise UsageError(f"the module's forward has no argument {name!r}: it has {', '.join(names)}")
        if isinstance(value, Tensor):
            found[name] = value
            continue
        if not isinstance(value, list | tuple | torch.Size) or not all(isinstance(n, int) and n > 0 for n in value):
            raise UsageError(f"`inputs` for {name!r} (={value!r}) is neither a tensor nor a shape")
        rng = torch.Generator().manual_seed(0)
        found[name] = torch.randn(tuple(value), generator=rng).to(first.dtype).to(first.device)
    return found


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Without gradients and in evaluation, so that running changes no statistics; flags as before afterwards."""
    flags = {m: m.training for m in module.modules()}
    try:
        module.eval()
        with torch.no_grad():
            yield
    finally:
        for m, training in flags.items():
            m.training = training


def shapes_in(root: nn.Module, regions: Sequence[Region], arguments: dict[str, Tensor]) -> list[Shapes]:
    """Shapes of the values of every region while the root runs on the arguments; empty for one that is not called.

    Raises:
        InputError: the root does not run on them.
    """
    calls: dict[int, tuple[tuple[Any, ...], dict[str, Any]]] = {}

    def listen(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        calls.setdefault(id(module), (args, kwargs))

    hooks = [region.module.register_forward_pre_hook(listen, with_kwargs=True) for region in regions]
    found: list[Shapes] = []
    with evaluating(root):
        try:
            root(**arguments)
        except Exception as error:  # whatever a stranger's forward has against them
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"the module does not run on `inputs`: {reason}") from error
        finally:
            for hook in hooks:
                hook.remove()
        for region in regions:
            found.append(_run(region, *calls[id(region.module)]) if id(region.module) in calls else {})
    return found


def _run(region: Region, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Shapes:
    names = list(inspect.signature(region.module.forward).parameters)
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    if any(given.get(name, default) is not default for name, default in region.defaults.items()):
        return {}  # called in another way than was traced
    values: dict[fx.Node, Any] = {}
    shapes: Shapes = {}
    for node in region.graph.nodes:
        arguments, keywords = fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
        match node.op:
            case "placeholder":
                values[node] = given[str(node.target)]
            case "get_attr":
                value: Any = region.module
                for part in str(node.target).split("."):
                    value = getattr(value, part)
                values[node] = value
            case "call_module":
                values[node] = region.module.get_submodule(str(node.target))(*arguments, **keywords)
            case "call_function":
                target: Any = node.target
                values[node] = target(*arguments, **keywords)
            case "call_method":
                values[node] = getattr(arguments[0], str(node.target))(*arguments[1:], **keywords)
        if isinstance(values.get(node), Tensor):
            shapes[node.name] = tuple(values[node].shape)
    return shapes
