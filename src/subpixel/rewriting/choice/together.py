"""Which of the sites that were timed are changed: those that save the most together, and can be proved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from subpixel.progress import track
from subpixel.rewriting.refusal import Refusal


class Timed(Protocol):
    """A site and its times. `own`: the values that it alone writes; `saved`: milliseconds that its best form saves."""

    @property
    def own(self) -> set[str]:
        """Names of values, never none; resizes, shuffles and concatenations within it may serve several sites."""
        ...

    @property
    def saved(self) -> float:
        """Nothing or more."""
        ...

    @property
    def unbeaten(self) -> Refusal:
        """Why it stays where no form saves anything."""
        ...


UNBEATEN = Refusal("no form beats what is there beyond the noise: kept", "clock")
S = TypeVar("S", bound=Timed)
D = TypeVar("D")


def settle(timed: Sequence[S], prove: Callable[[S], D | Refusal]) -> tuple[list[D], list[tuple[S, Refusal]]]:
    """What `prove` gave for the sites that are changed; those that nobody changes, in their longest cut, and why."""
    done: list[D] = []
    failed: dict[int, Refusal] = {}
    taken: set[str] = set()
    while left := [t for t in timed if id(t) not in failed and not t.own & taken]:
        best = most_saved(left)
        for t in track(best, "proving", unit="sites"):
            shown = prove(t)
            if isinstance(shown, Refusal):
                failed[id(t)] = shown  # what it stood in the way of gets another chance
                continue
            done.append(shown)
            taken |= t.own
        if not best:
            break
    kept = []
    for t in sorted(timed, key=lambda t: -len(t.own)):
        if not t.own & taken:
            taken |= t.own
            kept.append((t, failed.get(id(t), t.unbeaten)))
    return done, kept


def most_saved(timed: list[S]) -> list[S]:
    """Of sites that share nodes, those that together save the most; sites that save nothing stay out."""
    worth = sorted((t for t in timed if t.saved > 0), key=lambda t: -t.saved)
    best: tuple[float, list[S]] = (0.0, [])

    def grow(at: int, chosen: list[S], saved: float, rest: float) -> None:
        nonlocal best
        if saved > best[0]:
            best = (saved, list(chosen))
        if at == len(worth) or saved + rest <= best[0]:
            return
        t = worth[at]
        if not any(t.own & other.own for other in chosen):
            grow(at + 1, [*chosen, t], saved + t.saved, rest - t.saved)
            if not any(t.own & other.own for other in worth[at + 1 :]):
                return  # nothing speaks against it
        grow(at + 1, chosen, saved, rest - t.saved)

    grow(0, [], 0.0, sum(t.saved for t in worth))
    return best[1]
