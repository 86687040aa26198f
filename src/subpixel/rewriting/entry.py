"""The report: one entry per site, rewritten or not, as plain data. Keys are listed in docs/rewriting.md."""

from __future__ import annotations

from typing import Any

from onnx import NodeProto

from subpixel.rewriting.refusal import Refusal

Entry = dict[str, Any]


def label(node: NodeProto) -> str:
    """What the report calls a node: its name, or the value that it writes."""
    return node.name or node.output[0]


def entry(node: NodeProto, **known: Any) -> Entry:
    """A site's entry; what is not known is null."""
    blank: Entry = {
        "node": label(node),
        "op": node.op_type,
        "law": "",
        "form": None,
        "ms_before": None,
        "ms_after": None,
        "macs_before": None,
        "macs_after": None,
        "weights_before": None,
        "weights_after": None,
        "max_error": None,
        "proof": None,
        "smallest": None,
        "before": None,
        "after": None,
        "refused": None,
    }
    return {**blank, **known}


def refused(node: NodeProto, refusal: Refusal) -> Entry:
    """The entry of a site that is left as it is."""
    return entry(node, law=refusal.law, refused=refusal.reason)


def continued(old: Entry, new: Entry) -> Entry:
    """The entry of a site that a later pass rewrote once more, `new`, beginning at nodes that `old` had written.

    What the first pass wrote and the second replaced is nobody's any more; of its multiplications and weights, which
    the entries only have as sums, as much as both sums allow.
    """
    merged = {**new, "node": old["node"], "op": old["op"], "form": f"{old['form']}; then {new['form']}"}
    for what in ("macs", "weights"):
        numbers = [entry[f"{what}_{when}"] for entry in (old, new) for when in ("before", "after")]
        merged[f"{what}_before"] = merged[f"{what}_after"] = None
        if None not in numbers:
            between = min(numbers[1], numbers[2])
            merged[f"{what}_before"] = numbers[0] + numbers[2] - between
            merged[f"{what}_after"] = numbers[1] - between + numbers[3]
    merged["max_error"] = max(old["max_error"], new["max_error"])
    a, b = old["proof"], new["proof"]
    merged["proof"] = {key: min(a[key], b[key]) for key in a}  # of truth values: both
    least = [entry["smallest"] for entry in (old, new) if entry["smallest"]]
    merged["smallest"] = [max(axis) for axis in zip(*least, strict=True)] if least else None
    written, replaced = ({node["writes"] for node in nodes} for nodes in (old["after"], new["before"]))
    known = written | {node["writes"] for node in old["before"]}
    merged["before"] = old["before"] + [node for node in new["before"] if node["writes"] not in known]
    merged["after"] = [node for node in old["after"] if node["writes"] not in replaced] + new["after"]
    return merged
