"""`rewrite` for torch.nn.Module: the same plans as for ONNX, run by PyTorch on the module's own parameters.

    trace     forward as a graph, module by module where the whole does not trace      tracing
    view      the graph as the planning code of `reading` sees graphs                   view, symbol
    read      a call becomes layers of `subpixel.algebra`, weights still symbols        operators
    map       a chain run once on "all weights at once": its kernel map                 kernel_map
    program   a spelling as PyTorch calls, weights assembled by the kernel map          program, steps
    prove     normal form for all weights; values and gradients on integers             proving
    rewritten the module with another forward, everything else as it was                rewritten

docs/rewriting.md is the manual, docs/decisions/0003-modules.md the why.
"""

from subpixel import nn as _nn  # noqa: F401 (names the extra where PyTorch is not installed)
