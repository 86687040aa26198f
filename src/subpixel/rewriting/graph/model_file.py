"""Models in and out: a stranger's file is checked before anything is made of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto, TensorProto, numpy_helper

from subpixel.errors import InputError, UsageError
from subpixel.rewriting.graph.view import opset_of


def load(model: ModelProto | str | Path) -> ModelProto:
    """The model with its weights in memory.

    Raises:
        UsageError: neither a model nor a path.
        InputError: missing, empty, truncated, no ONNX, or weights outside the model's own folder.
    """
    if isinstance(model, ModelProto):
        _check(model, "the model")
        return model
    if is_module(model):
        raise UsageError("a torch.nn.Module is not read: export it with torch.onnx.export and give the ONNX model")
    if not isinstance(model, str | Path):
        raise UsageError(f"a {type(model).__name__} is no model: give an onnx.ModelProto or the path of an .onnx file")
    path = Path(model)
    if path.is_dir():
        raise InputError(f"{path} is a folder: give the .onnx file in it")
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: give the path of an .onnx file") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    loaded = ModelProto()
    try:
        loaded.ParseFromString(content)
    except DecodeError as error:
        raise InputError(f"{path} is no ONNX model, or is cut short") from error
    _check(loaded, str(path))
    _refuse_outside(loaded, path)
    try:
        onnx.load_external_data_for_model(loaded, str(path.resolve().parent))
    except Exception as error:  # onnx raises several kinds; all concern the file beside the model
        raise InputError(f"{path} keeps weights in a file that cannot be read: {str(error).splitlines()[0]}") from error
    return loaded


def is_module(model: object) -> bool:
    """Is it a torch.nn.Module? PyTorch need not be installed to ask."""
    return any(
        f"{kind.__module__}.{kind.__qualname__}" == "torch.nn.modules.module.Module" for kind in type(model).__mro__
    )


def _check(model: ModelProto, name: str) -> None:
    if not model.graph.node or not model.graph.output:
        raise InputError(f"{name} is not an ONNX model: it has no nodes")
    newest = onnx.defs.onnx_opset_version()
    if opset_of(model) > newest:
        raise InputError(f"{name} asks for opset {opset_of(model)}; the onnx package here knows up to {newest}")


_REAL = {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16}


def refuse_nan(model: ModelProto, name: str) -> None:
    """No number of such a model can be compared, so nothing could be proved of it.

    Raises:
        InputError: a weight holds NaN.
    """
    for tensor in model.graph.initializer:
        if tensor.data_type in _REAL and np.isnan(numpy_helper.to_array(tensor)).any():
            raise InputError(f"{name} holds NaN in the weight {tensor.name!r}: export it again from sound weights")


def _refuse_outside(model: ModelProto, path: Path) -> None:
    """External data may name any file of the machine (CVE-2025-51480): only the model's own folder is read."""
    folder = path.resolve().parent
    for tensor in onnx.external_data_helper._get_all_tensors(model):
        if not onnx.external_data_helper.uses_external_data(tensor):
            continue
        location = next((e.value for e in tensor.external_data if e.key == "location"), "")
        target = (folder / location).resolve()
        if not target.is_relative_to(folder) or (folder / location).is_symlink():
            raise InputError(f"{path} keeps weights in {location!r}, outside its own folder: that file is not read")
