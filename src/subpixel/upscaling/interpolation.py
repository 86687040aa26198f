"""Interpolation by a whole factor as what law A7 says it is: an LR convolution whose phases are shuffled.

Chroma goes this way, at the position where its samples lie, and luma does when no network is asked for.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from subpixel.media.resample import cubic

if TYPE_CHECKING:
    import onnx

SITINGS = {  # where a chroma sample lies between the luma samples it stands for: 0 at the first, 1/2 in the middle
    "left": (0.0, 0.5),
    "center": (0.5, 0.5),
    "topleft": (0.0, 0.0),
    "top": (0.5, 0.0),
    "bottomleft": (0.0, 1.0),
    "bottom": (0.5, 1.0),
}


def lanczos(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sinc windowed by a wider one, three lobes (Duchon 1979)."""
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


KERNELS = {"cubic": (cubic, 2), "lanczos": (lanczos, 3)}


def phases(factor: int, subsampling: int, siting: float, kernel: str) -> tuple[NDArray[np.float64], int]:
    """The kernel of every phase along one axis: weights [factor, taps], and how far left of its sample it begins.

    HR sample i of a plane that holds every `subsampling`-th position, `siting` of the way between two luma
    samples further on, lies at LR sample j(i) = (((s·i + o) + 1/2) / r - 1/2 - o) / s with o = siting·(s - 1),
    which is i/r plus a shift: phase φ = i mod r has a kernel of its own, the same everywhere.
    """
    function, reach = KERNELS[kernel]
    offset = siting * (subsampling - 1)
    i = np.arange(factor)
    centre = ((subsampling * i + offset + 0.5) / factor - 0.5 - offset) / subsampling
    low = int(np.floor(centre.min())) - reach + 1
    high = int(np.ceil(centre.max())) + reach - 1
    if low == high:
        high += 1
    taps = np.arange(low, high + 1)
    weights = function(taps[None, :] - centre[:, None])
    weights /= weights.sum(axis=1, keepdims=True)
    used = (np.abs(weights) > 1e-12).any(axis=0)
    first, last = np.flatnonzero(used)[[0, -1]]
    return weights[:, first : last + 1], -(low + int(first))


def interpolation_graph(
    factor: int, subsampling: tuple[int, int], siting: tuple[float, float], kernel: str
) -> tuple["onnx.ModelProto", tuple[int, int, int, int]]:
    """A graph [N, 1, H + above + below, W + left + right] → [N, 1, rH, rW], and how much it wants at each side.

    Args:
        factor: r, for both axes.
        subsampling: luma samples for each sample, across and down.
        siting: across and down, as in SITINGS.
        kernel: "cubic" or "lanczos".

    Returns:
        The graph, and (above, below, left, right): the picture is to be continued by so many samples.
    """
    from onnx import TensorProto, helper, numpy_helper

    (across, left), (down, above) = (phases(factor, s, o, kernel) for s, o in zip(subsampling, siting, strict=True))
    weight = np.einsum("yk,xl->yxkl", down, across).reshape(factor**2, 1, down.shape[1], across.shape[1])
    nodes = [
        helper.make_node("Conv", ["lr", "weight"], ["phases"], kernel_shape=list(weight.shape[2:])),
        helper.make_node("DepthToSpace", ["phases"], ["hr"], blocksize=factor, mode="CRD"),
    ]
    graph = helper.make_graph(
        nodes,
        f"{kernel}_x{factor}",
        [helper.make_tensor_value_info("lr", TensorProto.FLOAT, ["N", 1, "H", "W"])],
        [helper.make_tensor_value_info("hr", TensorProto.FLOAT, ["N", 1, "rH", "rW"])],
        [numpy_helper.from_array(weight.astype(np.float32), "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    below, right = down.shape[1] - 1 - above, across.shape[1] - 1 - left
    return model, (above, below, left, right)
