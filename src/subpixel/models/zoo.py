"""The zoo: every model by its name, in one literal dict."""

from collections.abc import Callable
from dataclasses import dataclass

from subpixel.errors import UsageError
from subpixel.models.espcn import espcn, espcn_tanh
from subpixel.models.family import large, medium, nano, small
from subpixel.models.network import Network
from subpixel.models.references import drcn, drcn_s, fsrcnn, fsrcnn_s, srcnn, srcnn_955, vdsr


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


LUMA = "Y of BT.601 (16..235), divided by 255"


def _network(
    build: Callable[[int], Network], shipped: tuple[int, ...], description: str, source: str
) -> ModelDescriptor:
    """A network for luma whose convolutions are padded with zeros, as all of them are."""
    return ModelDescriptor(description, build, shipped, LUMA, (0.0, 1.0), "zeros", source)


ESPCN_PAPER = "Shi et al. 2016, arXiv 1609.05158"
OURS = "subpixel, after Shi et al. 2016, arXiv 1609.07009"
SRCNN_PAPER = "Dong et al. 2014, arXiv 1501.00092"
FSRCNN_PAPER = "Dong et al. 2016, arXiv 1608.00367"

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
    "nano": _network(nano, (2, 3, 4), "Six 3x3 layers of 8 maps at LR, the input added before the shuffle.", OURS),
    "small": _network(small, (2, 3, 4), "Six 3x3 layers of 16 maps at LR, the input added before the shuffle.", OURS),
    "medium": _network(medium, (2, 3, 4), "Ten 3x3 layers of 32 maps at LR, the input added before the shuffle.", OURS),
    "large": _network(large, (), "Sixteen 3x3 layers of 64 maps at LR, the input added before the shuffle.", OURS),
    "espcn": _network(
        espcn, (2, 3, 4), "Three convolutions (5-3-3, 64-32-r² maps, ReLU) and one periodic shuffling.", ESPCN_PAPER
    ),
    "espcn-tanh": _network(espcn_tanh, (), "ESPCN with the paper's activation.", ESPCN_PAPER),
    "srcnn": _network(srcnn, (), "Bicubic first, then three convolutions at HR (9-1-5, 64-32 maps).", SRCNN_PAPER),
    "srcnn-955": _network(srcnn_955, (), "SRCNN with a middle layer of 5x5.", SRCNN_PAPER),
    "fsrcnn": _network(
        fsrcnn, (), "Eight layers (d 56, s 12, m 4, PReLU); the last is a 9x9 transposed convolution.", FSRCNN_PAPER
    ),
    "fsrcnn-s": _network(fsrcnn_s, (), "FSRCNN's small sister (d 32, s 5, m 1).", FSRCNN_PAPER),
    "vdsr": _network(
        vdsr, (), "Bicubic first, then twenty 3x3 layers of 64 maps at HR.", "Kim et al. 2016, arXiv 1511.04587"
    ),
    "drcn": _network(
        drcn, (), "Bicubic first, then one 3x3 layer of 256 maps sixteen times.", "Kim et al. 2016, arXiv 1511.04491"
    ),
    "drcn-s": _network(
        drcn_s, (), "DRCN narrowed for CPUs: 32 maps, 8 recursions; not the paper's.", "after Kim et al. 2016"
    ),
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
    try:
        return descriptor.build(scale)
    except ValueError as error:  # FSRCNN's kernel of 9 ends at x9
        raise UsageError(f"{name} cannot be built for x{scale}: {error}") from error
