"""Shared by all tests: measurements go to a folder of their own, and real networks in every dress."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    import os

    os.environ["SUBPIXEL_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small colour photo, 72×56."""
    from PIL import Image

    path = tmp_path / "photo.png"
    with Image.open(Path(__file__).parent / "data" / "colosseum.png") as image:
        image.convert("RGB").crop((20, 20, 92, 76)).save(path)
    return path


@pytest.fixture(scope="session")
def espcn_graph() -> Callable[..., onnx.ModelProto]:
    """The shipped ESPCN as anybody might have saved it.

    channels: 3 applies it to each. white: the value that stands for white. size: height and width, if fixed.
    last: [N, H, W, C]. half: float16 in and out.
    """
    from subpixel.models import load

    def make(
        scale: int = 3,
        *,
        channels: int = 1,
        white: float = 1.0,
        size: tuple[int | str, int | str] = ("H", "W"),
        last: bool = False,
        half: bool = False,
    ) -> onnx.ModelProto:
        kind, number = (TensorProto.FLOAT16, np.float16) if half else (TensorProto.FLOAT, np.float32)
        weights = {name: value.astype(number) for name, value in load("espcn", scale).weights.items()}
        nodes, tensors = [], []
        x = "picture"
        if last:
            nodes.append(helper.make_node("Transpose", [x], ["planes"], perm=[0, 3, 1, 2]))
            x = "planes"
        for index, k in enumerate((5, 3, 3), 1):
            for part in ("weight", "bias"):
                value = weights[f"conv{index}.{part}"]
                value = value if part == "weight" else value * number(white)
                value = np.concatenate([value] * channels)
                tensors.append(numpy_helper.from_array(value.astype(number), f"{part}{index}"))
            inputs = [x, f"weight{index}", f"bias{index}"]
            nodes.append(helper.make_node("Conv", inputs, [f"y{index}"], group=channels, pads=[k // 2] * 4))
            x = f"y{index}"
            if index < 3:
                nodes.append(helper.make_node("Relu", [x], [f"z{index}"]))
                x = f"z{index}"
        nodes.append(helper.make_node("DepthToSpace", [x], ["large"], blocksize=scale, mode="CRD"))
        x = "large"
        if last:
            nodes.append(helper.make_node("Transpose", [x], ["turned"], perm=[0, 2, 3, 1]))
            x = "turned"
        shape = [1, *size, channels] if last else [1, channels, *size]
        graph = helper.make_graph(
            nodes,
            "foreign",
            [helper.make_tensor_value_info("picture", kind, shape)],
            [helper.make_tensor_value_info(x, kind, [None] * 4)],
            tensors,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.checker.check_model(model)
        return model

    return make
