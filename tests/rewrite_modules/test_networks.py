"""Whole networks rewritten: outputs, gradients and a training step equal; they save, load, copy and move as before."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import subpixel
from rewrite_modules.comparing import assert_close, assert_equal, integer_input, integers
from rewrite_modules.networks import NETWORKS, NearestUNet, Recursive, TransposedUNet, Vocoder

REWRITTEN = {
    ("transposed", "lr"): 2,
    ("nearest", "lr"): 2,
    ("vocoder", "lr"): 2,
    ("3-D", "lr"): 2,
    ("recursive", "lr"): 16,
    ("recursive", "deconv"): 16,
}
EXACT = {"transposed", "nearest", "3-D"}


def original(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    torch.manual_seed(0)
    kind, shape = NETWORKS[name]
    return kind(), shape


@pytest.mark.parametrize(("name", "goal"), REWRITTEN)
def test_outputs_gradients_and_a_training_step_are_the_original_s(name: str, goal: str) -> None:
    module, shape = original(name)
    if name in EXACT:
        integers(module, 1)
    elif name != "recursive":
        module.double()
    else:
        module = integers(Recursive(times=3), 1)
        shape = (2, 1, 5, 7)
    result = subpixel.rewrite(module, goal, inputs=shape)
    assert result.report["rewritten"] == (3 if name == "recursive" else REWRITTEN[name, goal]), result.report
    compare = assert_equal if name in EXACT | {"recursive"} else assert_close
    compare(module, result, integer_input(shape))
    longer = (*shape[:2], *(2 * n + (0 if name == "transposed" else 3) for n in shape[2:]))
    longer = longer if name != "nearest" else (2, 2, 20, 28)
    compare(module, result, integer_input(longer))
    for net in (module, result):
        optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
        net(integer_input(shape)).sum().backward()
        optimizer.step()
    for (key, a), (same, b) in zip(module.state_dict().items(), result.state_dict().items(), strict=True):
        assert key == same
        if compare is assert_equal:
            assert torch.equal(a, b), key
        else:
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9 * float(a.abs().max()))


@pytest.mark.parametrize("name", NETWORKS)
def test_real_numbers_stay_within_rounding(name: str) -> None:
    module, shape = original(name)
    result = subpixel.rewrite(module, "lr", inputs=shape)
    x = torch.randn(shape)
    exact = copy.deepcopy(module).double()(x.double())
    own, ours = (module(x) - exact).abs().max(), (result(x) - exact).abs().max()
    assert ours <= 8 * own
    assert result.report["max_error"] <= 1e-5


def test_the_same_module_called_many_times_is_handled_call_by_call() -> None:
    """pytorch #104593: what one call site is fused with must not reach another."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            up = nn.functional.interpolate(self.conv(x), scale_factor=2)
            return self.conv(up) + self.conv(nn.functional.interpolate(x, scale_factor=2)).relu()

    module = integers(Twice())
    result = subpixel.rewrite(module, "lr")
    assert result.report["rewritten"] == 2
    assert_equal(module, result, integer_input((2, 3, 4, 5)))


def test_the_state_dict_has_the_same_keys_and_goes_both_ways() -> None:
    module, shape = original("transposed")
    result = subpixel.rewrite(module, "lr")
    assert list(result.state_dict()) == list(module.state_dict())
    assert [n for n, _ in result.named_parameters()] == [n for n, _ in module.named_parameters()]
    torch.manual_seed(5)
    other = TransposedUNet()
    result.load_state_dict(other.state_dict())
    x = torch.randn(shape)
    torch.testing.assert_close(result(x), other(x))
    module.load_state_dict(result.state_dict())
    assert torch.equal(module(x), other(x))


def test_the_original_is_not_touched_and_shares_nothing() -> None:
    module, shape = original("nearest")
    before = copy.deepcopy(module.state_dict())
    kind, attributes = type(module), set(module.__dict__)
    result = subpixel.rewrite(module, "lr", inputs=shape)
    assert type(module) is kind
    assert set(module.__dict__) == attributes
    theirs = {p.data_ptr() for p in result.parameters()}
    assert not theirs & {p.data_ptr() for p in module.parameters()}
    with torch.no_grad():
        for parameter in result.parameters():
            parameter.zero_()
    assert all(torch.equal(a, b) for a, b in zip(module.state_dict().values(), before.values(), strict=True))


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "vocoder"])
def test_copies_pickles_and_files(name: str, tmp_path: Path) -> None:
    module, shape = original(name)
    result = subpixel.rewrite(module, "lr", inputs=shape)
    x = torch.randn(shape)
    buffer = io.BytesIO()
    torch.save(result, buffer)
    buffer.seek(0)
    copies = [copy.deepcopy(result), pickle.loads(pickle.dumps(result)), torch.load(buffer, weights_only=False)]
    for twin in copies:
        assert torch.equal(twin(x), result(x))
        assert twin.report == result.report
        assert isinstance(twin, type(module))
        twin.zero_grad()
        twin(x).sum().backward()
        assert all(p.grad is None for p in result.parameters())
    twin = copies[0]
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.add_(1)
    assert not torch.equal(twin(x), result(x))


def test_weight_norm_is_computed_in_forward_and_copies() -> None:
    """Its modules cannot be pickled, rewritten or not: PyTorch says so itself."""
    module, shape = original("vocoder")
    result = subpixel.rewrite(module, "lr")
    x = torch.randn(shape)
    twin = copy.deepcopy(result)
    assert torch.equal(twin(x), result(x))
    with torch.no_grad():
        for net in (module, result):
            assert isinstance(net, Vocoder)
            net.ups[0].parametrizations.weight.original0.mul_(2)
    torch.testing.assert_close(module(x), result(x))


def test_types_and_modes() -> None:
    torch.manual_seed(0)
    module = TransposedUNet(norm=True)
    result = subpixel.rewrite(module, "lr")
    assert result.report["rewritten"] == 2
    assert result.training
    x = torch.randn(2, 2, 12, 16)
    torch.testing.assert_close(module(x), result(x))  # batch statistics, and running ones updated alike
    torch.testing.assert_close(module.norm.running_mean, result.norm.running_mean)
    module.eval()
    result.eval()
    assert not result.up1.training
    torch.testing.assert_close(module(x), result(x))
    module.double()
    result.to(torch.float64)
    torch.testing.assert_close(module(x.double()), result(x.double()))
    result.train()
    assert result.norm.training
    half = copy.deepcopy(result).to(torch.bfloat16)
    assert half(x.bfloat16()).dtype == torch.bfloat16


def test_gradients_twice_and_not_at_all() -> None:
    module = integers(NearestUNet(), 1)
    result = subpixel.rewrite(module, "lr", inputs=(1, 2, 8, 8))
    x = integer_input((1, 2, 8, 8)).requires_grad_()
    for net in (module, result):
        (grad,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
        (grad * grad).sum().backward()
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(module.parameters(), result.parameters(), strict=True) if a.grad is not None)  # fmt: skip # noqa: E501
    result.decode1.weight.requires_grad_(False)
    result.zero_grad()
    result(x).sum().backward()
    assert result.decode1.weight.grad is None


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu", torch.bfloat16)])
def test_rewriting_inside_other_modes(around: Callable[[], AbstractContextManager[None]]) -> None:
    module = integers(NearestUNet(), 1)
    with around():
        result = subpixel.rewrite(module, "lr", inputs=(1, 2, 8, 8))
    assert result.report["rewritten"] == 2
    assert_equal(module, result, integer_input((1, 2, 8, 8)))


@pytest.mark.parametrize("name", NETWORKS)
def test_freeze(name: str) -> None:
    module, shape = original(name)
    result = subpixel.rewrite(module, "lr", inputs=shape)
    frozen = subpixel.freeze(result)
    x = torch.randn(shape)
    assert torch.equal(frozen(x), result(x))
    assert list(frozen.state_dict()) == list(module.state_dict())
    assert not any(p.requires_grad for p in frozen.parameters())
    assert all(p.requires_grad for p in result.parameters())
    frozen.double()
    result.double()
    assert torch.equal(frozen(x.double()), result(x.double()))


def test_frozen_kernels_follow_a_loaded_state_dict_and_nothing_else() -> None:
    module, shape = original("transposed")
    result = subpixel.rewrite(module, "lr")
    frozen = subpixel.freeze(result)
    x = torch.randn(shape)
    before = frozen(x)
    with torch.no_grad():
        frozen.up1.weight.zero_()
    assert torch.equal(frozen(x), before)
    torch.manual_seed(9)
    other = TransposedUNet()
    nn.Sequential(frozen).load_state_dict(nn.Sequential(other).state_dict())
    torch.testing.assert_close(frozen(x), other(x))
    twin = pickle.loads(pickle.dumps(frozen))
    assert torch.equal(twin(x), frozen(x))


@pytest.mark.parametrize("goal", ["lr", "deconv"])
def test_rewriting_twice_changes_nothing(goal: str) -> None:
    for name in NETWORKS:
        module, shape = original(name)
        once = subpixel.rewrite(module, goal, inputs=shape)
        twice = subpixel.rewrite(once, goal, inputs=shape)
        assert twice.report == once.report
        recipes = [net.__dict__.get("_subpixel_recipe") for net in (once, twice)]
        assert (recipes[0] is None) == (recipes[1] is None)
        assert recipes[0] is None or recipes[0].source == recipes[1].source
        x = torch.randn(shape)
        assert torch.equal(once(x), twice(x))


def test_a_rewritten_module_can_be_given_another_goal() -> None:
    module = integers(Recursive(times=2), 1)
    lr = subpixel.rewrite(module, "lr")
    back = subpixel.rewrite(lr, "deconv")
    assert {site["form"] for site in lr.report["sites"]} == {"convolution + shuffle, CRD, crop (1, 1)"}
    assert {site["form"] for site in back.report["sites"]} == {"transposed convolution"}
    assert_equal(module, back, integer_input((1, 1, 4, 5)))
