"""The report: one entry per site, rewritten or not, as plain data. Keys are listed in docs/rewriting.md."""

from __future__ import annotations

from typing import Any

from onnx import NodeProto

from subpixel.rewriting.refusal import Refusal

Entry = dict[str, Any]


def entry(node: NodeProto, **known: Any) -> Entry:
    """A site's entry; what is not known is null."""
    blank: Entry = {
        "node": node.name or node.output[0],
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
