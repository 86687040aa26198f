"""ESPCN: Shi et al. 2016, arXiv 1609.05158, section 3.1: (5, 64)-(3, 32)-(3, r²), then the shuffle."""

from typing import Literal

from subpixel.models.network import Activation, Convolution, Network, PeriodicShuffle


def espcn(scale: int, activation: Literal["relu", "tanh"] = "relu") -> Network:
    """The network for one luma channel; zero padding keeps the size, so that r·H x r·W come out.

    The paper's activation is tanh. ReLU trains better here: it passes luma through unchanged.
    """
    return Network(
        "espcn" if activation == "relu" else "espcn-tanh",
        scale,
        (
            Convolution("conv1", 1, 64, 5),
            Activation(activation),
            Convolution("conv2", 64, 32, 3),
            Activation(activation),
            Convolution("conv3", 32, scale**2, 3),
            PeriodicShuffle(scale),
        ),
    )


def espcn_tanh(scale: int) -> Network:
    """ESPCN with the paper's own activation."""
    return espcn(scale, "tanh")
