"""What else reads the values and weights of a site stays as it was."""

from __future__ import annotations

from typing import Any

from rewrite.graphs import graph, node, rewritten, whole
from rewrite.patterns import output_in_the_middle

X: Any = {"x": ["N", 5, "H", "W"]}


def test_shared_weights_stay_for_the_other_reader() -> None:
    model = graph(
        [
            node("ConvTranspose", "x w", "u", strides=[2, 2]),
            node("ConvTranspose", "u w", "v", strides=[2, 2]),
            node("Relu", "v", "r"),
            node("Conv", "r w", "y"),
        ],
        {"x": ["N", 3, "H", "W"]},
        "y",
        w=whole(3, 3, 2, 2),
    )
    result = rewritten(model, gone="ConvTranspose")
    assert "w" in {t.name for t in result.model.graph.initializer}


def test_a_graph_output_in_the_middle_is_kept() -> None:
    rewritten(output_in_the_middle(), has="Resize DepthToSpace")
    chain = graph(
        [node("ConvTranspose", "x w", "u", strides=[2, 2]), node("Mul", "u g", "y")],
        X,
        {"u": 4, "y": 4},
        w=whole(5, 3, 2, 2),
        g=whole(1, 3, 1, 1),
    )
    rewritten(chain, gone="ConvTranspose", has="Mul")
