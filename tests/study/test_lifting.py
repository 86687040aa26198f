"""Every HR network is an LR network: equality on integers, and that the comparison can fail."""

from dataclasses import replace

import numpy as np
import pytest

from subpixel.study import lifting
from subpixel.study.lifting import UPSAMPLINGS, check_one, lifted, random_network, run_at_hr, run_at_lr, upsampling


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("kind", UPSAMPLINGS)
def test_lifted_networks_compute_the_same(scale, kind):
    for seed in range(100, 104):
        line = check_one(scale, kind, seed)
        assert line["values"] > 0
        assert line["differing"] == 0, line
        assert line["lr_maps"][-1] == scale**2
        # r² times the maps, layer by layer
        assert line["lr_maps"][-len(line["kernels"]) :] == [scale**2 * maps for maps in line["maps"][1:]]


def test_a_lifted_network_with_one_weight_changed_differs(monkeypatch):
    original = lifting.lifted

    def spoilt(*arguments):
        ops, cells = original(*arguments)
        kernel = ops[-1].kernel.copy()
        kernel.reshape(-1)[np.flatnonzero(kernel.any(axis=(1, 2)).reshape(-1))[0]] += 1
        return [*ops[:-1], replace(ops[-1], kernel=kernel)], cells

    monkeypatch.setattr(lifting, "lifted", spoilt)
    assert any(check_one(2, "nearest", seed)["differing"] for seed in range(4))


def test_bicubic_weights_are_whole_numbers_that_sum_to_the_denominator():
    for r in (2, 3, 4, 5):
        kernel = upsampling("bicubic", r).kernel
        assert kernel.dtype == np.int64
        assert (kernel.sum(axis=(-1, -2)) == lifting.denominator(r) ** 2).all()


def test_where_border_cells_differ_the_enlargement_stays_a_layer():
    rng = np.random.default_rng(0)
    weights = random_network(rng, (1, 2, 1), (3, 3))
    up = upsampling("bicubic", 2)
    ops, cells = lifted(2, up, weights)
    assert (len(ops), cells > 1) == (3, True)
    x = rng.integers(-9, 10, (1, 1, 5, 4))
    assert (run_at_hr(up, weights, x) == run_at_lr(ops, 2, 2, x)).all()
