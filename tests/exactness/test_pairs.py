"""The generator of pairs reaches what it claims, finds compose right, and finds planted faults in compose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from exactness import pairs
from exactness.pairs import KINDS, Pair, check_pair, compare, draw_pair
from subpixel.algebra import Cells, Op, compose, lift, reduce

DRAWN = 600


@pytest.mark.parametrize("block", range(4))
def test_pairs(block: int) -> None:
    """A few hundred of the 20,000 that scripts/check-exact runs."""
    for seed in range(60 * block, 60 * (block + 1)):
        fault = check_pair(np.random.default_rng(seed))
        assert fault is None, f"seed {seed}: {fault}"


@pytest.fixture(scope="module")
def drawn() -> list[Pair]:
    return [draw_pair(np.random.default_rng(seed)) for seed in range(DRAWN)]


def test_every_kind_is_met_in_both_places(drawn: list[Pair]) -> None:
    first, second = Counter(p.first.kind for p in drawn), Counter(p.second.kind for p in drawn)
    assert set(first) == set(second) == set(KINDS)
    assert min(*first.values(), *second.values()) >= DRAWN // 30


def test_geometries_are_met(drawn: list[Pair]) -> None:
    """Dimensions, strides, dilations, groups, uneven pads, biases, both borders, one pixel, both orders."""
    layers = [drawn.layer for pair in drawn for drawn in (pair.first, pair.second)]

    def some(name: str, is_met: Callable[[object], bool]) -> int:
        return sum(hasattr(layer, name) and is_met(getattr(layer, name)) for layer in layers)

    assert {pair.first.op.dim for pair in drawn} == {1, 2, 3}
    assert some("stride", lambda s: max(s) > 1) > 100
    assert some("dilation", lambda d: max(d) > 1) > 50
    assert some("groups", lambda g: g > 1) > 20
    assert some("pads", lambda pads: any(p != q for p, q in pads)) > 100
    assert some("bias", lambda b: b is not None) > 50
    assert some("output_padding", lambda a: max(a) > 0) > 50
    for order in ("crd", "dcr"):
        assert some("order", lambda o, order=order: o == order) > 50
    for mode in ("zero", "edge", "nearest", "linear", "cubic"):
        assert some("mode", lambda m, mode=mode: m == mode) > 20
    assert sum(min(pair.x.shape[2:]) == 1 for pair in drawn) > 100
    assert sum(max(pair.x.shape[2:]) == 1 for pair in drawn) > 20
    assert sum(len({pair.first.op.maps[0], pair.first.op.maps[1], pair.second.op.maps[1]}) == 3 for pair in drawn) > 20


def test_borders_are_met(drawn: list[Pair]) -> None:
    """Composed with one kernel and with cells; rates that cancel in part; both continuations."""
    whole = [(compose(pair.second.op, pair.first.op), pair) for pair in drawn]
    normal = [reduce(cells) for cells, _ in whole]
    assert sum(isinstance(layer, Op) for layer in normal) > 100
    assert sum(isinstance(layer, Cells) for layer in normal) > 100
    assert sum(isinstance(layer, Cells) and min(layer.count) > 1 and layer.dim > 1 for layer in normal) > 20
    assert {layer.outside for layer in normal if isinstance(layer, Op)} == {"zero", "edge"}
    assert {layer.outside for layer in normal if isinstance(layer, Cells)} == {"zero", "edge"}
    partly = [c for c, pair in whole if 1 < np.gcd(pair.first.op.up[0], pair.second.op.down[0]) < pair.first.op.up[0]]
    assert partly
    assert sum(max(c.up) > 1 and max(c.down) > 1 for c, _ in whole) > 20


def test_a_report_says_all_that_is_needed(drawn: list[Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "compare", lambda pair: "composed: 3 samples differ")
    report = check_pair(np.random.default_rng(5))
    assert report is not None
    assert report.startswith("composed: 3 samples differ\nfirst ")
    assert repr(drawn[5].second.layer) in report
    assert repr(drawn[5].x) in report


# --- planted faults in compose -------------------------------------------------------------------------------------


def border_dropped(whole: Cells) -> Cells:
    sites = [replace(p, first=tuple(p.interior for _ in p.first), last=tuple(() for _ in p.last)) for p in whole.places]
    return replace(whole, places=tuple(sites))


def last_border_cell_dropped(whole: Cells) -> Cells:
    if whole.places[0].size is not None:
        return whole
    place = whole.places[0]
    short = replace(place, last=tuple((*row[:-1], place.interior) if row else () for row in place.last))
    return replace(whole, places=(short, *whole.places[1:]))


FAULTS: dict[str, Callable[[Cells], Cells]] = {
    "border cells dropped": border_dropped,
    "a last border cell dropped": last_border_cell_dropped,
    "phases swapped": lambda whole: replace(whole, kernel=np.flip(whole.kernel, axis=whole.dim + 1)),
    "flip": lambda whole: replace(whole, kernel=np.flip(whole.kernel, axis=-1)),
    "one sample off": lambda whole: replace(whole, low=(whole.low[0] + 1, *whole.low[1:])),
    "one sample short": lambda whole: replace(
        whole, lengths=(tuple(f - 1 for f in whole.lengths[0]), *whole.lengths[1:])
    ),
    "bias forgotten": lambda whole: replace(whole, bias=whole.bias * 0),
    "bias of another phase": lambda whole: replace(whole, bias=np.roll(whole.bias, 1, axis=whole.dim + 1)),
    "maps permuted": lambda whole: replace(whole, kernel=np.roll(whole.kernel, 1, axis=whole.dim)),
    "zeros for the edge": lambda whole: replace(whole, outside="zero"),
    "the edge for zeros": lambda whole: replace(whole, outside="edge"),
    "interior's bias at the border": lambda whole: replace(
        whole, bias=np.repeat(whole.bias[:1], whole.count[0], axis=0)
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str, drawn: list[Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the first pairs that pytest runs."""
    monkeypatch.setattr(pairs, "compose", lambda *args, **size: FAULTS[name](compose(*args, **size)))
    assert any(compare(pair) is not None for pair in drawn[:240])


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_in_lift_is_found(kind: str, drawn: list[Pair]) -> None:
    """The oracle knows nothing of lift: a layer lifted one sample off differs from the layer run."""
    for pair in drawn:
        if pair.second.kind == kind and min(pair.x.shape[2:]) > 2:
            op = lift(pair.second.layer)
            off = replace(pair.second, op=replace(pair.second.op, low=(op.low[0] + 1, *op.low[1:])))
            if compare(replace(pair, second=off)) is not None:
                return
    pytest.fail(f"no pair noticed that {kind} was lifted one sample off")
