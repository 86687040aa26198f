"""The writer: layers → ONNX nodes, one function per layer. No algebra here.

New values get fresh names; weights are rounded once, from float64 to the type of the graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import singledispatchmethod
from itertools import product
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from subpixel.algebra import layers, nearest_offset
from subpixel.rewriting.graph.edit import fresh
from subpixel.rewriting.reading.quantised import Grid, Stored
from subpixel.rewriting.refusal import Refusal

Shuffles = Literal["node", "reshape", "axes"]
END = np.iinfo(np.int64).max


@dataclass
class Writer:
    """Collects nodes and weights that go into one graph.

    Attributes:
        opset: version of the standard operators to write for.
        dtype: numpy type of the weights written.
        taken: names in use; grows with every new one.
        hint: what new names begin with.
        symbols: sizes of what is read are written as symbols in the graph.
        shuffles: how PS is written: as DepthToSpace where it can be ("node"), as Reshape–Transpose–Reshape over all
            axes at once ("reshape": 2 + 2d dimensions) or axis by axis ("axes": 3 + d dimensions).
        stored: the grids that weights are put on, where the original's are quantised.
    """

    opset: int
    dtype: np.dtype[Any]
    taken: set[str]
    hint: str
    symbols: bool = False
    shuffles: Shuffles = "node"
    stored: Stored | None = None
    nodes: list[NodeProto] = field(default_factory=list)
    weights: dict[str, NDArray[Any]] = field(default_factory=dict)

    def fresh(self, what: str) -> str:
        """A name that nobody has."""
        return fresh(f"{self.hint}/{what}", self.taken)

    def weight(self, array: Any, what: str = "weight") -> str:
        """A weight, rounded to the graph's type."""
        name = self.fresh(what)
        self.weights[name] = np.ascontiguousarray(np.asarray(array), self.dtype)
        return name

    def parameters(self, weight: Any, bias: Any, axis: int) -> list[str]:
        """Weight and bias of a layer, on the grid of the original where that was quantised.

        Raises:
            Refusal: the grid has no such numbers.
        """
        if bias is not None and not np.any(bias):
            bias = None
        if self.stored is None:
            return [self.weight(weight), *([] if bias is None else [self.weight(bias, "bias")])]
        names = [self._on_grid(self.stored.weight, np.asarray(weight), axis, "weight")]
        if bias is not None:
            grid = self.stored.bias
            plain = self.weight(bias, "bias") if grid is None else self._on_grid(grid, np.asarray(bias), 0, "bias")
            names.append(plain)
        return names

    def _on_grid(self, grid: Grid, numbers: NDArray[Any], axis: int, what: str) -> str:
        found = grid.stored(numbers, axis)
        if found is None:
            raise Refusal(f"it is quantised (QDQ): its new {what} is not among the numbers of its scales", "QDQ")
        q, scale = found
        names = [self.fresh(f"{what}_{part}") for part in ("quantised", "scale", "zero")]
        for name, value in zip(names, (q, scale, np.full(scale.shape, grid.zero, grid.type)), strict=True):
            self.weights[name] = np.ascontiguousarray(value)
        attributes = {"axis": axis} if scale.ndim else {}
        return self.add("DequantizeLinear", names, self.fresh(what), **attributes)

    def integers(self, values: Sequence[int], what: str = "integers") -> str:
        """A constant vector of integers."""
        name = self.fresh(what)
        self.weights[name] = np.asarray(values, np.int64)
        return name

    def floats(self, values: Sequence[float], what: str = "scales") -> str:
        """A constant vector of float32, whatever the graph's type."""
        name = self.fresh(what)
        self.weights[name] = np.asarray(values, np.float32)
        return name

    def add(self, op: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """A node with one output. Returns the output's name."""
        output = output or self.fresh(op)
        self.nodes.append(helper.make_node(op, list(inputs), [output], name=self.fresh(f"{op}_node"), **attributes))
        return output

    def tensors(self) -> list[TensorProto]:
        """The weights as initializers."""
        return [numpy_helper.from_array(array, name) for name, array in self.weights.items()]

    # --- layers ------------------------------------------------------------------------------------------------

    @singledispatchmethod
    def layer(self, layer: object, x: str) -> str:
        """Write one layer over the value `x`. Returns the output's name.

        Raises:
            Refusal: ONNX, or this opset, has no node for it.
        """
        raise Refusal(f"a {type(layer).__name__} has no ONNX spelling here")

    @layer.register
    def _(self, layer: layers.Convolution, x: str) -> str:
        inputs = [x, *self.parameters(layer.weight, layer.bias, 0)]
        return self.add(
            "Conv",
            inputs,
            kernel_shape=list(layer.weight.shape[2:]),
            strides=list(layer.stride),
            pads=[p for p, _ in layer.pads] + [q for _, q in layer.pads],
            dilations=list(layer.dilation),
            group=layer.groups,
        )

    @layer.register
    def _(self, layer: layers.TransposedConvolution, x: str) -> str:
        inputs = [x, *self.parameters(layer.weight, layer.bias, 1)]
        if any(p < 0 for pair in layer.pads for p in pair):
            raise Refusal("the transposed convolution would need negative pads, which runtimes do not take", "A5")
        if any(a >= s for a, s in zip(layer.output_padding, layer.stride, strict=True)):
            raise Refusal("the transposed convolution would need output_padding ≥ stride: runtimes refuse it", "A5")
        return self.add(
            "ConvTranspose",
            inputs,
            kernel_shape=list(layer.weight.shape[2:]),
            strides=list(layer.stride),
            pads=[p for p, _ in layer.pads] + [q for _, q in layer.pads],
            output_padding=list(layer.output_padding),
            dilations=list(layer.dilation),
            group=layer.groups,
        )

    @layer.register
    def _(self, layer: layers.PeriodicShuffle, x: str) -> str:
        r, d = layer.factor, len(layer.factor)
        old = layer.order == "crd" and self.opset < 11  # DepthToSpace had no mode before
        if self.shuffles == "node" and d == 2 and r[0] == r[1] and not old:
            mode = {} if self.opset < 11 else {"mode": layer.order.upper()}
            return self.add("DepthToSpace", [x], blocksize=r[0], **mode)
        if self.shuffles == "axes" and d > 1:
            return self._axis_by_axis(layer, x)
        O = layer.maps
        if layer.order == "crd":  # n (o r…) l… → n o (l r)…
            split, perm = [O, *r], [0, 1, *(j for i in range(d) for j in (2 + d + i, 2 + i))]
        else:  # n (r… o) l… → n o (l r)…
            split, perm = [*r, O], [0, 1 + d, *(j for i in range(d) for j in (2 + d + i, 1 + i))]
        if d == 1:
            y = self.add("Reshape", [x, self.integers([0, *split, -1])])
            y = self.add("Transpose", [y], perm=perm)
            return self.add("Reshape", [y, self.integers([0, O, -1])])
        size = self.spatial(x)
        y = self.add("Reshape", [x, self.add("Concat", [self.integers([0, *split]), size], axis=0)])
        y = self.add("Transpose", [y], perm=perm)
        finer = self.add("Mul", [size, self.integers(r)])
        return self.add("Reshape", [y, self.add("Concat", [self.integers([0, O]), finer], axis=0)])

    def _axis_by_axis(self, layer: layers.PeriodicShuffle, x: str) -> str:
        """PS as one shuffle per axis. The last phase is innermost in `(o φ)`, the first outermost in `(φ o)`."""
        d, crd = len(layer.factor), layer.order == "crd"
        maps, kept, size = layer.maps * prod(layer.factor), range(3, 3 + d), self.spatial(x)
        for axis in reversed(range(d)) if crd else range(d):
            r = layer.factor[axis]
            if r == 1:
                continue
            maps //= r
            split = [maps, r] if crd else [r, maps]
            at, phase = (1, 2) if crd else (2, 1)  # n (o r) l… → n o (l r)…, n (r o) l… → n o (l r)…
            perm = [0, at, *(j for i, j in enumerate(kept) for j in ([j, phase] if i == axis else [j]))]
            y = self.add("Reshape", [x, self.add("Concat", [self.integers([0, *split]), size], axis=0)])
            y = self.add("Transpose", [y], perm=perm)
            size = self.add("Mul", [size, self.integers([r if i == axis else 1 for i in range(d)])])
            x = self.add("Reshape", [y, self.add("Concat", [self.integers([0, maps]), size], axis=0)])
        return x

    @layer.register
    def _(self, layer: layers.Resize, x: str) -> str:
        scales = [1.0, 1.0, *(float(s) for s in layer.factor)]
        coordinate, rounding = _nearest_modes(layer) if layer.mode == "nearest" else (layer.coordinate, "floor")
        if self.opset < 11:
            if layer.mode == "cubic" or (coordinate, rounding) != ("asymmetric", "floor"):
                raise Refusal("Resize knows asymmetric coordinates only before opset 11", "A6")
            if self.opset < 9:
                return self.add("Upsample", [x], mode=layer.mode, scales=scales)
            return self.add("Resize" if self.opset > 9 else "Upsample", [x, self.floats(scales)], mode=layer.mode)
        roi = "" if self.opset >= 13 else self.floats([])
        modes: dict[str, Any] = {"mode": layer.mode, "coordinate_transformation_mode": coordinate}
        if layer.mode == "nearest":
            modes["nearest_mode"] = rounding
        elif layer.mode == "cubic":
            modes["cubic_coeff_a"] = layer.cubic_a
        return self.add("Resize", [x, roi, self.floats(scales)], **modes)

    @layer.register
    def _(self, layer: layers.Pad, x: str) -> str:
        grow = [(max(0, p), max(0, q)) for p, q in layer.pads]
        if any(p for pair in grow for p in pair):
            flat = [0, 0, *(p for p, _ in grow), 0, 0, *(q for _, q in grow)]
            mode = "edge" if layer.mode == "edge" else "constant"
            if self.opset < 11:
                x = self.add("Pad", [x], mode=mode, pads=flat)
            else:
                x = self.add("Pad", [x, self.integers(flat)], mode=mode)
        return self.crop(x, [(max(0, -p), max(0, -q)) for p, q in layer.pads])

    @layer.register
    def _(self, layer: layers.PhaseBias, x: str) -> str:
        up, O = layer.bias.shape[1:], layer.bias.shape[0]
        if not np.any(layer.bias):
            return x
        # one period, tiled until it covers x, cut to x
        size = self.spatial(x)
        periods = self.add("Div", [self.add("Add", [size, self.integers([U - 1 for U in up])]), self.integers(up)])
        times = self.add("Concat", [self.integers([1, 1]), periods], axis=0)
        tile = self.add("Tile", [self.weight(layer.bias.reshape(1, O, *up), "bias"), times])
        if self.opset < 10:
            raise Refusal("a bias that differs by phase needs a Slice by a computed size: opset 10", "A5")
        axes = list(range(2, 2 + len(up)))
        tile = self.add("Slice", [tile, self.integers([0] * len(up)), size, self.integers(axes)])
        return self.add("Add", [x, tile])

    @layer.register
    def _(self, layer: layers.PhaseConvolutions, x: str) -> str:
        parts: list[tuple[layers.Convolution, NDArray[Any]]] = []
        P, (_, O) = prod(layer.factor), layer.maps
        bias = np.moveaxis(np.asarray(layer.bias).reshape(O, P), 1, 0)  # phase o
        for phase, conv in enumerate(layer.convolutions):
            if conv is None:
                raise Refusal("a phase of it is bias only", "A2")
            if any(s != 1 for s in conv.stride):
                raise Refusal("its phases have strides: their lengths differ by the input's", "A2")
            parts.append((conv, bias[phase]))
        grow = [[p + q - d * (K - 1) for (p, q), d, K in _geometry(conv)] for conv, _ in parts]
        least = [min(column) for column in zip(*grow, strict=True)]
        pieces = []
        for (conv, b), own in zip(parts, grow, strict=True):
            full = layers.Convolution(conv.weight, b, conv.stride, conv.pads, conv.dilation, conv.groups)
            pieces.append(self.crop(self.layer(full, x), [(0, g - m) for g, m in zip(own, least, strict=True)]))
        joined = self.add("Concat", pieces, axis=1)
        return str(self.layer(layers.PeriodicShuffle(O, layer.factor, "dcr"), joined))

    @layer.register
    def _(self, layer: layers.OverlapAdd, x: str) -> str:
        """Columns as s-sample rows, ⌈K/s⌉ of them, each shifted by one more site and added up (1-D)."""
        if len(layer.kernel_size) != 1:
            raise Refusal("overlap-add is written for one axis only", "A2")
        (K,), (s,), O = layer.kernel_size, layer.stride, layer.maps
        rows = -(-K // s)
        ((start, end),) = layer.pads
        x = self.add("Reshape", [x, self.integers([0, O, K, -1])])
        if rows * s > K:
            x = self._pad_flat(x, [0, 0, 0, 0, 0, 0, rows * s - K, 0])
        total = None
        for row in range(rows):
            part = self.slice(x, [2], [row * s], [(row + 1) * s])  # n o s l
            part = self.add("Transpose", [part], perm=[0, 1, 3, 2])  # n o l s
            part = self._pad_flat(part, [0, 0, row, 0, 0, 0, rows - 1 - row, 0])
            total = part if total is None else self.add("Add", [total, part])
        assert total is not None
        y = self.add("Reshape", [total, self.integers([0, O, -1])])
        # (L - 1 + rows)·s samples, of which s·(L - 1) + K - start - end are wanted
        return str(self.layer(layers.Pad(O, ((-start, -(rows * s - K) - end),)), y))

    # --- pieces ------------------------------------------------------------------------------------------------

    def spatial(self, x: str) -> str:
        """The spatial sizes of `x`, at run time."""
        return self.slice(self.add("Shape", [x]), [0], [2], [END])

    def crop(self, x: str, cut: Sequence[tuple[int, int]]) -> str:
        """`x` without samples at the start and end of its spatial axes."""
        axes = [2 + i for i, pair in enumerate(cut) if any(pair)]
        if not axes:
            return x
        if self.opset == 10:  # its Slice keeps a symbol for a size that it has changed; Pad does not
            flat = [0, 0, *(-p for p, _ in cut), 0, 0, *(-q for _, q in cut)]
            return self.add("Pad", [x], mode="constant", pads=flat)
        starts, ends = [cut[a - 2][0] for a in axes], [-cut[a - 2][1] or END for a in axes]
        return self.slice(x, axes, starts, ends)

    def slice(self, x: str, axes: Sequence[int], starts: Sequence[int], ends: Sequence[int]) -> str:
        """Samples from `starts` to `ends`; negative ones count from the end."""
        if self.opset < 10:
            return self.add("Slice", [x], axes=list(axes), starts=list(starts), ends=list(ends))
        return self.add("Slice", [x, self.integers(starts), self.integers(ends), self.integers(axes)])

    def _pad_flat(self, x: str, flat: list[int]) -> str:
        if not any(flat):
            return x
        if self.opset < 11:
            return self.add("Pad", [x], mode="constant", pads=flat)
        return self.add("Pad", [x, self.integers(flat)], mode="constant")


def _geometry(conv: layers.Convolution) -> list[tuple[tuple[int, int], int, int]]:
    return list(zip(conv.pads, conv.dilation, conv.weight.shape[2:], strict=True))


def _nearest_modes(layer: layers.Resize) -> tuple[str, str]:
    """A coordinate and a rounding mode with the offset of the layer."""
    wanted = layer.offset or (0,) * len(layer.factor)
    for coordinate, rounding in product(("asymmetric", "half_pixel", "tf_half_pixel_for_nn"), ("floor", "ceil")):
        each = zip(layer.factor, wanted, strict=True)
        if all(nearest_offset(s, coordinate, rounding) == c for s, c in each):  # type: ignore[arg-type]
            return coordinate, rounding
    raise Refusal(f"no mode of Resize has the offset {wanted}", "A6")
