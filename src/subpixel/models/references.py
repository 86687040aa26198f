"""The networks that the note and its successors compare with, as their papers describe them.

SRCNN, VDSR and DRCN enlarge first and compute at HR; FSRCNN computes at LR and ends in a transposed convolution.
"""

from subpixel.models.network import (
    Activation,
    AddRemembered,
    Convolution,
    Interpolation,
    Network,
    Recall,
    Remember,
    Step,
    TransposedConvolution,
    WeightedSum,
)


def srcnn(scale: int) -> Network:
    """SRCNN 9-1-5: Dong et al. 2014, arXiv 1501.00092, section 4.1. 8,032 weights and 97 biases."""
    return _srcnn("srcnn", scale, 1)


def srcnn_955(scale: int) -> Network:
    """SRCNN 9-5-5: Dong et al. 2015, arXiv 1501.00092, section 4.3.2. 57,184 weights and 97 biases."""
    return _srcnn("srcnn-955", scale, 5)


def _srcnn(name: str, scale: int, middle: int) -> Network:
    return Network(
        name,
        scale,
        (
            Interpolation(scale),
            Convolution("conv1", 1, 64, 9),
            Activation("relu"),
            Convolution("conv2", 64, 32, middle),
            Activation("relu"),
            Convolution("conv3", 32, 1, 5),
        ),
    )


def fsrcnn(scale: int) -> Network:
    """FSRCNN (d = 56, s = 12, m = 4): Dong et al. 2016, arXiv 1608.00367, section 3.2. 12,464 weights."""
    return _fsrcnn("fsrcnn", scale, 56, 12, 4)


def fsrcnn_s(scale: int) -> Network:
    """FSRCNN-s (32, 5, 1), the paper's network for real time. 3,937 weights."""
    return _fsrcnn("fsrcnn-s", scale, 32, 5, 1)


def _fsrcnn(name: str, scale: int, d: int, s: int, m: int) -> Network:
    """Conv(5, d, 1), Conv(1, s, d), m Conv(3, s, s), Conv(1, d, s), DeConv(9, 1, d); PReLU after all but the last."""
    steps: list[Step] = [Convolution("feature", 1, d, 5), Activation("prelu", "feature_prelu", d)]
    steps += [Convolution("shrink", d, s, 1), Activation("prelu", "shrink_prelu", s)]
    for index in range(m):
        steps += [Convolution(f"map{index + 1}", s, s, 3), Activation("prelu", f"map{index + 1}_prelu", s)]
    steps += [Convolution("expand", s, d, 1), Activation("prelu", "expand_prelu", d)]
    steps.append(TransposedConvolution("deconvolution", d, 1, 9, scale))
    return Network(name, scale, tuple(steps))


def vdsr(scale: int, maps: int = 64, layers: int = 20) -> Network:
    """VDSR: Kim et al. 2016, arXiv 1511.04587, section 3: 20 layers of 64 maps at HR, the residual added."""
    steps: list[Step] = [Interpolation(scale), Remember("interpolated")]
    for index in range(layers):
        last = index == layers - 1
        steps.append(Convolution(f"conv{index + 1}", maps if index else 1, 1 if last else maps, 3))
        if not last:
            steps.append(Activation("relu"))
    return Network("vdsr", scale, (*steps, AddRemembered("interpolated")))


def drcn(scale: int) -> Network:
    """DRCN: Kim et al. 2016, arXiv 1511.04491, section 3: 256 maps, 16 recursions of one layer. 1,774,080 weights."""
    return recursive("drcn", scale, 256, 16)


def drcn_s(scale: int) -> Network:
    """DRCN at a width that a CPU can train, 32 maps and 8 recursions: no network of the paper's."""
    return recursive("drcn-s", scale, 32, 8)


def recursive(name: str, scale: int, maps: int, recursions: int) -> Network:
    """DRCN of any width and depth: embedding, one shared 3x3 layer, one shared reconstruction after each recursion.

    The predictions, each with the interpolated input added, are remembered as `prediction1`, … for recursive
    supervision, and their learnt weighted sum is the result.
    """
    steps: list[Step] = [Interpolation(scale), Remember("interpolated")]
    steps += [Convolution("embed1", 1, maps, 3), Activation("relu"), Convolution("embed2", maps, maps, 3)]
    steps += [Activation("relu")]
    for index in range(recursions):
        steps += [Convolution("recursion", maps, maps, 3), Activation("relu"), Remember(f"state{index + 1}")]
    predictions = tuple(f"prediction{index + 1}" for index in range(recursions))
    for index, prediction in enumerate(predictions):
        steps += [Recall(f"state{index + 1}"), Convolution("reconstruct1", maps, maps, 3), Activation("relu")]
        steps += [Convolution("reconstruct2", maps, 1, 3), AddRemembered("interpolated"), Remember(prediction)]
    return Network(name, scale, (*steps, WeightedSum("ensemble", predictions)))
