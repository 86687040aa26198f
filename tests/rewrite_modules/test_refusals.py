"""What is left alone, and that the report names module and reason."""

from __future__ import annotations

import re
from collections.abc import Callable
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


def upsampled_in_place(change: Callable[[nn.Module, Tensor], Any]) -> nn.Module:
    def forward(module: nn.Module, x: Tensor) -> Tensor:
        up = module.up(x)
        change(module, up)
        return module.conv(up)

    return Call(forward, up=nn.Upsample(scale_factor=2), conv=conv(), act=nn.ReLU(inplace=True))


def weight_in_place(module: nn.Module, x: Tensor) -> Tensor:
    weight = module.conv.weight * 1
    up = F.conv_transpose2d(x, weight, stride=2)
    weight.mul_(2)
    return F.conv2d(up, weight)


CHANGES = {
    "method": lambda m, y: y.mul_(2),
    "function": lambda m, y: torch.relu_(y),
    "keyword": lambda m, y: F.leaky_relu(y, inplace=True),
    "module": lambda m, y: m.act(y),
    "a view of it": lambda m, y: y[:, :1].zero_(),
    "a view of a view": lambda m, y: y.flatten(2).transpose(1, 2).zero_(),
    "what an in-place call returns": lambda m, y: y.view(-1).add_(1).mul_(2),
    "out": lambda m, y: torch.add(y, 1, out=y),
    "a list": lambda m, y: torch._foreach_add_([y], 1),
}


@pytest.mark.parametrize("how", CHANGES)
def test_what_is_changed_in_place_on_the_way_is_left_alone(how: str) -> None:
    site = refusal(upsampled_in_place(CHANGES[how]))
    assert "out of place" in site["refused"]


@pytest.mark.parametrize("goal", ["lr", "deconv"])
def test_weights_that_are_changed_in_place(goal: str) -> None:
    module = integers(Call(weight_in_place, conv=nn.Conv2d(3, 3, 3)))
    result = subpixel.rewrite(module, goal, inputs=(1, 3, 6, 6))
    x = integer_input((1, 3, 6, 6))
    assert torch.equal(result(x), module(x))


def test_an_output_may_be_changed_in_place() -> None:
    def forward(module: nn.Module, x: Tensor) -> Tensor:
        y = module.conv(module.up(x))
        y.mul_(2)
        return torch.relu_(y) + y

    module = integers(Call(forward, up=nn.Upsample(scale_factor=2), conv=conv()))
    result = subpixel.rewrite(module, "lr", inputs=(1, 3, 6, 6))
    assert result.report["rewritten"] == 1
    x = integer_input((1, 3, 6, 6))
    assert torch.equal(result(x), module(x))


def test_the_whole_runs_on_inputs_before_it_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the in-place call overlooked, the run of the whole would tell."""
    monkeypatch.setattr("subpixel.rewriting.modules.planning.check_inplace", lambda *args: None)
    site = refusal(upsampled_in_place(CHANGES["method"]), inputs=(1, 3, 6, 6))
    assert "the module as a whole differs by" in site["refused"]
    assert site["form"] is None


class Counts(nn.Module):
    """Counts its calls, draws numbers, and changes its input."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Upsample(scale_factor=2), conv(), nn.BatchNorm2d(2))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.last = x.add_(torch.randn(x.shape))
        return self.net(x)


def test_running_on_inputs_changes_neither_buffers_nor_random_numbers_nor_inputs() -> None:
    module, x = Counts(), torch.randn(1, 3, 6, 6)
    before, state, kept = x.clone(), torch.random.get_rng_state(), set(module.__dict__)
    result = subpixel.rewrite(module, "lr", inputs=x)
    assert result.report["rewritten"] == 1
    assert torch.equal(x, before)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert set(result.__dict__) - kept == {"report"}
    assert result.calls == 0  # nor has tracing
    assert result.net.training
    for key, value in module.state_dict().items():
        assert torch.equal(value, result.state_dict()[key]), key


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


class Switch(Branches):
    """Looks at a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("on", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        y = self.parts[0](x)
        return self.parts[1](y) if self.on > 0 else y


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
    Switch: "does not trace",
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
    assert any(re.search(UNTRACED[kind], reason) for reason in reasons.values()), reasons
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


@pytest.mark.parametrize("goal", ["lr", "deconv"])
def test_what_nobody_reads_is_no_site_that_was_rewritten(goal: str) -> None:
    """A head for training only, say, whose result forward drops: it goes with what read it, or stays; nobody gains."""

    def forward(module: nn.Module, x: Tensor) -> Tensor:
        module.act(module.unread(x))
        module.conv(module.shuffle(x[:, :1].repeat(1, 4, 1, 1)).repeat(1, 3, 1, 1))
        return x + 1

    layers = {"unread": nn.ConvTranspose2d(3, 2, 2, 2), "act": nn.ReLU(), "shuffle": nn.PixelShuffle(2), "conv": conv()}
    module = Call(forward, **layers)
    result = subpixel.rewrite(module, goal, inputs=(1, 3, 6, 6))
    assert result.report["rewritten"] == 0
    assert {site["refused"] for site in result.report["sites"]} == {"nobody reads its result"}
    x = torch.randn(1, 3, 6, 6)
    assert torch.equal(result(x), module(x))
