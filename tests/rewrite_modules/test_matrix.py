"""Pattern × goal: what must become what, equal bit for bit in values and gradients, and counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import subpixel
import subpixel.nn as ours
from rewrite_modules.comparing import assert_close, assert_equal, integer_input, integers

LR, PHASES, BORDER, FIRST = (
    "convolution + shuffle",
    "one convolution per phase",
    "border cells",
    "1×1 convolution first",
)
DECONV = "transposed convolution"


class Call(nn.Module):
    """A function of the input and of modules or parameters of its own."""

    def __init__(self, function: Callable[..., Tensor], **parts: nn.Module | Tensor) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part if isinstance(part, nn.Module) else nn.Parameter(part))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


@dataclass(frozen=True)
class Row:
    """A module, its input's shape, and the form that goals `lr` and `deconv` must give; None for "left alone"."""

    module: Callable[[], nn.Module]
    shape: tuple[int, ...]
    lr: str | None
    deconv: str | None = None
    inputs: bool = False  # give `inputs`: for sizes that are computed


def seq(*layers: nn.Module) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(*layers)


def up_conv(mode: str, s: int, k: int, **kwargs: int) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(nn.Upsample(scale_factor=s, mode=mode), nn.Conv2d(3, 2, k, **kwargs))


X = (2, 3, 5, 7)
ROWS = {
    "convT k4 s2 p1": Row(lambda: nn.ConvTranspose2d(3, 2, 4, 2, 1), X, LR),
    "convT k3 s2, output padding": Row(lambda: nn.ConvTranspose2d(3, 2, 3, 2, 1, 1), X, PHASES),
    "convT k2 s2": Row(lambda: nn.ConvTranspose2d(3, 2, 2, 2), X, LR),
    "convT K < s": Row(lambda: nn.ConvTranspose2d(3, 2, 2, 3, output_padding=2), X, LR),
    "convT s1 is a convolution": Row(lambda: nn.ConvTranspose2d(3, 2, 3, 1, 1), X, "convolution"),
    "convT grouped": Row(lambda: nn.ConvTranspose2d(4, 6, 4, 2, 1, groups=2), (2, 4, 5, 7), LR),
    "convT depthwise": Row(lambda: nn.ConvTranspose2d(3, 3, 4, 2, 1, groups=3, bias=False), X, LR),
    "convT dilated": Row(lambda: nn.ConvTranspose2d(3, 2, 3, 2, 2, dilation=2, bias=False), X, LR),
    "convT dilated by 3": Row(lambda: nn.ConvTranspose2d(3, 2, 3, 2, 3, dilation=3), X, PHASES),
    "convT per axis": Row(lambda: nn.ConvTranspose2d(3, 2, (3, 5), (1, 2), (1, 2), (0, 1)), X, LR),
    "convT 1-D": Row(lambda: nn.ConvTranspose1d(3, 2, 16, 8, 4), (2, 3, 6), LR),
    "convT 3-D": Row(lambda: nn.ConvTranspose3d(3, 2, 2, 2), (2, 3, 3, 4, 5), LR),
    "convT output_size": Row(
        lambda: Call(lambda m, x: m.up(x, output_size=[10, 13]), up=nn.ConvTranspose2d(3, 2, 3, 2, 1)), X, PHASES
    ),
    "F.conv_transpose1d": Row(
        lambda: Call(lambda m, x: F.conv_transpose1d(x, m.w, m.b, stride=3), w=torch.ones(3, 2, 5), b=torch.ones(2)),
        (2, 3, 6),
        LR,
    ),
    "F.conv_transpose2d, a computed weight": Row(
        lambda: Call(lambda m, x: F.conv_transpose2d(x, m.w * 2, stride=2), w=torch.ones(3, 2, 2, 2)), X, LR, None, True
    ),
    "F.conv_transpose3d": Row(
        lambda: Call(lambda m, x: F.conv_transpose3d(x, m.w, None, 2, 1, 1), w=torch.ones(3, 2, 3, 3, 3)),
        (2, 3, 3, 4, 5),
        PHASES,
    ),
    "nearest ×2 + 3×3": Row(up_conv("nearest", 2, 3, padding=1), X, LR, DECONV),
    "nearest ×3 + 5×5": Row(up_conv("nearest", 3, 5, padding=2), X, PHASES, DECONV),
    "nearest ×2 + 3×3 unpadded": Row(up_conv("nearest", 2, 3), X, LR, DECONV),
    "nearest-exact": Row(up_conv("nearest-exact", 2, 3, padding=1), X, LR, DECONV),
    "nearest + strided": Row(up_conv("nearest", 2, 3, padding=1, stride=2), X, "convolution", DECONV),
    "nearest + dilated": Row(up_conv("nearest", 2, 3, padding=2, dilation=2), X, LR, DECONV),
    "nearest + same": Row(seq(nn.Upsample(scale_factor=2), nn.Conv2d(3, 2, 4, padding="same")), X, LR, DECONV),
    "nearest + grouped": Row(
        seq(nn.Upsample(scale_factor=2), nn.Conv2d(4, 6, 3, padding=1, groups=2)), (2, 4, 5, 7), LR, DECONV
    ),
    "nearest 1-D": Row(seq(nn.Upsample(scale_factor=4), nn.Conv1d(3, 2, 9, padding=4)), (2, 3, 6), LR, DECONV),
    "nearest 3-D": Row(seq(nn.Upsample(scale_factor=2), nn.Conv3d(3, 2, 3, padding=1)), (1, 3, 2, 3, 4), LR, DECONV),
    "nearest, then reflections of its copies": Row(
        seq(nn.Upsample(scale_factor=2), nn.ReflectionPad2d(1), nn.Conv2d(3, 2, 3)), X, LR, DECONV
    ),
    "nearest + padding_mode replicate": Row(
        seq(nn.Upsample(scale_factor=2), nn.Conv2d(3, 2, 3, padding=1, padding_mode="replicate")), X, LR, DECONV
    ),
    "nearest + padding_mode reflect": Row(
        seq(nn.Upsample(scale_factor=2), nn.Conv2d(3, 2, 3, padding=1, padding_mode="reflect")), X, LR, DECONV
    ),
    "nearest + F.pad": Row(
        lambda: Call(
            lambda m, x: m.conv(F.pad(F.interpolate(x, scale_factor=2), (1, 1, 0, 2))), conv=nn.Conv2d(3, 2, 3)
        ),
        X,
        LR,
        DECONV,
    ),
    "linear ×2 + 3×3": Row(up_conv("bilinear", 2, 3, padding=1), X, BORDER),
    "linear ×4 + 3×3": Row(up_conv("bilinear", 4, 3, padding=1), X, BORDER),
    "linear + replicate": Row(
        seq(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(3, 2, 3, padding=1, padding_mode="replicate")),
        X,
        LR,
        DECONV,
    ),
    "linear 1-D": Row(
        seq(nn.Upsample(scale_factor=2, mode="linear"), nn.Conv1d(3, 2, 3, padding=1)), (2, 3, 6), BORDER
    ),
    "any resize + 1×1": Row(up_conv("bilinear", 2, 1), X, FIRST, DECONV),
    "align_corners + 1×1 (A7)": Row(
        seq(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), nn.Conv2d(3, 2, 1)), X, FIRST
    ),
    "fractional + 1×1 (A7)": Row(
        lambda: Call(
            lambda m, x: F.relu(m.conv(F.interpolate(x, scale_factor=1.5, mode="bicubic"))), conv=nn.Conv2d(3, 2, 1)
        ),
        X,
        FIRST,
    ),
    "a size that is no multiple + 1×1 (A7)": Row(
        lambda: Call(
            lambda m, x: F.conv2d(F.interpolate(F.max_pool2d(x, 2), size=x.shape[2:], mode="bilinear"), m.w, m.b),
            w=torch.ones(2, 3, 1, 1),
            b=torch.ones(2),
        ),
        X,
        FIRST,
        None,
        True,
    ),
    "interpolate to a computed size": Row(
        lambda: Call(
            lambda m, x: m.conv(F.interpolate(F.max_pool2d(x, 2), size=x.shape[-2:])),
            conv=nn.Conv2d(3, 2, 3, padding=1),
        ),
        (2, 3, 8, 12),
        LR,
        DECONV,
        True,
    ),
    "concat (A8)": Row(
        lambda: Call(
            lambda m, x: m.conv(torch.cat([x, m.up(F.max_pool2d(x, 2))], dim=1)),
            conv=nn.Conv2d(6, 2, 3, padding=1),
            up=nn.Upsample(scale_factor=2),
        ),
        (2, 3, 8, 12),
        LR,
        inputs=True,
    ),
    "concat of two upsamplings": Row(
        lambda: Call(
            lambda m, x: m.conv(
                torch.cat([F.interpolate(x, scale_factor=4), F.interpolate(m.a(x), scale_factor=4)], 1)
            ),
            conv=nn.Conv2d(5, 2, 3, padding=1),
            a=nn.Conv2d(3, 2, 1),
        ),
        X,
        PHASES,
    ),
    "convT, concat, convolution": Row(
        lambda: Call(
            lambda m, x: m.conv(torch.cat((m.up(F.max_pool2d(x, 2)), x), 1)),
            conv=nn.Conv2d(5, 2, 3, padding=1),
            up=nn.ConvTranspose2d(3, 2, 2, 2),
        ),
        (2, 3, 8, 12),
        BORDER,
        inputs=True,
    ),
    "sub-pixel convolution": Row(seq(nn.Conv2d(3, 8, 3, padding=1), nn.PixelShuffle(2)), X, None, DECONV),
    "shuffle + convolution": Row(seq(nn.PixelShuffle(2), nn.Conv2d(2, 3, 3, padding=1)), (2, 8, 5, 7), LR, DECONV),
    "EDSR's tail": Row(
        seq(nn.Conv2d(3, 8, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(2, 1, 3, padding=1)), X, BORDER, DECONV
    ),
    "convolution + unshuffle": Row(
        seq(nn.Upsample(scale_factor=2), nn.PixelUnshuffle(2), nn.Conv2d(12, 2, 3, padding=1)), X, "convolution"
    ),
    "resize + mean": Row(seq(nn.Upsample(scale_factor=2), nn.AvgPool2d(2), nn.Conv2d(3, 2, 3)), X, "convolution"),
    "F.pixel_shuffle": Row(
        lambda: Call(lambda m, x: F.pixel_shuffle(m.conv(x), 2), conv=nn.Conv2d(3, 8, 3, padding=1)), X, None, DECONV
    ),
    "our ConvTranspose": Row(lambda: ours.ConvTranspose2d(3, 2, 4, 2, 1), X, LR),
    "our ConvTranspose, cropped": Row(lambda: ours.ConvTranspose2d(3, 2, 5, 2, 1, crop=(0, 1)), X, LR),
    "our SubpixelConv": Row(lambda: ours.SubpixelConv2d(3, 2, 4, 2, 2), X, LR),
    "our LRConv": Row(lambda: ours.LRConv2d(3, 2, 3, 2, 1, crop=((1, 0), (0, 1))), X, None, DECONV),
    "our LRConv in DCR": Row(lambda: ours.LRConv2d(3, 2, 3, 2, 1, order="dcr"), X, None, DECONV),
    "our PeriodicShuffle 1-D": Row(seq(ours.PeriodicShuffle(4), nn.Conv1d(2, 3, 5, padding=2)), (2, 8, 6), LR, DECONV),
    "periodic_shuffle": Row(
        lambda: Call(lambda m, x: ours.periodic_shuffle(m.conv(x), (3,)), conv=nn.Conv1d(3, 6, 3)),
        (2, 3, 6),
        None,
        DECONV,
    ),
    "weight norm": Row(lambda: nn.utils.parametrizations.weight_norm(nn.ConvTranspose1d(3, 2, 4, 2, 1)), (2, 3, 6), LR),
}


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("goal", ["lr", "deconv"])
@pytest.mark.parametrize("name", ROWS)
def test_matrix(name: str, goal: str) -> None:
    row = ROWS[name]
    torch.manual_seed(0)
    module = integers(row.module())
    result = subpixel.rewrite(module, goal, inputs=row.shape if row.inputs else None)
    wanted = row.lr if goal == "lr" else row.deconv
    done = [site for site in result.report["sites"] if site["refused"] is None]
    assert result.report["rewritten"] == len(done)
    if wanted is None:
        # what is there already has the goal's form
        assert not done, done
        assert all(site["refused"] for site in result.report["sites"])
    else:
        assert len(done) == 1, result.report
        assert done[0]["form"].startswith(wanted), done
        assert done[0]["proof"]["sizes"] > 0
    kinds = "".join(str(type(m).__name__) for m in result.modules())
    assert "ConvTranspose" not in kinds or done or goal == "deconv"
    for size in (
        row.shape,
        (1, row.shape[1], *(2 * n + (0 if row.inputs or "concat" in name else 1) for n in row.shape[2:])),
    ):
        if "output_size" in name and size != row.shape:
            continue
        check = integer_input(size)
        if name == "weight norm" or "A7" in name:
            assert_close(module, result, check)
        else:
            assert_equal(module, result, check)


@pytest.mark.parametrize(("mode", "s"), [("bicubic", 2), ("bilinear", 3)])
def test_kernels_that_are_no_integers(mode: str, s: int) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Upsample(scale_factor=s, mode=mode), nn.Conv2d(3, 2, 5, padding=2)).double()
    result = subpixel.rewrite(module, "lr")
    (site,) = result.report["sites"]
    assert site["form"].startswith(BORDER)
    assert not site["proof"]["bit_equal_on_integers"]
    assert_close(module, result, torch.randn(2, 3, 9, 11, dtype=torch.float64))


def test_a_batch_is_not_needed() -> None:
    for module in (nn.ConvTranspose2d(3, 2, 4, 2, 1), nn.ConvTranspose2d(3, 2, 3, 2, 1, 1)):
        result = subpixel.rewrite(integers(module), "lr")
        assert_equal(module, result, integer_input((3, 5, 7)))


def test_an_interpolation_takes_maps_for_an_axis_where_there_is_no_batch() -> None:
    """PyTorch's own: three axes are a batch of signals to it, so it enlarges the last one alone."""
    module = integers(nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(4, 2, 3, padding=1)))
    result = subpixel.rewrite(module, "lr")
    assert result.report["rewritten"] == 1
    for shape in ((4, 5, 6), (1, 4, 5, 6)):
        assert_equal(module, result, integer_input(shape))
    module = integers(nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv1d(4, 2, 3, padding=1)))
    result = subpixel.rewrite(module, "lr")
    assert result.report["rewritten"] == 1
    with pytest.raises(NotImplementedError, match="got 2D"):
        result(integer_input((4, 5)))


def test_inputs_too_short_for_the_border_run_as_before() -> None:
    module = integers(nn.Sequential(nn.Upsample(scale_factor=4, mode="bilinear"), nn.Conv2d(3, 2, 5, padding=2)))
    result = subpixel.rewrite(module, "lr")
    least = result.report["sites"][0]["smallest"]
    assert min(least) > 1
    for H in range(1, least[0] + 2):
        assert_equal(module, result, integer_input((1, 3, H, 9)))


def test_a_size_that_is_no_multiple_runs_as_before() -> None:
    def forward(module: nn.Module, x: Tensor) -> Tensor:
        up = F.interpolate(F.max_pool2d(x, 2), size=x.shape[-2:])
        return module.conv(torch.cat([up, x], 1))

    module = integers(Call(forward, conv=nn.Conv2d(6, 2, 3, padding=1)))
    result = subpixel.rewrite(module, "lr", inputs=(1, 3, 8, 8))
    assert result.report["rewritten"] == 1
    for size in ((8, 8), (8, 12), (9, 8), (7, 11), (3, 3)):
        assert_equal(module, result, integer_input((1, 3, *size)))


def test_output_size_takes_what_torch_takes() -> None:
    class Up(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.ConvTranspose2d(3, 2, 3, 2, 1)

        def forward(self, x: Tensor, like: Tensor) -> Tensor:
            return self.up(x, output_size=like.shape[2:])

    module = integers(Up())
    result = subpixel.rewrite(module, "lr")
    assert result.report["rewritten"] == 1
    x = integer_input((2, 3, 5, 7))
    for size in ((9, 13), (10, 13), (9, 14), (10, 14)):
        like = torch.zeros(2, 1, *size)
        assert torch.equal(module(x, like), result(x, like))
    for net in (module, result):
        with pytest.raises(ValueError, match="requested an output size"):
            net(x, torch.zeros(2, 1, 11, 13))


def test_arguments_with_defaults() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up, self.conv = nn.Upsample(scale_factor=2), nn.Conv2d(3, 2, 3, padding=1)

        def forward(self, x: Tensor, gate: Tensor | None = None, *, twice: bool = False) -> Tensor:
            y = self.conv(self.up(x))
            if gate is not None:
                y = y * gate
            return y * 2 if twice else y

    module = integers(Gated())
    result = subpixel.rewrite(module, "lr")
    assert result.report["rewritten"] == 1
    x, gate = integer_input((1, 3, 4, 5)), integer_input((1, 2, 1, 1), 7)
    assert torch.equal(result(x), module(x))
    assert torch.equal(result(x, gate), module(x, gate))
    assert torch.equal(result(x, gate=gate, twice=True), module(x, gate, twice=True))
    given = subpixel.rewrite(module, "lr", inputs={"x": (1, 3, 4, 5), "gate": gate})
    assert torch.equal(given(x, gate), module(x, gate))
