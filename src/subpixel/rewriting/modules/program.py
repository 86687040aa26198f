"""`Program`: a form of a chain as PyTorch runs it, and its weights from the chain's own by the kernel map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from subpixel.algebra import Cells, Layer, layers
from subpixel.algebra.layers import Ints
from subpixel.algebra.op import Lengths, output_length
from subpixel.rewriting.modules import steps
from subpixel.rewriting.modules.kernel_map import Factor, Universal
from subpixel.rewriting.modules.steps import Step, Weights, last_axes
from subpixel.rewriting.refusal import Refusal
from subpixel.rewriting.writing.forms import Form
from subpixel.rewriting.writing.plans import border_parts, shortest

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Slot:
    """Where one weight of the program stands in the product of the kernel map: columns, and how they are laid out.

    Attributes:
        columns, bias_columns: first and stop; the bias may be absent.
        phases: F, maps written for every output map. taps: per axis.
        order: "crd" `(O F) C *K`, "dcr" `(F O) C *K`, "transposed" `C O *K`, or "bias" where there is a bias alone.
    """

    columns: tuple[int, int]
    bias_columns: tuple[int, int] | None
    phases: int
    taps: Ints
    order: str


@dataclass(eq=False)
class Program:
    """Steps over x, then a crop of `crop` at the start and to `lengths`.

    Attributes:
        matrix: the kernel map. Shape: `monomials columns`. bias_matrix: the same for biases.
        least: the shortest input per axis.
    """

    name: str
    universal: Universal
    steps: tuple[Step, ...]
    slots: tuple[Slot, ...]
    matrix: Array
    bias_matrix: Array
    crop: Ints
    up: Ints
    lengths: tuple[Lengths, ...]
    least: Ints
    _constants: dict[Any, Any] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_constants": {}}  # they are made again where they are needed

    # --- weights ---------------------------------------------------------------------------------------------------

    def weights(self, values: Sequence[tuple[Tensor, Tensor | None]]) -> list[tuple[Tensor, Tensor | None]]:
        """The program's weights from the chain's (weight, bias) pairs, differentiable."""
        with torch.autocast(values[0][0].device.type, enabled=False):
            arrays = [
                taps_of(f, w, dense=len(values) > 1) for f, (w, _) in zip(self.universal.factors, values, strict=True)
            ]
            kernel = self._product("kernel", _kernel_monomials(arrays))
            rows = self._bias_monomials(arrays, [b for _, b in values])
            bias = None if rows is None or not self.bias_matrix.shape[1] else self._product("bias", rows)
            return [self._lay_out(slot, kernel, bias) for slot in self.slots]

    def _product(self, which: str, rows: Tensor) -> Tensor:
        """rows @ matrix; a look-up where every column is one of the rows or zero."""
        key = (which, rows.dtype, rows.device)
        if key not in self._constants:
            matrix = self.matrix if which == "kernel" else self.bias_matrix
            self._constants[key] = _as_constant(matrix, rows)
        index, matrix = self._constants[key]
        if index is None:
            return torch.matmul(rows, matrix)
        if matrix is not None:  # some columns are zero
            rows = torch.nn.functional.pad(rows, (0, 1))
        return rows.index_select(rows.ndim - 1, index)

    def _bias_monomials(self, arrays: list[Tensor], biases: list[Tensor | None]) -> Tensor | None:
        """Shape: `O rows`."""
        families = []
        for number, _, _ in self.universal.biases:
            factor, bias = self.universal.factors[number], biases[number]
            assert bias is not None
            if factor.out_phases == 1:
                row = bias.reshape(-1, 1)
            elif factor.out_order == "crd":
                row = bias.reshape(-1, factor.out_phases)
            else:
                row = bias.reshape(factor.out_phases, -1).T
            for later in arrays[number + 1 :]:
                row = torch.einsum("obt,bs->ost", later, row).flatten(1)
            families.append(row)
        return torch.cat(families, 1) if families else None

    def _lay_out(self, slot: Slot, kernel: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
        O, C = kernel.shape[:2]
        L, F, K = self.universal.lead, slot.phases, slot.taps
        if slot.order == "bias":
            assert slot.bias_columns is not None
            return kernel[:0], None if bias is None else bias[:, slice(*slot.bias_columns)].reshape(-1)
        w = kernel[:, :, slot.columns[0] : slot.columns[1]].reshape(O, C, F, L, *K)
        taps = range(4, 4 + len(K))
        if slot.order == "transposed":
            g = self.universal.groups
            w = w.reshape(g, O // g, C, L, *K).permute(0, 2, 3, 1, *taps).reshape(g * C * L, O // g, *K)
        else:
            inner = (1, 3) if self.universal.lead_order == "crd" else (3, 1)
            outer = (0, 2) if slot.order == "crd" else (2, 0)
            w = w.permute(*outer, *inner, *taps).reshape(O * F, C * L, *K)
        if bias is None or slot.bias_columns is None:
            return w, None
        b = bias[:, slot.bias_columns[0] : slot.bias_columns[1]]
        return w, (b if slot.order != "dcr" else b.T).reshape(-1)

    # --- running ---------------------------------------------------------------------------------------------------

    def run(self, x: Tensor, weights: Weights) -> Tensor:
        """Shape: `B C *L` to `B O *f(L)`."""
        y = x
        for step in self.steps:
            y = step(y, weights)
        window: list[slice] = []
        for L, U, table, start in zip(x.shape[2:], self.up, self.lengths, self.crop, strict=True):
            window.append(slice(start, start + output_length(L, U, len(table), table)))
        return last_axes(y, window)


def taps_of(factor: Factor, weight: Tensor, dense: bool = False) -> Tensor:
    """The weight with its taps last: `O C/g T`, or `O C T` where it is to be dense."""
    if factor.weight.maps is not None:
        weight = weight[:, list(factor.weight.maps)]
    P, Q, g, K = factor.out_phases, factor.in_phases, factor.groups, prod(weight.shape[2:])
    C, O = factor.maps
    if factor.transposed:
        split = (O // g, P) if factor.out_order == "crd" else (P, O // g)
        o, p = (3, 4) if factor.out_order == "crd" else (4, 3)
        w = weight.reshape(g, C // g, Q, *split, K).permute(0, o, 1, p, 2, 5).reshape(O, C // g, P * Q * K)
    elif P == 1:
        w = weight.reshape(O, C // g, Q * K)
    elif factor.out_order == "crd":
        w = weight.reshape(O, P, C // g, Q * K).permute(0, 2, 1, 3).reshape(O, C // g, P * Q * K)
    else:
        w = weight.reshape(P, O, C // g, Q * K).permute(1, 2, 0, 3).reshape(O, C // g, P * Q * K)
    if dense and g > 1:  # groups as zero blocks
        blocks = torch.eye(g, dtype=w.dtype, device=w.device)
        w = (w.reshape(g, O // g, 1, C // g, -1) * blocks[:, None, :, None, None]).reshape(O, C, -1)
    return w


def _kernel_monomials(arrays: list[Tensor]) -> Tensor:
    """Products of one tap of each weight, summed over the maps between. Shape: `O C rows`."""
    rows = arrays[0]
    for later in arrays[1:]:
        rows = torch.einsum("obt,bcs->ocst", later, rows).flatten(2)
    return rows


def _as_constant(matrix: Array, like: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """(None, the matrix), or (index, None), or (index, anything) where the index also says "zero"."""
    if ((matrix != 0).sum(0) <= 1).all() and ((matrix == 0) | (matrix == 1)).all():
        used = matrix.any(0)
        index = np.where(used, matrix.argmax(0), len(matrix))
        found = torch.as_tensor(index, device=like.device)
        return found, (None if used.all() else torch.empty(0, device=like.device))
    return None, torch.as_tensor(matrix, dtype=like.dtype, device=like.device)


# --- from a form to a program --------------------------------------------------------------------------------------


@dataclass
class _Collector:
    """Weights of the universal plan, taken apart into columns of the kernel map."""

    universal: Universal
    maps: int
    kernel: list[Array] = field(default_factory=list)
    bias: list[Array] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)

    def add(self, weight: Array | None, bias: Array | None, taps: Ints, order: str) -> int:
        """Weight `M F C *K` and bias `M F`, monomials first; returns its number."""
        n = self.universal.kernel
        width, phases = sum(a.shape[1] for a in self.kernel), 1
        if weight is not None:
            phases = weight.shape[1]
            assert not weight[n:].any(), "a bias monomial has a kernel"
            self.kernel.append(weight[:n].reshape(n, -1))
        span = None
        if bias is not None and self.universal.biases:
            assert not bias[:n].any(), "a kernel monomial has a bias"
            at = sum(a.shape[1] for a in self.bias)
            self.bias.append(bias[n:].reshape(len(bias) - n, -1))
            span = (at, at + self.bias[-1].shape[1])
        stop = width + (self.kernel[-1].shape[1] if weight is not None else 0)
        self.slots.append(Slot((width, stop), span, phases, taps, order))
        return len(self.slots) - 1

    def convolution(self, layer: layers.Convolution, order: layers.Order, bias: Array | None = None) -> steps.Convolve:
        """A convolution of the plan to (M F) maps, or (F M)."""
        if layer.groups > 1:
            raise Refusal("its maps fall into groups of their own", "A4")
        weight, M = np.asarray(layer.weight, np.float64), self.maps
        F, taps = weight.shape[0] // M, weight.shape[2:]
        own = bias if bias is not None else layer.bias
        shape = (M, F) if order == "crd" else (F, M)
        weight = weight.reshape(*shape, *weight.shape[1:])
        flat = None if own is None else np.asarray(own, np.float64).reshape(shape)
        if order == "dcr":
            weight, flat = weight.swapaxes(0, 1), None if flat is None else flat.T
        at = self.add(weight, flat, tuple(taps), order)
        return steps.Convolve(at, layer.stride, layer.pads, layer.dilation, self.universal.groups)


def compile_form(form: Form, universal: Universal) -> Program:
    """The program of a form of the universal chain.

    Raises:
        Refusal: PyTorch has no call for a part of it.
    """
    layer = form.layer
    collector = _Collector(universal, layer.interior.maps[1] if isinstance(layer, Cells) else layer.maps[1])
    if isinstance(layer, Cells):
        run = _cells_steps(collector, layer)
        least, crop = shortest(layer), (0,) * layer.dim
    else:
        assert form.plan is not None
        run = _plan_steps(collector, form.plan.layers, form.plan.spelling)
        least, crop = (1,) * layer.dim, form.plan.crop
    n, M = universal.kernel, collector.maps
    matrix = np.concatenate(collector.kernel, 1) if collector.kernel else np.zeros((n, 0))
    biases = np.concatenate(collector.bias, 1) if collector.bias else np.zeros((M - n, 0))
    slots = tuple(collector.slots)
    return Program(form.name, universal, run, slots, matrix, biases, crop, layer.up, layer.lengths, least)


def _cells_steps(collector: _Collector, cells: Cells) -> tuple[Step, ...]:
    parts = []
    d, ones = cells.dim, (1,) * cells.dim
    for part in border_parts(cells):
        M, C = part.kernel.shape[0], part.kernel.shape[1 + d]
        weight = part.kernel.reshape(-1, C, *part.kernel.shape[2 + d :])
        conv = layers.Convolution(weight, part.bias.reshape(-1), ones, part.pads, ones)
        assert collector.maps == M
        parts.append((part.key, steps.Cut(part.windows, collector.convolution(conv, "crd"))))
    shuffle = (steps.Shuffle(cells.up, "crd"),) if prod(cells.up) > 1 else ()
    return (steps.Joined(tuple(parts)), *shuffle)


def _plan_steps(collector: _Collector, chain: Sequence[Layer], spelling: str) -> tuple[Step, ...]:
    orders: list[layers.Order] = [layer.order for layer in chain if isinstance(layer, layers.PeriodicShuffle)]
    order: layers.Order = orders[-1] if orders else "crd"
    if order == "dcr" and collector.universal.groups > 1:
        raise Refusal("its groups would mix phases in order DCR", "A4")
    out: list[Step] = []
    for layer in chain:
        match layer:
            case layers.Convolution():
                out.append(collector.convolution(layer, order))
            case layers.TransposedConvolution():
                out.append(_transposed(collector, layer))
            case layers.PeriodicShuffle():
                out.append(steps.Shuffle(layer.factor, layer.order))
            case layers.PeriodicUnshuffle():
                out.append(steps.Unshuffle(layer.factor, layer.order))
            case layers.Pad():
                out.append(steps.Border(layer.pads, layer.mode == "edge"))
            case layers.Resize():
                out.append(steps.Interpolate(layer.factor, layer.mode))
            case layers.PhaseBias() if layer.bias.any():
                at = collector.add(None, np.asarray(layer.bias).reshape(len(layer.bias), -1), (), "bias")
                out.append(steps.AddPhaseBias(at, tuple(layer.bias.shape[1:])))
            case layers.PhaseBias():
                pass
            case layers.PhaseConvolutions():
                out.append(_phases(collector, layer))
            case layers.OverlapAdd() if len(layer.kernel_size) < 3:
                out.append(steps.AddOverlapping(layer.kernel_size, layer.stride, layer.pads))
            case _:
                raise Refusal(f"PyTorch has no call for a {type(layer).__name__} here ({spelling})", "A2")
    return tuple(out)


def _transposed(collector: _Collector, layer: layers.TransposedConvolution) -> steps.ConvolveTransposed:
    if collector.universal.lead_order == "dcr":
        raise Refusal("a shuffle at its start counts maps in order DCR", "A4")
    if layer.groups > 1:
        raise Refusal("its maps fall into groups of their own", "A4")
    weight = np.asarray(layer.weight, np.float64)  # C M *K
    bias = None if layer.bias is None else np.asarray(layer.bias, np.float64)[:, None]
    taps = tuple(weight.shape[2:])
    at = collector.add(weight.swapaxes(0, 1)[:, None], bias, taps, "transposed")
    return steps.ConvolveTransposed(
        at, layer.stride, layer.pads, layer.output_padding, layer.dilation, collector.universal.groups
    )


def _phases(collector: _Collector, layer: layers.PhaseConvolutions) -> steps.Phases:
    bias = np.asarray(layer.bias, np.float64).reshape(collector.maps, -1)
    convolutions, grow = [], []
    for phase, conv in enumerate(layer.convolutions):
        if conv is None:
            raise Refusal("a phase of it is bias only", "A2")
        if any(s != 1 for s in conv.stride):
            raise Refusal("its phases have strides: their lengths differ by the input's", "A2")
        convolutions.append(collector.convolution(conv, "crd", bias[:, phase]))
        geometry = zip(conv.pads, conv.dilation, conv.weight.shape[2:], strict=True)
        grow.append([p + q - d * (K - 1) for (p, q), d, K in geometry])
    least = [min(column) for column in zip(*grow, strict=True)]
    cuts = tuple(tuple((0, m - g) for g, m in zip(own, least, strict=True)) for own in grow)
    return steps.Phases(tuple(convolutions), layer.factor, cuts)
