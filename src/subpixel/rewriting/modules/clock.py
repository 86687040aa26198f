"""The clock for modules: calls timed in turns, in eager PyTorch or compiled by torch.compile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Protocol

import torch
from torch import Tensor

from subpixel.errors import UsageError
from subpixel.rewriting.choice.clock import machine, take_turns
from subpixel.rewriting.choice.duel import Duel, fight

RUNTIMES = ("torch", "torch.compile")
Calls = Sequence[Callable[..., object]]


class ModuleClock(Protocol):
    """What `rewrite(module)` measures with; a test may bring its own."""

    identity: str

    def race(self, models: Calls, feeds: Sequence[Tensor], names: Sequence[str]) -> list[float | None]:
        """Milliseconds per call, None for one that does not run. `names` are for the log."""
        ...

    def duel(self, before: Callable[..., object], after: Callable[..., object], feeds: Sequence[Tensor]) -> Duel | None:
        """The original and the rewritten module, round by round; None where one of them does not run."""
        ...


class TorchClock:
    """Median milliseconds without gradients, the calls in turns.

    Raises:
        UsageError: an unknown runtime.
    """

    def __init__(self, runtime: str = "torch", threads: int | None = None, seconds: float = 1.0) -> None:
        if runtime not in RUNTIMES:
            raise UsageError(f"unknown runtime {runtime!r} for a module: choose {', '.join(RUNTIMES)}")
        self.runtime, self.threads, self.seconds = runtime, threads or torch.get_num_threads(), seconds
        self.identity = f"{machine()}, {runtime} {version('torch')}, {self.threads} threads"
        self.failure: str | None = None

    def race(self, models: Calls, feeds: Sequence[Tensor], names: Sequence[str]) -> list[float | None]:
        """See `ModuleClock`."""
        with self._threads():
            return take_turns([self._ready(model, feeds) for model in models], self.seconds)

    def duel(self, before: Callable[..., object], after: Callable[..., object], feeds: Sequence[Tensor]) -> Duel | None:
        """See `ModuleClock`."""
        with self._threads():
            a, b = self._ready(before, feeds), self._ready(after, feeds)
            return None if a is None or b is None else fight(a, b, self.seconds)

    @contextmanager
    def _threads(self) -> Iterator[None]:
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            with torch.no_grad():
                yield
        finally:
            torch.set_num_threads(before)

    def _ready(self, model: Callable[..., object], feeds: Sequence[Tensor]) -> Callable[[], object] | None:
        call = torch.compile(model) if self.runtime == "torch.compile" else model
        try:
            call(*feeds)
            call(*feeds)
        except Exception as error:  # whatever the compiler has against it, it is no candidate
            self.failure = " ".join(str(error).split())[:200]
            return None
        if any(x.is_cuda for x in feeds):

            def run() -> None:
                call(*feeds)
                torch.cuda.synchronize()

            return run
        return lambda: call(*feeds)
