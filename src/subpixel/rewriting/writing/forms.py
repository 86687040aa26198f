"""Forms: the spellings of a term that a goal admits, cheapest first, and how each is written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

from subpixel.algebra import Cells, Layer, Op, Plan, layers, spell
from subpixel.algebra.layers import Ints, Order
from subpixel.algebra.lower import minimal_crop, pad_first
from subpixel.rewriting.refusal import Refusal
from subpixel.rewriting.writing.join import folded
from subpixel.rewriting.writing.plans import write_cells, write_plan
from subpixel.rewriting.writing.writer import Shuffles, Writer

_NAMES = {
    "shuffle": "convolution + shuffle",
    "phases": "one convolution per phase",
    "transposed": "transposed convolution",
    "overlap-add": "matrix product + overlap-add",
}


@dataclass(frozen=True, eq=False)
class Form:
    """One way to write a layer. `macs` counts multiplications per site of the low-resolution lattice."""

    name: str
    layer: Op | Cells
    plan: Plan | None
    macs: int
    shuffles: Shuffles = "node"

    @property
    def lattice(self) -> tuple[Any, ...] | None:
        """What two forms must share to be added up before one shuffle; None where there is none at the end."""
        if self.plan is None or self.plan.spelling != "shuffle" or any(len(table) > 1 for table in self.plan.lengths):
            return None
        last = self.plan.layers[-1]
        if not isinstance(last, layers.PeriodicShuffle):
            return None
        return (last.factor, last.order, tuple(self.plan.crop), self.plan.lengths)

    def write(self, writer: Writer, x: str, size: tuple[int, ...] | None) -> str:
        """Write it over the value `x`. Returns the output's name.

        Raises:
            Refusal: ONNX has no node for a part of it.
        """
        writer.shuffles = self.shuffles
        if isinstance(self.layer, Cells):
            return write_cells(writer, self.layer, x)
        assert self.plan is not None
        return write_plan(writer, self.plan, x, size)


def forms(layer: Op | Cells, chain: tuple[Layer, ...], goal: str, opset: int) -> list[Form]:
    """The forms of one layer that a goal admits, fewest multiplications first. `chain` is what it was joined from.

    Raises:
        Refusal: there is none; the reason is the last one's.
    """
    if goal == "device":
        found = _in_all_shuffles(forms(layer, chain, "fastest", opset))
        alone = len(chain) == 1 and isinstance(chain[0], layers.PeriodicShuffle)
        return [*found, *forms(layer, chain, "deconv", opset)] if alone else found
    if goal != "deconv" and len(chain) == 1 and isinstance(chain[0], layers.PeriodicShuffle) and isinstance(layer, Op):
        return [Form("shuffle", layer, Plan("shuffle", chain, (0,) * layer.dim, layer.lengths), 0)]  # it is one
    found = []
    reason = "no spelling fits"
    early = None if goal == "deconv" else _convolve_first(chain)
    if early is not None:
        single = layer if isinstance(layer, Op) else layer.interior
        plan = Plan("convolve first", early, (0,) * layer.dim, single.lengths)
        found.append(Form("1×1 convolution first", single, plan, sum(_weights(part) for part in early)))
    if isinstance(layer, Cells):
        if goal == "deconv":
            raise Refusal(f"its border needs {layer.count} kernels of its own: a transposed convolution has one", "A12")
        return [*found, Form("border cells + shuffle", layer, None, int(prod(layer.kernel.shape[layer.dim :])))]
    for spelling, order, crop in _spellings(layer, goal, opset):
        try:
            plan = spell(layer, spelling, order, crop)
        except ValueError as error:
            reason = str(error)
            continue
        base = "convolution" if spelling == "shuffle" and prod(layer.up) == 1 else _NAMES[spelling]
        name = base + (f", {order.upper()}" if spelling == "shuffle" and prod(layer.up) > 1 else "")
        name += f", crop {crop}" if crop and any(crop) else ""
        found.append(Form(name, layer, plan, sum(_weights(part) for part in plan.layers)))
    if not found:
        raise Refusal(reason, "A5" if goal == "deconv" else "A2")
    # many small convolutions and a concatenation must save more than a rounding error
    return sorted(found, key=lambda form: form.macs * (1.5 if "phase" in form.name else 1))


_SPELLED: dict[Shuffles, str] = {
    "node": "",
    "reshape": ", as Reshape–Transpose–Reshape",
    "axes": ", as Reshape–Transpose–Reshape axis by axis",
}


def _in_all_shuffles(found: list[Form]) -> list[Form]:
    """Every form with every spelling of its shuffle, those with one node for it first."""
    shuffled = [form for form in found if "shuffle" in form.name or "phase" in form.name]
    ways = [(shuffles, text) for shuffles, text in _SPELLED.items() if text]
    return found + [replace(form, shuffles=s, name=form.name + text) for s, text in ways for form in shuffled]


def _convolve_first(chain: tuple[Layer, ...]) -> tuple[Layer, ...] | None:
    """A resize followed by a 1×1 convolution, the other way round: each map of the resize sums to one (A7)."""
    resize, *rest = chain
    if not isinstance(resize, layers.Resize) or not rest or not isinstance(rest[0], layers.Convolution):
        return None
    conv = rest[0]
    plain = all(k == 1 for k in conv.weight.shape[2:]) and not any(p for pair in conv.pads for p in pair)
    if not plain or max(conv.stride) > 1 or not all(isinstance(layer, layers.Affine) for layer in rest[1:]):
        return None
    scaled = folded(tuple(rest))
    return scaled, replace(resize, maps=scaled.weight.shape[0])


def _spellings(op: Op, goal: str, opset: int) -> list[tuple[str, Order, Ints | None]]:
    if goal == "deconv":
        return [("transposed", "crd", None)]
    none = (0,) * op.dim
    crops = list(dict.fromkeys([none, minimal_crop(pad_first(op)[1])]))
    orders: list[Order] = ["crd", "dcr"] if opset >= 11 or op.dim != 2 else ["dcr", "crd"]
    if prod(op.up) == 1:
        orders, crops = ["crd"], [none]
    out: list[tuple[str, Order, Ints | None]] = [("shuffle", order, crop) for crop in crops for order in orders]
    out.append(("phases", "dcr", None))
    if goal == "fastest":
        out += [("transposed", "crd", None), ("overlap-add", "crd", None)]
    return out


def _weights(layer: layers.Layer) -> int:
    if isinstance(layer, layers.PhaseConvolutions):
        return sum(_weights(c) for c in layer.convolutions if c is not None)
    weight = getattr(layer, "weight", None)
    return 0 if weight is None else int(prod(weight.shape))
