"""`join`: a chain of layers as one op or as cells, in float64, without ever spelling out what every map repeats.

A resize of C maps is one small kernel C times. Composed densely it would be a C × C kernel of zeros, so the
layer after it is composed with a single map of it instead, once per (o, c) pair: the same sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from subpixel.algebra import Cells, Layer, Op, Plan, layers, lift
from subpixel.algebra.arrays import Array
from subpixel.algebra.cells import as_cells
from subpixel.algebra.compose import compose
from subpixel.algebra.reduce import reduce
from subpixel.rewriting.refusal import Refusal

_PER_MAP = (layers.Resize, layers.Pad, layers.ZeroInsertion, layers.AveragePool)
_LARGEST = 1 << 27  # kernel entries of a composed layer: 1 GB of float64


def join(chain: Sequence[Layer], size: tuple[int, ...] | None = None) -> Op | Cells:
    """The chain as one layer, in normal form.

    Raises:
        Refusal: the layers do not fit each other, or the result would be too large to write out.
    """
    rest = list(chain)
    per_map: list[Layer] = []
    while len(rest) > 1 and isinstance(first := rest[0], _PER_MAP):
        per_map.append(replace(first, maps=1))
        rest.pop(0)
    try:
        head = _lifted(rest.pop(0))
        whole: Op | Cells = head
        if per_map:
            one: Op | Cells = lift(per_map[0])
            for layer in per_map[1:]:
                one = reduce(compose(lift(layer), one, size))
            _guard(head, one)
            whole = over_one_map(head, one, size)
        whole = reduce(whole)
        for layer in rest:
            op = _lifted(layer)
            _guard(op, whole)
            whole = reduce(compose(op, whole, size))
    except ValueError as error:
        raise Refusal(f"its layers do not compose: {error}", "A12") from error
    return whole


def over_one_map(second: Op, one: Op | Cells, size: tuple[int, ...] | None = None) -> Cells:
    """`second` after C copies of the single-map layer `one`, which has no bias. Shape: as `compose`."""
    d, (C, O) = second.dim, second.maps
    kernel = np.asarray(second.kernel)
    K, U = second.taps, second.up
    kernel = np.moveaxis(kernel, 1 + d, 1).reshape(O * C, *U, 1, *K)  # o c *U *K → (o c) *U 1 *K
    inner = compose(replace(second, kernel=kernel, bias=np.zeros((O * C, *U))), one, size)
    Q, up, taps = inner.count, inner.up, inner.taps
    whole: Array = inner.kernel.reshape(*Q, O, C, *up, *taps)
    whole = np.moveaxis(whole, d + 1, 2 * d + 1)  # *Q o *U c *K
    bias = np.asarray(second.bias)
    for axis, n in enumerate(up):
        bias = np.take(bias, np.arange(n) % U[axis], axis=1 + axis)
    return replace(inner, kernel=whole, bias=np.broadcast_to(bias, (*Q, *bias.shape)).copy())


def folded(chain: tuple[Layer, ...]) -> layers.Convolution:
    """A convolution with the scales and shifts after it folded in."""
    conv = chain[0]
    assert isinstance(conv, layers.Convolution)
    weight, bias = np.asarray(conv.weight), conv.bias
    for affine in chain[1:]:
        assert isinstance(affine, layers.Affine)
        weight = weight * affine.scale.reshape(-1, *(1,) * (weight.ndim - 1))
        bias = affine.shift + (0 if bias is None else bias * affine.scale)
    return layers.Convolution(weight, bias, conv.stride, conv.pads, conv.dilation, conv.groups)


def _lifted(layer: Layer | Plan) -> Op:
    if isinstance(layer, _PER_MAP):
        s = prod(getattr(layer, "factor", (1,)))
        if layer.maps**2 * s * s > _LARGEST:
            raise Refusal(f"a {type(layer).__name__} of {layer.maps} maps is too large to write out", "A12")
    op = lift(layer)
    return replace(op, kernel=np.asarray(op.kernel, np.float64), bias=np.asarray(op.bias, np.float64))


def _guard(second: Op, first: Op | Cells) -> None:
    cells = as_cells(first)
    taps = prod(K + k for K, k in zip(second.taps, cells.taps, strict=True))
    count = second.maps[1] * cells.interior.maps[0] * prod(second.up) * prod(cells.up) * taps
    if count > _LARGEST:
        raise Refusal("the composed kernel would be too large to write out", "A12")
