"""One test per refusal, matched by message: what was wrong, with its value, and the way out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from subpixel.algebra import (
    Affine,
    AveragePool,
    Op,
    OverlapAdd,
    Pad,
    PeriodicShuffle,
    PeriodicUnshuffle,
    PhaseConvolutions,
    Resize,
    ShiftedSum,
    TransposedConvolution,
    ZeroInsertion,
    add,
    adjoint,
    apply,
    block,
    compose,
    compose_all,
    convolution,
    lift,
    nearest_offset,
    shift,
    split,
    transposed_convolution,
)
from subpixel.algebra.cost import cost
from subpixel.algebra.geometry import from_matconvnet
from subpixel.algebra.lower import Plan, spell


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, dtype=int)


W = ones(4, 2, 3)
CONV = convolution(W)
OP = lift(CONV)  # 2 → 4 maps, 1-D
UP = lift(transposed_convolution(W, None, 2))  # 4 → 2 maps
DOWN = lift(convolution(W, None, 2))
EDGE = lift(Pad(2, ((1, 1),), "edge"))
SIZED = compose(lift(convolution(ones(1, 4, 3), padding=1)), OP, size=(5,))

REFUSALS: dict[str, tuple[Callable[[], object], str]] = {
    # Op
    "kernel axes": (lambda: replace(OP, kernel=W), "`kernel` has 3 axes and `down` 1 entries; give the kernel 4 axes"),
    "bias shape": (lambda: replace(OP, bias=ones(3)), "`bias` has shape (3,); this kernel needs (4, 1) (O, phases)"),
    "low": (lambda: replace(OP, low=(0, 0)), "`low` and `lengths` need 1 entries each"),
    "down": (lambda: replace(OP, down=(0,), lengths=((),)), "`down` (=(0,)) and the phases (=(1,)) must be at least 1"),
    "lengths": (lambda: replace(OP, lengths=((0, 1),)), "`lengths` (=(0, 1)) needs 1 entries"),
    "outside": (lambda: replace(OP, outside="wrap"), "`outside` (='wrap') must be 'zero' or 'edge'"),
    "input maps": (lambda: apply(OP, ones(1, 3, 5)), "`x` has shape (1, 3, 5); this layer takes (batch, 2 maps, 1"),
    "input axes": (lambda: apply(OP, ones(1, 2, 5, 5)), "`x` has shape (1, 2, 5, 5); this layer takes"),
    "not a layer": (lambda: lift("conv"), "str is not a layer of subpixel.algebra.layers"),
    # layers
    "stride": (lambda: convolution(W, stride=0), "`stride` (=(0,)) needs 1 integers ≥ 1"),
    "stride per axis": (lambda: convolution(W, stride=(1, 2)), "`stride` (=(1, 2)) needs 1 integers ≥ 1"),
    "dilation": (lambda: convolution(W, dilation=0), "`dilation` (=(0,)) needs 1 integers ≥ 1"),
    "pads per axis": (lambda: convolution(W, padding=[1, 1]), "`pads` (=((1, 1), (1, 1))) needs 1 (start, end) pairs"),
    "groups": (lambda: convolution(W, groups=3), "`groups` (=3) must divide the output maps (weight axis 0), 4"),
    "transposed groups": (
        lambda: transposed_convolution(W, groups=3),
        "`groups` (=3) must divide the input maps (weight axis 0), 4",
    ),
    "convolution bias": (lambda: convolution(W, ones(3)), "`bias` has shape (3,); this weight needs (4,)"),
    "transposed bias": (
        lambda: transposed_convolution(W, ones(2), groups=2),
        "`bias` has shape (2,); this weight needs (4,)",
    ),
    "negative padding": (lambda: convolution(W, padding=-1), "of a convolution must not be negative: crop with `Pad`"),
    "output padding": (
        lambda: transposed_convolution(W, output_padding=-1),
        "`output_padding` (=(-1,)) needs one integer ≥ 0 per axis",
    ),
    "resize mode": (lambda: Resize(1, (2,), "area"), "`mode` (='area') must be 'nearest', 'linear' or 'cubic'"),
    "align corners": (
        lambda: Resize(1, (2,), "linear", "align_corners"),
        "`coordinate` (='align_corners') must be 'half_pixel' or 'asymmetric'",
    ),
    "offset of linear": (lambda: Resize(1, (2,), "linear", offset=(1,)), "`offset` (=(1,)) belongs to nearest"),
    "factor": (lambda: Resize(1, (0,), "nearest"), "`factor` (=(0,)) needs one integer ≥ 1 per axis"),
    "maps": (lambda: Resize(0, (2,), "nearest"), "`maps` (=0) must be at least 1"),
    "order": (lambda: PeriodicShuffle(1, (2,), "rgb"), "`order` (='rgb') must be 'crd' (channel, phase) or 'dcr'"),
    "unshuffle order": (lambda: PeriodicUnshuffle(1, (2,), "rgb"), "`order` (='rgb') must be 'crd'"),
    "tail": (lambda: ZeroInsertion(1, (2,), (-1,)), "`tail` (=(-1,)) needs one integer ≥ 0 per axis"),
    "pad mode": (lambda: Pad(1, ((1, 1),), "reflect"), "`mode` (='reflect') must be 'zero' or 'edge'"),
    "pad maps": (lambda: Pad(0, ((1, 1),)), "`maps` (=0) must be at least 1"),
    "pool stride": (lambda: AveragePool(1, (2, 2), (2,), ((0, 0),)), "`stride` (=(2,)) needs 2 entries"),
    "pool padding": (lambda: AveragePool(1, (2,), (2,), ((-1, 0),)), "of a pooling must not be negative"),
    "affine": (lambda: Affine(ones(2), ones(3), 1), "`scale` and `shift` need the same shape (maps,)"),
    "phases": (
        lambda: PhaseConvolutions((CONV,), ones(4, 2), (2, 4), (2,)),
        "1 convolutions given for 2 phases",
    ),
    "phases of bias alone": (
        lambda: lift(PhaseConvolutions((None, None), ones(4, 2), (2, 4), (2,))),
        "whose phases are all bias only has no convolution: use `PhaseBias`",
    ),
    "overlap-add": (lambda: OverlapAdd(1, (2, 2), (1, 1), ((0, 0),)), "`pads` (=((0, 0),)) needs 2 entries"),
    "shifted sum": (lambda: ShiftedSum(1, (2,), (0,), (0, 0)), "`grow` (=(0, 0)) needs 1 entries"),
    # composing
    "maps do not meet": (
        lambda: compose(OP, OP),
        "the first layer gives 4 maps on 1 axes; the second takes 2 on 1",
    ),
    "axes do not meet": (
        lambda: compose(lift(convolution(ones(1, 4, 3, 3))), OP),
        "the first layer gives 4 maps on 1 axes; the second takes 4 on 2",
    ),
    "nothing composed": (lambda: compose_all([]), "`ops` is empty"),
    "size per axis": (lambda: compose(UP, OP, size=(4, 4)), "`size` (=(4, 4)) needs 1 lengths, one per axis"),
    "nothing between": (
        lambda: compose(UP, OP, size=(2,)),
        "an input of length 2 leaves nothing of the output along axis 0",
    ),
    "another size": (
        lambda: compose(UP, compose(DOWN, UP, size=(6,)), size=(7,)),
        "was composed for `size` (6,), not (7,)",
    ),
    "no size": (lambda: compose(UP, compose(OP, UP, size=(6,))), "was composed for `size` (6,), not None"),
    "run at another size": (lambda: SIZED.apply(ones(1, 2, 6)), "these cells hold for length 5, not 6: compose anew"),
    "too short": (
        lambda: compose(lift(convolution(ones(1, 4, 5), padding=2)), OP).apply(ones(1, 2, 3)),
        "an input of length 3 is too short for 2 + 2 border cells on 1 sites: compose for this very size with `size=`",
    ),
    "cut to more": (lambda: compose(UP, OP).cut(((9,),)), "cells of output lengths (-3,) cannot be cut to (9,)"),
    # lattices, sums and parts
    "shift": (lambda: shift(OP, (-1,)), "`c` (=(-1,)) needs one integer ≥ 0 for each of the 1 axes"),
    "block": (lambda: block(OP, (0,)), "`r` (=(0,)) needs one integer ≥ 1 for each of the 1 axes"),
    "adjoint of an edge": (lambda: adjoint(EDGE, (4,)), "the adjoint of an edge-continued layer adds up at the border"),
    "sum of maps": (lambda: add(OP, UP), "layers of (2, 4) and (4, 2) maps on 1 and 1 axes have no sum"),
    "sum of rates": (lambda: add(OP, DOWN), "layers of rates (1,)/(1,) and (1,)/(2,) do not meet"),
    "sum of lengths": (lambda: add(OP, lift(convolution(W, padding=1))), "have no sum: crop one first"),
    "sum of borders": (
        lambda: add(EDGE, lift(convolution(ones(2, 2, 3), padding=2))),
        "one layer continues x by zeros, the other by its edge",
    ),
    "split": (lambda: split(OP, 2), "`maps` (=2) must lie between 1 and 1"),
    # lowering
    "spelling": (lambda: spell(OP, "winograd"), "`spelling` (='winograd') must be one of shuffle, unshuffle"),
    "unshuffle of stride 1": (lambda: spell(OP, "unshuffle"), "stride 1 already: there is nothing to unshuffle"),
    "phases of one": (lambda: spell(OP, "phases"), "a single phase: this is the plain convolution"),
    "phases of bias": (lambda: spell(replace(UP, kernel=UP.kernel * 0), "phases"), "every phase is bias only"),
    "transposed of a stride": (
        lambda: spell(DOWN, "transposed"),
        "a transposed convolution has no stride of its own (down=(2,))",
    ),
    "shifted sum of a stride": (lambda: spell(DOWN, "shifted sum"), "a shifted sum has stride 1 (down=(2,))"),
    "plan with cells": (
        lambda: lift(
            Plan("mine", (convolution(ones(1, 1, 1), ones(1)), convolution(ones(1, 1, 3), padding=1)), (0,), ((0,),))
        ),
        "the layers of this 'mine' plan have border cells: it is no single op",
    ),
    "plan too short": (
        lambda: lift(Plan("mine", (CONV,), (0,), ((0,),))),
        "the layers of this 'mine' plan give fewer samples than it promises",
    ),
    "cost of nothing": (lambda: cost([CONV], (2,)), "a Convolution leaves nothing of an input of size (2,)"),
    # geometry
    "nearest": (
        lambda: nearest_offset(2, "align_corners", "floor"),
        "nearest with coordinate 'align_corners' and rounding 'floor' has no offset c",
    ),
    "MatConvNet filters": (lambda: from_matconvnet(ones(3, 3, 2)), "`filters` has 3 axes; MatConvNet's are FH × FW"),
    "MatConvNet crop": (
        lambda: from_matconvnet(ones(3, 3, 1, 1), crop=(1, 2)),
        "`crop` (=(1, 2)) one ≥ 0 or [TOP BOTTOM LEFT RIGHT]",
    ),
    "MatConvNet groups": (
        lambda: from_matconvnet(ones(3, 3, 1, 4), num_groups=3),
        "`groups` (=3) must divide the input maps (weight axis 0), 4",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal(name: str) -> None:
    call, message = REFUSALS[name]
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        call()


def test_illegal_states_cannot_be_built() -> None:
    """Values are frozen, and `replace` checks anew."""
    with pytest.raises(AttributeError):
        OP.low = (1,)  # type: ignore[misc]
    with pytest.raises(ValueError, match="stride"):
        replace(CONV, stride=(0,))
    assert isinstance(replace(CONV, stride=(2,)), type(CONV))
    assert Op.__hash__ is None
    assert TransposedConvolution.__dataclass_params__.frozen  # type: ignore[attr-defined]
