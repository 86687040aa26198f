"""`ModuleView`: a traced forward as the planning code of `reading` sees graphs, and its calls as nodes."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from types import SimpleNamespace
from typing import Any, cast

import torch
import torch.nn.functional as F
from onnx import NodeProto
from torch import fx, nn

from subpixel.nn.convert import Convertible
from subpixel.nn.shuffle import PeriodicShuffle, PeriodicUnshuffle, periodic_shuffle, periodic_unshuffle

Shapes = dict[str, tuple[int, ...]]

# What sites asks of an operator: which of them upsample, resize, concatenate.
_MODULES: dict[str, tuple[type[nn.Module], ...]] = {
    "Conv": (nn.Conv1d, nn.Conv2d, nn.Conv3d),
    "ConvTranspose": (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, Convertible),
    "Resize": (nn.Upsample,),
    "DepthToSpace": (nn.PixelShuffle, PeriodicShuffle),
    "SpaceToDepth": (nn.PixelUnshuffle, PeriodicUnshuffle),
    "Pad": (
        nn.modules.padding._ConstantPadNd,
        nn.modules.padding._ReflectionPadNd,
        nn.modules.padding._ReplicationPadNd,
    ),
    "AveragePool": (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    "Identity": (nn.Identity,),
    "BatchNorm": (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm),
}
_FUNCTIONS: dict[str, tuple[Callable[..., Any], ...]] = {
    "Conv": (F.conv1d, F.conv2d, F.conv3d),
    "ConvTranspose": (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d),
    "Resize": (F.interpolate, F.upsample, F.upsample_nearest, F.upsample_bilinear),
    "DepthToSpace": (F.pixel_shuffle, torch.pixel_shuffle, periodic_shuffle),
    "SpaceToDepth": (F.pixel_unshuffle, torch.pixel_unshuffle, periodic_unshuffle),
    "Pad": (F.pad,),
    "AveragePool": (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d),
    "Concat": (torch.cat, torch.concat, torch.concatenate),
}
# Functions that leave the number of maps and axes alone, for following them where no shapes are given.
_KEEPS = frozenset(
    """
    relu relu_ leaky_relu leaky_relu_ gelu silu elu selu celu mish hardswish hardtanh relu6 tanh sigmoid softplus
    dropout dropout2d dropout3d add sub mul truediv clone contiguous add_ mul_ iadd imul max_pool1d max_pool2d
    max_pool3d instance_norm batch_norm group_norm layer_norm prelu clamp exp sin cos
    """.split()  # noqa: SIM905
)
# These dispatch, and are all called "fn".
_POOLS: dict[Any, str] = {F.max_pool1d: "max_pool1d", F.max_pool2d: "max_pool2d", F.max_pool3d: "max_pool3d"}
_SAME = (
    *(nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.GELU, nn.SiLU, nn.ELU, nn.SELU, nn.CELU, nn.Mish, nn.Hardswish),
    *(nn.ReLU6, nn.Hardtanh, nn.Tanh, nn.Sigmoid, nn.Softplus, nn.Hardsigmoid, nn.Dropout, nn.Dropout2d),
    *(nn.Dropout3d, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.GroupNorm, nn.modules.instancenorm._InstanceNorm),
)


@dataclass(frozen=True, eq=False)
class Call:
    """One call of the graph, with the names that planning reads of an ONNX node.

    Attributes:
        name: path of the module, or where a function is called; op_type: what planning knows it as; label: PyTorch's.
    """

    node: fx.Node
    module: nn.Module | None
    name: str
    op_type: str
    label: str
    input: tuple[str, ...]
    output: tuple[str, ...]
    attribute: tuple[Any, ...] = ()
    domain: str = ""

    def as_node(self) -> NodeProto:
        """Itself: chains and sites read no more of a node than this has (see `graph.view.Wiring`)."""
        return cast(NodeProto, self)


def call_of(node: NodeProto) -> Call:
    """The call that stands for a node in chains and sites."""
    return cast(Call, node)


class ModuleView:
    """A graph and the module that it was traced from.

    Attributes:
        calls: in the order in which they run. shapes: of values, where inputs were given.
        ends: values that no chain goes beyond. live: values that the output, or a call that may change one, depends on.
    """

    def __init__(self, graph: fx.Graph, root: nn.Module, path: str, shapes: Shapes | None = None) -> None:
        self.graph, self.root, self.path = graph, root, path
        self.shapes: Shapes = shapes or {}
        self.nodes: dict[str, fx.Node] = {node.name: node for node in graph.nodes}
        counts: dict[str, int] = defaultdict(int)
        self.calls = [self._call(node, counts) for node in graph.nodes if node.op.startswith("call")]
        self.producers: dict[str, NodeProto] = {call.output[0]: call.as_node() for call in self.calls}
        self.consumers: dict[str, list[NodeProto]] = defaultdict(list)
        for call in self.calls:
            for name in dict.fromkeys(call.input):
                self.consumers[name].append(call.as_node())
        last = next(node for node in reversed(graph.nodes) if node.op == "output")
        self.outputs = {node.name for node in last.all_input_nodes}
        self.ends: set[str] = set()
        self.live = set(self.outputs)
        for call in reversed(self.calls):
            if call.output[0] in self.live or is_inplace(call):
                self.live.update((*call.output, *(n.name for n in call.node.all_input_nodes)))
        self._maps: dict[str, tuple[int, int] | None] = {}

    def used_once(self, name: str) -> bool:
        """Is the value read by one call and shown to nobody else, and not one of the `ends` of all chains?"""
        return len(self.consumers[name]) == 1 and name not in self.outputs and name not in self.ends

    def dims(self, name: str) -> tuple[int | str | None, ...] | None:
        """(batch, maps, axes), with numbers where they are known."""
        if name in self.shapes and len(self.shapes[name]) >= 3:
            return self.shapes[name]
        found = self.maps(name)
        return None if found is None else (None, found[0], *[None] * found[1])

    def module_of(self, node: fx.Node) -> nn.Module:
        """The module that a call_module calls."""
        return self.root.get_submodule(str(node.target))

    def path_of(self, target: str) -> str:
        """A path in the region as a path in the whole module."""
        return ".".join(part for part in (self.path, target) if part)

    def _call(self, node: fx.Node, counts: dict[str, int]) -> Call:
        module: nn.Module | None = None
        kind, attribute = "", cast("tuple[Any, ...]", ())
        if node.op == "call_module":
            module = self.module_of(node)
            kind = next((k for k, types in _MODULES.items() if isinstance(module, types)), "")
            where, label = self.path_of(str(node.target)) or "(itself)", type(module).__name__
            if label.startswith("Parametrized"):
                label = label.removeprefix("Parametrized")
        else:
            if node.op == "call_function":
                kind = next((k for k, known in _FUNCTIONS.items() if node.target in known), "")
            label = _POOLS.get(node.target) or str(getattr(node.target, "__name__", node.target))
            stack = node.meta.get("nn_module_stack") or {}
            inside = str(next(reversed(stack.values()))[0]) if stack else ""
            where = f"{self.path_of(inside)}:{label}" if self.path_of(inside) else label
        counts[where] += 1
        if counts[where] > 1:
            where = f"{where} (call {counts[where]})"
        if kind == "Concat" and _axis(node) == 1:
            attribute = (SimpleNamespace(name="axis", i=1),)
        inputs = tuple(n.name for n in node.all_input_nodes)
        main = node.args[0] if node.args else node.kwargs.get("input", node.kwargs.get("x"))
        if isinstance(main, fx.Node):
            inputs = (main.name, *(name for name in inputs if name != main.name))
        if kind == "Concat":
            parts = node.args[0] if node.args else node.kwargs.get("tensors", ())
            listed = isinstance(parts, list | tuple) and all(isinstance(p, fx.Node) for p in parts)
            inputs = tuple(cast(fx.Node, p).name for p in cast(list[Any], parts)) if listed else inputs
            kind = kind if listed else ""
        return Call(node, module, where, kind, label, inputs, (node.name,), attribute)

    # --- maps and axes where no shapes are given -------------------------------------------------------------------

    def maps(self, name: str) -> tuple[int, int] | None:
        """(maps, spatial axes) of a value, from the layers around it."""
        if name not in self._maps:
            self._maps[name] = None  # ends where two values wait for each other
            call = self.producers.get(name)
            found = self._written(call_of(call)) if call is not None else None
            self._maps[name] = found or self._read(name)
        return self._maps[name]

    def _written(self, call: Call) -> tuple[int, int] | None:
        module = call.module
        match module:
            case nn.Conv1d() | nn.Conv2d() | nn.Conv3d() | nn.ConvTranspose1d() | nn.ConvTranspose2d():
                return module.out_channels, len(module.kernel_size)
            case nn.ConvTranspose3d() | Convertible():
                return int(cast(Any, module).out_channels), len(cast(Any, module).kernel_size)
            case nn.BatchNorm1d() if call.input:
                return self.maps(call.input[0])
            case nn.BatchNorm2d() | nn.BatchNorm3d():
                return module.num_features, 2 if isinstance(module, nn.BatchNorm2d) else 3
        if call.op_type == "Concat" and call.attribute:
            each = [self.maps(name) for name in call.input]
            if all(e is not None for e in each):
                return sum(e[0] for e in each if e), each[0][1] if each[0] else 0
            return None
        if call.op_type in ("DepthToSpace", "SpaceToDepth") and (before := self.maps(call.input[0])) is not None:
            phases = _phases(call, before[1])
            return before[0] // phases if call.op_type == "DepthToSpace" else before[0] * phases, before[1]
        if isinstance(module, _SAME) or call.op_type in ("Resize", "Pad", "AveragePool", "Identity", "BatchNorm"):
            return self.maps(call.input[0]) if call.input else None
        if call.label in _KEEPS:
            return next((found for name in call.input if (found := self.maps(name))), None)
        return None

    def _read(self, name: str) -> tuple[int, int] | None:
        for reader in self.consumers[name]:
            call = call_of(reader)
            module = call.module
            match module:
                case nn.Conv1d() | nn.Conv2d() | nn.Conv3d():
                    return module.in_channels, len(module.kernel_size)
                case nn.ConvTranspose1d() | nn.ConvTranspose2d() | nn.ConvTranspose3d() | Convertible():
                    return int(cast(Any, module).in_channels), len(cast(Any, module).kernel_size)
                case nn.BatchNorm2d() | nn.BatchNorm3d():
                    return module.num_features, 2 if isinstance(module, nn.BatchNorm2d) else 3
            keeps = isinstance(module, _SAME) or call.op_type in ("Resize", "Pad", "AveragePool", "Identity")
            if keeps and (found := self._read(call.output[0])) is not None:
                return found
            if call.op_type in ("DepthToSpace", "SpaceToDepth") and (after := self._read(call.output[0])) is not None:
                phases = _phases(call, after[1])
                return after[0] * phases if call.op_type == "DepthToSpace" else after[0] // phases, after[1]
            if call.op_type == "Concat" and call.attribute:
                whole = self._read(call.output[0])
                others = [self.maps(other) for other in call.input if other != name]
                if whole is not None and call.input.count(name) == 1 and all(o is not None for o in others):
                    return whole[0] - sum(o[0] for o in others if o), whole[1]
        return None


def _phases(call: Call, dim: int) -> int:
    """ΠU of a shuffle."""
    named = ("upscale_factor", "downscale_factor", "factor")
    given = {**vars(call.module)} if call.module is not None else dict(call.node.kwargs)
    factor = next((given[name] for name in named if name in given), None)
    if factor is None and len(call.node.args) > 1:
        factor = call.node.args[1]
    each: tuple[Any, ...] = tuple(factor) if isinstance(factor, tuple | list) else (factor,) * dim
    return prod(each) if all(isinstance(f, int) for f in each) else 1


def _axis(node: fx.Node) -> object:
    return node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", node.kwargs.get("axis", 0))


INPLACE = (
    *(operator.iadd, operator.isub, operator.imul, operator.imatmul, operator.itruediv, operator.ifloordiv),
    *(operator.imod, operator.ipow, operator.iand, operator.ior, operator.ixor, operator.setitem),
)
VIEWS = frozenset(
    """
    view reshape flatten permute transpose getitem chunk split unsqueeze squeeze expand narrow contiguous detach
    movedim moveaxis swapaxes swapdims unflatten view_as expand_as broadcast_to select unbind tensor_split diagonal
    unfold ravel t T mT getattr Identity dropout dropout1d dropout2d dropout3d to type type_as float double half
    bfloat16 cpu cuda as_strided
    """.split()  # noqa: SIM905
)
_KNOWN = ("torch", "operator", "_operator", "builtins", "math")


def is_inplace(call: Call) -> bool:
    """May the call change a value that it reads?"""
    node = call.node
    if node.op == "call_module":
        unknown = call.op_type == "" and not isinstance(call.module, _SAME)
        return unknown or bool(getattr(call.module, "inplace", False))
    name = call.label
    named = name.endswith("_") and not name.endswith("__")
    return node.target in INPLACE or named or bool(node.kwargs.get("inplace")) or "out" in node.kwargs or _strange(call)


def changed_by(call: Call) -> set[str]:
    """The values that an in-place call may change."""
    node = call.node
    several = node.op == "call_module" or "out" in node.kwargs or _strange(call)
    several |= bool(node.args) and not isinstance(node.args[0], fx.Node)  # a list of tensors
    return set(call.input if several else call.input[:1])


def is_view(call: Call) -> bool:
    """May the call's value share memory with what it reads?"""
    unknown = call.op_type == "" and call.node.op == "call_module"
    return call.label in VIEWS or unknown or _strange(call) or is_inplace(call)


def _strange(call: Call) -> bool:
    """Is it a function of nobody we know?"""
    module = str(getattr(call.node.target, "__module__", None) or "torch").split(".")[0]
    return call.node.op == "call_function" and call.op_type == "" and module not in _KNOWN
