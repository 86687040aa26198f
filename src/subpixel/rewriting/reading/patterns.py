"""Layers that are spelled in several nodes: Reshape–Transpose–Reshape and zero insertion."""

from __future__ import annotations

from onnx import NodeProto, helper

from subpixel.algebra import PeriodicShuffle, PeriodicUnshuffle, ZeroInsertion
from subpixel.rewriting.graph.sizes import Size, Sizes, dims_of, evaluate
from subpixel.rewriting.graph.view import View
from subpixel.rewriting.reading.reading import Reading, integers_of


def read_pattern(view: View, node: NodeProto) -> Reading | None:
    """The pattern that starts at this node, if one does."""
    if node.op_type not in ("Reshape", "Unsqueeze") or not view.used_once(node.output[0]):
        return None
    middle = view.consumers[node.output[0]][0]
    if not middle.output or not view.used_once(middle.output[0]) or middle.domain:
        return None
    last = view.consumers[middle.output[0]][0]
    if last.op_type != "Reshape" or last.domain or last.input[0] != middle.output[0]:
        return None
    before = dims_of(view, node.input[0])
    if before is None or middle.input[0] != node.output[0]:
        return None
    split = _reshaped(view, node, before)
    if split is None:
        return None
    nodes = (node, middle, last)
    if middle.op_type == "Transpose" and node.op_type == "Reshape":
        return _transposed(view, nodes, before, split)
    if middle.op_type == "Pad":
        return _padded(view, nodes, before, split)
    return None


def _transposed(view: View, nodes: tuple[NodeProto, ...], before: Sizes, split: Sizes) -> Reading | None:
    """PS or PS⁻¹: split an axis, permute, merge."""
    _, middle, last = nodes
    perm = next((list(helper.get_attribute_value(a)) for a in middle.attribute if a.name == "perm"), None)
    d = len(before) - 2
    if perm is None or d < 1 or sorted(perm) != list(range(len(split))):
        return None
    if len(split) == 3 + d and d > 1:
        return _along_one_axis(view, nodes, before, split, perm)
    if len(split) != 2 + 2 * d:
        return None
    after = _reshaped(view, last, tuple(split[j] for j in perm))
    if after is None or len(after) != len(before) or split[0] != before[0] or after[0] != before[0]:
        return None
    axes = range(d)
    up = {
        "crd": [0, 1, *(j for i in axes for j in (2 + d + i, 2 + i))],
        "dcr": [0, 1 + d, *(j for i in axes for j in (2 + d + i, 1 + i))],
    }
    for order, expected in up.items():  # n (o r…) l…  →  n o (l r)…
        at = 2 if order == "crd" else 1
        r, O = split[at : at + d], split[1 if order == "crd" else 1 + d]
        if perm == expected and not any(s.of for s in (*r, O)) and split[2 + d :] == before[2:]:
            factor = tuple(s.times for s in r)
            if after[1] == O and all(a == b * f for a, b, f in zip(after[2:], before[2:], r, strict=True)):
                return _reading(nodes, before, PeriodicShuffle(O.times, factor, order))  # type: ignore[arg-type]
    down = {
        "crd": [0, 1, *(3 + 2 * i for i in axes), *(2 + 2 * i for i in axes)],
        "dcr": [0, *(3 + 2 * i for i in axes), 1, *(2 + 2 * i for i in axes)],
    }
    for order, expected in down.items():  # n c (l r)…  →  n (c r…) l…
        r, C = split[3::2], before[1]
        if perm == expected and not any(s.of for s in (*r, C)) and split[1] == C:
            coarse = split[2::2]
            fits = all(a * f == b for a, f, b in zip(coarse, r, before[2:], strict=True))
            whole = C
            for f in r:
                whole = whole * f
            if fits and after[1] == whole and after[2:] == coarse:
                factor = tuple(s.times for s in r)
                return _reading(nodes, before, PeriodicUnshuffle(C.times, factor, order))  # type: ignore[arg-type]
    return None


def _along_one_axis(
    view: View, nodes: tuple[NodeProto, ...], before: Sizes, split: Sizes, perm: list[int]
) -> Reading | None:
    """PS along one of several axes: n (o r) l… or n (r o) l…, r moved behind one of the l."""
    d, after = len(before) - 2, _reshaped(view, nodes[2], tuple(split[j] for j in perm))
    if after is None or split[0] != before[0] or after[0] != before[0] or split[3:] != before[2:]:
        return None
    for order, at, phase in (("crd", 1, 2), ("dcr", 2, 1)):
        for axis in range(d):
            expected = [0, at, *(j for i in range(d) for j in ([3 + i, phase] if i == axis else [3 + i]))]
            O, r = split[at], split[phase]
            if perm != expected or O.of or r.of or before[1] != O * r or after[1] != O:
                continue
            finer = tuple(b * r if i == axis else b for i, b in enumerate(before[2:]))
            if after[2:] == finer:
                factor = tuple(r.times if i == axis else 1 for i in range(d))
                return _reading(nodes, before, PeriodicShuffle(O.times, factor, order))  # type: ignore[arg-type]
    return None


def _padded(view: View, nodes: tuple[NodeProto, ...], before: Sizes, split: Sizes) -> Reading | None:
    """Zero insertion: an axis of one after every spatial axis, filled up with zeros at its end, merged."""
    _, middle, last = nodes
    d = len(before) - 2
    if d < 1 or len(split) != 2 + 2 * d or any(s != Size(1) for s in split[3::2]):
        return None
    if before[1].of or split[:2] != before[:2] or split[2::2] != before[2:]:
        return None
    attributes = {a.name: helper.get_attribute_value(a) for a in middle.attribute}
    if attributes.get("mode", b"constant") != b"constant" or attributes.get("value", 0.0):
        return None
    if view.opset < 11:
        flat = list(attributes.get("pads", []))
    else:
        if len(middle.input) > 3 and middle.input[3]:
            return None
        value = view.constant(middle.input[2]) if len(middle.input) > 2 and middle.input[2] else None
        if (value is not None and value.any()) or (value is None and len(middle.input) > 2 and middle.input[2]):
            return None
        flat = integers_of(view, middle.input[1], "pads")
    ends = flat[len(split) + 3 :: 2]
    if len(flat) != 2 * len(split) or sum(flat) != sum(ends) or min(flat) < 0:
        return None
    padded = tuple(s * Size(1 + flat[len(split) + i]) if i > 1 and i % 2 else s for i, s in enumerate(split))
    after = _reshaped(view, last, padded)
    factor = tuple(1 + e for e in ends)
    if after is None or after[:2] != before[:2] or len(after) != len(before):
        return None
    if any(a != b * Size(f) for a, b, f in zip(after[2:], before[2:], factor, strict=True)):
        return None
    return _reading(nodes, before, ZeroInsertion(before[1].times, factor, tuple(ends)))


def _reading(
    nodes: tuple[NodeProto, ...], before: Sizes, layer: PeriodicShuffle | PeriodicUnshuffle | ZeroInsertion
) -> Reading:
    # a Reshape to stated sizes takes no others
    return Reading(nodes, nodes[0].input[0], nodes[-1].output[0], (layer,), not any(s.of for s in before[2:]))


def _reshaped(view: View, node: NodeProto, before: Sizes) -> Sizes | None:
    """Dimensions after a Reshape, or an Unsqueeze, of a tensor with dimensions `before`."""
    if node.op_type == "Unsqueeze":
        listed = [a for a in node.attribute if a.name == "axes"]
        axes = list(helper.get_attribute_value(listed[0])) if listed else integers_of(view, node.input[1], "axes")
        rank = len(before) + len(axes)
        left = iter(before)
        at = {a % rank for a in axes}
        return tuple(Size(1) if i in at else next(left) for i in range(rank))
    if any(a.name == "allowzero" and a.i for a in node.attribute):
        return None
    target = evaluate(view, node.input[1])
    if target is None:
        return None
    if any(s == Size(0) and i >= len(before) for i, s in enumerate(target)):
        return None
    out = [before[i] if s == Size(0) else s for i, s in enumerate(target)]
    if Size(-1) in out:
        whole, rest = Size(1), Size(1)
        for s in before:
            whole = whole * s
        for s in out:
            rest = rest * s if s != Size(-1) else rest
        missing = whole.over(rest)
        if missing is None or out.count(Size(-1)) > 1:
            return None
        out[out.index(Size(-1))] = missing
    return tuple(out)
