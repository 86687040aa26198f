"""The subpixel family: plain stacks of 3x3 convolutions in LR space, the input added before the shuffle.

Each activation is a LeakyReLU whose one slope per layer is learnt. The skip repeats the input r² times in
LR space, which after the shuffle is nearest-neighbour upscaling (law A15): the stack learns what is missing.
Widths and depths were chosen by measured time; docs/LOG.md has what was tried.
"""

from subpixel.models.network import Activation, AddRemembered, Convolution, Network, PeriodicShuffle, Remember, Step


def nano(scale: int) -> Network:
    """Six layers of 8 maps: 3.0 to 3.6 thousand weights."""
    return stack("nano", scale, maps=8, layers=6)


def small(scale: int) -> Network:
    """Six layers of 16 maps: 10 to 12 thousand weights."""
    return stack("small", scale, maps=16, layers=6)


def medium(scale: int) -> Network:
    """Ten layers of 32 maps: 75 to 79 thousand weights."""
    return stack("medium", scale, maps=32, layers=10)


def large(scale: int) -> Network:
    """Sixteen layers of 64 maps: 520 to 530 thousand weights."""
    return stack("large", scale, maps=64, layers=16)


def stack(name: str, scale: int, maps: int, layers: int) -> Network:
    """`layers` convolutions of `maps` maps, the last one of r², for one luma channel.

    Args:
        name: of the model.
        scale: r.
        maps: of every layer but the last.
        layers: convolutions in all, at least 2.
    """
    steps: list[Step] = [Remember("lr")]
    for index in range(layers):
        outputs = maps if index < layers - 1 else scale**2
        steps.append(Convolution(f"conv{index + 1}", maps if index else 1, outputs, 3))
        if index < layers - 1:
            steps.append(Activation("prelu", f"act{index + 1}", 1))
    return Network(name, scale, (*steps, AddRemembered("lr", scale**2), PeriodicShuffle(scale)))
