"""The zoo: every model by its name, in one literal dict."""

from collections.abc import Callable
from dataclasses import dataclass

from subpixel.errors import UsageError
from subpixel.models.espcn import espcn
from subpixel.models.family import nano, small
from subpixel.models.network import Network


@dataclass(frozen=True)
class ModelDescriptor:
    """What is known of a model before it is loaded.

    Attributes:
        description: one sentence.
        build: scale to network; None for an interpolation, which has no weights.
        shipped: the scales that have weights in the package.
        colour: what the channel is.
        value_range: of the numbers that go in and come out.
        border: what the network sees outside the picture.
        source: paper.
    """

    description: str
    build: Callable[[int], Network] | None
    shipped: tuple[int, ...]
    colour: str
    value_range: tuple[float, float]
    border: str
    source: str


def _of_the_family(build: Callable[[int], Network], shipped: tuple[int, ...], description: str) -> ModelDescriptor:
    return ModelDescriptor(
        description=description,
        build=build,
        shipped=shipped,
        colour=LUMA,
        value_range=(0.0, 1.0),
        border="zeros",
        source="subpixel, after Shi et al. 2016, arXiv 1609.07009",
    )


LUMA = "Y of BT.601 (16..235), divided by 255"

ZOO: dict[str, ModelDescriptor] = {
    "bicubic": ModelDescriptor(
        description="Bicubic interpolation as MATLAB's imresize computes it; the baseline.",
        build=None,
        shipped=(),
        colour="any channel",
        value_range=(0.0, 255.0),
        border="mirrored",
        source="Keys 1981",
    ),
    "espcn": ModelDescriptor(
        description="Three convolutions (5-3-3, 64-32-r² maps, ReLU) and one periodic shuffling.",
        build=espcn,
        shipped=(2, 3, 4),
        colour=LUMA,
        value_range=(0.0, 1.0),
        border="zeros",
        source="Shi et al. 2016, arXiv 1609.05158",
    ),
    "nano": _of_the_family(nano, (), "Six 3x3 convolutions of 8 maps, the input added before the shuffle: for video."),
    "small": _of_the_family(small, (), "Six 3x3 convolutions of 16 maps, the input added before the shuffle."),
}

MAX_SCALE = 64  # far beyond use; keeps a hostile header or a typing error from asking for endless memory


def describe(name: str) -> ModelDescriptor:
    """The descriptor of a model.

    Raises:
        UsageError: if there is no model of that name; the message lists those there are.
    """
    if name not in ZOO:
        raise UsageError(f"there is no model {name!r}; there are {', '.join(ZOO)}")
    return ZOO[name]


def build(name: str, scale: int) -> Network:
    """The untrained network of a model.

    Raises:
        UsageError: unknown name, a model without weights, or a scale outside 2..64.
    """
    descriptor = describe(name)
    if descriptor.build is None:
        raise UsageError(f"{name} is an interpolation, not a network: it has no weights to train or export")
    if not 2 <= scale <= MAX_SCALE:
        raise UsageError(f"scale {scale} is impossible for {name}: it takes integers from 2 to {MAX_SCALE}")
    return descriptor.build(scale)
