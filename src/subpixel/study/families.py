"""The families that the study compares: equal depth, one skip, and where each of them enlarges.

All are plain data (`subpixel.models.network`): `LAYERS` learnt layers of 3×3 taps, a LeakyReLU with one learnt slope
after every one but the last, and the bicubic interpolation of the input added to the result. So all learn the same
thing, what bicubic interpolation lacks, and none has to spend maps on handing the picture through; a skip over the
nearest neighbour would be out of reach for `bicubic-first`, which never sees the LR pixels.
"""

from collections.abc import Callable, Iterator
from itertools import product

from subpixel.models.network import (
    Activation,
    AddRemembered,
    Convolution,
    Interpolation,
    Network,
    PeriodicShuffle,
    Recall,
    Remember,
    Repetition,
    Step,
    TransposedConvolution,
)

LAYERS = 4
TOLERANCE = 0.025
"""How far from the budget a family's multiplications may lie, as a part of it."""

Widths = tuple[int, ...]
"""Maps of each layer but the last."""


def _layer(index: int, inputs: int, outputs: int, kernel: int, last: bool) -> list[Step]:
    layer: list[Step] = [Convolution(f"conv{index + 1}", inputs, outputs, kernel)]
    return layer if last else [*layer, Activation("prelu", f"act{index + 1}", 1)]


def _convolutions(widths: Widths, outputs: int, kernels: Widths, first: int = 0) -> list[Step]:
    """Layers `first` to the last, from `widths` to `outputs` maps."""
    maps = [1, *widths, outputs]
    steps: list[Step] = []
    for index in range(first, len(kernels)):
        steps += _layer(index, maps[index], maps[index + 1], kernels[index], index == len(kernels) - 1)
    return steps


def _nearest_first(r: int, widths: Widths, kernels: Widths) -> list[Step]:
    return [Repetition(r), *_convolutions(widths, 1, kernels)]


def _bicubic_first(r: int, widths: Widths, kernels: Widths) -> list[Step]:
    return [Interpolation(r), *_convolutions(widths, 1, kernels)]


def _deconvolution_first(r: int, widths: Widths, kernels: Widths) -> list[Step]:
    up: list[Step] = [TransposedConvolution("conv1", 1, widths[0], r * kernels[0], r), Activation("prelu", "act1", 1)]
    return [*up, *_convolutions(widths, 1, kernels, first=1)]


def _deconvolution_last(r: int, widths: Widths, kernels: Widths) -> list[Step]:
    *body, _ = _convolutions(widths, 1, kernels)
    return [*body, TransposedConvolution(f"conv{len(kernels)}", widths[-1], 1, r * kernels[-1], r)]


def _shuffle_last(r: int, widths: Widths, kernels: Widths) -> list[Step]:
    return [*_convolutions(widths, r * r, kernels), PeriodicShuffle(r)]


def _resize_last(r: int, widths: Widths, kernels: Widths) -> list[Step]:
    *body, last = _convolutions(widths, 1, kernels)
    return [*body, Repetition(r), last]


_STEPS: dict[str, Callable[[int, Widths, Widths], list[Step]]] = {
    "nearest-first": _nearest_first,
    "bicubic-first": _bicubic_first,
    "deconvolution-first": _deconvolution_first,
    "deconvolution-last": _deconvolution_last,
    "shuffle-last": _shuffle_last,
    "resize-last": _resize_last,
}
"""What is learnt of each family of `glossary.FAMILIES`."""


def build(family: str, scale: int, widths: Widths, kernels: Widths | None = None) -> Network:
    """The network of a family.

    Args:
        family: a name in `glossary.FAMILIES`.
        scale: r.
        widths: maps of each layer but the last.
        kernels: taps of each layer at its own resolution; 3 for all by default.
    """
    kernels = kernels or (3,) * (len(widths) + 1)
    steps = _STEPS[family](scale, widths, kernels)
    skip: list[Step] = [Remember("lr"), Interpolation(scale), Remember("bicubic"), Recall("lr")]
    return Network(family, scale, (*skip, *steps, AddRemembered("bicubic")))


def of_budget(family: str, scale: int, macs: int, kernels: Widths | None = None) -> Network:
    """The family's network whose multiplications for each LR pixel come nearest to `macs`.

    Its widths differ by one at most. Which of those that cost the same is taken: the one with the wider layers first.
    """
    layers = len(kernels) if kernels else LAYERS
    return min(
        (build(family, scale, widths, kernels) for widths in _widths(layers - 1, family, scale, macs, kernels)),
        key=lambda network: abs(network.macs_per_lr_pixel - macs),
    )


def of_weights(family: str, scale: int, weights: int) -> Network:
    """The family's network of most weights, slopes and biases among them, that has no more than `weights`.

    Where even the narrowest has more, that one is taken.
    """
    candidates = [build(family, scale, widths) for widths in _near(LAYERS - 1, 64)]
    within = [network for network in candidates if network.parameter_count <= weights]
    if not within:
        return build(family, scale, (1,) * (LAYERS - 1))
    return max(within, key=lambda network: network.parameter_count)


def _widths(count: int, family: str, scale: int, macs: int, kernels: Widths | None) -> Iterator[Widths]:
    """Widths around the largest equal ones within the budget."""
    width = 1
    while build(family, scale, (width + 1,) * count, kernels).macs_per_lr_pixel <= macs:
        width += 1
    yield from product((width + 1, width), repeat=count)


def _near(count: int, most: int) -> Iterator[Widths]:
    for width in range(1, most):
        yield from product((width + 1, width), repeat=count)


def widths_of(network: Network) -> Widths:
    """Maps of each layer but the last."""
    layers = [step for step in network.steps if isinstance(step, Convolution | TransposedConvolution)]
    return tuple(layer.outputs for layer in layers[:-1])
