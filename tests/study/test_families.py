"""The families: equal depth, equal cost, and what each is."""

import numpy as np
import pytest

from subpixel.models.network import Convolution, Interpolation, TransposedConvolution
from subpixel.models.onnx_graph import onnx_graph
from subpixel.study.families import LAYERS, TOLERANCE, build, of_budget, of_weights, widths_of
from subpixel.study.glossary import AT_HR, AT_LR, FAMILIES
from subpixel.study.plan import CONTROLS, Run, budget_of, network_of, plan
from subpixel.study.settings import BudgetSettings


def layers(network):
    return [step for step in network.steps if isinstance(step, Convolution | TransposedConvolution)]


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("maps", BudgetSettings().maps)
@pytest.mark.parametrize("family", FAMILIES)
def test_multiplications_match_and_depth_is_equal(family, maps, scale):
    macs = budget_of(scale, maps).macs_per_lr_pixel
    network = network_of(Run(scale, "equal-macs", maps, family, 0))
    assert abs(network.macs_per_lr_pixel - macs) <= TOLERANCE * macs
    assert len(layers(network)) == LAYERS
    widths = widths_of(network)
    assert max(widths) - min(widths) <= 1


@pytest.mark.parametrize("family", FAMILIES)
def test_at_hr_or_at_lr_is_what_the_counts_say(family):
    network = of_budget(family, 3, 3240)
    # All HR families write n·r² numbers a layer, the LR ones about r times as many maps and 1/r of the numbers.
    assert (network.activations_per_lr_pixel > 100) == (family in AT_HR)
    assert (widths_of(network)[0] > 8) == (family in AT_LR)


def test_the_two_spellings_of_the_last_layer_cost_the_same():
    shuffle, deconvolution = (of_budget(family, 3, 3240) for family in ("shuffle-last", "deconvolution-last"))
    assert shuffle.macs_per_lr_pixel == deconvolution.macs_per_lr_pixel
    assert widths_of(shuffle) == widths_of(deconvolution)
    assert shuffle.parameter_count - deconvolution.parameter_count == 8  # r² biases against one


def test_every_family_adds_the_same_interpolation():
    """With the last layer's weights zero each of them is bicubic interpolation."""
    torch = pytest.importorskip("torch")
    from subpixel.models.module import NetworkModule
    from subpixel.models.network import Network

    x = torch.rand(1, 1, 7, 6, generator=torch.Generator().manual_seed(0))
    expected = NetworkModule(Network("bicubic", 3, (Interpolation(3),)))(x)
    for family in FAMILIES:
        module = NetworkModule(of_budget(family, 3, 972))
        with torch.no_grad():
            module.weight(f"conv{LAYERS}.weight").zero_()
            module.weight(f"conv{LAYERS}.bias").zero_()
        torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_onnx_graph_computes_what_the_module_computes(family):
    torch = pytest.importorskip("torch")
    from subpixel.models.module import NetworkModule
    from subpixel.runtime import open_session
    from subpixel.train.initialise import initialise

    network = of_budget(family, 2, 432)
    module = NetworkModule(network)
    initialise(module, 3)
    x = np.random.default_rng(0).random((1, 1, 6, 9), np.float32)
    got = open_session(onnx_graph(network, module.weights()), runtime="onnxruntime", threads=1, precision="f32").run(x)
    np.testing.assert_allclose(got, module(torch.from_numpy(x)).detach().numpy(), atol=1e-5)


def test_controls_are_what_they_are_said_to_be():
    hr = budget_of(3, 4)
    made = {name: network_of(Run(3, "control", 4, name, 0)) for name in CONTROLS}
    assert abs(made["equal-weights"].parameter_count - hr.parameter_count) <= 0.1 * hr.parameter_count
    assert made["equal-weights"].macs_per_lr_pixel < hr.macs_per_lr_pixel / 4
    assert made["tied-phases"] == hr
    assert widths_of(made["untied-phases"]) == (36, 36, 36)


@pytest.mark.parametrize(("scale", "windows"), [(2, ((-2, 2),) * 2), (3, ((-1, 1),) * 3), (4, ((-1, 1),) * 4)])
def test_the_control_sees_what_the_hr_network_sees(scale, windows):
    """At ×2 and ×4 the very same window; at ×3 every phase of the HR network sees another one, and the control what is
    common to all, 3 pixels of 4: a layer of three taps more would see 5."""
    hr = budget_of(scale, 4)
    control = network_of(Run(scale, "control", 4, "equal-receptive-field", 0))
    assert control.windows == windows
    if scale == 3:
        common = (max(low for low, _ in hr.windows), min(high for _, high in hr.windows))
        assert (common, control.receptive_field, hr.receptive_field) == ((-1, 1), 3, 4)
    else:
        assert hr.windows == windows
    assert abs(control.macs_per_lr_pixel / hr.macs_per_lr_pixel - 1) <= TOLERANCE


def test_the_nearest_network_is_taken():
    macs = [of_budget("shuffle-last", 3, budget).macs_per_lr_pixel for budget in (900, 1000, 1100)]
    assert macs == sorted(macs)
    assert of_weights("shuffle-last", 3, 982).parameter_count == 982


def test_seed_0_of_everything_comes_before_seed_1():
    runs = plan(3, BudgetSettings(), match=("macs",))
    grid = [run for run in runs if run.matching == "equal-macs"]
    assert len(grid) == 3 * 6 * 3
    assert [run.seed for run in grid] == sorted(run.seed for run in grid)
    assert len({run.key for run in plan(3, BudgetSettings())}) == len(plan(3, BudgetSettings()))


def test_windows_say_which_lr_pixels_a_phase_reads():
    assert build("nearest-first", 3, (1, 1, 1)).windows == ((-2, 1), (-1, 1), (-1, 2))
    assert build("shuffle-last", 3, (1, 1, 1)).windows == ((-4, 4),) * 3


def test_no_more_weights_are_never_more():
    for scale, weights in ((2, 377 - 1), (3, 376), (4, 376), (3, 981)):
        network = of_weights("shuffle-last", scale, weights)
        assert 0.9 * weights < network.parameter_count <= weights
