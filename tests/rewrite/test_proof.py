"""The proof, fed with what must fail: planted mistakes of writer and reader in every spelling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
import pytest

from exactness.chains import Turn
from rewrite.graphs import enlarged, graph, node, whole
from subpixel.rewriting import rewrite
from subpixel.rewriting.goals import change, fastest
from subpixel.rewriting.reading import operators
from subpixel.rewriting.writing.build import Built

X: Any = {"x": ["N", 4, "H", "W"]}


def transposed(**attributes: Any) -> onnx.ModelProto:
    return graph(
        [node("ConvTranspose", "x w b", "y", **{"strides": [2, 2], "pads": [1, 1, 1, 1], **attributes})],
        X,
        "y",
        w=whole(4, 3, 4, 4),
        b=whole(3),
    )


def shuffled() -> onnx.ModelProto:
    return graph(
        [node("Conv", "x w b", "v", pads=[1] * 4), node("DepthToSpace", "v", "y", blocksize=2, mode="CRD")],
        X,
        "y",
        w=whole(12, 4, 3, 3),
        b=np.repeat(whole(3), 4),
    )


def interpolated(mode: str = "linear") -> onnx.ModelProto:
    return enlarged(mode=mode)


def cat() -> onnx.ModelProto:
    return graph(
        [
            node("ConvTranspose", "x w", "u", strides=[2, 2]),
            node("Concat", "u k", "c", axis=1),
            node("Conv", "c v b", "y", pads=[1] * 4),
        ],
        {**X, "k": ["N", 2, "2H", "2W"]},
        "y",
        w=whole(4, 3, 2, 2),
        v=whole(3, 5, 3, 3),
        b=whole(3),
    )


CASES: dict[str, tuple[Callable[[], onnx.ModelProto], str]] = {
    "convolution + shuffle": (transposed, "lr"),
    "phases": (lambda: transposed(dilations=[3, 3]), "lr"),
    "transposed convolution": (shuffled, "deconv"),
    "border cells": (interpolated, "lr"),
    "concatenation": (cat, "lr"),
}


def _weights(built: Built, change: Callable[[np.ndarray], np.ndarray], prefix: str = "weight") -> bool:
    name = max((n for n in built.weights if f"/{prefix}" in n), key=lambda n: built.weights[n].size, default=None)
    if name is None or np.array_equal(change(built.weights[name]), built.weights[name]):
        return False
    built.weights[name] = np.ascontiguousarray(change(built.weights[name]))
    return True


def flip(built: Built) -> bool:
    """The flip forgotten."""
    return _weights(built, lambda w: np.flip(w, tuple(range(2, w.ndim))))


def swap_phases(built: Built) -> bool:
    """Phases, or maps, in another order."""
    return _weights(built, lambda w: np.roll(w, 1, axis=0))


def other_order(built: Built) -> bool:
    """DCR for CRD, or the other way round."""
    for n in built.nodes:
        for a in n.attribute:
            if a.name == "mode" and a.s in (b"CRD", b"DCR"):
                a.s = b"DCR" if a.s == b"CRD" else b"CRD"
                return True
    return False


def shift_pads(built: Built) -> bool:
    """One sample of padding from the end to the start."""
    for n in built.nodes:
        for a in n.attribute:
            if a.name == "pads" and a.ints and a.ints[-1] > 0:
                a.ints[0] += 1
                a.ints[len(a.ints) // 2] -= 1
                if min(a.ints) >= 0:
                    return True
    return False


def bias_rolled(built: Built) -> bool:
    """The bias repeated the wrong way."""
    return _weights(built, lambda b: np.roll(b, 1), "bias")


def dropped_cell(built: Built) -> bool:
    """The smallest convolution gone: a corner cell, or the last phase."""
    names = [n for n in built.weights if "/weight" in n]
    if len(names) < 2:
        return False
    name = min(names, key=lambda n: built.weights[n].size)
    built.weights[name] = built.weights[name] * 0
    return True


def late_crop(built: Built) -> bool:
    """A crop one sample late."""
    for n in built.nodes:
        if n.op_type == "Slice" and set(n.input[1:]) <= set(built.weights):
            starts, ends = built.weights[n.input[1]], built.weights[n.input[2]]
            if (starts > 0).any() and (ends < 0).any():
                built.weights[n.input[1]], built.weights[n.input[2]] = starts - 1, ends - 1
                return True
    return False


MUTANTS = [flip, swap_phases, other_order, shift_pads, bias_rolled, dropped_cell, late_crop]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.__name__)
def test_a_writer_that_errs_is_refused(mutant: Callable[[Built], bool], monkeypatch: pytest.MonkeyPatch) -> None:
    build, choices = change.build, change.choices
    spoilt = 0
    for make, goal in CASES.values():
        planted: list[bool] = []

        def mutated(*args: Any, planted: list[bool] = planted) -> Built:
            built = build(*args)
            planted.append(mutant(built))
            return built

        monkeypatch.setattr(change, "build", build)
        monkeypatch.setattr(change, "choices", lambda *args: [forms[:1] for forms in choices(*args)])
        assert rewrite(make(), goal).report["rewritten"] == 1
        monkeypatch.setattr(change, "build", mutated)
        result = rewrite(make(), goal)
        if not all(planted):
            continue  # this spelling has nothing for the mistake to spoil
        spoilt += 1
        assert result.report["rewritten"] == 0
        (site,) = result.report["sites"]
        assert any(word in site["refused"] for word in ("read back", "differs", "shape", "does not take"))
    assert spoilt


def test_mutants_reach_every_spelling() -> None:
    """Each mistake can be planted in at least one spelling, each spelling takes at least three mistakes."""
    reached: dict[str, set[str]] = {case: set() for case in CASES}
    build = change.build
    for case, (make, goal) in CASES.items():
        for mutant in MUTANTS:

            def mutated(*args: Any, mutant: Callable[[Built], bool] = mutant, case: str = case) -> Built:
                built = build(*args)
                if mutant(built):
                    reached[case].add(mutant.__name__)
                return built

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(change, "build", mutated)
                rewrite(make(), goal)
    assert set.union(*reached.values()) == {mutant.__name__ for mutant in MUTANTS}
    assert min(map(len, reached.values())) >= 3, reached


def _wrong_pads(layer: Any) -> Any:
    from dataclasses import replace

    (a, b), *rest = layer.pads
    return replace(layer, pads=((a + 1, b - 1), *rest))


def _wrong_flip(layer: Any) -> Any:
    from dataclasses import replace

    return replace(layer, weight=layer.weight[:, :, ::-1])


@pytest.mark.parametrize("mistake", [_wrong_pads, _wrong_flip])
def test_a_reader_that_errs_is_refused(mistake: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Reader and writer agree with each other here: only the run can tell."""
    from dataclasses import replace

    right = operators.READERS["ConvTranspose"]

    def wrong(*args: Any) -> Any:
        reading = right(*args)
        assert reading is not None
        return replace(reading, layers=tuple(mistake(layer) for layer in reading.layers))

    monkeypatch.setitem(operators.READERS, "ConvTranspose", wrong)
    (site,) = rewrite(transposed(), "lr").report["sites"]
    assert "differs" in site["refused"]


# --- every spelling that `fastest` may choose ------------------------------------------------------------------------


def in_one_dimension() -> onnx.ModelProto:
    return graph(
        [node("ConvTranspose", "x w b", "y", strides=[4], pads=[2, 1])],
        {"x": ["N", 4, "T"]},
        "y",
        w=whole(4, 2, 11),
        b=whole(2),
    )


def nearest() -> onnx.ModelProto:
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return graph(
        [node("Resize", "x - s", "u", **how), node("Conv", "u w b", "y", pads=[1] * 4)],
        X,
        "y",
        w=whole(3, 4, 3, 3),
        b=whole(3),
        s=np.array([1, 1, 2, 2], np.float32),
    )


def pointwise() -> onnx.ModelProto:
    return graph(
        [node("Resize", "x - s", "u", mode="linear"), node("Conv", "u w b", "y")],
        X,
        "y",
        w=whole(3, 4, 1, 1),
        b=whole(3),
        s=np.array([1, 1, 2, 2], np.float32),
    )


TIMED = {"2-D": transposed, "1-D": in_one_dimension, "nearest": nearest, "linear": interpolated, "1×1": pointwise}
_build = change.build


class Likes(Turn):
    """A clock for which the form of this name is the fastest: a mistake may change the numbers of the others."""

    def __init__(self, form: str) -> None:
        super().__init__(-1)
        self.form = form

    def race(self, models: Any, feeds: Any, names: Any) -> list[float | None]:
        return [1.0 if name == self.form else 2.0 for name in names]


SPELLINGS = {
    "convolution + shuffle",
    "one convolution per phase",
    "transposed convolution",
    "matrix product + overlap-add",
    "border cells + shuffle",
    "1×1 convolution first",
}


def test_no_mistake_passes_in_any_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    met: dict[str, set[str]] = {}
    for name in TIMED:
        for form, mistake in _spoilt(name, monkeypatch):
            met.setdefault(form.split(",")[0], set()).add(mistake)
    assert set(met) >= SPELLINGS, met
    assert min(len(mistakes) for mistakes in met.values()) >= 2, met


def _spoilt(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """Every candidate of `fastest` with every mistake that can be planted in it, refused each time."""
    model = TIMED[name]()
    inputs = {"x": [1, 4, *(9, 8)[: 1 if name == "1-D" else 2]]}
    build, planted = _build, set[str]()
    mutant: Callable[[Built], bool] | None = None

    def mutated(view: Any, site: Any, picked: Any, *rest: Any) -> Built:
        built = build(view, site, picked, *rest)
        if mutant is not None and mutant(built):
            planted.add("; ".join(form.name for form in picked))
        return built

    monkeypatch.setattr(change, "build", mutated)
    monkeypatch.setattr(fastest, "build", mutated)
    turn = count = 0
    while turn <= count:
        mutant, clock = None, Turn(turn)
        right = rewrite(model, clock=clock, inputs=inputs)
        count = clock.count - 1
        assert right.report["rewritten"] == 1, (name, clock.picked)
        (form,) = clock.picked
        for mutant in MUTANTS:
            planted.clear()
            wrong = rewrite(model, clock=Likes(form), inputs=inputs)
            if form in planted:
                used = {site["form"] for site in wrong.report["sites"] if site.get("form")}
                assert not used & planted, (name, form, mutant.__name__)  # another form may win, unspoilt
                yield form, mutant.__name__
        turn += 1
