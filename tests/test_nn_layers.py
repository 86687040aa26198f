"""SubpixelConv*d and LRConv*d, the conversions, and the note's own examples."""

from math import prod

import pytest
import torch

from subpixel import nn
from subpixel.algebra import compose_all, lift, reduce, same
from subpixel.algebra.layers import Convolution, Pad, PeriodicShuffle, TransposedConvolution
from subpixel.algebra.lower import spell


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def whole(layer):
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.randint(-9, 10, p.shape))
    return layer.double()


def numbers(*shape):
    return torch.randint(-9, 10, shape).double()


# --- the note ------------------------------------------------------------------------------------------------------


def test_figures_2_and_3():
    """f = [1 2 3 4], stride 2, padding 2: 8 → 5, and 5 → 8 in all forms; sub-pixel has [4 3 2 1]."""
    f = torch.tensor([[[1.0, 2, 3, 4]]])
    x = torch.arange(1.0, 9)[None, None]
    y = torch.nn.functional.conv1d(x, f, stride=2, padding=2)
    assert y.shape == (1, 1, 5)
    layer = nn.ConvTranspose1d(1, 1, 4, 2, padding=2, bias=False)
    layer.weight.data.copy_(f)
    full = nn.ConvTranspose1d(1, 1, 4, 2, bias=False)
    full.weight.data.copy_(f)
    assert full(y).shape == (1, 1, 12)
    assert torch.equal(layer(y), full(y)[..., 2:-2])
    sub = layer.to_subpixel()
    assert sub.weight.flatten().tolist() == [4, 3, 2, 1]
    assert sub.padding == ((1, 1),)
    assert torch.equal(sub(y), layer(y))
    lr = layer.to_lr()
    assert lr.weight.shape == (2, 1, 2)
    assert torch.equal(lr(y), layer(y))
    by_hand = [0.0] * 12
    for i, value in enumerate(y.flatten().tolist()):
        for k in range(4):
            by_hand[2 * i + k] += value * (k + 1)
    assert layer(y).flatten().tolist() == by_hand[2:-2]


def test_a_4_by_4_kernel_splits_into_four_of_2_by_2_and_back():
    """(1, 1, 4, 4) ⇔ (4, 1, 2, 2): phase φ takes every second tap."""
    sub = whole(nn.SubpixelConv2d(1, 1, 4, scale=2, padding=((2, 1), (2, 1)), bias=False))
    lr = sub.to_lr()
    assert lr.weight.shape == (4, 1, 2, 2)
    assert sorted(lr.weight.flatten().tolist()) == sorted(sub.weight.flatten().tolist())
    back = lr.to_subpixel()
    assert torch.equal(back.weight, sub.weight)
    assert back.geometry == sub.geometry


@pytest.mark.parametrize(("r", "k"), [(2, 2), (3, 1), (2, 3), (4, 2)])
def test_kernels_of_kr_taps_are_lr_kernels_of_r_squared_maps(r, k):
    """(o, i, k·r, k·r) ⇔ (o·r², i, k, k)."""
    transposed = whole(nn.ConvTranspose2d(3, 2, k * r, r))
    lr = transposed.to_lr()
    assert lr.weight.shape == (2 * r * r, 3, k, k)
    assert torch.count_nonzero(lr.weight) == torch.count_nonzero(transposed.weight)
    lr.origins = ()
    back = lr.to_transposed()
    assert torch.equal(back.weight, transposed.weight)
    assert (back.stride, back.padding, back.output_padding) == ((r, r), (0, 0), (0, 0))


NETWORKS = {  # name: (K, s, p, a), taps of the LR kernel, crop at the start
    "FSRCNN ×2": ((9, 2, 4, 1), 5, 0),
    "FSRCNN ×3": ((9, 3, 3, 0), 3, 0),
    "FSRCNN ×3, padding 4": ((9, 3, 4, 2), 3, 1),
    "FSRCNN ×4": ((9, 4, 4, 3), 3, 0),
    "DCGAN": ((5, 2, 2, 1), 3, 0),
    "FlowNet": ((4, 2, 1, 0), 2, 1),
    "Johnson": ((3, 2, 1, 1), 2, 0),
    "U-Net": ((2, 2, 0, 0), 1, 0),
    "stride 1": ((3, 1, 1, 0), 3, 0),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_of_well_known_networks(name):
    """A3: which of them need a crop before the LR kernel has its fewest taps."""
    (K, s, p, a), M, crop = NETWORKS[name]
    layer = whole(nn.ConvTranspose2d(3, 2, K, s, p, a))
    x = numbers(2, 3, 4, 5)
    lr = layer.to_lr()
    assert lr.kernel_size == (M, M)
    assert [start for start, _ in lr.crop] == [crop, crop]
    assert torch.equal(lr(x), layer(x))
    aligned = layer.to_lr(aligned=True)
    assert [start for start, _ in aligned.crop] == [0, 0]
    assert aligned.kernel_size == (M + (crop > 0),) * 2
    assert torch.equal(aligned(x), layer(x))


# --- LR convolution ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["crd", "dcr"])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_lr_convolution_is_the_plain_pair(d, order):
    make = [torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d][d - 1]
    ours = [nn.LRConv1d, nn.LRConv2d, nn.LRConv3d][d - 1]
    scale = (2, 3, 2)[:d]
    torch.manual_seed(1)
    pair = torch.nn.Sequential(make(3, 4 * prod(scale), 3, padding=1), nn.PeriodicShuffle(scale, order))
    torch.manual_seed(1)
    layer = ours(3, 4, 3, scale, padding=1, order=order)
    assert torch.equal(layer.weight, pair[0].weight)
    assert torch.equal(layer.bias, pair[0].bias)
    layer.load_state_dict(pair[0].state_dict())
    x = torch.rand(2, 3, *(4, 3, 5)[:d])
    assert torch.equal(layer(x), pair(x))
    shared = ours.from_convolution(pair[0], scale, order)
    assert shared.weight is pair[0].weight
    assert torch.equal(shared(x), pair(x))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
def test_from_convolution_reads_every_attribute():
    scale = (2, 1)
    for options in ({"padding": "same"}, {"padding": "valid"}, {"padding": (2, 0), "dilation": 2, "groups": 2}):
        convolution = torch.nn.Conv2d(4, 8, (2, 3), **options, bias=False)
        layer = nn.LRConv2d.from_convolution(convolution, scale)
        x = torch.rand(1, 4, 6, 7)
        assert torch.allclose(layer(x), nn.periodic_shuffle(convolution(x), scale), atol=1e-6)
        assert layer.bias is None
    with pytest.raises(ValueError, match="stride"):
        nn.LRConv2d.from_convolution(torch.nn.Conv2d(4, 8, 3, stride=2), 2)
    with pytest.raises(ValueError, match="padding_mode 'reflect'"):
        nn.LRConv2d.from_convolution(torch.nn.Conv2d(4, 8, 3, padding=1, padding_mode="reflect"), 2)
    with pytest.raises(ValueError, match="6 maps must be a multiple of 4"):
        nn.LRConv2d.from_convolution(torch.nn.Conv2d(4, 6, 3), 2)
    with pytest.raises(ValueError, match="2 axes, not Conv1d"):
        nn.LRConv2d.from_convolution(torch.nn.Conv1d(4, 6, 3), 2)


@pytest.mark.parametrize("make", [nn.LRConv2d, nn.SubpixelConv2d])
@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("in_channels", 0, "must be an integer ≥ 1"),
        ("out_channels", 2.0, "must be an integer ≥ 1"),
        ("groups", 3, "must divide `in_channels`"),
        ("groups", True, "must be an integer ≥ 1"),
        ("kernel_size", (3, 3, 3), "must be an integer ≥ 1, or 2 of them"),
        ("kernel_size", 0, "must be an integer ≥ 1, or 2 of them"),
        ("scale", -2, "must be an integer ≥ 1, or 2 of them"),
        ("scale", 1.5, "must be an integer ≥ 1, or 2 of them"),
        ("dilation", "same", "must be an integer ≥ 1, or 2 of them"),
        ("padding", (1, 2, 3), "must be an integer, 2 of them, or 2 pairs"),
        ("padding", ((1, 2), (1, 2, 3)), "must be an integer, 2 of them, or 2 pairs"),
        ("padding", None, "must be an integer, 2 of them, or 2 pairs"),
    ],
)
def test_wrong_arguments_are_named(make, name, value, why):
    arguments = {"in_channels": 4, "out_channels": 4, "kernel_size": 3, "scale": 2, name: value}
    with pytest.raises(ValueError, match=r".") as error:
        make(**arguments)
    assert f"`{name}` (={value!r})" in str(error.value)
    assert why in str(error.value)
    assert "\n" not in str(error.value)


def test_wrong_arguments_of_lr_convolution():
    with pytest.raises(ValueError, match=r"`order` \(='rgb'\) must be 'crd'"):
        nn.LRConv2d(2, 2, 3, 2, order="rgb")
    with pytest.raises(ValueError, match=r"`order` \(='dcr'\) needs `groups` = 1 \(got 2\)"):
        nn.LRConv2d(2, 2, 3, 2, groups=2, order="dcr")
    with pytest.raises(ValueError, match=r"`crop` \(=\(\(0, -1\), \(0, 0\)\)\) must not be negative"):
        nn.LRConv2d(2, 2, 3, 2, crop=((0, -1), 0))


@pytest.mark.parametrize("make", [nn.LRConv2d, nn.SubpixelConv2d])
def test_wrong_inputs_are_named(make):
    layer = make(3, 2, 3, 2)
    for shape in ((1, 2, 5, 5), (5, 5), (1, 1, 3, 5, 5)):
        with pytest.raises(ValueError, match=r"`input` has shape .* this layer takes \(\[batch,\] 3 maps, 2 spatial"):
            layer(torch.zeros(shape))
    with pytest.raises(ValueError, match=r"`input` of spatial size \(1, 5\) leaves an output of"):
        layer(torch.zeros(1, 3, 1, 5))
    with pytest.raises(ValueError, match=r"`input` of spatial size \(0, 5\)"):
        layer(torch.zeros(1, 3, 0, 5))
    assert layer(torch.zeros(0, 3, 5, 5)).shape[:2] == (0, 2)


def test_phase_biases_begin_tied_in_the_other_forms():
    layer = nn.SubpixelConv2d(2, 3, 3, (2, 3), phase_bias=True)
    assert layer.bias.shape == (3, 2, 3)
    assert nn.checkerboard_index(layer) == nn.checkerboard_index(_without_bias(layer))


def _without_bias(layer):
    other = nn.SubpixelConv2d(2, 3, 3, (2, 3), bias=False)
    other.weight = layer.weight
    return other


def test_compile_and_meta():
    for layer in (nn.LRConv2d(2, 3, 3, (2, 3), padding=((1, 0), (2, -1)), crop=1), nn.SubpixelConv2d(2, 3, 3, 2, 1)):
        x = torch.rand(1, 2, 5, 6)
        torch._dynamo.reset()
        assert torch.allclose(torch.compile(layer, backend="eager", fullgraph=True)(x), layer(x), atol=1e-6)
        assert layer.to("meta")(x.to("meta")).shape[:2] == (1, 3)


# --- conversions ---------------------------------------------------------------------------------------------------


def test_converted_layers_keep_dtype_mode_and_flags():
    layer = nn.ConvTranspose2d(2, 3, 3, 2).to(torch.float16).eval()
    layer.bias.requires_grad_(False)
    for other in (layer.to_lr(), layer.to_subpixel(), layer.to_transposed(), layer.to_lr().to_subpixel()):
        assert other.weight.dtype == torch.float16
        assert not other.training
        assert other.weight.requires_grad
        assert not other.bias.requires_grad
        assert other.weight.data_ptr() != layer.weight.data_ptr()


def test_converting_leaves_the_random_numbers_alone():
    layer = nn.ConvTranspose2d(2, 3, 3, 2)
    state = torch.get_rng_state()
    layer.to_lr().to_subpixel().to_transposed()
    assert torch.equal(torch.get_rng_state(), state)


def test_taps_filled_by_training_are_kept():
    """k3 s2 has 9 of the 16 taps; if the others are filled, K becomes s·M and the function stays."""
    layer = whole(nn.ConvTranspose2d(1, 1, 3, 2))
    lr = layer.to_lr()
    assert int((lr.weight != 0).sum()) <= 9
    assert lr.to_transposed().kernel_size == (3, 3)
    whole(lr).weight.data.add_(20)
    x = numbers(1, 1, 4, 5)
    back = lr.to_transposed()
    assert back.kernel_size == (4, 4)
    assert torch.equal(back(x), lr(x))
    assert torch.equal(lr.to_subpixel()(x), lr(x))
    assert torch.equal(back.to_lr().weight, lr.weight)


def test_dilated_forms_stay_dilated():
    """Where s divides d the LR convolution is dilated; dilated LR kernels return though K has gaps."""
    layer = nn.ConvTranspose2d(2, 3, 3, (1, 2), dilation=(3, 4))
    lr = layer.to_lr()
    assert (lr.kernel_size, lr.dilation) == ((3, 3), (3, 2))
    native = whole(nn.LRConv1d(1, 1, 3, 2, dilation=2))
    transposed = native.to_transposed()
    assert transposed.kernel_size == (10,)
    assert transposed.to_lr().geometry == native.geometry
    assert torch.equal(transposed.to_lr().weight, native.weight)


def test_padding_that_torch_cannot_say_becomes_a_crop():
    plain = nn.LRConv1d(1, 1, 3, 2, padding=1).to_transposed()
    assert (plain.padding, plain.output_padding, plain.crop) == ((2,), (0,), ((0, 0),))
    extra = nn.LRConv1d(1, 1, 3, 2, padding=((1, 1),), crop=((1, 0),)).to_transposed()
    assert (extra.padding, extra.output_padding, extra.crop) == ((3,), (1,), ((0, 0),))
    wide = nn.LRConv1d(1, 1, 1, 2, padding=1).to_transposed()
    assert (wide.padding, wide.output_padding, wide.crop) == ((0,), (0,), ((-2, -2),))


@pytest.mark.parametrize("d", [1, 2])
def test_forms_agree_with_the_algebra(d):
    """`lift`, `lower` and `compose` say the same as the index look-up, tap for tap."""
    generator = torch.Generator().manual_seed(4)

    def draw(low, high):
        return tuple(torch.randint(low, high, (d,), generator=generator).tolist())

    ours = [nn.ConvTranspose1d, nn.ConvTranspose2d][d - 1]
    for _ in range(12):
        stride, dilation, crop = draw(1, 4), draw(1, 3), tuple(zip(draw(-1, 3), draw(-1, 3), strict=True))
        layer = whole(ours(2, 3, draw(1, 5), stride, dilation=dilation, crop=crop))
        with torch.no_grad():
            layer.weight.add_(20)  # no tap is zero, so `lower` cannot do with fewer
        lr, numpy = layer.to_lr(), [p.detach().numpy() for p in (layer.weight, layer.bias)]
        op = lift(TransposedConvolution(*numpy, stride, crop, (0,) * d, dilation))
        assert same(nn.to_op(layer), op)
        assert same(nn.to_op(lr), op)
        weight, bias = (p.detach().numpy() for p in (lr.weight, lr.bias))
        parts = [
            Pad(2, lr.padding),
            Convolution(weight, bias.repeat(prod(stride)), (1,) * d, ((0, 0),) * d, lr.dilation),
            PeriodicShuffle(3, stride),
            Pad(3, tuple((-a, -b) for a, b in lr.crop)),
        ]
        assert reduce(compose_all([lift(part) for part in parts])) == reduce(op)
        plan = spell(op, "shuffle")
        assert plan.crop == tuple(start for start, _ in lr.crop)


def test_to_op_refuses_what_is_no_layer_of_these():
    with pytest.raises(TypeError, match="Conv2d is none of the three forms"):
        nn.to_op(torch.nn.Conv2d(1, 1, 1))
