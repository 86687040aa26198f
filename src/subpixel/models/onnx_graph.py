"""A network and its weights as an ONNX graph, without PyTorch: input "lr" [N, C, H, W], output "hr"."""

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

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
    TransposedConvolution,
    WeightedSum,
)

if TYPE_CHECKING:
    import onnx

    from subpixel.models.files import Weights

# Old enough for every runtime in use (onnxruntime 1.6, OpenVINO 2021), new enough for DepthToSpace CRD (11).
OPSET = 13
IR_VERSION = 7


def onnx_graph(network: Network, weights: "Weights", metadata: dict[str, str] | None = None) -> "onnx.ModelProto":
    """The graph, with N, H and W open; checked.

    Args:
        network: its steps.
        weights: float32 arrays by name, of the shapes `network.parameters()` gives.
        metadata: goes into the model's metadata properties.
    """
    nodes = []
    initializers = {
        name: numpy_helper.from_array(np.ascontiguousarray(weights[name], np.float32), name)
        for name in network.parameters()
        if not name.endswith(".slope")
    }
    remembered: dict[str, tuple[str, int]] = {}
    x, channels = "lr", network.channels
    for index, step in enumerate(network.steps):
        y = "hr" if index == len(network.steps) - 1 else f"x{index + 1}"
        match step:
            case Convolution(name=name, kernel=k):
                inputs = [x, f"{name}.weight", f"{name}.bias"]
                nodes.append(helper.make_node("Conv", inputs, [y], pads=[k // 2] * 4, kernel_shape=[k, k]))
                channels = step.outputs
            case TransposedConvolution(name=name, stride=s, kernel=k):
                inputs, a = [x, f"{name}.weight", f"{name}.bias"], step.output_padding
                geometry: dict[str, Any] = {"pads": [step.padding] * 4, "strides": [s, s], "kernel_shape": [k, k]}
                nodes.append(helper.make_node("ConvTranspose", inputs, [y], output_padding=[a, a], **geometry))
                channels = step.outputs
            case Activation(kind="prelu", name=name, channels=1):
                nodes.append(helper.make_node("LeakyRelu", [x], [y], alpha=float(weights[f"{name}.slope"][0])))
            case Activation(kind="prelu", name=name):
                slope = np.asarray(weights[f"{name}.slope"], np.float32).reshape(-1, 1, 1)
                initializers[f"{name}.slope"] = numpy_helper.from_array(slope, f"{name}.slope")
                nodes.append(helper.make_node("PRelu", [x, f"{name}.slope"], [y]))
            case Activation(kind=kind):
                nodes.append(helper.make_node({"relu": "Relu", "tanh": "Tanh"}[kind], [x], [y]))
            case PeriodicShuffle(scale=r):
                nodes.append(helper.make_node("DepthToSpace", [x], [y], blocksize=r, mode="CRD"))
                channels //= r * r
            case Interpolation(scale=r):
                phases, fixed, padded, shuffled = step.phases, f"{y}.kernel", f"{y}.padded", f"{y}.phases"
                k = phases.shape[-1]
                if channels > 1:
                    phases = np.tile(phases, (channels, 1, 1))
                initializers[fixed] = numpy_helper.from_array(phases[:, None], fixed)
                border = np.array([0, 0, k // 2, k // 2] * 2, np.int64)
                initializers[f"{y}.border"] = numpy_helper.from_array(border, f"{y}.border")
                nodes.append(helper.make_node("Pad", [x, f"{y}.border"], [padded], mode="edge"))
                nodes.append(helper.make_node("Conv", [padded, fixed], [shuffled], group=channels))
                nodes.append(helper.make_node("DepthToSpace", [shuffled], [y], blocksize=r, mode="CRD"))
            case Repetition(scale=r):
                factors = f"{y}.factors"
                initializers[factors] = numpy_helper.from_array(np.array([1, 1, r, r], np.float32), factors)
                how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
                nodes.append(helper.make_node("Resize", [x, "", factors], [y], mode="nearest", **how))
            case Recall(name=name):
                x, channels = remembered[name]
                continue
            case WeightedSum(name=name, parts=parts):
                del initializers[f"{name}.weight"]
                total = ""
                for part, value in zip(parts, np.asarray(weights[f"{name}.weight"], np.float32), strict=True):
                    factor, term = f"{y}.{part}.factor", f"{y}.{part}"
                    initializers[factor] = numpy_helper.from_array(np.asarray(value), factor)
                    nodes.append(helper.make_node("Mul", [remembered[part][0], factor], [term]))
                    if total:
                        last = part == parts[-1]
                        nodes.append(helper.make_node("Add", [total, term], [y if last else f"{y}.{part}.sum"]))
                    total = nodes[-1].output[0]
                if len(parts) == 1:
                    nodes[-1].output[0] = y
            case Remember(name=name):
                remembered[name] = (x, channels)
                continue
            case AddRemembered(name=name, repeat=repeat):
                kept, width = remembered[name]
                # One map is repeated by Add itself. (As a convolution with ones it makes OpenVINO 2026.4 give
                # nothing at all in bf16 on some processors.)
                if repeat > 1 and width > 1:  # (c repeat) is a grouped 1x1 convolution with ones
                    ones = f"x{index + 1}.ones"
                    unit = np.ones((width * repeat, 1, 1, 1), np.float32)
                    initializers[ones] = numpy_helper.from_array(unit, ones)
                    repeated = f"x{index + 1}.repeated"
                    nodes.append(helper.make_node("Conv", [kept, ones], [repeated], group=width))
                    kept = repeated
                nodes.append(helper.make_node("Add", [x, kept], [y]))
        nodes[-1].name = nodes[-1].output[0]
        x = y
    if not nodes or nodes[-1].output[0] != "hr":
        raise ValueError("a network must have steps, and not end by remembering")
    picture, r = network.channels, network.scale
    graph = helper.make_graph(
        nodes,
        f"{network.name}_x{r}",
        [helper.make_tensor_value_info("lr", TensorProto.FLOAT, ["N", picture, "H", "W"])],
        [helper.make_tensor_value_info("hr", TensorProto.FLOAT, ["N", picture, f"{r}*H", f"{r}*W"])],
        list(initializers.values()),
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="subpixel"
    )
    if metadata:
        helper.set_model_props(model, metadata)
    return model
