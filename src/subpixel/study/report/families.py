"""How families, controls and forms are called and drawn on the page."""

from __future__ import annotations

FAMILIES: dict[str, tuple[int, str]] = {
    "shuffle-last": (0, "LR convolutions, then a shuffle"),
    "deconvolution-last": (2, "LR convolutions, then a deconvolution"),
    "resize-last": (4, "LR convolutions, then nearest neighbour and one HR convolution"),
    "nearest-first": (1, "nearest neighbour, then HR convolutions"),
    "bicubic-first": (3, "bicubic interpolation, then HR convolutions"),
    "deconvolution-first": (5, "a deconvolution, then HR convolutions"),
}
"""Name to (colour and sign, what it is); those that compute at LR first."""

CONTROLS: dict[str, tuple[int, str]] = {
    "equal-weights": (6, "shuffle-last with as few weights as nearest-first has"),
    "equal-receptive-field": (7, "shuffle-last that sees no more LR pixels than nearest-first does"),
    "tied-phases": (1, "nearest-first as an LR network, its phases tied"),
    "untied-phases": (2, "the same LR network, every weight free: more multiplications"),
}

FORMS: dict[str, tuple[str, str]] = {
    "lr-shuffle": ("S", "LR convolution + shuffle"),
    "transposed": ("T", "transposed convolution"),
    "zero-insertion": ("Z", "sub-pixel convolution (zeros inserted)"),
}
"""Name to (letter on the map, what it is), in the order of their colours."""

AT_HR = ("nearest-first", "bicubic-first", "deconvolution-first", "tied-phases")


def style_of(name: str) -> int:
    """Colour and sign; of a name that this version does not know, the eighth."""
    return {**CONTROLS, **FAMILIES}.get(name, (7, ""))[0]


def in_order(names: list[str]) -> list[str]:
    """Known names in their order, then the others as they come, each once."""
    known = [*FAMILIES, *CONTROLS]
    return sorted(dict.fromkeys(names), key=lambda name: known.index(name) if name in known else len(known))
