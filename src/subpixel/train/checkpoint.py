"""Checkpoints of an unfinished run."""

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray

from subpixel.errors import InputError
from subpixel.models.files import read_header, read_tensors, write_tensors
from subpixel.models.module import NetworkModule
from subpixel.train.config import TrainConfig


def save_checkpoint(
    config: TrainConfig,
    pictures: str,
    module: NetworkModule,
    optimizer: torch.optim.Optimizer,
    mean: list[torch.Tensor],
    step: int,
) -> None:
    """Write everything the rest of the run depends on, whole or not at all; `pictures` is their digest."""
    tensors = {
        f"{name}.{part}": value.detach().cpu().contiguous().numpy()
        for (name, parameter), average in zip(module.named_parameters(), mean, strict=True)
        for part, value in (("now", parameter), ("mean", average))
    }
    state = pack(optimizer.state_dict(), "optimizer", tensors)
    header = {"network": module.network.config(), "recipe": config.recipe(), "pictures": pictures, "step": step}
    header |= {"optimizer": state, "threads": torch.get_num_threads(), "devices": config.devices}
    write_tensors(config.checkpoint, tensors, header)


def load_checkpoint(
    config: TrainConfig,
    pictures: str,
    module: NetworkModule,
    optimizer: torch.optim.Optimizer,
    mean: list[torch.Tensor],
) -> int:
    """Restore a run in place; returns the number of steps it had done.

    Raises:
        InputError: if the checkpoint is broken, of another network, recipe or set of pictures.
    """
    path = config.checkpoint
    try:
        tensors, header = read_tensors(path)
    except InputError as error:
        raise InputError(f"{path} is not a whole checkpoint: delete it and start again") from error
    if header.get("network") != as_read(module.network.config()):
        raise InputError(f"{path} is a checkpoint of another network: delete it or choose another output")
    recipe, ours = header.get("recipe"), as_read(config.recipe())
    if not isinstance(recipe, dict) or recipe != ours:
        differing = sorted(key for key in ours if not isinstance(recipe, dict) or recipe.get(key) != ours[key])
        raise InputError(f"{path} was made with other settings ({', '.join(differing)}): use the same, or delete it")
    if header.get("pictures") != pictures:
        raise InputError(f"{path} was made from other training pictures: use the same, or delete it")
    try:
        with torch.no_grad():
            for (name, parameter), average in zip(module.named_parameters(), mean, strict=True):
                parameter.copy_(torch.from_numpy(tensors[f"{name}.now"]))
                average.copy_(torch.from_numpy(tensors[f"{name}.mean"]))
        optimizer.load_state_dict(unpack(header["optimizer"], tensors))
        return int(header["step"])
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not a whole checkpoint ({error}): delete it and start again") from error


def pack(value: Any, name: str, tensors: dict[str, NDArray[Any]]) -> object:
    """An optimizer's state as JSON values; its tensors go to `tensors` under names that the JSON refers to.

    Strides are kept too: a sum over another layout may round otherwise, and the resumed run would part from the
    uninterrupted one.
    """
    if isinstance(value, torch.Tensor):
        tensors[name] = value.detach().cpu().contiguous().numpy()
        return {"tensor": name, "shape": list(value.shape), "strides": list(value.stride())}
    if isinstance(value, dict):
        return {"entries": [[key, pack(entry, f"{name}.{key}", tensors)] for key, entry in value.items()]}
    if isinstance(value, list | tuple):
        return [pack(entry, f"{name}.{index}", tensors) for index, entry in enumerate(value)]
    return value


def unpack(value: Any, tensors: Mapping[str, NDArray[Any]]) -> Any:
    """The inverse of `pack`."""
    if isinstance(value, list):
        return [unpack(entry, tensors) for entry in value]
    if not isinstance(value, dict):
        return value
    if "entries" in value:
        return {key: unpack(entry, tensors) for key, entry in value["entries"]}
    read = torch.from_numpy(tensors[value["tensor"]])
    empty = torch.empty_strided(value["shape"], value["strides"], dtype=read.dtype)
    return empty.copy_(read.reshape(value["shape"]))  # NumPy makes one axis of none


def ran_otherwise(config: TrainConfig) -> str:
    """How the run that left the checkpoint was spread over threads and devices, if it was in another way; else "".

    Sums are then added in another order.
    """
    header = read_header(config.checkpoint)
    now = {"threads": torch.get_num_threads(), "devices": config.devices}
    differing = [f"{header[key]} {key}, now {now[key]}" for key in now if header.get(key, now[key]) != now[key]]
    return f"{config.checkpoint} was made with {' and '.join(differing)}" if differing else ""


def as_read(config: dict[str, object]) -> dict[str, object]:
    """A value as it comes back from JSON: tuples become lists."""
    import json

    read: dict[str, object] = json.loads(json.dumps(config))
    return read
