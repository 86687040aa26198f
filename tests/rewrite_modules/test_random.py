"""Random modules, every goal, every candidate in its turn: whole modules equal on integers, gradients included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import subpixel
from rewrite_modules.comparing import assert_equal, integer_input, integers
from rewrite_modules.test_fastest import FakeClock

CONV = (nn.Conv1d, nn.Conv2d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d)


class Skip(nn.Module):
    """inner(x) and x itself, concatenated."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.inner(x)], 1)


def random_module(seed: int) -> tuple[nn.Module, int, int]:
    """A chain of up to five layers; returns it, its input's maps and its axes."""
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 3))
    C = first = int(rng.integers(1, 5))
    layers: list[nn.Module] = []
    grown = 1
    for _ in range(int(rng.integers(2, 6))):
        kind = rng.choice(
            ["conv", "up", "transposed", "shuffle", "relu", "pad", "skip"], p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05]
        )
        s = int(rng.integers(2, 5 if d == 1 else 4))
        if kind in ("up", "transposed", "shuffle") and grown * s > 12:
            kind = "conv"
        if kind == "conv":
            layer, C = _conv(rng, d, C)
        elif kind == "up":
            linear = rng.random() < 0.3
            s = 2 if linear else s
            mode = {1: "linear", 2: "bilinear"}[d] if linear else "nearest"
            layer, grown = nn.Upsample(scale_factor=s, mode=mode), grown * s
        elif kind == "transposed":
            layer, C = _transposed(rng, d, C, s)
            grown *= s
        elif kind == "shuffle":
            s = s if d == 1 else 2
            O = int(rng.integers(1, 4))
            conv = CONV[d - 1](C, O * s**d, 3, padding=1)
            shuffle = subpixel.nn.PeriodicShuffle((s,) * d) if d == 1 or rng.random() < 0.5 else nn.PixelShuffle(s)
            layer, C, grown = nn.Sequential(conv, shuffle), O, grown * s
        elif kind == "relu":
            layer = nn.ReLU(inplace=bool(layers) and isinstance(layers[-1], (*CONV, *TRANSPOSED)))
        elif kind == "pad":
            pads = tuple(int(n) for n in rng.integers(0, 3, 2 * d))
            layer = (nn.ReplicationPad1d, nn.ReplicationPad2d)[d - 1](pads)
        else:
            inner, O = _conv(rng, d, C, same=True)
            layer, C = Skip(inner), C + O
        layers.append(layer)
    return nn.Sequential(*layers), first, d


def _conv(rng: np.random.Generator, d: int, C: int, same: bool = False) -> tuple[nn.Module, int]:
    groups = C if rng.random() < 0.2 else 1
    O = groups * int(rng.integers(1, 4 if groups == 1 else 3))
    K = int(rng.choice([1, 3, 5]))
    dilation = 2 if rng.random() < 0.15 else 1
    reach = dilation * (K - 1)
    padding = reach // 2 if same or rng.random() < 0.8 else int(rng.integers(0, reach + 1))
    mode = "replicate" if rng.random() < 0.2 and padding else "zeros"
    layer = CONV[d - 1](C, O, K, 1, padding, dilation, groups, bias=bool(rng.random() < 0.7), padding_mode=mode)
    return layer, O


def _transposed(rng: np.random.Generator, d: int, C: int, s: int) -> tuple[nn.Module, int]:
    groups = C if rng.random() < 0.2 else 1
    O = groups * int(rng.integers(1, 3))
    K = int(rng.integers(1, 7))
    dilation = int(rng.choice([1, 1, 1, 2, 3]))
    padding = int(rng.integers(0, max(1, (dilation * (K - 1)) // 2 + 1)))
    extra = int(rng.integers(0, max(s, dilation)))
    return TRANSPOSED[d - 1](C, O, K, s, padding, extra, groups, bool(rng.random() < 0.7), dilation), O


def check(seed: int) -> int:
    """One random module under one goal; how many sites were rewritten."""
    module, C, d = random_module(seed)
    integers(module, 1)
    size = ((9,), (7, 8))[d - 1]
    try:
        module(integer_input((1, C, *size)))
    except (RuntimeError, ValueError):
        return 0  # nothing is left of the input
    goal = ("lr", "deconv", "fastest")[seed % 3]
    inputs = (1, C, *size) if goal == "fastest" or seed % 2 else None
    clock = FakeClock(seed // 3) if goal == "fastest" else None
    result = subpixel.rewrite(module, goal, inputs=inputs, clock=clock)
    for sizes in (size, tuple(n + 3 for n in size), ((4,), (5, 4))[d - 1]):
        x = integer_input((2, C, *sizes))
        try:
            module(x)
        except (RuntimeError, ValueError):
            continue
        assert_equal(module, result, x)
    again = subpixel.rewrite(result, goal, inputs=inputs, clock=clock)
    assert_equal(result, again, integer_input((1, C, *size)))
    return int(result.report["rewritten"])


def test_random_modules() -> None:
    assert sum(check(seed) for seed in range(18)) > 8


@pytest.mark.long
@pytest.mark.parametrize("block", range(20))
def test_many_random_modules(block: int) -> None:
    assert sum(check(seed) for seed in range(1000 + 50 * block, 1050 + 50 * block)) > 20


def test_a_site_may_read_what_another_one_covers() -> None:
    """A cut that ends in a resize, and the resize with the convolution after it: the value between them stays."""
    assert check(1130) > 0
