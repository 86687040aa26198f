"""What is changed in a rewritten module afterwards works as in the original: by either forward."""

from __future__ import annotations

import copy
import pickle
from argparse import Namespace
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

import subpixel
from rewrite_modules.comparing import assert_equal, integer_input, integers

X = integer_input((2, 4, 3, 5))


class Block(nn.Module):
    """Inlined, with an attribute of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(4, 4, 4, stride=2, padding=1)
        self.gain = 1

    def forward(self, x: Tensor) -> Tensor:
        return self.up(x) * self.gain


class Fading(nn.Module):
    """As in progressive growing: attributes of many kinds decide what forward computes."""

    slope = 2

    def __init__(self) -> None:
        super().__init__()
        self.block = Block()
        self.seq = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(4, 4, 3, padding=1))
        self.act = nn.ReLU()
        self.alpha = 0.0
        self.flag = True
        self.sizes = [1, 2]
        self.options = Namespace(scale=3, names={"a": 1})
        self.bias = None
        self.steps = 0

    def blend(self, x: Tensor) -> Tensor:
        return (1 - self.alpha) * self.act(self.seq(x)) + self.alpha * x.mean()

    def forward(self, x: Tensor) -> Tensor:
        y = self.blend(x) * self.slope * self.sizes[0] * self.options.scale * self.options.names["a"]
        if hasattr(self, "extra"):
            y = y + self.extra
        if self.bias is not None:
            y = y + self.bias
        return y + self.block(x) if self.flag else y


def other(module: nn.Module) -> nn.Module:
    return integers(module, seed=3)


def attribute(path: str, value: object) -> Callable[[nn.Module], None]:
    def change(module: nn.Module) -> None:
        *parents, name = path.split(".")
        owner = module
        for parent in parents:
            owner = getattr(owner, parent)
        setattr(owner, name, copy.deepcopy(value))

    return change


def in_turn(*changes: Callable[[nn.Module], object]) -> Callable[[nn.Module], None]:
    def change(module: nn.Module) -> None:
        for each in changes:
            each(module)

    return change


CHANGES: dict[str, Callable[[nn.Module], object]] = {
    "a factor": attribute("alpha", 1.0),
    "a flag": attribute("flag", False),
    "an element of a list": lambda m: m.sizes.__setitem__(0, 5),
    "an option": lambda m: setattr(m.options, "scale", 7),
    "an option within": lambda m: m.options.names.update(a=4),
    "what was not there": attribute("extra", 2),
    "what was None": lambda m: setattr(m, "bias", nn.Parameter(torch.ones(1).double())),
    "an attribute of the class, on the module": attribute("slope", 5),
    "an attribute of an inner module": attribute("block.gain", 3),
    "stride": in_turn(attribute("seq.1.stride", (2, 2)), attribute("flag", False)),
    "scale_factor": in_turn(attribute("seq.0.scale_factor", 3), attribute("flag", False)),
    "mode": attribute("seq.0.mode", "bicubic"),
    "output_padding": in_turn(
        attribute("block.up.output_padding", (1, 1)),
        attribute("seq.0", nn.Sequential(nn.Upsample(scale_factor=2), nn.ZeroPad2d((0, 1, 0, 1)))),
    ),
    "padding_mode": lambda m: m.seq.__setitem__(1, other(nn.Conv2d(4, 4, 3, padding=1, padding_mode="replicate"))),
    "another convolution": lambda m: m.seq.__setitem__(1, other(nn.Conv2d(4, 4, 1))),
    "one more layer": lambda m: m.seq.append(nn.Tanh()),
    "another block": lambda m: setattr(m, "block", other(nn.Sequential(nn.ConvTranspose2d(4, 4, 2, stride=2)))),
    "another activation": attribute("act", nn.Tanh()),
    "no bias": attribute("seq.1.bias", None),
    "a weight of other taps": in_turn(
        lambda m: setattr(m.seq[1], "weight", nn.Parameter(torch.ones(4, 4, 1, 1).double())),
        attribute("seq.1.padding", (0, 0)),
    ),
    "a hook": lambda m: m.block.up.register_forward_hook(lambda module, args, y: y * 3),
    "a hook of a block": lambda m: m.block.register_forward_hook(lambda module, args, y: y * 3),
    "a forward": lambda m: setattr(m.block, "forward", lambda x: x.mean()),
    "pruning": lambda m: prune.l1_unstructured(m.block.up, "weight", 0.5),
    "a parametrization": lambda m: parametrize.register_parametrization(m.seq[1], "weight", nn.Tanh()),
}


def calls_of_sites(module: nn.Module, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often a call of the module reaches rewritten sites."""
    count = 0
    run = subpixel.rewriting.modules.site.RunSite.__call__

    def counted(self: object, *arguments: Tensor) -> Tensor:
        nonlocal count
        count += 1
        return run(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr("subpixel.rewriting.modules.site.RunSite.__call__", counted)
        module(X)
    return count


@pytest.mark.parametrize("frozen", [False, True], ids=["training", "frozen"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_followed(name: str, frozen: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    module = integers(Fading())
    result = subpixel.rewrite(module, "lr")
    assert result.report["rewritten"] == 2
    result = subpixel.freeze(result) if frozen else result
    assert torch.equal(result(X), module(X))
    assert calls_of_sites(result, monkeypatch) == 2
    before = module(X)
    for net in (module, result):
        CHANGES[name](net)
    assert not torch.equal(module(X), before), "the change changes nothing"
    assert torch.equal(result(X), module(X))
    assert calls_of_sites(result, monkeypatch) == 0
    if not frozen:
        assert_equal(module, result, X) if "Tanh" not in repr(module) and name != "mode" else None


def test_a_change_taken_back_brings_the_rewritten_forward_back(monkeypatch: pytest.MonkeyPatch) -> None:
    result = subpixel.rewrite(integers(Fading()), "lr")
    result.alpha = 0.5
    assert calls_of_sites(result, monkeypatch) == 0
    result.alpha = 0.0
    assert calls_of_sites(result, monkeypatch) == 2


def test_what_forward_does_not_read_may_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so may parameters, modes and types."""
    module = integers(Fading())
    result = subpixel.rewrite(module, "lr")
    twins = [result, copy.deepcopy(result), pickle.loads(pickle.dumps(result))]
    for twin in twins:
        twin.steps = 100
        twin.eval().requires_grad_(False)
        twin.seq[1].weight = nn.Parameter(twin.seq[1].weight.detach().clone())
        assert calls_of_sites(twin, monkeypatch) == 2
        assert torch.equal(twin(X), module(X))
        twin.alpha = 1.0
        assert calls_of_sites(twin, monkeypatch) == 0
        twin.alpha = 0.0
    assert calls_of_sites(subpixel.rewrite(result, "deconv"), monkeypatch) == 1


def test_a_computed_weight_of_other_taps(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hyper(nn.Module):
        def forward(self, x: Tensor, weight: Tensor) -> Tensor:
            return nn.functional.conv_transpose2d(x, weight * 2, stride=2)

    weight = integer_input((4, 2, 4, 4))
    result = subpixel.rewrite(Hyper(), "lr", inputs=(X, weight))
    assert result.report["rewritten"] == 1
    assert_equal(Hyper(), result, X, weight)
    for shape in ((4, 2, 3, 3), (4, 2, 5, 5), (4, 3, 4, 4)):
        assert_equal(Hyper(), result, X, integer_input(shape))


def test_compiled_modules_follow_as_well() -> None:
    module = integers(Fading())
    result = subpixel.rewrite(module, "lr")
    compiled = torch.compile(result, backend="eager", fullgraph=True)
    assert torch.equal(compiled(X), module(X))
    for net in (module, result):
        net.alpha = 1.0
    assert torch.equal(compiled(X), module(X))
