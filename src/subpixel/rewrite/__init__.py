"""Any network into low-resolution space and back, proved equal.

    read      a node (or a few) becomes layers of `subpixel.algebra`, every attribute accounted for    reader, patterns
    chain     layers with nothing but linear work between them, each value read once                   chains
    site      the part of a chain that a goal asks for; sums of chains for Concat                      sites
    join      the chain as one `Op`, or as cells where borders meet, in float64                        join
    choose    its spellings: lower / spell × crop {0, fewest taps} × order                             forms
    write     the spelling as ONNX nodes with fresh names; cells joined before one shuffle           writer, write_plan
    prove     the nodes written, read back, have the original's normal form; both run to equal
              numbers on integers, at sizes down to the smallest legal one, borders included           prove, compare
    report    node, law, form, error, or the reason why a site stays as it is                          report

Whatever is not covered exactly raises `Refusal` on the way and is left alone. docs/rewriting.md is the manual.
"""

from subpixel.rewrite.rewriting import Rewritten, rewrite

__all__ = ["Rewritten", "rewrite"]
