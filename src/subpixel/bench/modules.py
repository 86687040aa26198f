"""The upsampling sites of `heads` as PyTorch modules, and a row of the speed table for one of them (extra: torch)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from subpixel.rewriting import rewrite
from subpixel.rewriting.choice.duel import Duel
from subpixel.rewriting.modules.clock import TorchClock

Shape = tuple[int, ...]


@dataclass(frozen=True)
class ModuleHead:
    """A module and the shapes of its inputs; named as in `heads`."""

    name: str
    module: Callable[[], nn.Module]
    shapes: tuple[Shape, ...]


def _fsrcnn() -> nn.Module:
    """FSRCNN (56, 12, 4), Dong et al. 2016."""
    maps = [(1, 56, 5), (56, 12, 1), *[(12, 12, 3)] * 4, (12, 56, 1)]
    layers: list[nn.Module] = []
    for C, O, K in maps:
        layers += [nn.Conv2d(C, O, K, padding=K // 2), nn.PReLU(O)]
    return nn.Sequential(*layers, nn.ConvTranspose2d(56, 1, 9, 3, 4, 2))


class _Decoder(nn.Module):
    """Two levels of a U-Net's decoder: nearest, concatenation with the encoder's maps, 3×3, ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(192, 64, 3, padding=1), nn.Conv2d(96, 32, 3, padding=1)

    def forward(self, x: Tensor, k: Tensor, l: Tensor) -> Tensor:
        x = F.relu(self.conv1(torch.cat([F.interpolate(x, scale_factor=2), k], 1)))
        return F.relu(self.conv2(torch.cat([F.interpolate(x, scale_factor=2), l], 1)))


def _resized(C: int, O: int, s: int, K: int, mode: str = "nearest") -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(nn.Upsample(scale_factor=s, mode=mode), nn.Conv2d(C, O, K, padding=K // 2))


MODULE_HEADS = (
    ModuleHead("nearest ×2, 3×3 64→3", _resized(64, 3, 2, 3), ((1, 64, 180, 320),)),
    ModuleHead("nearest ×4, 9×9 32→3", _resized(32, 3, 4, 9), ((1, 32, 90, 160),)),
    ModuleHead("linear ×4, 3×3 32→1", _resized(32, 1, 4, 3, "bilinear"), ((1, 32, 180, 320),)),
    ModuleHead("FSRCNN ×3, 640×360, whole", _fsrcnn, ((1, 1, 360, 640),)),
    ModuleHead("deconvolution k4 s2 p1 64→3", lambda: nn.ConvTranspose2d(64, 3, 4, 2, 1), ((1, 64, 180, 320),)),
    ModuleHead("istft, 1-D, k512 s128", lambda: nn.ConvTranspose1d(514, 1, 512, 128, bias=False), ((1, 514, 400),)),
    ModuleHead(
        "U-Net decoder, nearest + concat + 3×3", _Decoder, ((1, 128, 48, 64), (1, 64, 96, 128), (1, 32, 192, 256))
    ),
    ModuleHead("U-Net k2 s2 64→32", lambda: nn.ConvTranspose2d(64, 32, 2, 2), ((1, 64, 128, 128),)),
)


def module_row(head: ModuleHead, runtime: str, threads: int, seconds: float) -> dict[str, Any]:
    """The head rewritten with goal `fastest` and timed against itself, in turns; keys as in `rewritten`."""
    torch.manual_seed(0)
    module = head.module().eval()
    clock = _Witness(TorchClock(runtime, threads, seconds / 2))
    done: Any = rewrite(module, inputs=head.shapes, clock=clock)
    feeds = [torch.randn(shape, generator=torch.Generator().manual_seed(1)) for shape in head.shapes]
    race = TorchClock(runtime, threads, seconds).race
    before, after = race([module, done], feeds, ["a", "b"]) if done.report["rewritten"] else [1.0, 1.0]
    if not done.report["rewritten"]:
        (before,) = race([module], feeds, ["a"])
        after = before
    keys = ("node", "op", "law", "form", "refused", "ms_before", "ms_after")
    sites = [{**{key: site[key] for key in keys}, "share": None} for site in done.report["sites"]]
    return {
        "runtime": runtime,
        "ms_before": before,
        "ms_after": after,
        "ratio": before / after if before and after else 1.0,
        "form": "; ".join(site["form"] for site in sites if site["form"]) or None,
        "equal": _is_equal(module, done, feeds),
        "rewritten": done.report["rewritten"],
        "candidates": clock.candidates,
        "sites": sites,
    }


@torch.no_grad()
def _is_equal(module: nn.Module, done: nn.Module, feeds: Sequence[Tensor]) -> bool:
    """Is the rewritten module as close to a float64 run as the module itself is, within a factor of 8?"""
    exact = copy.deepcopy(module).double()(*(x.double() for x in feeds))
    own, ours = ((net(*feeds) - exact).abs().max() for net in (module, done))
    return bool(ours <= 8 * max(own, torch.finfo(torch.float32).eps * exact.abs().max()))


class _Witness:
    """A clock whose races are remembered here and nowhere else."""

    def __init__(self, inner: TorchClock) -> None:
        self.inner, self.identity = inner, f"{inner.identity}, bench {id(self)}"
        self.candidates: list[list[dict[str, Any]]] = []

    def race(
        self, models: Sequence[Callable[..., object]], feeds: Sequence[Tensor], names: Sequence[str]
    ) -> list[float | None]:
        """See `ModuleClock`."""
        times = self.inner.race(models, feeds, names)
        self.candidates.append([{"name": n, "ms": t} for n, t in zip(names, times, strict=True)])
        return times

    def duel(self, before: Callable[..., object], after: Callable[..., object], feeds: Sequence[Tensor]) -> Duel | None:
        """See `ModuleClock`."""
        return self.inner.duel(before, after, feeds)
