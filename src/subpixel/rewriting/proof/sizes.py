"""At which sizes a proof runs: the smallest legal ones, and those around what border cells need; the axes unequal."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain, islice

from subpixel.rewriting.proof.compare import Sizes
from subpixel.rewriting.reading.sites import Site, Term, takes
from subpixel.rewriting.refusal import Refusal
from subpixel.rewriting.writing.plans import made

LONGEST = 1 << 12
"""No shorter input may leave something, and be long enough for the border cells, than the lengths that are tried."""
Lengths = dict[str, int]
"""A length of every source, along one axis."""
Needs = Mapping[str, tuple[int, ...]]
"""For sources that border cells read: from which length on they are kept apart, per axis."""


def trial_sizes(site: Site, needs: Needs | None = None) -> list[Sizes]:
    """Sizes of all sources that fit each other, small ones first; the last three are no shorter than `needs`.

    Raises:
        Refusal: there are none up to `LONGEST`.
    """
    dim = dim_of(site)
    short = [list(islice(legal_lengths(site, axis), 6)) for axis in range(dim)]
    long = [list(islice(_long_enough(site, axis, needs or {}), 4)) for axis in range(dim)]
    if not all(short) or not all(long):
        raise Refusal(f"up to {LONGEST} samples an axis there is no input of which its layers leave something")
    axes = [[*near, *(f for f in far if f not in near)] for near, far in zip(short, long, strict=True)]
    mixed = [[f[(i + 3 * axis) % len(f)] for axis, f in enumerate(axes)] for i in range(max(map(len, axes)))]
    ample = [[f[min(i + axis % 2, len(f) - 1)] for axis, f in enumerate(long)] for i in (0, 1, 3)]
    return list(map(_sizes, [*mixed, *ample]))


def shorter_sizes(site: Site, axis: int, needs: Needs) -> Iterator[tuple[Lengths, Sizes]]:
    """Sizes that are shorter than `needs` along one axis alone, the longest first; and what they are along it."""
    others = [next(_long_enough(site, other, needs)) for other in range(dim_of(site))]
    shorter: list[Lengths] = []
    for lengths in legal_lengths(site, axis):
        if lengths == others[axis]:
            break
        shorter.append(lengths)
    for lengths in reversed(shorter):
        yield lengths, _sizes([lengths if other == axis else f for other, f in enumerate(others)])


def dim_of(site: Site) -> int:
    """Number of spatial axes."""
    return takes(site.terms[0].layers[0])[1]


def _sizes(lengths: list[Lengths]) -> Sizes:
    return {name: tuple(each[name] for each in lengths) for name in lengths[0]}


def _long_enough(site: Site, axis: int, needs: Needs) -> Iterator[Lengths]:
    for lengths in legal_lengths(site, axis):
        if all(lengths[name] >= least[axis] for name, least in needs.items()):
            yield lengths


def legal_lengths(site: Site, axis: int) -> Iterator[Lengths]:
    """Lengths along an axis, short ones first: every layer leaves something, all terms the same where they meet."""
    return (lengths for lengths in _lengths(site, axis) if _leave_something(site, axis, lengths))


def emptying_sizes(site: Site, axis: int, from_nothing: bool) -> Iterator[Sizes]:
    """Sizes that along one axis are so short that a layer leaves nothing; `from_nothing`: those of no sample, too."""
    others = [next(islice(legal_lengths(site, other), 3, None)) for other in range(dim_of(site))]
    for lengths in chain([dict.fromkeys(site.sources, 0)] if from_nothing else [], _lengths(site, axis)):
        if _leave_something(site, axis, lengths):
            break
        yield _sizes([lengths if other == axis else f for other, f in enumerate(others)])


def _lengths(site: Site, axis: int) -> Iterator[Lengths]:
    """Lengths along an axis at which all terms meet, short ones first."""
    lead = max(site.terms, key=lambda term: made(term.meets, axis, 64))  # the others' lengths follow from its
    for L in range(1, LONGEST + 1):
        lengths = _met(site, axis, made(lead.meets, axis, L) if len(site.terms) > 1 else L)
        if lengths is not None:
            yield lengths


def _leave_something(site: Site, axis: int, lengths: Lengths) -> bool:
    return all(_leaves_something(term, axis, lengths) for term in site.terms)


def _met(site: Site, axis: int, H: int) -> Lengths | None:
    """The sources' lengths for which all terms meet at H samples; None where there are none."""
    if len(site.terms) == 1:
        return dict.fromkeys(site.sources, H)
    found: Lengths = {}
    for term in site.terms:
        for name in term.sources:
            if name not in found:
                found[name] = 1 + bisect_left(range(1, LONGEST + 1), H, key=partial(made, term.meets, axis))
            if made(term.meets, axis, found[name]) != H:
                return None
    return found


def _leaves_something(term: Term, axis: int, lengths: Lengths) -> bool:
    """After every layer? Where one leaves nothing, runtimes round a negative length as they like."""
    starts = [lengths[name] for name in term.sources]
    return all(made(term.layers[: i + 1], axis, L) >= 1 for L in starts for i in range(len(term.layers)))
