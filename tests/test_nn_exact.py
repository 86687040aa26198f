"""The three forms by equality on whole numbers, and proof that the comparison can fail."""

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

import exactness.forms
from exactness.forms import check_forms
from subpixel.algebra import forms
from subpixel.nn import functional, transposed

DRAWS = 200


@pytest.mark.parametrize("part", range(4))
def test_the_three_forms_and_all_conversions(part):
    for number in range(part * DRAWS // 4, (part + 1) * DRAWS // 4):
        mismatch = check_forms(np.random.default_rng([0, number]))
        assert mismatch is None, f"scripts/check-exact --what forms --count 1 --first {number}: {mismatch}"


def test_the_script_tells_and_exits_with_1(monkeypatch, capsys):
    loader = SourceFileLoader("check_exact", str(Path(__file__).parents[1] / "scripts" / "check-exact"))
    script = module_from_spec(spec_from_loader("check_exact", loader))
    loader.exec_module(script)
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    monkeypatch.setattr(sys, "argv", ["check-exact", "--what", "forms", "--count", "3"])
    assert script.main() == 0
    assert capsys.readouterr().out == "forms: 0 mismatches in 3 draws (done; seed 0)\n"
    monkeypatch.setattr(exactness.forms, "check_forms", lambda rng: "this and that differ")
    assert script.main() == 1
    streams = capsys.readouterr()
    assert streams.out == "forms: 3 mismatches in 3 draws (done; seed 0)\n"
    assert "forms 2: this and that differ" in streams.err
    monkeypatch.setattr(exactness.forms, "check_forms", lambda rng: 1 / 0)
    assert script.main() == 1
    assert "forms 0: ZeroDivisionError" in capsys.readouterr().err
    monkeypatch.setattr(exactness.forms, "check_forms", _interrupt)
    assert script.main() == 130
    assert capsys.readouterr().out == "forms: 0 mismatches in 0 draws (interrupted; seed 0)\n"


def _interrupt(rng):
    raise KeyboardInterrupt


def flip_forgotten(monkeypatch):
    def offsets(self):
        reach = [d * (K - 1) for K, d in zip(self.kernel_size, self.dilation, strict=True)]
        geometry = zip(self.kernel_size, self.pads, self.dilation, reach, strict=True)
        return tuple(q - n + d * np.arange(K) for K, (q, _), d, n in geometry)

    monkeypatch.setattr(forms.SubpixelForm, "offsets", offsets)


def taps_of_the_lr_kernel_not_flipped(monkeypatch):
    offsets = forms.LRForm.offsets

    def wrong(self):
        return tuple(J.reshape(s, -1)[:, ::-1].reshape(-1) for J, s in zip(offsets(self), self.scale, strict=True))

    monkeypatch.setattr(forms.LRForm, "offsets", wrong)


def phases_swapped(monkeypatch):
    offsets = forms.LRForm.offsets

    def wrong(self):
        return tuple(J.reshape(s, -1)[::-1].reshape(-1) for J, s in zip(offsets(self), self.scale, strict=True))

    monkeypatch.setattr(forms.LRForm, "offsets", wrong)


def crd_for_dcr(monkeypatch):
    shuffle = functional.periodic_shuffle
    other = {"crd": "dcr", "dcr": "crd"}
    monkeypatch.setattr(functional, "periodic_shuffle", lambda x, s, order: shuffle(x, s, other[order]))


def axes_of_the_phases_swapped(monkeypatch):
    shuffle = functional.periodic_shuffle

    def wrong(x, factor, order):
        return shuffle(x.transpose(-1, -2), factor[::-1], order).transpose(-1, -2) if len(factor) == 2 else x * 0

    monkeypatch.setattr(functional, "periodic_shuffle", wrong)


def padding_off_by_one(monkeypatch):
    convolve = functional._convolve

    def wrong(x, weight, bias, pads, dilation, groups):
        return convolve(x, weight, bias, tuple((a + 1, b - 1) for a, b in pads), dilation, groups)

    monkeypatch.setattr(functional, "_convolve", wrong)


def crop_off_by_one(monkeypatch):
    lr_form = forms._lr_axis

    def wrong(*axis):
        M, pads, dilation, (start, end) = lr_form(*axis)
        return M, pads, dilation, ((start + 1, end - 1) if end else (start, end))

    monkeypatch.setattr(forms, "_lr_axis", wrong)


def bias_repeated_wrongly(monkeypatch):
    index = forms.LRForm.bias_index

    def wrong(self, maps):
        return index(self, maps).reshape(maps, -1).T.reshape(-1)

    monkeypatch.setattr(forms.LRForm, "bias_index", wrong)


def tied_bias_repeated_wrongly(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "repeat_interleave", torch.Tensor.repeat)


def bias_of_the_crop_forgotten(monkeypatch):
    def wrong(self, maps):
        table = np.arange(maps * int(np.prod(self.scale))).reshape(maps, *self.scale)
        return (table if self.order == "crd" else np.moveaxis(table, 0, -1)).reshape(-1)

    monkeypatch.setattr(forms.LRForm, "bias_index", wrong)


def groups_mixed(monkeypatch):
    def wrong(array, groups, tail):
        swapped = array.swapaxes(0, 1)
        return swapped.reshape(swapped.shape[0] * groups, -1, *tail)

    monkeypatch.setattr(forms, "_swap_maps", wrong)


def a_tap_lost(monkeypatch):
    index = forms.tap_index

    def wrong(source, target):
        found = index(source, target).copy()
        found[-1] = forms.NOTHING
        return found

    monkeypatch.setattr(forms, "tap_index", wrong)
    monkeypatch.setattr(transposed, "tap_index", wrong)


def weights_of_no_gradient(monkeypatch):
    monkeypatch.setattr(transposed.ConvTranspose, "_taps", _detached(transposed.ConvTranspose._taps))


def _detached(method):
    return lambda *arguments: method(*arguments).detach().requires_grad_()


MUTANTS = [
    flip_forgotten,
    taps_of_the_lr_kernel_not_flipped,
    phases_swapped,
    crd_for_dcr,
    axes_of_the_phases_swapped,
    padding_off_by_one,
    crop_off_by_one,
    bias_repeated_wrongly,
    tied_bias_repeated_wrongly,
    bias_of_the_crop_forgotten,
    groups_mixed,
    a_tap_lost,
    weights_of_no_gradient,
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_mutants_are_caught(mutant, monkeypatch):
    mutant(monkeypatch)
    for number in range(DRAWS):
        try:
            mismatch = check_forms(np.random.default_rng([0, number]))
        except (ValueError, RuntimeError):  # a mutant may also break the layer outright; that proves nothing here
            continue
        if mismatch is not None:
            return
    pytest.fail(f"{mutant.__name__} was not noticed in {DRAWS} draws")
