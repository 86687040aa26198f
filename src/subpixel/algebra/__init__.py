"""One form for every layer of the field, and what can be done with it. Start reading in `op`.

`lift` brings a layer into the form, `compose`, `reduce`, `shift`, `block`, `adjoint`, `add` and `split` work on
it, `lower` spells it in layers again, `apply` says what it means and `cost` what it costs. docs/algebra.md
states and proves the laws A1–A15 that follow.
"""

from subpixel.algebra.adjoint import adjoint
from subpixel.algebra.cells import Cells, Places
from subpixel.algebra.checkerboard import checkerboard_index
from subpixel.algebra.compose import compose, compose_all
from subpixel.algebra.cost import Cost, cost, receptive_field
from subpixel.algebra.interpolation import nearest_offset
from subpixel.algebra.lattice import block, shift
from subpixel.algebra.layers import (
    Affine,
    AveragePool,
    Convolution,
    Layer,
    OverlapAdd,
    Pad,
    PeriodicShuffle,
    PeriodicUnshuffle,
    PhaseBias,
    PhaseConvolutions,
    Resize,
    ShiftedSum,
    TransposedConvolution,
    ZeroInsertion,
    convolution,
    transposed_convolution,
)
from subpixel.algebra.lift import lift
from subpixel.algebra.lower import SPELLINGS, Plan, lower, spell
from subpixel.algebra.op import Op, apply
from subpixel.algebra.parallel import add, split
from subpixel.algebra.reduce import reduce, same

__all__ = [
    "SPELLINGS",
    "Affine",
    "AveragePool",
    "Cells",
    "Convolution",
    "Cost",
    "Layer",
    "Op",
    "OverlapAdd",
    "Pad",
    "PeriodicShuffle",
    "PeriodicUnshuffle",
    "PhaseBias",
    "PhaseConvolutions",
    "Places",
    "Plan",
    "Resize",
    "ShiftedSum",
    "TransposedConvolution",
    "ZeroInsertion",
    "add",
    "adjoint",
    "apply",
    "block",
    "checkerboard_index",
    "compose",
    "compose_all",
    "convolution",
    "cost",
    "lift",
    "lower",
    "nearest_offset",
    "receptive_field",
    "reduce",
    "same",
    "shift",
    "spell",
    "split",
    "transposed_convolution",
]
