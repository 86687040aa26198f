"""What is to be changed in a region, and the report's entries for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from subpixel.rewriting.choice.macs import before as macs_before
from subpixel.rewriting.entry import Entry, entry
from subpixel.rewriting.modules.clock import ModuleClock
from subpixel.rewriting.modules.commuting import Swap
from subpixel.rewriting.modules.planning import Candidate, PlannedSite
from subpixel.rewriting.modules.proving import ModuleProof
from subpixel.rewriting.modules.surgery import Change
from subpixel.rewriting.modules.tracing import Region
from subpixel.rewriting.modules.view import Call, ModuleView
from subpixel.rewriting.reading.sites import Site
from subpixel.rewriting.refusal import Refusal


@dataclass(frozen=True)
class Wish:
    """What the caller asked for."""

    goal: str
    growth: float | None
    clock: ModuleClock | None


@dataclass
class RegionPlan:
    """A region and what is to be changed in it."""

    region: Region
    view: ModuleView
    changes: list[Change | Swap] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)


def values_of(site: Site) -> set[str]:
    """What the site's calls write."""
    return {name for node in site.nodes for name in node.output}


def refused(call: Call, refusal: Refusal) -> Entry:
    return entry(call.as_node(), op=call.label, law=refusal.law, refused=refusal.reason)


def entry_of(planned: PlannedSite, candidate: Candidate, proof: ModuleProof) -> Entry:
    call, site = planned.call, planned.site
    least = [addend.program.least for addend in candidate.run.addends if max(addend.program.least) > 1]
    programs = [addend.program for addend in candidate.run.addends]
    known = all(source in planned.view.shapes for source in site.sources)
    return entry(
        call.as_node(),
        op=call.label,
        law=site.law,
        form=candidate.name,
        max_error=proof.max_error,
        proof={"normal_form": True, "sizes": proof.sizes, "bit_equal_on_integers": proof.exact, "gradients": True},
        macs_before=macs_before(site, planned.view.shapes) if known else None,
        macs_after=candidate.macs if known else None,
        weights_before=planned.weights_before,
        weights_after=sum(
            p.universal.maps[1] * (p.universal.maps[0] // p.universal.groups) * p.matrix.shape[1] for p in programs
        ),
        smallest=[max(axis) for axis in zip(*least, strict=True)] if least else None,
    )
