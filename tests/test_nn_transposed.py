"""ConvTranspose*d as a drop-in for torch's class, in every form."""

import copy
import inspect
import pickle
import subprocess
import sys

import pytest
import torch

from subpixel import nn

TORCH = [torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d]
OURS = [nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d]
FORMS = ["transposed", "subpixel", "lr"]
BOTH = list(zip(OURS, TORCH, strict=True))


def whole(layer):
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.randint(-9, 10, p.shape))
    return layer


def numbers(*shape):
    return torch.randint(-9, 10, shape).double()


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(("ours", "theirs"), BOTH)
def test_arguments_are_torchs(ours, theirs):
    mine = list(inspect.signature(ours).parameters.values())
    torchs = list(inspect.signature(theirs).parameters.values())
    assert [(p.name, p.default, p.kind) for p in mine[: len(torchs)]] == [(p.name, p.default, p.kind) for p in torchs]
    assert all(p.kind is p.KEYWORD_ONLY for p in mine[len(torchs) :])
    assert issubclass(ours, theirs)
    assert inspect.signature(ours.forward).parameters.keys() == inspect.signature(theirs.forward).parameters.keys()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("ours", "theirs"), BOTH)
def test_initial_values_and_state_dict_are_torchs(ours, theirs, form):
    torch.manual_seed(3)
    mine = ours(4, 6, 3, 2, 1, 1, 2, dtype=torch.float64, form=form)
    after = torch.rand(1)
    torch.manual_seed(3)
    torchs = theirs(4, 6, 3, 2, 1, 1, 2, dtype=torch.float64)
    assert torch.equal(after, torch.rand(1))
    a, b = mine.state_dict(), torchs.state_dict()
    assert list(a) == list(b)
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not list(mine.buffers())
    whole(torchs)
    mine.load_state_dict(torchs.state_dict())
    x = numbers(2, 4, *(3, 2, 4)[: mine.dim])
    assert torch.equal(mine(x), torchs(x))
    whole(mine)
    torchs.load_state_dict(mine.state_dict())
    assert torch.equal(mine(x), torchs(x))


@pytest.mark.parametrize("form", FORMS)
def test_output_size(form):
    mine, torchs = (whole(make(2, 3, 3, (2, 3), 1).double()) for make in (nn.ConvTranspose2d, TORCH[1]))
    mine.load_state_dict(torchs.state_dict())
    mine.form = form
    x = numbers(1, 2, 4, 3)
    for size in ([7, 9], [8, 7], [1, 3, 8, 8], torch.Size([7, 8])):
        assert torch.equal(mine(x, size), torchs(x, size))
        assert torch.equal(mine(x[0], output_size=size[-2:]), torchs(x[0], output_size=size[-2:]))
    assert mine(x, [8, 9]).shape[2:] == (8, 9)


def test_output_size_counts_after_the_crop():
    layer = whole(nn.ConvTranspose2d(2, 3, 3, 2, crop=((1, 0), (0, 2))).double())
    x = numbers(1, 2, 4, 3)
    assert layer(x).shape[2:] == (8, 5)
    for form in FORMS:
        layer.form = form
        assert layer(x, [9, 6]).shape[2:] == (9, 6)
        assert torch.equal(layer(x, [9, 6])[..., :8, :5], layer(x))


WRONG_CALLS = {
    "too many maps": ({}, (1, 3, 4, 4), None),
    "too few axes": ({}, (2, 4), None),
    "too many axes": ({}, (1, 1, 2, 4, 4), None),
    "nothing to convolve": ({}, (1, 2, 0, 4), None),
    "nothing left": ({"padding": 2}, (1, 2, 1, 1), None),
    "less than nothing left": ({"padding": (5, 0)}, (1, 2, 1, 1), None),
    "output_padding too large": ({"stride": 2, "output_padding": 2}, (1, 2, 4, 4), None),
    "negative padding": ({"padding": (-1, 0)}, (1, 2, 4, 4), None),
    "output_size too small": ({"stride": 2}, (1, 2, 4, 4), [8, 8]),
    "output_size too large": ({"stride": 2}, (1, 2, 4, 4), [11, 9]),
    "output_size of other axes": ({"stride": 2}, (1, 2, 4, 4), [9]),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", WRONG_CALLS)
def test_errors_are_torchs(name, form):
    options, shape, output_size = WRONG_CALLS[name]
    torchs, mine = TORCH[1](2, 3, 3, **options), nn.ConvTranspose2d(2, 3, 3, **{**options, "padding": 0})
    mine.form = form
    mine.padding = torchs.padding
    mine.load_state_dict(torchs.state_dict())
    x = torch.zeros(shape)
    with pytest.raises((RuntimeError, ValueError)) as theirs:
        torchs(x, output_size)
    with pytest.raises((RuntimeError, ValueError)) as ours:
        mine(x, output_size)
    assert ours.type is theirs.type
    if form == "transposed" or "axes" not in name:
        words = str(theirs.value).split(",")[0] if "maps" not in name else "to have 2 channels"
        assert words in str(ours.value)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "arguments", [{"groups": 0}, {"groups": 2}, {"groups": 3}, {"padding_mode": "reflect"}], ids=str
)
def test_constructor_errors_are_torchs(arguments, form):
    with pytest.raises(ValueError, match=r".") as theirs:
        TORCH[1](4, 3, 3, **arguments)
    with pytest.raises(ValueError, match=r".") as ours:
        nn.ConvTranspose2d(4, 3, 3, **arguments, form=form)
    assert str(ours.value) == str(theirs.value)


def test_own_arguments_are_checked():
    with pytest.raises(ValueError, match=r"`form` \(='conv'\) must be one of 'transposed', 'subpixel', 'lr'"):
        nn.ConvTranspose2d(4, 3, 3, form="conv")
    with pytest.raises(ValueError, match=r"`crop` \(=\(1, 2, 3\)\) must be an integer, 2 of them, or 2 pairs"):
        nn.ConvTranspose2d(4, 3, 3, crop=(1, 2, 3))
    layer = nn.ConvTranspose2d(4, 3, 3)
    with pytest.raises(ValueError, match=r"`form` \(='zero'\) must be one of 'transposed', 'subpixel', 'lr'"):
        layer.form = "zero"
    assert layer.form == "transposed"
    with pytest.raises(ValueError, match=r"`stride` \(=\(0, 0\)\) must be an integer ≥ 1"):
        nn.ConvTranspose2d(4, 3, 3, 0, form="lr")
    with pytest.raises(ValueError, match=r"`crop` \(=\(\(4, 4\), \(4, 4\)\)\) leaves an output of \(-3, -3\)"):
        nn.ConvTranspose2d(4, 3, 3, 2, crop=4)(torch.zeros(1, 4, 2, 2))


def test_attributes_may_change_afterwards():
    layer = whole(nn.ConvTranspose2d(2, 3, 3, 2, 1, form="lr").double())
    x = numbers(1, 2, 4, 3)
    layer(x)
    layer.stride, layer.padding, layer.dilation = (3, 1), (0, 1), (1, 2)
    want = torch.nn.functional.conv_transpose2d(x, layer.weight, layer.bias, (3, 1), (0, 1), 0, 1, (1, 2))
    assert torch.equal(layer(x), want)


@pytest.mark.parametrize("ours", OURS)
def test_phase_bias(ours):
    torch.manual_seed(5)
    tied = ours(2, 3, 4, 2)
    torch.manual_seed(5)
    layer = ours(2, 3, 4, 2, phase_bias=True)
    assert layer.bias.shape == (3, *(2,) * layer.dim)
    x = torch.rand(1, 2, *(4, 3, 2)[: layer.dim])
    for form in FORMS:
        layer.form = form
        assert torch.allclose(layer(x), tied(x), atol=1e-6)
    layer.reset_parameters()
    assert torch.equal(layer.bias.flatten(1), layer.bias.flatten(1)[:, :1].expand(-1, 2**layer.dim))
    assert ours(2, 3, 4, 2, bias=False, phase_bias=True).bias is None


@pytest.mark.parametrize("form", FORMS)
def test_copies_dtypes_and_devices(form):
    layer = whole(nn.ConvTranspose2d(4, 6, (5, 4), (2, 3), 1, (1, 0), 2, dilation=(1, 2), form=form))
    x = torch.randint(-9, 10, (2, 4, 5, 6)).float()
    want = layer(x)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert other.form == form
        assert torch.equal(other(x), want)
    assert torch.equal(copy.deepcopy(layer).to(torch.float64)(x.double()), want.double())
    for dtype in (torch.float16, torch.bfloat16):
        half = copy.deepcopy(layer).to(dtype)
        for run in (half, half.to_lr(), half.to_subpixel(), half.to_transposed()):
            y = run(x.to(dtype))
            assert y.dtype == dtype
            assert torch.allclose(y.float(), want, rtol=0.02, atol=2)
    assert torch.equal(torch.func.functional_call(layer, dict(layer.named_parameters()), (x,)), want)
    assert torch.equal(torch.func.vmap(layer)(x[None])[0], want)


@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_built_on_the_meta_device(form, assign):
    layer = nn.ConvTranspose2d(2, 3, 3, 2, form=form)
    blank = nn.ConvTranspose2d(2, 3, 3, 2, form=form, device="meta")
    x = torch.rand(1, 2, 4, 4)
    assert blank(x.to("meta")).shape == layer(x).shape
    if not assign:
        blank = blank.to_empty(device="cpu")
    blank.load_state_dict(layer.state_dict(), assign=assign)
    assert torch.equal(blank(x), layer(x))


@pytest.mark.parametrize("form", FORMS)
def test_compile_takes_it_as_one_graph(form):
    layer = nn.ConvTranspose2d(4, 6, (5, 4), (2, 3), 1, groups=2, form=form, crop=((1, 0), (0, 1)), phase_bias=True)
    x = torch.rand(2, 4, 5, 6)
    torch._dynamo.reset()
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    assert torch.allclose(compiled(x), layer(x), atol=1e-6)
    assert torch.allclose(compiled(x, [11, 17]), layer(x, [11, 17]), atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_training_reaches_the_one_weight(form):
    mine, torchs = nn.ConvTranspose1d(2, 3, 5, 3, 1, form=form).double(), TORCH[0](2, 3, 5, 3, 1).double()
    torchs.load_state_dict(mine.state_dict())
    x, target = torch.rand(4, 2, 6).double(), torch.rand(4, 3, 18).double()
    for layer in (mine, torchs):
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)
        for _ in range(5):
            optimizer.zero_grad()
            ((layer(x) - target) ** 2).mean().backward()
            optimizer.step()
    assert torch.allclose(mine.weight, torchs.weight, atol=1e-12)
    assert torch.allclose(mine.bias, torchs.bias, atol=1e-12)


def test_from_torch_shares_parameters():
    torchs = TORCH[1](4, 6, 3, 2, 1, 1, 2, dilation=2).eval()
    mine = nn.ConvTranspose2d.from_torch(torchs, form="lr")
    assert mine.weight is torchs.weight
    assert mine.bias is torchs.bias
    assert (mine.form, mine.training) == ("lr", False)
    x = torch.rand(1, 4, 3, 3)
    assert torch.allclose(mine(x), torchs(x), atol=1e-6)
    for wrong in (TORCH[0](1, 1, 1), torch.nn.Conv2d(1, 1, 1), mine):
        with pytest.raises(ValueError, match=r"ConvTranspose2d.from_torch takes a torch.nn.ConvTranspose2d, not"):
            nn.ConvTranspose2d.from_torch(wrong)


def test_repr_says_what_differs_from_torch():
    assert repr(nn.ConvTranspose1d(1, 2, 3)) == repr(TORCH[0](1, 2, 3))
    shown = repr(nn.ConvTranspose1d(1, 2, 3, form="lr", phase_bias=True, crop=1))
    assert shown.endswith("form='lr', phase_bias=True, crop=((1, 1),))")


def test_without_torch_the_error_says_what_to_install():
    code = """
import sys
sys.modules["torch"] = None
from subpixel.errors import MissingExtra
try:
    import subpixel.nn
except MissingExtra as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'subpixel[torch]'" in done.stdout
    assert done.stdout.count("\n") == 1
