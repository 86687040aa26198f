"""Inputs shorter than border cells need: the runtime refuses them, and never computes something else."""

from __future__ import annotations

import numpy as np

from rewrite.graphs import graph, node, rewritten


def test_zeros_are_not_put_around_a_slice_of_too_little() -> None:
    """The kernel's last tap alone reads three samples on and two zeros beyond the end: of two samples one is left."""
    weight = np.zeros((1, 3, 1, 3), np.float32)
    weight[0, 0, 0, 2], weight[0, 1:, 0] = 3, 2
    model = graph(
        [
            node("Resize", "x - s", "u", mode="nearest", nearest_mode="floor"),
            node("Resize", "u - t", "v", mode="nearest", nearest_mode="ceil"),
            node("Concat", "v k", "c", axis=1),
            node("Conv", "c w", "y", dilations=[2, 2], pads=[0, 1, 1, 2]),
        ],
        {"x": ["N", 1, "H", "W"], "k": ["N", 2, "6H", "W"]},
        "y",
        s=np.array([1, 1, 3, 1], np.float32),
        t=np.array([1, 1, 2, 1], np.float32),
        w=weight,
    )
    (site,) = rewritten(model, law="A8", sizes=[(2, 2), (3, 2), (5, 6)]).report["sites"]
    assert site["smallest"] == [2, 2]
