"""Nodes as plain data for the report: what each is, in a few words, and which values it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

Sketch = list[dict[str, Any]]
Constant = Callable[[str], NDArray[Any] | None]


def sketch(nodes: Sequence[NodeProto], constant: Constant, shapes: Mapping[str, Sequence[int]] = {}) -> Sketch:
    """The nodes in their order, those that only prepare constants or sizes left out.

    Returns:
        [{op, text, reads, writes, shape}]: `text` says what the node does ("3×3, 64→12 maps"), `reads` and
        `writes` are names of values, `shape` is the output's where `shapes` knows it.
    """
    sizes: set[str] = set()
    kept = []
    for node in {node.output[0]: node for node in nodes}.values():  # several terms of a sum may share one
        computed = [name for name in node.input if name and constant(name) is None]
        if node.op_type == "Shape" or all(name in sizes for name in computed):
            sizes.update(node.output)
        else:
            kept.append(node)
    inside = {name for node in nodes for name in node.output}
    written = {name for node in kept for name in node.output}
    found = []
    for node in kept:
        data = list(node.input) if node.op_type in ("Add", "Concat", "Sum") else list(node.input[:1])
        reads = [n for n in data if n and constant(n) is None and (n in written or n not in inside)]
        shape = shapes.get(node.output[0])
        found.append(
            {
                "op": node.op_type,
                "text": _text(node, constant),
                "reads": reads,
                "writes": node.output[0],
                "shape": None if shape is None else list(shape),
            }
        )
    return found


def _text(node: NodeProto, constant: Constant) -> str:
    a = {x.name: helper.get_attribute_value(x) for x in node.attribute}
    weight = constant(node.input[1]) if len(node.input) > 1 and node.input[1] else None
    match node.op_type:
        case "Conv" | "ConvTranspose" if weight is not None:
            groups = int(a.get("group", 1))
            first, second = weight.shape[:2]
            maps = (second * groups, first) if node.op_type == "Conv" else (first, second * groups)
            said = [f"{_times(weight.shape[2:])}, {maps[0]}→{maps[1]} maps"]
            said += [f"stride {_times(a['strides'])}"] if any(s != 1 for s in a.get("strides", ())) else []
            said += [f"dilation {_times(a['dilations'])}"] if any(d != 1 for d in a.get("dilations", ())) else []
            said += [f"{groups} groups"] if groups > 1 else []
            return ", ".join(said)
        case "DepthToSpace" | "SpaceToDepth":
            mode = a.get("mode", b"DCR" if node.op_type == "DepthToSpace" else b"").decode()
            return f"×{a['blocksize']} {mode}".strip()
        case "Resize" | "Upsample":
            scales = [constant(name) for name in node.input[1:] if name]
            known = (s.reshape(-1) for s in scales if s is not None)
            spatial = next((s[2:] for s in known if s.size > 2 and s.dtype.kind == "f"), None)
            factors = [] if spatial is None else [f"{float(s):g}" for s in spatial]
            by = f" ×{_times(factors if len(set(factors)) > 1 else factors[:1])}" if factors else ""
            return str(a.get("mode", b"nearest").decode()) + by
        case "Transpose":
            return " ".join(map(str, a.get("perm", ())))
        case "Concat":
            return f"{len(node.input)} on axis {a.get('axis')}"
        case "Pad":
            return str(a.get("mode", b"constant").decode())
        case "Mul" | "Add" | "Sub" | "Div":
            values = [v for name in node.input if (v := constant(name)) is not None]
            count = int(np.prod(values[0].shape)) if values else 0
            return f"{count} constant{'s' * (count > 1)}" if count else ""
    return ""


def _times(values: Sequence[Any]) -> str:
    return "×".join(map(str, values))
