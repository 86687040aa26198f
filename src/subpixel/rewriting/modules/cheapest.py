"""Goals `lr` and `deconv`: every site of a region in the form with the fewest multiplications."""

from __future__ import annotations

from collections.abc import Sequence

from subpixel.progress import track
from subpixel.rewriting.modules.calls import Read
from subpixel.rewriting.modules.plan import RegionPlan, Wish, entry_of, refused, values_of
from subpixel.rewriting.modules.planning import PlannedSite
from subpixel.rewriting.modules.surgery import Change
from subpixel.rewriting.modules.view import call_of
from subpixel.rewriting.reading.chains import Chain
from subpixel.rewriting.reading.cuts import every_site, find_sites
from subpixel.rewriting.reading.sites import Site
from subpixel.rewriting.refusal import Refusal


def take_cheapest(plan: RegionPlan, chains: list[Chain], readings: dict[str, Read], wish: Wish) -> set[str]:
    """Every site in the form with the fewest multiplications. Returns the values looked at."""
    seen: set[str] = set()
    for cuts in track(find_sites(plan.view, chains, wish.goal), "proving", unit="sites"):
        seen.update(values_of(cuts[0]))
        reason = _first_that_fits(plan, cuts, readings, wish)
        if reason is not None and len(cuts[0].terms) > 1:  # a sum that cannot be rewritten whole: its terms
            reason = None if _take_terms(plan, cuts[0], chains, readings, wish) else reason
        if reason is not None:
            plan.entries.append(refused(call_of(cuts[0].node), reason))
    return seen


def _take_terms(plan: RegionPlan, whole: Site, chains: list[Chain], readings: dict[str, Read], wish: Wish) -> bool:
    """Rewrite what can be inside a sum. Was there anything?"""
    inside = values_of(whole)
    taken: set[str] = set()
    for site in every_site(plan.view, chains):
        own = values_of(site)
        if len(site.terms) == 1 and own < inside and not own & taken:
            taken |= own if _first_that_fits(plan, [site], readings, wish) is None else set()
    return bool(taken)


def _first_that_fits(plan: RegionPlan, cuts: Sequence[Site], readings: dict[str, Read], wish: Wish) -> Refusal | None:
    """Rewrite the first of the cuts that can be; the first reason where none can."""
    first: Refusal | None = None
    for site in cuts:
        try:
            planned = PlannedSite(plan.view, site, readings, wish.goal, wish.growth)
            candidates = planned.candidates()
        except Refusal as refusal:
            first = first or refusal
            continue
        for candidate in candidates:
            try:
                proof = planned.prove(candidate)
            except Refusal as refusal:
                first = first or refusal
                continue
            plan.changes.append(Change(planned, candidate.run))
            plan.entries.append(entry_of(planned, candidate, proof))
            return None
    return first or Refusal("no spelling fits")
