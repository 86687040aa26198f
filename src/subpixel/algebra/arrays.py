"""The few array operations that the algebra needs, for NumPy and PyTorch arrays alike.

Kernel maps are linear in the weights, so written this way they run inside a torch `forward` and gradients
come by themselves. Index tables are always NumPy integers: they depend on the geometry, never on the weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace, device, is_numpy_array
from numpy.typing import NDArray

Array = Any  # numpy.ndarray or torch.Tensor
Index = NDArray[np.intp]

NOTHING = -1
"""In an index table: no such tap, read a zero."""


def zeros_like(array: Array, shape: tuple[int, ...]) -> Array:
    """Zeros of `shape` with the namespace, dtype and device of `array`."""
    xp = array_namespace(array)
    return xp.zeros(shape, dtype=array.dtype, device=device(array))


def gather(array: Array, axis: int, index: Index) -> Array:
    """Replace `axis` by the axes of `index`; entries `NOTHING` read a zero.

    Shape: `... A ...` and an index of shape `I J` give `... I J ...`.
    """
    xp = array_namespace(array)
    axis = axis % array.ndim
    before, after = tuple(array.shape[:axis]), tuple(array.shape[axis + 1 :])
    count = array.shape[axis]
    flat = index.reshape(-1)
    if (flat == NOTHING).any():
        array = xp.concat([array, zeros_like(array, (*before, 1, *after))], axis=axis)
        flat = np.where(flat == NOTHING, count, flat)
    picked = xp.take(array, xp.asarray(flat, device=device(array)), axis=axis)
    return xp.reshape(picked, (*before, *index.shape, *after))


def permute(array: Array, axes: list[int]) -> Array:
    """The axes of `array` in the order `axes`."""
    return array_namespace(array).permute_dims(array, tuple(axes))


def reshape(array: Array, shape: tuple[int, ...]) -> Array:
    """`array` with `shape`, elements in C order."""
    return array_namespace(array).reshape(array, shape)


def equal(a: Array, b: Array) -> bool:
    """Same shape and the same numbers, exactly."""
    return tuple(a.shape) == tuple(b.shape) and bool((a == b).all())


def common(*arrays: Array) -> list[Array]:
    """All in one namespace, dtype and device: NumPy arrays join a torch tensor where there is one."""
    tensors = [a for a in arrays if not is_numpy_array(a)]
    if not tensors:
        dtype = np.result_type(*arrays)
        return [a.astype(dtype, copy=False) for a in arrays]
    xp, like = array_namespace(*tensors), tensors[0]
    # asarray is for the others alone: given a tensor it would cut its gradient (torch < 2.13) or warn that it does not
    return [
        xp.asarray(a, dtype=like.dtype, device=device(like))
        if is_numpy_array(a)
        else xp.astype(a, like.dtype, copy=False)
        for a in arrays
    ]


def as_numpy(array: Array) -> NDArray[Any]:
    """The numbers alone, for looking at them: a detached copy or view on the CPU."""
    if hasattr(array, "detach"):
        array = array.detach().cpu()
    return np.asarray(array)
