"""How families, controls, starts and forms are drawn on the page, and in which order they stand."""

from __future__ import annotations

from subpixel.study import glossary

FAMILIES = {
    "shuffle-last": 0,
    "deconvolution-last": 2,
    "resize-last": 4,
    "nearest-first": 1,
    "bicubic-first": 3,
    "deconvolution-first": 5,
}
"""Name to colour and sign; those that compute at LR first."""
CONTROLS = {"equal-weights": 6, "equal-receptive-field": 7, "tied-phases": 1, "untied-phases": 2}
STARTS = {"random": 1, "icnr": 0, "resize": 2}

FORMS: dict[str, tuple[str, str]] = {
    "lr-shuffle": ("S", "LR convolution + shuffle"),
    "transposed": ("T", "transposed convolution"),
    "zero-insertion": ("Z", "sub-pixel convolution (zeros inserted)"),
}
"""Name to (letter on the map, what it is), in the order of their colours."""

DASHED = (*glossary.AT_HR, "tied-phases")
"""What computes at HR; tied phases compute what the HR network does."""


def style_of(name: str) -> int:
    """Colour and sign; of a name that this version does not know, the eighth."""
    return {**CONTROLS, **FAMILIES}.get(name, 7)


def in_order(names: list[str]) -> list[str]:
    """Known names in their order, then the others as they come, each once."""
    known = [*FAMILIES, *CONTROLS]
    return sorted(dict.fromkeys(names), key=lambda name: known.index(name) if name in known else len(known))


def described(words: dict[str, str], order: dict[str, int]) -> str:
    """A list of names and what each is, in the page's order."""
    return f"<ul>{''.join(f'<li><b>{name}</b>: {words[name]}</li>' for name in order)}</ul>"
