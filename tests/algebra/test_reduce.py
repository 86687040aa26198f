"""`reduce` and `same`: equal functions have equal normal forms; planted mistakes do not."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from algebra.running import run
from exactness.pairs import KINDS, draw
from subpixel.algebra import (
    Affine,
    Cells,
    Op,
    Pad,
    PeriodicShuffle,
    PhaseBias,
    Resize,
    apply,
    block,
    compose,
    compose_all,
    convolution,
    lift,
    reduce,
    same,
    transposed_convolution,
)
from subpixel.algebra.parallel import widen

ODD = 2 * np.arange(-6, 18).reshape(3, 2, 4) + 1  # no weight is zero, none is another's negative


@pytest.mark.parametrize("seed", range(40))
def test_the_lattice_does_not_matter(seed: int) -> None:
    """Two layers composed on lattices blocked at random: one function, one normal form, cells or none."""
    rng = np.random.default_rng(seed)
    d = 1 if seed % 4 else 2
    first = draw(rng, str(rng.choice(KINDS)), int(rng.integers(1, 3)), d).op
    second = draw(rng, str(rng.choice(KINDS)), first.maps[1], d).op
    one = reduce(compose(second, first))
    q, r = (tuple(int(n) for n in rng.integers(1, 3, d)) for _ in range(2))
    assert reduce(compose(block(second, q), first)) == one
    assert reduce(compose(second, block(first, r))) == one
    assert reduce(one) == one


@pytest.mark.parametrize("seed", range(40))
def test_the_bracketing_does_not_matter(seed: int) -> None:
    """C∘(B∘A) = (C∘B)∘A, wherever C∘B is a single op."""
    rng = np.random.default_rng(100 + seed)
    while True:
        A = draw(rng, str(rng.choice(KINDS)), 2, 1).op
        B = draw(rng, str(rng.choice(KINDS)), A.maps[1], 1).op
        C = draw(rng, str(rng.choice(KINDS)), B.maps[1], 1).op
        CB = reduce(compose(C, B))
        if isinstance(CB, Op) and C.maps[1] * A.maps[1] < 40:
            break
    assert same(compose(CB, A), compose_all([A, B, C]))


def test_zero_taps_are_trimmed() -> None:
    op = lift(convolution(ODD, padding=1))
    assert reduce(widen(op, (-4,), (7,))) == op
    assert reduce(lift(convolution(np.pad(ODD, [(0, 0), (0, 0), (2, 1)]), padding=[(3, 2)]))) == op


def test_a_kernel_of_zeros_keeps_no_tap() -> None:
    op = reduce(lift(convolution(np.zeros((3, 2, 4), dtype=int), np.array([1, 2, 3]), padding=1)))
    assert isinstance(op, Op)
    assert (op.taps, op.low) == ((0,), (0,))
    np.testing.assert_array_equal(apply(op, np.ones((1, 2, 4), dtype=int)), [[[1] * 3, [2] * 3, [3] * 3]])
    assert reduce(compose(lift(Pad(3, ((1, 1),), "edge")), op)) == replace(op, lengths=((1,),))
    assert reduce(replace(op, outside="edge")) == op


def test_the_lattice_is_made_as_fine_as_the_function_allows() -> None:
    op = lift(transposed_convolution(ODD, np.array([1, 2]), 2))
    for r in (2, 3, 4):
        assert reduce(block(op, (r,))) == reduce(op)
    stepped = replace(block(op, (2,)), lengths=((2, 5),))  # lengths that do not follow f(L + 1) = f(L) + 2
    assert reduce(stepped).down == (2,)


def test_outside_is_named_only_where_it_is_read() -> None:
    valid = lift(convolution(ODD))
    assert reduce(replace(valid, outside="edge")) == reduce(valid)
    padded = lift(convolution(ODD, padding=1))
    assert reduce(replace(padded, outside="edge")) != reduce(padded)


def test_outside_is_not_named_where_its_weights_cancel() -> None:
    """x[2n-2] - x[2n-1]: both taps outside or none, and two zeros differ by as much as an edge from itself."""
    difference = lift(convolution(np.array([[[1, -1]]]), None, 2, [(2, 0)]))
    assert same(replace(difference, outside="edge"), difference)
    straddling = lift(convolution(np.array([[[1, -1]]]), None, 2, [(1, 0)]))
    assert not same(replace(straddling, outside="edge"), straddling)


def test_outside_is_named_where_it_is_read_behind_a_long_crop() -> None:
    """Only inputs of more than 200 samples leave anything: they read beyond the start all the same."""
    cropped = lift(Pad(1, ((2, -200),), "edge"))
    assert reduce(cropped).outside == "edge"
    x = np.arange(1, 206).reshape(1, 1, 205)
    np.testing.assert_array_equal(apply(reduce(cropped), x), apply(cropped, x))


def test_x_continued_otherwise_where_nothing_reads_it() -> None:
    """A resize after a layer that reads nothing outside is an op that continues x by its edge (A7)."""
    whole = reduce(
        compose(lift(Resize(2, (2,), "linear")), lift(Affine(np.array([2.0, 4.0]), np.array([1.0, 3.0]), 1)))
    )
    assert isinstance(whole, Op)
    assert whole.outside == "edge"


def test_x_continued_otherwise_is_refused_where_a_border_cell_would_notice() -> None:
    """Odd lengths repeat y[-1] = -2·x[L-2]; on one pixel that lies before x, where zeros have become its edge."""
    chain = [convolution(np.array([[[-2]]]), None, 2, [(1, 0)]), Pad(1, ((0, 3),), "edge")]
    normal = reduce(compose_all([lift(layer) for layer in chain]))
    assert isinstance(normal, Cells)
    for L in range(1, 9):
        x = np.arange(1, L + 1).reshape(1, 1, L)
        if L == 1:
            with pytest.raises(ValueError, match="too short"):
                normal.apply(x)
        else:
            np.testing.assert_array_equal(normal.apply(x), run(chain, x))


def test_cells_for_one_size_keep_their_size() -> None:
    chain = [convolution(np.array([[[1, 2, 3]]]), padding=1), convolution(np.array([[[4, 5, 6]]]), padding=1)]
    sized = reduce(compose_all([lift(layer) for layer in chain], size=(5,)))
    assert isinstance(sized, Cells)
    assert sized.places[0].size == 5
    assert sized.count == (3,)


def test_what_is_cropped_does_not_matter() -> None:
    """Weights of a border cell for a phase that lies beyond the output's end."""
    chain = [
        convolution(np.array([[[2, 1, 3]]]), np.array([7])),
        transposed_convolution(np.array([[[1, 2, 3, 4]]]), None, 3, 1),
    ]
    whole = compose_all([lift(layer) for layer in chain])
    (last,) = whole.places[0].last
    sites = whole.output_size((9,))[0]
    assert sites % 3 == 2
    assert last[-1] != 0  # the last site has a cell, and no third phase
    kernel, bias = whole.kernel.copy(), whole.bias.copy()
    kernel[last[-1], :, 2], bias[last[-1], :, 2] = 5, 6
    other = replace(whole, kernel=kernel, bias=bias)
    np.testing.assert_array_equal(
        other.apply(np.ones((1, 1, 9), dtype=int)), whole.apply(np.ones((1, 1, 9), dtype=int))
    )
    assert same(other, whole)


# --- planted mistakes ------------------------------------------------------------------------------------------------

TRANSPOSED = transposed_convolution(ODD.transpose(1, 0, 2), np.array([1, 2, 3]), 2, 1)


def mutants() -> dict[str, Op]:
    """Each a mistake that somebody's converter made."""
    w = TRANSPOSED.weight
    flipped = transposed_convolution(np.flip(w, axis=2), TRANSPOSED.bias, 2, 1)
    op = lift(TRANSPOSED)
    shuffled = [
        convolution(
            op.kernel.reshape(6, 2, -1), op.bias.reshape(-1), padding=[(-op.low[0], op.taps[0] + op.low[0] - 1)]
        ),
        PeriodicShuffle(3, (2,), "dcr"),
    ]
    crd = compose_all([lift(shuffled[0]), lift(PeriodicShuffle(3, (2,), "crd"))])
    assert same(crd, op)
    return {
        "flip forgotten": lift(flipped),
        "phases swapped": replace(op, kernel=op.kernel[:, ::-1]),
        "CRD for DCR": reduce(compose_all([lift(layer) for layer in shuffled])),  # type: ignore[dict-item]
        "padding one less": lift(replace(TRANSPOSED, pads=((0, 2),))),
        "padding one more": lift(replace(TRANSPOSED, pads=((2, 0),))),
        "one sample short": lift(replace(TRANSPOSED, pads=((1, 2),))),
        "bias of the next map": replace(op, bias=np.roll(op.bias, 1, axis=0)),
        "bias in one phase alone": replace(op, bias=op.bias * np.array([1, 0])),
        "bias forgotten": lift(replace(TRANSPOSED, bias=None)),
        "edge for zeros": replace(op, outside="edge"),
    }


@pytest.mark.parametrize("name", mutants())
def test_a_planted_mistake_is_another_function(name: str) -> None:
    mutant, op = mutants()[name], lift(TRANSPOSED)
    assert not same(mutant, op)
    x = np.arange(1, 13).reshape(1, 2, 6)
    y = apply(mutant, x)
    assert y.shape != apply(op, x).shape or (y != apply(op, x)).any()


def test_a_bias_repeated_over_phases_instead_of_maps() -> None:
    """np.tile for np.repeat, with CRD: the mistake of every second hand-written converter."""
    bias = np.array([1, 2, 3])
    shuffle = lift(PeriodicShuffle(3, (2,)))
    weight = ODD.transpose(2, 1, 0)[:, :, :1].repeat(2, axis=0)[:6]
    right, wrong = (lift(convolution(weight, b)) for b in (np.repeat(bias, 2), np.tile(bias, 2)))
    tile = lift(PhaseBias(np.tile(bias[:, None], (1, 2))))
    plain = compose_all([lift(convolution(weight)), shuffle, tile])
    assert same(compose(shuffle, right), plain)
    assert not same(compose(shuffle, wrong), plain)


def border_mutants() -> dict[str, Cells]:
    chain = [
        convolution(np.array([[[1, 2, 4]]]), np.array([3]), padding=1),
        convolution(np.array([[[1, 3, 5]]]), padding=1),
    ]
    whole = reduce(compose_all([lift(layer) for layer in chain]))
    assert isinstance(whole, Cells)
    place = whole.places[0]
    swapped = replace(place, first=place.last[0], last=(place.first,))
    biased = whole.bias.copy()
    biased[1] = biased[0]
    return {
        "": whole,
        "first border cell dropped": replace(whole, places=(replace(place, first=()),)),
        "last border cell dropped": replace(whole, places=(replace(place, last=((),)),)),
        "border cells swapped": replace(whole, places=(swapped,)),
        "interior's bias at the border": replace(whole, bias=biased),
        "a border site too many": replace(whole, places=(replace(place, first=place.first * 2),)),
    }


@pytest.mark.parametrize("name", [name for name in border_mutants() if name])
def test_a_planted_mistake_at_the_border_is_another_function(name: str) -> None:
    mutant, whole = border_mutants()[name], border_mutants()[""]
    assert not same(mutant, whole)
    assert same(whole, whole)
    x = np.arange(1, 9).reshape(1, 1, 8)
    assert (mutant.apply(x) != whole.apply(x)).any()


def test_rounding_makes_no_border_cells() -> None:
    """Cubic ×3 and a 3×3 kernel: taps added up along one axis, then the other, round as the interior's do."""
    weight, pads = np.arange(1.0, 10).reshape(1, 1, 3, 3), ((1, 1), (1, 1))
    whole = reduce(compose(lift(convolution(weight, None, 1, pads)), lift(Resize(1, (3, 3), "cubic"))))
    assert isinstance(whole, Cells)
    assert whole.count == (3, 3)


def test_a_border_of_three_axes_is_not_written_out() -> None:
    """Every site that reads outside has a cell before equal ones are one: hundreds of them here."""
    rng = np.random.default_rng(0)
    first = transposed_convolution(rng.integers(1, 4, (3, 3, 5, 4, 4)), None, 1, ((1, 1), (0, 2), (1, 0)))
    second = transposed_convolution(rng.integers(1, 4, (3, 2, 4, 4, 1)), None, (2, 2, 1), ((0, 2), (2, 1), (1, 2)))
    whole = compose(lift(second), lift(first))
    tracemalloc.start()
    normal = reduce(whole)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(normal, Cells)
    assert most < 20 * whole.kernel.nbytes
