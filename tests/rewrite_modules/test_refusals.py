"""What is left alone, and that the report names module and reason."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import subpixel
from rewrite_modules.comparing import integer_input, integers
from rewrite_modules.test_matrix import Call
from subpixel.errors import InputError, UsageError


class Net(nn.Module):
    """A module in a module, so that the path shows."""

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(x)


def refusal(decoder: nn.Module, goal: str = "lr", **options: Any) -> dict[str, Any]:
    module = Net(decoder)
    result = subpixel.rewrite(module, goal, **options)
    assert result.report["rewritten"] == 0, result.report
    (site,) = result.report["sites"]
    x = torch.randn(1, 3, 6, 6)
    assert torch.equal(result(x), module(x))
    return site


def conv(k: int = 3, **options: Any) -> nn.Conv2d:
    return nn.Conv2d(3, 2, k, padding=k // 2, **options)


def hooked() -> nn.Module:
    layer = nn.ConvTranspose2d(3, 2, 2, 2)
    layer.register_forward_hook(lambda module, args, y: y * 1)
    return nn.Sequential(layer)


def in_place(module: nn.Module, x: Tensor) -> Tensor:
    up = F.interpolate(x, scale_factor=2)
    x.add_(1)
    return module.conv(up) + x.mean()


REFUSED = {
    "align_corners": (
        nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), conv()),
        ("decoder.0", "Upsample", "A7", "align_corners"),
    ),
    "fractional factor": (
        nn.Sequential(nn.Upsample(scale_factor=1.5), conv()),
        ("decoder.0", "Upsample", "A7", "not whole numbers"),
    ),
    "antialias": (
        Call(lambda m, x: m.conv(F.interpolate(x, scale_factor=2.0, mode="bilinear", antialias=True)), conv=conv()),
        ("decoder:interpolate", "interpolate", "A7", "antialias"),
    ),
    "a size that is not known": (
        Call(lambda m, x: m.conv(F.interpolate(x, size=(12, 12))), conv=conv()),
        ("decoder:interpolate", "interpolate", "A7", "give `inputs`"),
    ),
    "a factor that rounding moves": (
        nn.Sequential(nn.Upsample(scale_factor=41), conv()),
        ("decoder.0", "Upsample", "A6", "by rounding"),
    ),
    "circular": (
        nn.Sequential(nn.Upsample(scale_factor=2), conv(padding_mode="circular")),
        ("decoder.0", "Upsample", "A12", "'circular'"),
    ),
    "hooks": (hooked(), ("decoder.0", "ConvTranspose2d", "", "hooks")),
    "in place": (Call(in_place, conv=conv()), ("decoder:interpolate", "interpolate", "", "out of place")),
    "nothing linear follows": (
        nn.Sequential(nn.Upsample(scale_factor=2), nn.ReLU(), conv()),
        ("decoder.0", "Upsample", "A10", "no convolution follows"),
    ),
    "batch statistics between": (
        nn.Sequential(nn.Upsample(scale_factor=2), nn.BatchNorm2d(3), conv()),
        ("decoder.0", "Upsample", "A10", "no convolution follows"),
    ),
    "half precision": (
        nn.Sequential(nn.Upsample(scale_factor=2), conv()).half(),
        ("decoder.0", "Upsample", "", "float16"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name: str) -> None:
    decoder, (node, op, law, reason) = REFUSED[name]
    result = subpixel.rewrite(Net(decoder), "lr")
    assert result.report["rewritten"] == 0, result.report
    (site,) = result.report["sites"]
    assert (site["node"], site["op"], site["law"], site["form"]) == (node, op, law, None)
    assert reason in site["refused"]


def test_weights_that_would_grow() -> None:
    module = nn.Sequential(nn.PixelShuffle(4), nn.Conv2d(64, 64, 3, padding=1))
    site = subpixel.rewrite(module, "lr", growth=16).report["sites"][0]
    assert "beyond the cap of 16×" in site["refused"]
    assert subpixel.rewrite(module, "lr", growth=None).report["rewritten"] == 1


class Branches(nn.Module):
    """Looks at values; its parts do not."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList(
            [
                nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(3, 3, 3, padding=1)),
                nn.ConvTranspose2d(3, 3, 4, 2, 1),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
            if x.sum() > 0:
                x = -x + self.parts[0][1].weight.sum()
        return x


class Training(Branches):
    """Reads self.training."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.parts[1](self.parts[0](x))
        return F.dropout(y, 0.5, self.training)


class Remembers(Branches):
    """Keeps what it saw."""

    def forward(self, x: Tensor) -> Tensor:
        self.seen = self.parts[0](x)
        return self.parts[1](self.seen)


class Makes(Branches):
    """A tensor that is no buffer."""

    def forward(self, x: Tensor) -> Tensor:
        return self.parts[1](self.parts[0](x)) + torch.tensor([1.0, 2.0, 3.0], dtype=x.dtype).reshape(3, 1, 1)


class Star(Branches):
    """Any arguments."""

    def forward(self, *xs: Tensor) -> Tensor:
        return self.parts[1](self.parts[0](xs[0]))


UNTRACED = {
    Branches: "does not trace",
    Training: "differs between training and evaluation",
    Remembers: "sets the attribute 'seen'",
    Star: r"takes \*args",
}


@pytest.mark.parametrize("kind", UNTRACED)
def test_what_does_not_trace_is_named_and_its_parts_are_rewritten(kind: type[nn.Module]) -> None:
    module = integers(Net(kind()))
    result = subpixel.rewrite(module, "lr")
    reasons = {item["module"]: item["refused"] for item in result.report["untraced"]}
    assert kind is Branches or set(reasons) >= {"decoder"}
    assert any(pytest.importorskip("re").search(UNTRACED[kind], reason) for reason in reasons.values()), reasons
    assert result.report["rewritten"] == 2
    assert [site["node"] for site in result.report["sites"]] == ["decoder.parts.0.0", "decoder.parts.1"]
    assert isinstance(result.decoder.parts[0], nn.Sequential)
    assert len(result.decoder.parts[0]) == 2
    module.eval()
    result.eval()
    x = integer_input((2, 3, 4, 5))
    assert torch.equal(result(x), module(x))
    if kind is Remembers:
        assert torch.equal(result.decoder.seen, module.decoder.seen)


def test_hooks_of_inner_modules_are_called() -> None:
    module = Net(nn.Sequential(nn.Upsample(scale_factor=2), conv()))
    seen: list[torch.Size] = []
    module.decoder.register_forward_hook(lambda m, args, y: seen.append(y.shape))
    result = subpixel.rewrite(module, "lr")
    assert result.report["rewritten"] == 1
    result(torch.randn(1, 3, 4, 5))
    assert seen == [(1, 2, 8, 10)]


def test_wrong_calls() -> None:
    module = nn.Sequential(nn.Upsample(scale_factor=2), conv())
    with pytest.raises(UsageError, match="give `inputs`"):
        subpixel.rewrite(module)
    with pytest.raises(UsageError, match="unknown goal 'faster'"):
        subpixel.rewrite(module, "faster")
    with pytest.raises(UsageError, match=r"unknown runtime 'onnxruntime' for a module: choose torch, torch\.compile"):
        subpixel.rewrite(module, runtime="onnxruntime", inputs=(1, 3, 8, 8))
    with pytest.raises(UsageError, match="no argument 'y': it has input"):
        subpixel.rewrite(module, "lr", inputs={"y": (1, 3, 8, 8)})
    with pytest.raises(UsageError, match="neither a tensor nor a shape"):
        subpixel.rewrite(module, "lr", inputs={"input": "large"})
    with pytest.raises(InputError, match="does not run on `inputs`"):
        subpixel.rewrite(module, "lr", inputs=(1, 5, 8, 8))
    with pytest.raises(UsageError, match="`lift` is for ONNX models"):
        subpixel.rewrite(module, "lr", lift=True)
