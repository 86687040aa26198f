"""Weights in files beside the model: only from its own folder, looked at where they lie, read in once at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.external_data_helper import _get_all_tensors, uses_external_data

from subpixel.errors import InputError

LARGE = 1 << 16
"""Bytes. Smaller tensors are read with the model: shapes and scales are among them."""
_CHUNK = 1 << 22
_ALIGNED = 1 << 16  # where each tensor starts in a file that we write: pages of every machine


def tensors_of(model: ModelProto) -> Iterator[TensorProto]:
    """Every tensor of the model: initializers and attributes, nested graphs included."""
    yield from _get_all_tensors(model)


def locate(model: ModelProto, path: Path) -> None:
    """Small external tensors are read in; large ones say where they are, by the whole path of their file.

    Raises:
        InputError: a file outside the model's folder (CVE-2025-51480), missing, or too short.
    """
    folder = path.resolve().parent
    for tensor in tensors_of(model):
        if not uses_external_data(tensor):
            continue
        known = {e.key: e.value for e in tensor.external_data}
        location = known.get("location", "")
        try:
            target = (folder / location).resolve()
            if not target.is_relative_to(folder) or (folder / location).is_symlink():
                what = f"{path} keeps weights in {location[:200]!r}, outside its own folder"
                raise InputError(f"{what}: that file is not read")
            start, whole = int(known.get("offset", 0)), target.stat().st_size
        except (OSError, ValueError, RuntimeError) as error:  # no file's name, or links that form a loop
            raise InputError(f"{path} keeps weights in a file that cannot be read: {location[:200]!r}") from error
        try:
            size = _bytes_of(tensor)
            length = int(known.get("length", size))
        except (KeyError, ValueError) as error:
            raise InputError(f"{path} is damaged: the weight {tensor.name!r} is of no known type or size") from error
        if start < 0 or length < size or start + size > whole or not target.is_file():
            raise InputError(
                f"{path} keeps weights in a file that cannot be read: {location!r} does not hold {tensor.name!r}"
            )
        del tensor.external_data[:]
        for key, value in (("location", str(target)), ("offset", str(start)), ("length", str(size))):
            tensor.external_data.add(key=key, value=value)
        if size < LARGE:
            _read_in(tensor)


def array_of(tensor: TensorProto) -> NDArray[Any]:
    """The tensor's numbers; large external ones are mapped, not read."""
    if not uses_external_data(tensor):
        return np.asarray(numpy_helper.to_array(tensor))
    if tensor.data_type not in _PLAIN:  # bfloat16, 4-bit and the like are unpacked by onnx
        whole = TensorProto()
        whole.CopyFrom(tensor)
        _read_in(whole)
        return np.asarray(numpy_helper.to_array(whole))
    target, start = _place(tensor)
    kind = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type)).newbyteorder("<")
    return np.memmap(target, kind, "r", start, tuple(tensor.dims))


def is_sound(tensor: TensorProto) -> bool:
    """No NaN among its numbers. Large external tensors are read piece by piece.

    Raises:
        ValueError, TypeError, KeyError: it holds fewer or more numbers than its shape asks for, or is of no type.
    """
    if not uses_external_data(tensor):
        array = numpy_helper.to_array(tensor)
        return tensor.data_type not in _REAL or not np.isnan(array).any()
    if tensor.data_type not in _REAL:
        return True
    count, numbers = int(np.prod(tensor.dims, dtype=np.int64)), 0
    target, start = _place(tensor)
    for piece in _pieces(target, start, np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type)), count):
        if np.isnan(piece).any():
            return False
        numbers += piece.size
    return numbers == count


def are_finite(array: NDArray[Any]) -> bool:
    """Neither NaN nor infinite? What `array_of` mapped is read piece by piece and not kept in memory."""
    if isinstance(array, np.memmap) and isinstance(array.filename, str | Path):
        return all(np.isfinite(p).all() for p in _pieces(str(array.filename), array.offset, array.dtype, array.size))
    return bool(np.isfinite(array).all())


def _pieces(target: str, start: int, kind: np.dtype[Any], count: int) -> Iterator[NDArray[Any]]:
    for at in range(0, count, _CHUNK):
        offset = start + at * kind.itemsize
        yield np.fromfile(target, kind.newbyteorder("<"), min(_CHUNK, count - at), offset=offset)


def files_beside(path: Path) -> set[Path]:
    """The files that are there in which a model keeps weights; none where it is no model at all."""
    model = ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except (OSError, DecodeError):
        return set()
    named = {e.value for t in tensors_of(model) for e in t.external_data if e.key == "location"}
    files = (path.resolve().parent / name for name in named)
    return {file.resolve() for file in files if os.path.exists(file)}  # noqa: PTH110  # pathlib raises on long ones


def is_apart(model: ModelProto) -> bool:
    """Are any of its tensors in files?"""
    return any(uses_external_data(tensor) for tensor in tensors_of(model))


def fill(model: ModelProto) -> None:
    """Read every tensor in that is still in a file."""
    for tensor in tensors_of(model):
        if uses_external_data(tensor):
            _read_in(tensor)


def without_weights(model: ModelProto) -> ModelProto:
    """The model with external weights as inputs of their type: for checks that need no numbers."""
    light = ModelProto()
    light.CopyFrom(model)
    apart = [t for t in light.graph.initializer if uses_external_data(t)]
    kept = [t for t in light.graph.initializer if not uses_external_data(t)]
    inputs = {value.name for value in light.graph.input}
    light.graph.input.extend(
        helper.make_tensor_value_info(t.name, t.data_type, list(t.dims)) for t in apart if t.name not in inputs
    )
    copies = [TensorProto() for _ in kept]
    for new, tensor in zip(copies, kept, strict=True):
        new.CopyFrom(tensor)
    del light.graph.initializer[:]
    light.graph.initializer.extend(copies)
    return light


def move_out(model: ModelProto, name: str, file: BinaryIO) -> None:
    """Write the large tensors of the main graph into `file`, one after the other; the model says so under `name`."""
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) < LARGE:
            continue
        start = -(-file.tell() // _ALIGNED) * _ALIGNED
        file.write(bytes(start - file.tell()))
        size = file.write(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", name), ("offset", str(start)), ("length", str(size))):
            tensor.external_data.add(key=key, value=value)


_REAL = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)
_PLAIN = (*_REAL, TensorProto.INT64, TensorProto.INT32, TensorProto.INT8, TensorProto.UINT8, TensorProto.BOOL)


def _bytes_of(tensor: TensorProto) -> int:
    """Raises: KeyError, ValueError: a type that ONNX does not know, a negative size."""
    if min(tensor.dims, default=0) < 0:
        raise ValueError(f"{tensor.name!r} has a negative size")
    count = int(prod(tensor.dims))
    packed = {"UINT4": 4, "INT4": 4, "FLOAT4E2M1": 4, "UINT2": 2, "INT2": 2}
    bits = packed.get(TensorProto.DataType.Name(tensor.data_type))
    if bits is not None:
        return -(-count * bits // 8)
    return count * int(helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)


def _place(tensor: TensorProto) -> tuple[str, int]:
    known = {e.key: e.value for e in tensor.external_data}
    return known["location"], int(known["offset"])


def _read_in(tensor: TensorProto) -> None:
    target, start = _place(tensor)
    with Path(target).open("rb") as file:
        file.seek(start)
        tensor.raw_data = file.read(_bytes_of(tensor))
    tensor.data_location = TensorProto.DEFAULT
    del tensor.external_data[:]
