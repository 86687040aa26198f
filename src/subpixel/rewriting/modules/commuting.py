"""A 1×1 convolution before any resize: weights that sum to one let sums over maps pass (A7).

The only law that reaches align_corners, antialias and fractional factors; the resize stays what it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from subpixel.algebra import Convolution
from subpixel.rewriting.entry import Entry, entry
from subpixel.rewriting.modules.calls import Read
from subpixel.rewriting.modules.planning import check_inplace
from subpixel.rewriting.modules.proving import one_thread
from subpixel.rewriting.modules.tracing import hooks_of
from subpixel.rewriting.modules.view import Call, ModuleView, call_of
from subpixel.rewriting.modules.weightless import resize_arguments
from subpixel.rewriting.refusal import Refusal

FORM = "1×1 convolution first"


@dataclass(frozen=True, eq=False)
class Swap:
    """A resize and the 1×1 convolution that alone reads it."""

    view: ModuleView
    resize: Call
    conv: Call

    def run(self, x: Tensor, swapped: bool, size: Any = None) -> Tensor:
        """Both calls on x, in either order; `size` stands for a size that is computed."""
        for call in (self.conv, self.resize) if swapped else (self.resize, self.conv):
            x = self._call(call, x, size)
        return x

    def _call(self, call: Call, x: Tensor, size: Any) -> Tensor:
        def value(node: fx.Node) -> Any:
            if node.name == call.input[0]:
                return x
            if node.op != "get_attr":
                return size
            found: Any = self.view.root
            for part in str(node.target).split("."):
                found = getattr(found, part)
            return found.detach().to(x.dtype)

        args, kwargs = fx.node.map_arg((call.node.args, call.node.kwargs), value)
        target: Any = call.module if call.module is not None else call.node.target
        result: Tensor = target(*args, **kwargs)
        return result

    def apply(self, graph: fx.Graph, values: dict[str, fx.Node]) -> None:
        """Trade their places in the graph. `values` by the names that planning knows."""
        resize, conv = values[self.resize.output[0]], values[self.conv.output[0]]
        source = values[self.resize.input[0]]
        with graph.inserting_before(conv):
            first = graph.node_copy(conv, lambda n: source if n is resize else n)
            last = graph.node_copy(resize, lambda n: first if n is source else n)
        conv.replace_all_uses_with(last)
        values[self.conv.output[0]] = last
        graph.erase_node(conv)
        if not resize.users:
            graph.erase_node(resize)


def find_swaps(view: ModuleView, readings: dict[str, Read]) -> list[Swap]:
    """Resizes that have no kernel, and the 1×1 convolutions that read them. (Others have this form among theirs.)"""
    found = []
    for call in view.calls:
        name = call.output[0]
        if call.op_type != "Resize" or name in readings or not view.used_once(name):
            continue
        conv = call_of(view.consumers[name][0])
        reading = readings.get(conv.output[0])
        if reading is None or reading.source != name or len(reading.layers) != 1 or reading.output not in view.live:
            continue
        layer = reading.layers[0]
        if not isinstance(layer, Convolution) or max(layer.weight.shape[2:]) > 1 or max(layer.stride) > 1:
            continue
        hooked = any(c.module is not None and hooks_of(c.module) for c in (call, conv))
        if not any(p for pair in layer.pads for p in pair) and not hooked and _enlarges(view, call):
            found.append(Swap(view, call, conv))
    return found


def _enlarges(view: ModuleView, call: Call) -> bool:
    """Does it give more samples than it takes? Otherwise the convolution is better off behind it."""
    before, after = view.shapes.get(call.input[0]), view.shapes.get(call.output[0])
    if before is not None and after is not None:
        return torch.Size(after[2:]).numel() > torch.Size(before[2:]).numel()
    scale = resize_arguments(call).get("scale_factor")
    each = scale if isinstance(scale, tuple | list) else (scale,)
    return all(isinstance(s, int | float) and s >= 1 for s in each)


@one_thread()
def prove_swap(swap: Swap) -> Entry:
    """The report's entry of a swap whose two orders agree in float64 and, within rounding, in the module's own type.

    Raises:
        Refusal: they do not agree, or something between them changes the source.
    """
    resized, output = swap.resize.output[0], swap.conv.output[0]
    check_inplace(swap.view, {resized, output}, [*swap.resize.input, *swap.conv.input], output)
    known = swap.view.dims(swap.resize.input[0])
    if known is None or not isinstance(known[1], int):
        raise Refusal("the number of its maps is not known: give `inputs`", "A7")
    modules = [call.module for call in (swap.resize, swap.conv) if call.module is not None]
    tensors: list[Tensor] = [*(t for m in modules for t in m.parameters()), torch.empty(0)]
    dtype, worst, count = tensors[0].dtype, 0.0, 0
    rng = torch.Generator().manual_seed(0)
    for size in ((3, 5, 4), (6, 4, 5)):
        here = size[: len(known) - 2]
        x = torch.randn((2, known[1], *here), generator=rng).to(dtype).requires_grad_()
        y, z = (swap.run(x, order, [2 * n + 1 for n in here]) for order in (False, True))
        if y.shape != z.shape:
            raise Refusal(f"in the other order its shape is {tuple(z.shape)} instead of {tuple(y.shape)}")
        seed = torch.ones_like(y)
        pairs = [(y, z), *zip(*(torch.autograd.grad(out, x, seed) for out in (y, z)), strict=True)]
        for a, b in pairs:
            error = float((a.detach() - b.detach()).abs().max())
            if not error <= 64 * known[1] * torch.finfo(dtype).eps * float(a.detach().abs().max()):
                raise Refusal(f"in the other order it differs by {error:.3g}")
            worst = max(worst, error)
        count += 1
    proof = {"normal_form": False, "sizes": count, "bit_equal_on_integers": False, "gradients": True}
    resize = swap.resize
    return entry(resize.as_node(), op=resize.label, law="A7", form=FORM, max_error=worst, proof=proof)
