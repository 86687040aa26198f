"""A finding: a sentence made by the program, and what it says of its claim."""

from dataclasses import dataclass

from subpixel.study.comparing import Verdict


@dataclass(frozen=True)
class Sentence:
    """One finding.

    Attributes:
        part: budget, causes, plateau, power, initialisation or speed.
        scale: r, or the stride.
        matching: what was made equal, or where it was measured.
        budget: in maps of the network that sets it; None where the sentence is about all of them.
        verdict: on the claim that the text names.
        text: "where: claim: numbers", or "where: claim: verdict; numbers" unless it holds.
    """

    part: str
    scale: int
    matching: str
    budget: int | None
    verdict: Verdict
    text: str


def ending(verdict: Verdict) -> str:
    """What stands between a claim and its numbers."""
    return ":" if verdict == "holds" else f": {verdict};"
