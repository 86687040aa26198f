"""Any network into low-resolution space and back, proved equal.

    read      a node (or a few) becomes layers of `subpixel.algebra`, every attribute read      reading
    chain     layers with nothing but linear work between them, each value read once           reading.chains
    site      the part of a chain that a goal asks for; a sum of chains for Concat and Add     reading.cuts, sums
    join      the chain as one `Op`, or as cells where borders meet, in float64                writing.join
    forms     its spellings: lower / spell × crop {0, fewest taps} × order                     writing.forms
    write     a spelling as nodes with fresh names; cells joined before the one shuffle        writing
    prove     read back, the nodes have the original's normal form; both run to equal
              numbers on integers, down to the smallest legal size, borders included           proof
    choose    goal `fastest`: forms timed with their neighbourhood, kept beyond the noise      choice
    goals     what each goal does over a whole model                                           goals
    report    node, law, form, error, or the reason why a site stays as it is                  entry, refusal

Whatever is not covered exactly raises `Refusal` on the way and is left alone. docs/rewriting.md is the manual.
"""

from subpixel.rewriting.choice.clock import Clock, RuntimeClock
from subpixel.rewriting.devices.profile import profile_names
from subpixel.rewriting.inspecting import inspect
from subpixel.rewriting.reading.cuts import GOALS
from subpixel.rewriting.report.page import page
from subpixel.rewriting.rewriter import Rewritten, rewrite
from subpixel.rewriting.verifying import verify

__all__ = ["GOALS", "Clock", "Rewritten", "RuntimeClock", "inspect", "page", "profile_names", "rewrite", "verify"]
