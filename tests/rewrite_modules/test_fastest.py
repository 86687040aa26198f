"""Goal `fastest` with clocks that want something: every form gets its turn, nothing slower is ever returned."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn

import subpixel
from rewrite_modules.comparing import assert_equal, integer_input, integers
from rewrite_modules.networks import NearestUNet, TransposedUNet
from subpixel.rewriting.choice.duel import Duel
from subpixel.rewriting.modules.clock import TorchClock


class FakeClock:
    """Says that the n-th form is twice as fast as all others; `whole` is what it says of the rewritten module."""

    def __init__(self, favourite: int, whole: float = 0.5) -> None:
        self.favourite, self.whole = favourite, whole
        self.identity = f"fake {favourite} {whole}"
        self.asked: list[list[str]] = []

    def race(
        self, models: Sequence[Callable[..., object]], feeds: Sequence[Tensor], names: Sequence[str]
    ) -> list[float | None]:
        self.asked.append(list(names))
        outputs = [model(*feeds) for model in models]
        for other in outputs[1:]:
            assert isinstance(other, Tensor)
            torch.testing.assert_close(other, outputs[0], rtol=1e-4, atol=1e-4)
        wanted = 1 + self.favourite % (len(names) - 1) if len(names) > 1 else 0
        return [0.5 if i == wanted else 1.0 for i in range(len(names))]

    def duel(self, before: Callable[..., object], after: Callable[..., object], feeds: Sequence[Tensor]) -> Duel:
        torch.testing.assert_close(after(*feeds), before(*feeds), rtol=1e-4, atol=1e-4)
        return Duel([1e-3] * 8, [1e-3 * self.whole] * 8)


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "convT": (lambda: nn.ConvTranspose2d(3, 2, 4, 2, 1), (1, 3, 8, 9)),
    "convT 1-D": (lambda: nn.ConvTranspose1d(3, 2, 16, 4, 6), (1, 3, 9)),
    "nearest": (lambda: nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(3, 2, 3, padding=1)), (1, 3, 8, 9)),
    "sub-pixel": (lambda: nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.PixelShuffle(2)), (1, 3, 8, 9)),
    "grouped": (lambda: nn.ConvTranspose2d(4, 4, 3, 2, 1, 1, groups=2), (1, 4, 8, 9)),
}


@pytest.mark.parametrize("name", CASES)
def test_every_form_gets_its_turn(name: str) -> None:
    kind, shape = CASES[name]
    module = integers(kind())
    seen = set()
    for favourite in range(5):
        clock = FakeClock(favourite)
        result = subpixel.rewrite(module, inputs=shape, clock=clock)
        assert result.report["rewritten"] == 1, result.report
        (site,) = result.report["sites"]
        assert (site["ms_before"], site["ms_after"]) == (1.0, 0.5)
        assert result.report["clock"] == clock.identity
        seen.add(site["form"])
        assert_equal(module, result, integer_input(shape))
    assert len(seen) >= 3, seen


@pytest.mark.parametrize("kind", [TransposedUNet, NearestUNet])
def test_networks(kind: type[nn.Module]) -> None:
    module = integers(kind(), 1)
    for favourite in range(3):
        result = subpixel.rewrite(module, inputs=(1, 2, 8, 12), clock=FakeClock(favourite))
        assert result.report["rewritten"] == 2, result.report
        assert (result.report["ms_before"], result.report["ms_after"]) == (1.0, 0.5)
        assert_equal(module, result, integer_input((1, 2, 8, 12)))
        assert_equal(module, result, integer_input((2, 2, 16, 20)))


def test_a_slower_whole_is_not_returned() -> None:
    module = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(3, 2, 3, padding=1))
    result = subpixel.rewrite(module, inputs=(1, 3, 8, 9), clock=FakeClock(0, whole=0.995))
    assert result.report["rewritten"] == 0
    assert type(result) is nn.Sequential
    (site,) = result.report["sites"]
    assert "no faster" in site["refused"]
    assert site["law"] == "clock"
    assert result.report["ms_after"] == result.report["ms_before"] == 1.0


def test_nothing_within_the_noise_is_kept() -> None:
    class Even(FakeClock):
        def race(
            self, models: Sequence[Callable[..., object]], feeds: Sequence[Tensor], names: Sequence[str]
        ) -> list[float | None]:
            return [1.0, *[0.96] * (len(models) - 1)]

    result = subpixel.rewrite(nn.ConvTranspose2d(3, 2, 4, 2, 1), inputs=(1, 3, 7, 9), clock=Even(0))
    assert result.report["rewritten"] == 0
    assert "beyond the noise" in result.report["sites"][0]["refused"]


def test_times_are_remembered_by_machine_function_and_shape() -> None:
    module = nn.ConvTranspose2d(3, 5, 4, 2, 1)
    clock = FakeClock(0)
    subpixel.rewrite(module, inputs=(1, 3, 6, 11), clock=clock)
    assert len(clock.asked) == 1
    again = subpixel.rewrite(module, inputs=(1, 3, 6, 11), clock=clock)
    assert len(clock.asked) == 1
    assert again.report["rewritten"] == 1
    subpixel.rewrite(module, inputs=(1, 3, 7, 11), clock=clock)
    assert [names[0] for names in clock.asked[1:]] == ["as it is"]


def test_the_clock_of_this_machine() -> None:
    module = nn.Sequential(nn.Upsample(scale_factor=4), nn.Conv2d(32, 3, 9, padding=4))
    before = torch.get_num_threads()
    result = subpixel.rewrite(module, inputs=(1, 32, 24, 24), clock=TorchClock(threads=1, seconds=0.1))
    assert torch.get_num_threads() == before
    (site,) = result.report["sites"]
    assert site["macs_before"] == 32 * 3 * 81 * 96 * 96
    assert site["macs_after"] is None or site["macs_after"] < site["macs_before"] / 5
    assert site["ms_before"] > 0
    x = torch.randn(1, 32, 24, 24)
    torch.testing.assert_close(result(x), module(x), rtol=1e-4, atol=1e-4)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_torch_compile() -> None:
    module = integers(NearestUNet(), 1).float()
    result = subpixel.rewrite(module, "lr", inputs=(1, 2, 8, 8))
    x = integer_input((1, 2, 8, 8)).float()
    compiled = torch.compile(result, fullgraph=True)
    assert torch.equal(compiled(x), module(x))
    compiled(x).sum().backward()
    module(x).sum().backward()
    for a, b in zip(module.parameters(), result.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad)
