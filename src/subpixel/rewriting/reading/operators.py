"""The reader: one function per operator, ONNX node → layers. No algebra here, and no attribute left unread.

Add an operator by writing its function and entering it in `READERS`; see docs/rewriting.md.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import NodeProto

from subpixel.algebra import (
    Affine,
    AveragePool,
    Convolution,
    Layer,
    Pad,
    PeriodicShuffle,
    PeriodicUnshuffle,
    Resize,
    TransposedConvolution,
)
from subpixel.algebra.layers import Pads
from subpixel.rewriting.graph.view import View, Wiring
from subpixel.rewriting.reading.quantised import Stored, dequantised
from subpixel.rewriting.reading.reading import Attributes, Reading, inputs_of, integers_of, weight_of
from subpixel.rewriting.reading.resize import resize, upsample
from subpixel.rewriting.refusal import Refusal


def read(view: View, node: NodeProto) -> Reading | None:
    """The node as layers, or None where it is no linear layer at all.

    Raises:
        Refusal: a layer, but one that cannot be read exactly.
    """
    if node.domain not in ("", "ai.onnx") or node.op_type not in READERS:
        return None
    if len([name for name in node.output if name]) != 1:
        raise Refusal("it has more than one output")
    attributes = Attributes(node)
    reading = READERS[node.op_type](view, node, attributes)
    if reading is not None:
        attributes.finish()
    return reading


def _one(
    node: NodeProto, *layers: Layer, source: str | None = None, fixed: bool = False, stored: Stored | None = None
) -> Reading:
    return Reading((node,), source or node.input[0], node.output[0], layers, fixed, stored)


def _conv(view: View, node: NodeProto, attributes: Attributes) -> Reading:
    weight, bias, stored = _weight_and_bias(view, node, 0)
    d = weight.ndim - 2
    strides, dilations, groups = _filter(attributes, weight.shape[2:])
    reach = [D * (K - 1) for D, K in zip(dilations, weight.shape[2:], strict=True)]
    pads, fixed = _pads(view, node, attributes, d, strides, reach)
    if any(p < 0 for pair in pads for p in pair):
        raise Refusal(f"its pads {pads} are negative")
    return _one(node, Convolution(weight, bias, strides, pads, dilations, groups), fixed=fixed, stored=stored)


def _conv_transpose(view: View, node: NodeProto, attributes: Attributes) -> Reading:
    weight, bias, stored = _weight_and_bias(view, node, 1)
    d = weight.ndim - 2
    strides, dilations, groups = _filter(attributes, weight.shape[2:])
    adj = tuple(attributes.take("output_padding") or [0] * d)
    full = [D * (K - 1) + 1 + a for D, K, a in zip(dilations, weight.shape[2:], adj, strict=True)]
    auto_pad = attributes.take("auto_pad", "NOTSET")
    flat = attributes.take("pads") or [0] * 2 * d
    output_shape = attributes.take("output_shape")
    pads: Pads = tuple(zip(flat[:d], flat[d:], strict=True))
    fixed = False
    if output_shape or auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        # the padding is what brings the output to the size that is asked for
        if output_shape:
            size = view.size(node.input[0])
            if size is None:
                raise Refusal(f"its output_shape {list(output_shape)} needs the input's size, which is not known")
            fixed = True
            wanted = output_shape[-d:]
            total = [s * (L - 1) + f - o for s, L, f, o in zip(strides, size, full, wanted, strict=True)]
        else:
            total = [f - s for s, f in zip(strides, full, strict=True)]
        pads = tuple(_shared_out(t, auto_pad) for t in total)
    elif auto_pad == "VALID":
        pads = ((0, 0),) * d
    elif auto_pad != "NOTSET":
        raise Refusal(f"its auto_pad {auto_pad!r} is not known")
    if stored is not None and groups > 1 and stored.weight.scale.ndim:
        raise Refusal("its quantised weight has scales per map of each group", "QDQ")
    layer = TransposedConvolution(weight, bias, strides, pads, adj, dilations, groups)
    return _one(node, layer, fixed=fixed, stored=stored)


def _depth_to_space(view: View, node: NodeProto, attributes: Attributes) -> Reading:
    r, mode = attributes.take("blocksize"), attributes.take("mode", "DCR")
    maps = maps_of(view, node.input[0])
    if mode not in ("DCR", "CRD"):
        raise Refusal(f"its mode {mode!r} is not known")
    return _one(node, PeriodicShuffle(maps // r**2, (r, r), "crd" if mode == "CRD" else "dcr"))


def _space_to_depth(view: View, node: NodeProto, attributes: Attributes) -> Reading:
    r, mode = attributes.take("blocksize"), attributes.take("mode", "DCR")  # the mode is new in opset 28
    if mode not in ("DCR", "CRD"):
        raise Refusal(f"its mode {mode!r} is not known")
    return _one(node, PeriodicUnshuffle(maps_of(view, node.input[0]), (r, r), "crd" if mode == "CRD" else "dcr"))


def _pad(view: View, node: NodeProto, attributes: Attributes) -> Reading | None:
    names = inputs_of(node)
    mode = attributes.take("mode", "constant")
    if view.opset < 11:
        value, flat = attributes.take("value", 0.0), attributes.take("pads")
        axes = None
    else:
        flat = integers_of(view, names[1], "pads")
        given = view.constant(names[2]) if len(names) > 2 and names[2] else np.zeros(1)
        if given is None:
            raise Refusal("its constant value is computed")
        value = float(given.reshape(-1)[0])
        axes = integers_of(view, names[3], "axes") if len(names) > 3 and names[3] else None
    rank = rank_of(view, node.input[0]) if axes is not None else len(flat) // 2
    n = len(flat) // 2
    each = [(0, 0)] * rank
    for i, axis in enumerate(axes if axes is not None else range(n)):
        each[axis % rank] = (flat[i], flat[n + i])
    if rank < 3 or any(p for pair in each[:2] for p in pair):
        return None  # pads batch or maps: no layer of ours
    if mode == "constant" and value == 0:
        return _one(node, Pad(maps_of(view, node.input[0]), tuple(each[2:])))
    if mode == "edge":
        return _one(node, Pad(maps_of(view, node.input[0]), tuple(each[2:]), "edge"))
    if mode == "reflect" and _reflects_copies(view, node.input[0], each[2:]):
        return _one(node, Pad(maps_of(view, node.input[0]), tuple(each[2:]), "edge"))
    if mode == "constant":
        raise Refusal(f"it continues the input by {value:g}, and only zeros are the same outside every layer")
    if mode == "reflect":
        raise Refusal("it reflects samples that are no copies of the edge, as those of a resize 'nearest' are")
    raise Refusal(f"its mode {mode!r} continues the input by neither zeros nor its edge")


def _reflects_copies(view: View, name: str, pads: list[tuple[int, int]]) -> bool:
    """Nearest ×s ends in s copies of the edge: reflecting up to s-1 of them repeats the edge (A15)."""
    before = view.producers.get(name)
    reading = None if before is None else read(view, before)
    if reading is None or len(reading.layers) != 1 or not isinstance(nearest := reading.layers[0], Resize):
        return False
    plain = nearest.mode == "nearest" and not any(nearest.offset or ())
    return plain and all(0 <= max(pair) <= s - 1 for pair, s in zip(pads, nearest.factor, strict=True))


def _slice(view: View, node: NodeProto, attributes: Attributes) -> Reading | None:
    """A crop: so many samples less at the start and at the end."""
    names = inputs_of(node)
    if view.opset < 10:
        starts, ends = list(attributes.take("starts")), list(attributes.take("ends"))
        axes = list(attributes.take("axes") or range(len(starts)))
    else:
        values = [view.constant(name) for name in names[1:]]
        if any(value is None or value.dtype.kind not in "iu" for value in values):
            return None
        starts, ends, *more = ([int(v) for v in value.reshape(-1)] for value in values if value is not None)
        axes = more[0] if more else list(range(len(starts)))
        if len(more) > 1 and any(step != 1 for step in more[1]):
            return None
    dims = view.dims(node.input[0])
    if dims is None or len(dims) < 3:
        return None
    cut = [(0, 0)] * len(dims)
    for axis, start, end in zip(axes, starts, ends, strict=True):
        n = dims[axis]
        if start < 0 or (end >= 0 and not (end >= 1 << 30 or end == n)):
            return None  # so many samples from an end: no crop
        cut[axis % len(dims)] = (-start, min(end, 0))
    if any(pair != (0, 0) for pair in cut[:2]):
        return None
    return _one(node, Pad(maps_of(view, node.input[0]), tuple(cut[2:])))


def _average_pool(view: View, node: NodeProto, attributes: Attributes) -> Reading:
    K = tuple(attributes.take("kernel_shape"))
    d = len(K)
    strides = tuple(attributes.take("strides") or [1] * d)
    counts = attributes.take("count_include_pad", 0)
    if attributes.take("ceil_mode", 0):
        raise Refusal("its ceil_mode rounds its length up: the last mean has fewer samples")
    if any(D != 1 for D in attributes.take("dilations") or []):
        raise Refusal("its pooling is dilated")
    pads, fixed = _pads(view, node, attributes, d, strides, [k - 1 for k in K])
    if not counts and any(p for pair in pads for p in pair):
        raise Refusal("it leaves padding out of its mean, so its weights differ at the border")
    return _one(node, AveragePool(maps_of(view, node.input[0]), K, strides, pads), fixed=fixed)


def _batch_norm(view: View, node: NodeProto, attributes: Attributes) -> Reading:
    epsilon = attributes.take("epsilon", 1e-5)
    attributes.take("momentum")
    attributes.take("is_test")  # opset 1 and 6; later files carry it without meaning
    if attributes.take("training_mode", 0):
        raise Refusal("its training_mode normalises by the batch")
    if not attributes.take("spatial", 1):
        raise Refusal("its parameters differ by position (spatial is 0)")
    scale, shift, mean, variance = (weight_of(view, name, "parameter").astype(np.float64) for name in node.input[1:5])
    if (variance + epsilon <= 0).any():
        raise Refusal("its variance and epsilon do not add up to a positive number")
    gain = scale / np.sqrt(variance + epsilon)
    return _one(node, Affine(gain, shift - gain * mean, rank_of(view, node.input[0]) - 2))


def _arithmetic(view: View, node: NodeProto, attributes: Attributes) -> Reading | None:
    """Add, Sub, Mul, Div with a constant that differs by map only."""
    constants = [view.constant(name) for name in node.input]
    if sum(value is None for value in constants) != 1:
        return None
    at = 0 if constants[0] is None else 1
    other, name = node.input[at], node.input[1 - at]
    if view.dims(other) is None or rank_of(view, other) < 3:
        return None
    rank, C = rank_of(view, other), maps_of(view, other)
    value = weight_of(view, name, "constant").astype(np.float64)
    dims = (1,) * (rank - value.ndim) + value.shape
    if len(dims) != rank or any(n != 1 for i, n in enumerate(dims) if i != 1) or dims[1] not in (1, C):
        return None  # differs by position, or grows the output
    value = np.broadcast_to(value.reshape(-1), (C,))
    ones, zeros = np.ones(C), np.zeros(C)
    match node.op_type, at:
        case "Add", _:
            affine = Affine(ones, value, rank - 2)
        case "Sub", 0:
            affine = Affine(ones, -value, rank - 2)
        case "Sub", _:
            affine = Affine(-ones, value, rank - 2)
        case "Mul", _:
            affine = Affine(value, zeros, rank - 2)
        case "Div", 0 if value.all():
            affine = Affine(1 / value, zeros, rank - 2)
        case _:
            return None
    return _one(node, affine, source=other)


def _nothing(view: View, node: NodeProto, attributes: Attributes) -> Reading | None:
    attributes.take("ratio")
    attributes.take("seed")
    if node.op_type == "Dropout" and len(node.input) > 2 and node.input[2]:
        training = view.constant(node.input[2])
        if training is None or training.any():
            return None
    return None if view.constant(node.input[0]) is not None else _one(node)


READERS: dict[str, Callable[[View, NodeProto, Attributes], Reading | None]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Resize": resize,
    "Upsample": upsample,
    "Pad": _pad,
    "Slice": _slice,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Add": _arithmetic,
    "Sub": _arithmetic,
    "Mul": _arithmetic,
    "Div": _arithmetic,
    "Identity": _nothing,
    "Dropout": _nothing,
}


# --- pieces ----------------------------------------------------------------------------------------------------


def rank_of(view: View, name: str) -> int:
    """Number of dimensions, batch and maps included."""
    dims = view.dims(name)
    if dims is None:
        raise Refusal(f"the shape of {name!r} is not known: give the model's input shapes")
    return len(dims)


def maps_of(view: Wiring, name: str) -> int:
    """Number of maps."""
    dims = view.dims(name)
    C = dims[1] if dims is not None and len(dims) > 1 else None
    if not isinstance(C, int):
        raise Refusal(f"the number of maps of {name!r} is not known: give the model's input shapes")
    return C


def _weight_and_bias(view: View, node: NodeProto, axis: int) -> tuple[np.ndarray, np.ndarray | None, Stored | None]:
    """Weight and bias as numbers, and how they are stored; `axis` of the weight counts the output maps."""
    names = inputs_of(node)
    if not view.is_quantised(names[1]):
        weight = weight_of(view, names[1], "weight")
        return weight, weight_of(view, names[2], "bias").astype(np.float64) if len(names) > 2 else None, None
    numbers, grid = dequantised(view, names[1], axis, "weight")
    if len(names) < 3:
        return numbers, None, Stored(grid, None)
    if not view.is_quantised(names[2]):
        return numbers, weight_of(view, names[2], "bias").astype(np.float64), Stored(grid, None)
    bias, of_bias = dequantised(view, names[2], 0, "bias")
    return numbers, bias, Stored(grid, of_bias)


def _shared_out(total: int, auto_pad: str) -> tuple[int, int]:
    """Padding for both ends; a negative total lengthens the output at its end."""
    small, large = total // 2, total - total // 2
    if total < 0:
        return 0, total
    return (small, large) if auto_pad == "SAME_UPPER" else (large, small)


def _filter(attributes: Attributes, K: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Strides, dilations, groups; kernel_shape must say what the weight is."""
    stated = attributes.take("kernel_shape")
    if stated and tuple(stated) != K:
        raise Refusal(f"its kernel_shape {list(stated)} contradicts its weight's {list(K)}")
    ones = [1] * len(K)
    strides, dilations = attributes.take("strides") or ones, attributes.take("dilations") or ones
    return tuple(strides), tuple(dilations), int(attributes.take("group", 1))


def _pads(
    view: View, node: NodeProto, attributes: Attributes, d: int, strides: tuple[int, ...], reach: list[int]
) -> tuple[Pads, bool]:
    """Pads with `auto_pad` worked out, and whether they hold for one size only."""
    auto_pad, flat = attributes.take("auto_pad", "NOTSET"), attributes.take("pads") or [0] * 2 * d
    if auto_pad == "NOTSET":
        return tuple(zip(flat[:d], flat[d:], strict=True)), False
    if auto_pad == "VALID":
        return ((0, 0),) * d, False
    if auto_pad not in ("SAME_UPPER", "SAME_LOWER"):
        raise Refusal(f"its auto_pad {auto_pad!r} is not known")
    fixed = any(s != 1 for s in strides)
    size = view.size(node.input[0]) if fixed else (1,) * d
    if size is None:
        raise Refusal(f"its auto_pad {auto_pad} with strides {list(strides)} needs the input's size")
    pads = []
    for L, s, r in zip(size, strides, reach, strict=True):
        total = max(0, (-(-L // s) - 1) * s + r + 1 - L)
        pads.append((total // 2, total - total // 2) if auto_pad == "SAME_UPPER" else (total - total // 2, total // 2))
    return tuple(pads), fixed
