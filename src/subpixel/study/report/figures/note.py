"""All figures of the note, in its order."""

from __future__ import annotations

from subpixel.study.report.drawing import Drawing
from subpixel.study.report.figures import convolutions, kernels, networks


def figures() -> list[Drawing]:
    """Three forms in one dimension and the convolution they come from, the split, the shuffle, the two networks."""
    return [
        convolutions.strided(),
        convolutions.transposed(),
        convolutions.subpixel(),
        convolutions.shuffled(),
        kernels.split(),
        kernels.shuffle(),
        networks.networks(),
    ]
