"""Weights to start from: a weight file, or the running mean in a checkpoint."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from subpixel.errors import InputError
from subpixel.models.files import read_tensors
from subpixel.models.module import NetworkModule
from subpixel.models.network import TransposedConvolution


def load_initial(path: Path, module: NetworkModule) -> dict[str, Any]:
    """Copy what fits of the same model at any scale into the module; returns what a header says of that.

    A transposed convolution of another stride does not fit, though its kernel may have the same shape: its phases are
    of another scale.

    Raises:
        InputError: the file is broken, of another model, fits nowhere or holds no numbers; or a checkpoint whose
            branches, which only the end of a run merges, are not those of the module.
    """
    network = module.network
    tensors, header = read_tensors(path)
    stated = header.get("network")
    if not isinstance(stated, dict) or stated.get("name") != network.name:
        raise InputError(f"{path} does not hold weights of {network.name}")
    if "optimizer" in header:
        found = {name.removesuffix(".mean"): value for name, value in tensors.items() if name.endswith(".mean")}
    else:
        found = {name.replace(".", "_"): value for name, value in tensors.items()}
    own = dict(module.named_parameters())
    plain = {name.replace(".", "_"): name for name in network.parameters()}
    beside = [name for name in found if name.endswith(("_wide", "_narrow")) and name not in plain]
    if any(name not in own or own[name].shape != found[name].shape for name in beside):
        raise InputError(f"{path} is a checkpoint with branches: give the --branches that it was made with")
    other = _of_another_stride(stated, module)
    fits = {
        name
        for name, parameter in own.items()
        if name in found and found[name].shape == parameter.shape and plain.get(name) not in other
    }
    if not fits:
        raise InputError(f"nothing in {path} fits {network.name} x{network.scale}: start without it")
    if not all(np.isfinite(found[name]).all() for name in fits):
        raise InputError(f"{path} holds weights that are no numbers: start from another file")
    with torch.no_grad():
        for name in fits:
            own[name].copy_(torch.from_numpy(found[name]))
    fresh = [name for key, name in plain.items() if key not in fits]
    return {"file": path.name, "recipe": header.get("recipe"), "fresh": fresh}


def _of_another_stride(stated: dict[str, Any], module: NetworkModule) -> set[str]:
    """Names of the weights of transposed convolutions whose stride the file states otherwise."""
    steps = stated.get("steps")
    strides = {step.get("name"): step.get("stride") for step in steps or [] if isinstance(step, dict)}
    return {
        name
        for step in module.network.steps
        if isinstance(step, TransposedConvolution) and strides.get(step.name) != step.stride
        for name in step.parameters()
    }
