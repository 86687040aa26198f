"""Inputs to measure with: what a caller gives for them, and the shapes that values take inside a module."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils._pytree import tree_leaves

from subpixel.errors import InputError, UsageError
from subpixel.rewriting.modules.guard import REGISTERED
from subpixel.rewriting.modules.tracing import Region
from subpixel.rewriting.modules.view import Shapes

Inputs = Tensor | Sequence[int] | Sequence[Tensor | Sequence[int]] | dict[str, Tensor | Sequence[int]]


def arguments_of(module: nn.Module, inputs: Inputs | None) -> dict[str, Tensor]:
    """Arguments of the module's forward by name: copies of tensors as given, noise where a shape is given.

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
            found[name] = value.detach().clone()  # a forward may change what it is given
            continue
        if not isinstance(value, list | tuple | torch.Size) or not all(isinstance(n, int) and n > 0 for n in value):
            raise UsageError(f"`inputs` for {name!r} (={value!r}) is neither a tensor nor a shape")
        rng = torch.Generator().manual_seed(0)
        found[name] = torch.randn(tuple(value), generator=rng).to(first.dtype).to(first.device)
    return found


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Without gradients and in evaluation; flags, attributes, buffers and random numbers as before afterwards."""
    inner = list(module.modules())
    states = [(m.__dict__, dict(m.__dict__)) for m in inner]
    states += [(d := m.__dict__[name], dict(d)) for m in inner for name in REGISTERED]
    values = [(b, b.clone()) for b in module.buffers()]
    devices = {t.device for t in (*module.parameters(), *module.buffers()) if t.is_cuda}
    with torch.random.fork_rng(list(devices)), torch.no_grad():
        try:
            module.eval()
            yield
        finally:
            for own, before in states:
                own.clear()
                own.update(before)
            for buffer, value in values:
                if not torch.equal(buffer, value):
                    buffer.copy_(value)


def outputs_of(module: nn.Module, arguments: dict[str, Tensor]) -> list[Tensor]:
    """The tensors that the module gives for the arguments, which are not changed, nor is the module."""
    with evaluating(module):
        found = module(**{name: value.clone() for name, value in arguments.items()})
    return [value for value in tree_leaves(found) if isinstance(value, Tensor)]


def difference(original: nn.Module, result: nn.Module, arguments: dict[str, Tensor]) -> str | None:
    """In what the two differ on the arguments by more than rounding, √ε of the largest number; None if they agree."""
    expected, found = outputs_of(original, arguments), outputs_of(result, arguments)
    if [(y.shape, y.dtype) for y in expected] != [(y.shape, y.dtype) for y in found]:
        return "gives other shapes"
    for y, z in zip(expected, found, strict=True):
        if not y.is_floating_point() and not y.is_complex():
            if not torch.equal(y, z):
                return "gives other whole numbers"
            continue
        largest = float(torch.where(y.isfinite(), y, 0).abs().max()) if y.numel() else 0.0
        if not torch.allclose(y, z, rtol=0, atol=torch.finfo(y.dtype).eps ** 0.5 * largest, equal_nan=True):
            return f"differs by {float((y - z).abs().max()):.3g}"
    return None


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
