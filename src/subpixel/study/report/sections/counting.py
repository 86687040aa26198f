"""The second answer as the note argues it: by counting."""

from __future__ import annotations

from subpixel.study.report.figures import networks
from subpixel.study.report.markup import figure, paragraphs, table


def second_answer() -> str:
    """HR against LR network, and the table of what a layer costs."""
    found = networks.layers()
    height, width = networks.SIZE
    rows = [
        (
            layer.name,
            f"{layer.law[0]} = {layer.cost.macs:,}",
            f"{layer.law[1]} = {layer.cost.parameters:,}",
            f"{layer.law[2]} = {layer.cost.activations:,}",
            f"{layer.law[3]} = {layer.field}",
        )
        for layer in found
    ]
    return (
        '<h2 id="second">Second answer: convolutions in LR space have more to work with</h2>'
        + paragraphs(
            "A network that enlarges first convolves n maps of r times the width and height. For the same number of "
            "multiplications a network in LR space has r·n maps: r² times the weights, r times the receptive field, "
            "and only 1/r of the numbers to write to memory. With r² times the maps it could compute everything that "
            "the HR network computes. The note argues so by counting, and has no experiment; ours follow below."
        )
        + '<div class="figures">'
        + figure(networks.networks())
        + "</div>"
        + table(
            f"One layer, k = {networks.KERNEL}, n = {networks.MAPS}, r = {networks.SCALE}, "
            f"LR size {width}×{height}, counted by subpixel.algebra.cost",
            ("layer", "multiplications", "weights", "numbers written", "receptive field, HR pixels"),
            rows,
        )
        + paragraphs(
            "The last row contains every HR layer of n maps, as a kernel with zeros in it (law A9). It takes r² times"
            " the multiplications if those zeros are multiplied. The LR network of equal cost, the middle row, does "
            "not contain it: whether it does better is a question for experiments."
        )
    )
