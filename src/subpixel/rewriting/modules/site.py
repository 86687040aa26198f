"""`RunSite`: one rewritten site as the module runs it, a sum of programs over the site's sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from subpixel.rewriting.modules.program import Program
from subpixel.rewriting.modules.steps import Weights, last_axes


@dataclass(frozen=True, eq=False)
class Addend:
    """One program: which of the call's arguments it reads (concatenated), and which are its weights and biases."""

    sources: tuple[int, ...]
    program: Program
    values: tuple[tuple[int, int | None], ...]


@dataclass(eq=False)
class RunSite:
    """Called in `forward` with the sources, then the weights, then what decides sizes.

    Attributes:
        dim: spatial axes; an input without a batch has one axis less (where an interpolation is covered, there is one).
        paths: where in the module each argument is kept; None for what is computed.
        baked: the programs' weights where they are frozen; the weights of the call are then not read.
    """

    name: str
    dim: int
    addends: tuple[Addend, ...]
    paths: tuple[str | None, ...]
    baked: list[list[tuple[Tensor, Tensor | None]]] | None = field(default=None, repr=False)

    def __call__(self, *arguments: Tensor) -> Tensor:
        """The site's output."""
        return self.run(arguments, self.baked or self.weights(arguments))

    def weights(self, arguments: Sequence[Tensor | None]) -> list[list[tuple[Tensor, Tensor | None]]]:
        """Every program's weights from those of the call."""
        found = []
        for addend in self.addends:
            values: list[tuple[Tensor, Tensor | None]] = []
            for w, b in addend.values:
                weight = arguments[w] if w >= 0 else self._ones(addend, arguments)
                assert weight is not None
                values.append((weight, None if b is None else arguments[b]))
            found.append(addend.program.weights(values))
        return found

    def _ones(self, addend: Addend, arguments: Sequence[Tensor | None]) -> Tensor:
        """The weight of a chain without one."""
        x = arguments[addend.sources[0]]
        assert x is not None
        return x.new_ones(addend.program.universal.factors[0].weight.shape)

    def run(self, arguments: Sequence[Tensor], weights: Sequence[Weights]) -> Tensor:
        """The sum of the programs."""
        single = arguments[self.addends[0].sources[0]].ndim == self.dim + 1
        total: Tensor | None = None
        for addend, own in zip(self.addends, weights, strict=True):
            parts = [arguments[i].unsqueeze(0) if single else arguments[i] for i in addend.sources]
            y = addend.program.run(torch.cat(parts, 1) if len(parts) > 1 else parts[0], own)
            total = y if total is None else total + y
        assert total is not None
        return total.squeeze(0) if single else total

    def fits(self, *arguments: Tensor) -> bool:
        """Is every input long enough to keep the border cells apart?"""
        return all(
            n >= least
            for addend in self.addends
            for i in addend.sources
            for n, least in zip(arguments[i].shape[-self.dim :], addend.program.least, strict=True)
        )

    def takes(self, *arguments: Tensor) -> bool:
        """Do computed weights have the shapes that the site was planned for?"""
        for addend in self.addends:
            for (w, _), factor in zip(addend.values, addend.program.universal.factors, strict=True):
                planned, whole = factor.weight.shape, factor.weight.maps is None
                if w < 0 or self.paths[w] is not None:
                    continue
                shape = arguments[w].shape
                if shape[0] != planned[0] or shape[2:] != planned[2:] or (whole and shape[1] != planned[1]):
                    return False
        return True

    @property
    def has_computed_weights(self) -> bool:
        """Are there weights that forward computes?"""
        return any(w >= 0 and self.paths[w] is None for addend in self.addends for w, _ in addend.values)

    @property
    def has_border(self) -> bool:
        """Are there inputs too short for it?"""
        return any(max(addend.program.least) > 1 for addend in self.addends)


def asks_for(x: Tensor, wanted: Any, factor: Sequence[int]) -> bool:
    """Is `wanted`, the `size` of an interpolation, `factor` times the size of x?"""
    size = x.shape[-len(factor) :]
    each = [wanted] * len(factor) if isinstance(wanted, int) else list(wanted)
    return len(each) == len(factor) and all(int(w) == L * f for w, L, f in zip(each, size, factor, strict=True))


def cut_to(y: Tensor, wanted: Any, span: Sequence[int]) -> Tensor:
    """What a transposed convolution gives for an `output_size`; `y` is the longest that it may be, by `span` - 1.

    Raises:
        ValueError: torch would not give that size either.
    """
    d = len(span)
    each = list(wanted)
    if len(each) in (d + 1, d + 2):
        each = each[-d:]
    longest = y.shape[-d:]
    if len(each) != d or any(not L - s + 1 <= int(w) <= L for w, L, s in zip(each, longest, span, strict=True)):
        least = [L - s + 1 for L, s in zip(longest, span, strict=True)]
        raise ValueError(f"requested an output size of {wanted}, but valid sizes range from {least} to {list(longest)}")
    return last_axes(y, [slice(0, int(w)) for w in each])
