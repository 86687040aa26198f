"""ICNR (A13) and the checkerboard index (A14)."""

import numpy as np
import pytest
import torch

from subpixel import nn
from subpixel.algebra import lift
from subpixel.algebra.layers import PeriodicShuffle, Resize, transposed_convolution

CONVOLUTIONS = [torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d]
LR = [nn.LRConv1d, nn.LRConv2d, nn.LRConv3d]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def whole_numbers(tensor):
    return tensor.copy_(torch.randint(-9, 10, tensor.shape))


def nearest(x, scale):
    for axis, s in enumerate(scale, start=2):
        x = x.repeat_interleave(s, dim=axis)
    return x


@pytest.mark.parametrize("order", ["crd", "dcr"])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_icnr_makes_nearest_neighbour_of_one_convolution(d, order):
    """A13: PS(conv(x)) = nearest(conv(x; W₀)), weights and bias, whole numbers and equality."""
    scale, O = (2, 3, 2)[:d], 3
    P = int(np.prod(scale))
    convolution = CONVOLUTIONS[d - 1](2, O * P, 3, padding=1).double()
    with torch.no_grad():
        whole_numbers(convolution.bias)
    nn.icnr_(convolution.weight, scale, whole_numbers, order, convolution.bias)
    first = slice(None, None, P) if order == "crd" else slice(0, O)
    small = CONVOLUTIONS[d - 1](2, O, 3, padding=1).double()
    with torch.no_grad():
        small.weight.copy_(convolution.weight[first])
        small.bias.copy_(convolution.bias[first])
    x = torch.randint(-9, 10, (2, 2, *(4, 3, 2)[:d])).double()
    want = nearest(small(x), scale)
    assert torch.equal(nn.periodic_shuffle(convolution(x), scale, order), want)
    assert small.weight.unique().numel() > 3
    layer = LR[d - 1].from_convolution(convolution, scale, order)
    assert torch.equal(layer(x), want)
    assert nn.checkerboard_index(layer) == 0


@pytest.mark.parametrize(("order", "phase_bias"), [("crd", True), ("crd", False), ("dcr", True)])
def test_icnr_of_an_lr_layer(order, phase_bias):
    layer = nn.LRConv2d(4, 3, 3, (2, 3), padding=1, order=order, phase_bias=phase_bias).double()
    assert nn.checkerboard_index(layer) > 0
    assert layer.icnr_() is layer
    assert nn.checkerboard_index(layer) < 1e-12
    x = torch.rand(1, 4, 5, 5).double()
    y = layer(x)
    assert torch.allclose(y, nearest(y[..., ::2, ::3], (2, 3)))
    assert y.std() > 0


def test_an_untied_bias_brings_the_checkerboard_back():
    """What MONAI's icnr_init leaves: tied weights under a bias that differs by phase."""
    convolution = torch.nn.Conv2d(2, 8, 3)
    untouched = convolution.bias.detach().clone()
    nn.icnr_(convolution.weight, 2)
    assert torch.equal(convolution.bias, untouched)
    layer = nn.LRConv2d.from_convolution(convolution, 2)
    spread = untouched.reshape(2, 4)
    assert nn.checkerboard_index(layer) == pytest.approx(float((spread.amax(1) - spread.amin(1)).max()))
    nn.icnr_(convolution.weight, 2, bias=convolution.bias)
    assert nn.checkerboard_index(layer) < 1e-6
    assert torch.equal(convolution.bias[::4], untouched[::4])


def test_icnr_draws_once_with_the_initializer():
    shapes = []
    weight = torch.empty(18, 2, 3, 3)
    result = nn.icnr_(weight, 3, lambda once: shapes.append(tuple(once.shape)) or once.fill_(2))
    assert result is weight
    assert shapes == [(2, 2, 3, 3)]
    assert (weight == 2).all()
    torch.manual_seed(7)
    nn.icnr_(weight, 3)
    torch.manual_seed(7)
    assert torch.equal(weight[::9], torch.nn.init.kaiming_normal_(torch.empty(2, 2, 3, 3)))


def test_icnr_refuses_what_does_not_fit():
    weight = torch.empty(6, 2, 3, 3)
    with pytest.raises(ValueError, match=r"`weight` has 6 maps, which `scale` \(=2\) needs to be a multiple of 4"):
        nn.icnr_(weight, 2)
    with pytest.raises(ValueError, match=r"`bias` has shape \(5,\); this weight needs \(6,\)"):
        nn.icnr_(weight, (2, 3), bias=torch.empty(5))
    with pytest.raises(ValueError, match=r"`order` \(='x'\)"):
        nn.icnr_(weight, (2, 3), order="x")
    with pytest.raises(ValueError, match=r"`scale` \(=\(2, 3, 1\)\)"):
        nn.icnr_(weight, (2, 3, 1))
    with pytest.raises(ValueError, match=r"`weight` has shape \(6, 2\)"):
        nn.icnr_(weight[..., 0, 0], 2)


@pytest.mark.parametrize(
    ("weight", "stride", "index"),
    [
        ([1, 1, 1], 2, 1),  # phase sums 2 and 1
        ([1, 1, 1, 1], 2, 0),  # 2 and 2
        ([1, 2, 1], 2, 0),  # linear interpolation: 2 and 2
        ([1, 2, 3, 4], 2, 2),  # 4 and 6
        ([3], 2, 3),  # 3 and nothing
        ([1, -1, 5, 2], 1, 0),  # one phase
    ],
)
def test_index_by_hand(weight, stride, index):
    for make in (torch.nn.ConvTranspose1d, nn.ConvTranspose1d):
        layer = make(1, 1, len(weight), stride)
        with torch.no_grad():
            layer.weight.copy_(torch.tensor(weight).reshape(1, 1, -1))
        assert nn.checkerboard_index(layer) == index
    assert nn.checkerboard_index(layer.to_lr()) == index
    assert nn.checkerboard_index(layer.to_subpixel()) == index
    assert (
        nn.checkerboard_index(lift(transposed_convolution(np.array(weight).reshape(1, 1, -1), stride=stride))) == index
    )


def test_index_is_the_largest_ripple_of_a_flat_input():
    """Measured: over all inputs of ±1 per map the ripple in the interior reaches the index and no more."""
    for make, options in (
        (nn.ConvTranspose2d, {"stride": (2, 3), "padding": 1, "phase_bias": True}),
        (nn.SubpixelConv2d, {"scale": (3, 2), "padding": 2}),
        (nn.LRConv2d, {"scale": (2, 2), "crop": ((1, 0), (0, 0))}),
    ):
        layer = make(3, 2, (3, 4), **options).double()
        with torch.no_grad():
            for p in layer.parameters():
                whole_numbers(p)
                p.requires_grad_(False)
        worst = 0
        for signs in np.ndindex(2, 2, 2):
            flat = (2 * torch.tensor(signs) - 1).double().reshape(1, 3, 1, 1).expand(1, 3, 12, 12)
            inside = layer(flat)[0, :, 8:-8, 8:-8]
            worst = max(worst, float((inside.amax((1, 2)) - inside.amin((1, 2))).max()))
        assert nn.checkerboard_index(layer) == worst > 0


def test_index_of_ops():
    assert nn.checkerboard_index(lift(Resize(3, (2, 2), "linear"))) == 0
    assert nn.checkerboard_index(lift(Resize(3, (3, 2), "nearest"))) == 0
    assert nn.checkerboard_index(lift(PeriodicShuffle(1, (2,)))) == 2
    with pytest.raises(TypeError, match="Linear is none of the three forms"):
        nn.checkerboard_index(torch.nn.Linear(1, 1))
