"""A folder with the files that the pages speak of, small, and the names that their Python takes for granted."""

from __future__ import annotations

from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from subpixel.models.trained import WEIGHTS

DATA = Path(__file__).resolve().parents[1] / "data"


def furnish(folder: Path, page: str) -> None:
    """Write the files."""
    if page == "docs/training.md":  # whose training is not run
        copyfile(WEIGHTS / "nano_x3.safetensors", folder / "mine.safetensors")
    with Image.open(DATA / "colosseum.png") as image:
        photo = image.convert("RGB")
    small = photo.crop((30, 30, 78, 72))
    for name in ("photo.png", "photo.jpg"):
        photo.save(folder / name)
    for name in (
        "scan.tif",
        "scans/1.tif",
        "holiday/a.png",
        "holiday/b/c.jpg",
        "FOLDER/one.png",
        "TEST_PICTURES/t.png",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        small.save(folder / name)
    large = small.resize((3 * small.width, 3 * small.height), Image.Resampling.BICUBIC)
    for name in ("a.png", "original.png"):
        large.save(folder / name)
    small.resize(large.size, Image.Resampling.BILINEAR).save(folder / "b.png")
    for name in ("pictures", "PICTURES"):
        (folder / name).mkdir()
        for i in range(3):
            photo.crop((i, i, i + 120, i + 110)).save(folder / name / f"{i}.png")
    (folder / "FOLDER_OF_LR").mkdir()
    small.resize((small.width // 3, small.height // 3), Image.Resampling.BICUBIC).save(
        folder / "FOLDER_OF_LR" / "one.png"
    )
    for name in ("clip.mp4", "clips/clip.mp4"):
        (folder / name).parent.mkdir(exist_ok=True)
        _clip(folder / name)
    (folder / "model.onnx").write_bytes(_model().SerializeToString())
    network = _enlarger().SerializeToString()
    for name in ("my_network.onnx", "somebodys.onnx"):
        (folder / name).write_bytes(network)


def names(page: str) -> dict[str, Any]:
    """What a page's Python speaks of without making it."""
    if page != "docs/upscaling.md":
        return {}
    array = np.full((20, 24, 3), 90, np.uint8)
    return {"array": array, "pictures": [array, array], "pixels": array}


def _clip(path: Path) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for i in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((32, 48, 3), 60 * i + 40, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _model() -> onnx.ModelProto:
    """Input x of three maps, a transposed convolution inside."""
    rng = np.random.default_rng(0)
    weight = numpy_helper.from_array(rng.normal(size=(3, 2, 4, 4)).astype(np.float32), "w")
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1])
    return _checked([node], [weight], [1, 3, 224, 224])


def _enlarger() -> onnx.ModelProto:
    """Nearest neighbour ×3 as a convolution and a shuffle: one map, range 0 to 1."""
    weight = numpy_helper.from_array(np.ones((9, 1, 1, 1), np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["maps"]),
        helper.make_node("DepthToSpace", ["maps"], ["y"], blocksize=3, mode="CRD"),
    ]
    return _checked(nodes, [weight], [1, 1, "H", "W"])


def _checked(nodes: list[Any], weights: list[Any], shape: list[Any]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * 4)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model
