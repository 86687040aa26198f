"""Which lines may stand together, in a sentence of the findings as in a plot or a row of the page."""

from typing import NamedTuple

from subpixel.study.lines import Line


class TimedAt(NamedTuple):
    """What must be the same for two layers of speed.jsonl to stand together."""

    runtime: str
    what: str
    threads: int
    rounds: int
    processor: str | None

    @classmethod
    def of(cls, line: Line) -> "TimedAt":
        """Where a line was timed."""
        return cls(line["runtime"], line["pass"], line["threads"], line["rounds"], line.get("processor"))

    def said(self, processor: bool) -> str:
        """ "1 thread, 7 rounds", and on which processor if there are several."""
        on = f", {self.processor or 'a processor that is not recorded'}" if processor else ""
        return f"{self.threads} thread{'s' * (self.threads != 1)}, {self.rounds} rounds{on}"


class FittedBy(NamedTuple):
    """What must be the same for two students of power.jsonl to stand together, beside scale and teacher."""

    budget: int
    steps: int
    learning_rate: float
    threads: int

    @classmethod
    def of(cls, line: Line) -> "FittedBy":
        """How a student learnt; what the first lines do not record was the same for all of them."""
        return cls(line["budget"], line.get("steps", 1500), line.get("learning_rate", 1e-2), line.get("threads", 1))

    def said(self) -> str:
        """ "1,500 steps of one thread, a budget of 4 maps"."""
        threads = "one thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{self.steps:,} steps of {threads}, a budget of {self.budget} maps"
