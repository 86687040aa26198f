"""Weight files: safetensors whose header carries the architecture and the story of the weights."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from subpixel.errors import InputError
from subpixel.media.atomic import write_atomically

Weights = Mapping[str, NDArray[np.float32]]


def write_tensors(path: Path, tensors: Mapping[str, NDArray[Any]], header: Mapping[str, object]) -> None:
    """Write a safetensors file whose metadata holds each header entry as JSON; whole or not at all.

    Raises:
        OutputError: if the file cannot be written.
    """
    # A file name that is no UTF-8 reaches Python as lone surrogates, which no encoder takes: they become "?".
    texts = {key: json.dumps(value, ensure_ascii=False) for key, value in header.items()}
    metadata = {key: text.encode("utf-8", "replace").decode() for key, text in texts.items()}
    contiguous = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    write_atomically(path, save(contiguous, metadata))


def read_tensors(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The tensors and the header of a file that `write_tensors` wrote.

    Raises:
        InputError: if there is no such file, or it is truncated, not safetensors, or its header not ours.
    """
    with _opened(path) as file:
        header = _header(file)
        return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118


def read_header(path: Path) -> dict[str, Any]:
    """The header alone.

    Raises:
        InputError: as `read_tensors`.
    """
    with _opened(path) as file:
        return _header(file)


def _header(file: Any) -> dict[str, Any]:
    # Sorted: safetensors gives another order in every process, and exported models shall be the same bytes.
    return {key: json.loads(value) for key, value in sorted((file.metadata() or {}).items())}


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        if path.is_dir():
            raise InputError(f"weight file {path} is a folder: name a file in it")
        if not path.is_file():
            raise InputError(f"weight file {path} does not exist: check the name")
    except (OSError, ValueError) as error:  # a closed folder, too long a name
        raise InputError(f"weight file {path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except (OSError, SafetensorError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"{path} is no whole weight file ({error}): fetch or train it again") from error
