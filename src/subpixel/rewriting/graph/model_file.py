"""Models in and out: a stranger's file is checked before anything is made of it."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto

from subpixel.errors import InputError, UsageError
from subpixel.rewriting.graph.external import fill, is_apart, is_sound, locate, tensors_of
from subpixel.rewriting.graph.view import opset_of


def load(model: ModelProto | str | Path, *, apart: bool = False) -> ModelProto:
    """The model with its weights in memory; `apart`: but for large ones in files beside it (`graph.external`).

    Raises:
        UsageError: neither a model nor a path.
        InputError: missing, empty, truncated, no ONNX, or weights outside the model's own folder.
    """
    if isinstance(model, ModelProto):
        _check(model, "the model")
        if is_apart(model):
            raise InputError("the model's weights are still in files beside it: give its path instead")
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
    locate(loaded, path)
    if not apart:
        fill(loaded)
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


def refuse_nan(model: ModelProto, name: str) -> None:
    """No number of such a model can be compared, so nothing could be proved of it.

    Raises:
        InputError: a weight holds NaN, or not as many numbers as its shape asks for.
    """
    for tensor in tensors_of(model):
        try:
            sound = is_sound(tensor)
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{name} is damaged: the weight {tensor.name!r} is not of its own shape") from error
        if not sound:
            raise InputError(f"{name} holds NaN in the weight {tensor.name!r}: export it again from sound weights")
