"""Why a place in a graph was left as it was: never an error, always an entry of the report."""

from __future__ import annotations


class Refusal(Exception):
    """A node, or a chain of nodes, that is not rewritten.

    Attributes:
        law: the law of docs/algebra.md that does not reach so far ("A7"), or "" where the graph is the reason.
        reason: one sentence.
    """

    def __init__(self, reason: str, law: str = "") -> None:
        super().__init__(reason)
        self.law = law
        self.reason = reason
