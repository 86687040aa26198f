"""Law A12 in training: a layer and its branch are one kernel, bit for bit on integers, within the bound elsewhere."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from subpixel.algebra import compose, convolution, lift, reduce
from subpixel.models import build
from subpixel.models.network import Activation, AddRemembered, Convolution, Network, PeriodicShuffle, Remember
from subpixel.train import TrainConfig

torch = pytest.importorskip("torch")
from torch.nn import functional as F  # noqa: E402

from subpixel.models.module import NetworkModule  # noqa: E402
from subpixel.train.branches import BranchedModule  # noqa: E402
from subpixel.train.descent import Descent  # noqa: E402
from subpixel.train.initialise import initialise  # noqa: E402


def layers_of(network):
    return [step for step in network.steps if isinstance(step, Convolution)]


class Apart(BranchedModule):
    """The unmerged network: every branch runs as the two convolutions that it is."""

    def convolve(self, step, x):
        wide, narrow = self.branch(step.name)
        plain = super(BranchedModule, self).convolve(step, x)
        return plain + F.conv2d(F.conv2d(x, wide), narrow, padding=step.kernel // 2)


def fill(module, draw):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(draw(parameter.shape))


def merged(module):
    return NetworkModule(module.network, module.weights()).to(next(module.parameters()).dtype)


@pytest.mark.parametrize("multiple", [1, 2, 3])
@pytest.mark.parametrize("size", [(1, 1), (2, 7), (9, 6)])
def test_merged_is_unmerged_bit_for_bit_on_integers(multiple, size):
    network = Network("odd", 1, (Convolution("a", 1, 3, 5), Convolution("b", 3, 2, 3), Convolution("c", 2, 1, 1)))
    rng = torch.Generator().manual_seed(multiple)
    module = Apart(network, multiple)
    fill(module, lambda shape: torch.randint(-2, 3, shape, generator=rng).float())
    x = torch.randint(-4, 5, (2, 1, *size), generator=rng).float()
    apart = module(x)
    assert apart.abs().max() < 2**24  # beyond, float32 holds no longer every integer
    assert torch.equal(apart, merged(module)(x))


def test_the_merged_kernel_is_the_one_that_the_algebra_composes():
    rng = np.random.default_rng(3)
    network = Network("one", 1, (Convolution("a", 3, 4, 3),), channels=3)
    module = BranchedModule(network, 2)
    fill(module, lambda shape: torch.from_numpy(rng.integers(-3, 4, tuple(shape)).astype(np.float32)))
    wide, narrow = (kernel.detach().numpy() for kernel in module.branch("a"))
    beside = (module.merged("a") - module.weight("a.weight")).detach().numpy()
    ours = lift(convolution(beside, padding=1))
    theirs = compose(lift(convolution(narrow, padding=1)), lift(convolution(wide)))
    assert reduce(theirs) == reduce(ours)


def test_a_trained_network_agrees_to_the_bound():
    """|merged - unmerged| of a layer is at most (n + 2) eps (|narrow| * |wide| + |kernel|) * |x|, n terms in a sum."""
    network = build("nano", 3)
    rng = torch.Generator().manual_seed(0)
    module = Apart(network, 2)
    fill(module, lambda shape: torch.randn(shape, generator=rng) * (0.3 if len(shape) == 4 else 0.05))
    plain = merged(module)
    for step in layers_of(network):
        sample = torch.randn((1, step.inputs, 24, 31), generator=rng)
        wide, narrow = module.branch(step.name)
        with torch.no_grad():
            apart, joined = module.convolve(step, sample), plain.convolve(step, sample)
            size = F.conv2d(F.conv2d(sample.abs(), wide.abs()), narrow.abs(), padding=1)
            size += F.conv2d(sample.abs(), module.weight(f"{step.name}.weight").abs(), padding=1)
            size += module.weight(f"{step.name}.bias").abs()[:, None, None]
        terms = step.kernel**2 * step.inputs * (1 + len(wide))
        assert ((apart - joined).abs() <= (terms + 2) * torch.finfo(torch.float32).eps * size).all()


def within(module, x):
    """The network's exact result (f64) and how far either form's in f32 may lie from it, element by element.

    Exactly, a layer is its merged kernel K, which passes an error E of its input on as |K| * E at most. Its own sums
    add n u (M * (|x| + E) + |bias|), M = |narrow| * |wide| + |kernel|, where n counts the roundings on the longest way
    of a product into the result (C + K²D apart, K²C + D merged, and a few), u = eps / 2, and 1 % is for n² u² and
    beyond. A PReLU multiplies an error by its slope at most, or 1; its rounding, and that of the sum over the skip, is
    one eps of the result. The shuffle moves values alone.
    """
    eps = torch.finfo(torch.float32).eps
    picture, error = x, torch.zeros_like(x)
    for step in module.network.steps:
        match step:
            case Convolution(name=name):
                wide, narrow = module.branch(name)
                kernel, bias = module.weight(f"{name}.weight"), module.weight(f"{name}.bias")
                size = kernel.abs() + torch.einsum("odhw,dc->ochw", narrow.abs(), wide[:, :, 0, 0].abs())
                maps, inputs, area = len(wide), step.inputs, step.kernel**2
                longest = max(inputs + area * maps, area * inputs + maps) + 3
                reach = F.conv2d(x.abs() + error, size, bias.abs(), padding=step.kernel // 2)
                passed_on = F.conv2d(error, module.merged(name).abs(), padding=step.kernel // 2)
                error = passed_on + longest * eps / 2 * 1.01 * reach
                x = module.convolve(step, x)
            case Activation(kind="prelu", name=name):
                slope = module.weight(f"{name}.slope")
                x, error = F.prelu(x, slope), error * slope.abs().max().clamp(min=1)
                error = error + eps * (x.abs() + error)
            case Remember(name="lr"):
                assert x is picture
            case AddRemembered(name="lr"):
                x = x + picture
                error = error + eps * (x.abs() + error)
            case PeriodicShuffle(scale=r):
                x, error = F.pixel_shuffle(x, r), F.pixel_shuffle(error, r)
            case _:
                raise AssertionError(step)
    return x, error


def trained(network):
    """A module with branches after some steps on noise: its branches are no longer nothing."""
    config = TrainConfig((Path("none"),), Path("w.safetensors"), network.scale, optimizer="adam", steps=40, warm_up=0)
    torch.set_num_threads(1)
    module = BranchedModule(network, 2)
    initialise(module, 0, near_identity=True)
    descent = Descent(module, config)
    rng = np.random.default_rng(0)
    for step in range(config.steps):
        hr = rng.random((2, 1, 24, 24), np.float32)
        descent.step(step, np.ascontiguousarray(hr[..., :: network.scale, :: network.scale]), hr)
    return module


@pytest.mark.parametrize("drawn", [True, False])
def test_merged_is_unmerged_end_to_end_within_the_bound(drawn):
    network = build("nano", 3)
    rng = torch.Generator().manual_seed(0)
    module = Apart(network, 2)
    if drawn:
        fill(module, lambda shape: torch.randn(shape, generator=rng) * (0.1 if len(shape) == 4 else 0.05))
    else:
        module.load_state_dict(trained(network).state_dict())
    x = torch.rand((1, 1, 24, 31), generator=rng)
    with torch.no_grad():
        apart, joined = module(x), merged(module)(x)
        without = NetworkModule(network, NetworkModule.weights(module))(x)
        exact, error = within(module.double(), x.double())
    assert ((apart - exact).abs() <= error).all()
    assert ((joined - exact).abs() <= error).all()
    assert ((apart - joined).abs() <= 2 * error).all()
    assert (apart - joined).abs().max() < 1e-5 * exact.abs().max()  # the bound is of the worst case
    assert ((without - exact).abs() > error).any()  # a branch left out would be seen


def test_the_seed_draws_the_branches():
    first, same, other = (BranchedModule(build("nano", 2), 2, seed=seed).branch("conv2")[0] for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_branches_begin_as_nothing():
    network = build("nano", 2)
    module = BranchedModule(network, 2)
    plain = super(BranchedModule, module).weights()
    for name, value in module.weights().items():
        np.testing.assert_array_equal(value, plain[name])


def test_training_with_branches_leaves_a_plain_network(tmp_path):
    from PIL import Image

    from subpixel.models import read_weights
    from subpixel.train import TrainConfig
    from subpixel.train.loop import train

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for n in range(3):
        pixels = rng.integers(0, 256, (12, 15, 3)).repeat(5, 0).repeat(5, 1).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{n}.png")
    config = TrainConfig(
        (tmp_path / "pictures",), tmp_path / "w.safetensors", 2, "nano", steps=8, batch=2, patch=8, branches=2
    )
    config = replace(config, sizes=(1.0,), device="cpu", checkpoint_every=4)
    train(config)
    trained = read_weights(config.output)
    assert trained.network == build("nano", 2)
    assert set(trained.weights) == set(build("nano", 2).parameters())
    assert trained.header["recipe"]["branches"] == 2
    train(replace(config, branches=0, output=tmp_path / "plain.safetensors"))
    plain = read_weights(tmp_path / "plain.safetensors")
    assert any(not np.array_equal(plain.weights[name], trained.weights[name]) for name in plain.weights)
