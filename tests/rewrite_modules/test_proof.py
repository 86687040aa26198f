"""Planted mistakes, one at a time, in reader, kernel map and program: the proof must find every one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import subpixel
from subpixel.algebra import Plan, layers
from subpixel.rewriting.modules import operators, program, steps
from subpixel.rewriting.modules.kernel_map import Universal, universal
from subpixel.rewriting.modules.proving import read_back
from subpixel.rewriting.modules.symbol import Symbol
from subpixel.rewriting.modules.view import Call, ModuleView
from subpixel.rewriting.refusal import Refusal
from subpixel.rewriting.writing.forms import forms
from subpixel.rewriting.writing.join import join


def modules() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {
        "convT": nn.ConvTranspose2d(3, 2, 4, 2, 1),
        "nearest": nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(3, 2, 3, padding=1)),
        "linear": nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(3, 2, 3, padding=1)),
        "grouped": nn.ConvTranspose2d(4, 6, 4, 2, 1, groups=2),
        "1-D": nn.ConvTranspose1d(3, 2, 7, 3, 1),
    }


def test_sound_ones_pass() -> None:
    for module in modules().values():
        assert subpixel.rewrite(module, "lr").report["rewritten"] == 1


def shuffled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Phases swapped."""
    shuffle = steps.periodic_shuffle
    monkeypatch.setattr(steps, "periodic_shuffle", lambda x, factor, order: shuffle(x, factor, order).flip(-1))


def dcr(monkeypatch: pytest.MonkeyPatch) -> None:
    """The maps counted in the other order."""
    shuffle, other = steps.periodic_shuffle, {"crd": "dcr", "dcr": "crd"}
    monkeypatch.setattr(steps, "periodic_shuffle", lambda x, factor, order: shuffle(x, factor, other[order]))


def flipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Taps from last to first."""
    taps_of = program.taps_of
    monkeypatch.setattr(program, "taps_of", lambda *args, **kw: taps_of(*args, **kw).flip(-1))


def crop_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sample too far."""
    run = program.Program.run

    def shifted(self: program.Program, x: Tensor, weights: Any) -> Tensor:
        return run(self, x, weights).roll(1, -1)

    monkeypatch.setattr(program.Program, "run", shifted)


def bias_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """No bias."""
    lay_out = program.Program._lay_out
    monkeypatch.setattr(program.Program, "_lay_out", lambda self, slot, kernel, bias: lay_out(self, slot, kernel, None))


def bias_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Biases of maps, repeated where they ought to be tiled."""
    lay_out = program.Program._lay_out

    def wrong(self: program.Program, slot: program.Slot, kernel: Tensor, bias: Tensor | None) -> Any:
        w, b = lay_out(self, slot, kernel, bias)
        return w, None if b is None else b.roll(1)

    monkeypatch.setattr(program.Program, "_lay_out", wrong)


def groups_mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps of the output in the order of another group."""
    lay_out = program.Program._lay_out

    def wrong(self: program.Program, slot: program.Slot, kernel: Tensor, bias: Tensor | None) -> Any:
        return lay_out(self, slot, kernel.flip(0), bias)

    monkeypatch.setattr(program.Program, "_lay_out", wrong)


def detached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values right, gradients gone."""
    taps_of = program.taps_of
    monkeypatch.setattr(program, "taps_of", lambda *args, **kw: taps_of(*args, **kw).detach())


def half_a_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values right, gradients wrong."""
    taps_of = program.taps_of

    def wrong(*args: Any, **kw: Any) -> Tensor:
        taps = taps_of(*args, **kw)
        return taps.detach() * 2 - taps

    monkeypatch.setattr(program, "taps_of", wrong)


def one_weight_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single entry of the kernel map."""
    compile_form = program.compile_form

    def wrong(form: Any, universal: Universal) -> program.Program:
        made = compile_form(form, universal)
        made.matrix = made.matrix.copy()
        made.matrix[-1, np.flatnonzero(made.matrix[-1])[-1]] = 0
        return made

    monkeypatch.setattr("subpixel.rewriting.modules.planning.compile_form", wrong)


def reading(change: Callable[[layers.Layer], layers.Layer], kind: str) -> Callable[[pytest.MonkeyPatch], None]:
    """A reader that reads its layer wrongly."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        sound = operators.READERS[kind]

        def wrong(view: ModuleView, call: Call) -> Any:
            found = sound(view, call)
            return None if found is None else replace(found, layers=tuple(change(layer) for layer in found.layers))

        monkeypatch.setitem(operators.READERS, kind, wrong)

    plant.__doc__ = f"The reader of {kind}."
    return plant


def moved(layer: Any) -> Any:
    return replace(layer, pads=tuple((a + 1, b - 1) for a, b in layer.pads))


def longer(layer: Any) -> Any:
    return replace(layer, output_padding=tuple(a + 1 for a in layer.output_padding))


def offset(layer: Any) -> Any:
    return replace(layer, offset=(1,) * len(layer.factor))


def other_coordinates(layer: Any) -> Any:
    return replace(layer, coordinate="asymmetric")


MUTANTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], tuple[str, ...]]] = {
    "phases swapped": (shuffled, ("convT", "nearest", "linear", "grouped", "1-D")),
    "order DCR": (dcr, ("convT", "nearest", "linear", "grouped", "1-D")),
    "kernel flipped": (flipped, ("convT", "nearest", "linear", "grouped", "1-D")),
    "moved by one sample": (crop_lost, ("convT", "nearest", "linear", "grouped", "1-D")),
    "bias lost": (bias_lost, ("convT", "nearest", "linear", "grouped", "1-D")),
    "bias of another map": (bias_in_order, ("convT", "nearest", "linear", "grouped", "1-D")),
    "groups mixed": (groups_mixed, ("convT", "grouped", "1-D")),
    "no gradient": (detached, ("convT", "nearest", "linear")),
    "wrong gradient": (half_a_gradient, ("convT", "nearest", "linear")),
    "one entry of the kernel map": (one_weight_off, ("convT", "nearest", "linear", "grouped", "1-D")),
    "padding read wrongly": (reading(moved, "ConvTranspose"), ("convT", "grouped", "1-D")),
    "output padding read wrongly": (reading(longer, "ConvTranspose"), ("convT", "grouped", "1-D")),
    "rounding read wrongly": (reading(offset, "Resize"), ("nearest",)),
    "coordinates read wrongly": (reading(other_coordinates, "Resize"), ("linear",)),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_proof_finds_it(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, names = MUTANTS[mutant]
    plant(monkeypatch)
    for name in names:
        report = subpixel.rewrite(modules()[name], "lr").report
        assert report["rewritten"] == 0, (name, report)
        assert report["sites"][0]["refused"], name


def test_a_wrong_plan_is_read_back_as_another_function() -> None:
    """The normal form alone, for all weights at once."""
    chain = [
        layers.Resize(3, (2, 2), "nearest"),
        layers.Convolution(Symbol("w", (2, 3, 3, 3)), Symbol("b", (2,)), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    ]
    u = universal(chain)
    for form in forms(join(u.chain), u.chain, "fastest", 18):
        read_back(form, u)
        assert form.plan is not None
        for wrong in _wrong(form.plan):
            with pytest.raises((Refusal, ValueError)):
                read_back(replace(form, plan=wrong), u)


def _wrong(plan: Plan) -> list[Plan]:
    """Another crop, one weight of one monomial gone, a bias gone."""
    found = [replace(plan, crop=tuple(c + 1 for c in plan.crop))]
    for i, layer in enumerate(plan.layers):
        for name in ("weight", "bias"):
            value = getattr(layer, name, None)
            if value is None or not np.any(value):
                continue
            changed = np.array(value, np.float64)
            changed.flat[np.flatnonzero(changed)[0]] = 0
            found.append(
                replace(plan, layers=(*plan.layers[:i], replace(layer, **{name: changed}), *plan.layers[i + 1 :]))
            )
    assert len(found) > 1
    return found
