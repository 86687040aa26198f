"""A stack of few maps as a graph on pairs of pixels: half the columns, twice the maps, the same function (law A9).

Runtimes compute in blocks of 16 maps, so 8 maps leave half of every block idle. Seen from a lattice of pairs the
first convolution strides over two pixels, those behind it read and write both pixels of a pair, half of their
weights zero, and the last shuffle is by r along columns and 2r along rows. The sums and what lies outside the picture
are those of the plain graph, so in int8 every integer is.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from subpixel.algebra import Op, PeriodicShuffle, Resize, block, compose, convolution, lift
from subpixel.models import network as steps
from subpixel.models.network import Network
from subpixel.models.onnx_graph import IR_VERSION, OPSET
from subpixel.models.stack import is_stack

if TYPE_CHECKING:
    import onnx

    from subpixel.models.files import Weights

MOST_MAPS = 8  # of a layer that leaves half a block idle
_PAIR = (1, 2)


def gains_from_pairs(network: Network) -> bool:
    """Whether it is a plain stack of one channel with layers, the last apart, too narrow for a runtime's blocks."""
    layers = [step for step in network.steps if isinstance(step, steps.Convolution)]
    narrow = all(layer.outputs <= MOST_MAPS for layer in layers[:-1])
    return is_stack(network) and network.channels == 1 and len(layers) > 1 and narrow


def pair_graph(network: Network, weights: "Weights", *, shuffled: bool = True) -> "onnx.ModelProto":
    """The graph, for pictures of even width: input "lr" [N, 1, H, W], output "hr" [N, 1, rH, rW].

    Its convolutions keep their names, so `int8_graph` takes it with the plain graph's ranges.

    Args:
        network: one that `gains_from_pairs`.
        weights: by name.
        shuffled: without it "hr" are the phases before the last shuffle, [N, 2r², H, W/2], phase 2r·dy + dx.
    """
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, NDArray[Any]] = {}
    layers = [step for step in network.steps if isinstance(step, steps.Convolution)]
    r = network.scale
    x = "lr"

    def convolve(name: str, source: str, op: Op, result: str, *, biased: bool = True) -> None:
        kernel, bias = _dense(op)
        constants[f"{name}.weight"] = kernel
        inputs = [source, f"{name}.weight"]
        if biased:
            constants[f"{name}.bias"] = bias
            inputs.append(f"{name}.bias")
        # The end is padded so far that the last pair of pixels is the last to be read at.
        ends = [k - d + low for k, d, low in zip(kernel.shape[2:], op.down, op.low, strict=True)]
        geometry: dict[str, Any] = {"kernel_shape": kernel.shape[2:], "strides": op.down}
        geometry["pads"] = [*(-low for low in op.low), *ends]
        nodes.append(helper.make_node("Conv", inputs, [result], **geometry))

    for index, step in enumerate(network.steps):
        y = f"x{index + 1}"
        match step:
            case steps.Convolution(name=name):
                op = lift(convolution(weights[f"{name}.weight"], weights[f"{name}.bias"], padding=step.kernel // 2))
                paired = block(op, _PAIR)
                if step is not layers[0]:
                    paired = compose(op, lift(PeriodicShuffle(step.inputs, _PAIR))).interior
                if step is layers[-1] and r > 1:
                    paired = compose(lift(PeriodicShuffle(1, (r, r))), paired).interior
                convolve(name, x, paired, y)
            case steps.Activation(kind="prelu", name=name, channels=1):
                nodes.append(helper.make_node("LeakyRelu", [x], [y], alpha=float(weights[f"{name}.slope"][0])))
            case steps.Activation(kind="prelu", name=name):
                constants[f"{name}.slope"] = np.repeat(np.asarray(weights[f"{name}.slope"]), 2).reshape(-1, 1, 1)
                nodes.append(helper.make_node("PRelu", [x, f"{name}.slope"], [y]))
            case steps.Activation():
                nodes.append(helper.make_node("Relu", [x], [y]))
            case steps.AddRemembered():  # the picture, repeated (A15)
                convolve("skip", "lr", block(lift(Resize(1, (r, r), "nearest")), _PAIR), "repeated", biased=False)
                nodes.append(helper.make_node("Add", [x, "repeated"], [y]))
            case _:
                continue
        x = y
    if shuffled:
        nodes += _shuffle(x, r, constants)
    nodes[-1].output[0] = "hr"
    shape: list[str | int | None] = ["N", 1, f"{r}*H", f"{r}*W"] if shuffled else ["N", 2 * r * r, "H", "W/2"]
    graph = helper.make_graph(
        nodes,
        f"{network.name}_x{r}_pairs",
        [helper.make_tensor_value_info("lr", TensorProto.FLOAT, ["N", 1, "H", "W"])],
        [helper.make_tensor_value_info("hr", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="subpixel")


def _dense(op: Op) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Kernel [O·ΠU, C, *K] and bias [O·ΠU] of the convolution before the shuffle, in CRD order."""
    kernel, bias = np.asarray(op.kernel, np.float32), np.asarray(op.bias, np.float32)
    return kernel.reshape(bias.size, *kernel.shape[1 + op.dim :]), bias.reshape(-1)


def _shuffle(x: str, r: int, constants: dict[str, NDArray[Any]]) -> "list[onnx.NodeProto]":
    """Periodic shuffling by r × 2r, which DepthToSpace, made for squares, does not do."""
    constants |= {
        "phases": np.array([0, r, 2 * r]),
        "first": np.array([2]),
        "last": np.array([4]),
        "rows": np.array([0, 0, 0, -1]),  # (W/2, 2r) are one axis
        "picture": np.array([0, 1, -1, 0]),  # and (H, r)
    }
    return [
        helper.make_node("Shape", [x], ["lengths"]),
        helper.make_node("Slice", ["lengths", "first", "last"], ["sides"]),
        helper.make_node("Concat", ["phases", "sides"], ["apart"], axis=0),
        helper.make_node("Reshape", [x, "apart"], ["phase"]),
        helper.make_node("Transpose", ["phase"], ["beside"], perm=[0, 3, 1, 4, 2]),
        helper.make_node("Reshape", ["beside", "rows"], ["joined"]),
        helper.make_node("Reshape", ["joined", "picture"], ["hr"]),
    ]
