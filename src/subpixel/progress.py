"""Progress on stderr for whatever takes longer than two seconds."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from types import TracebackType
from typing import Self, TextIO, TypeVar

T = TypeVar("T")

QUIET_FOR = 2.0  # seconds: nothing is shown for work that ends sooner
LINE_EVERY = 10.0  # seconds between lines where stderr is no terminal


def clock(seconds: float) -> str:
    """65 → "1:05", 3700 → "1:01:40"."""
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02}:{s:02}" if hours else f"{m}:{s:02}"


class Progress:
    """Counts `total` pieces of work: a bar with ETA on a terminal, a line every ten seconds elsewhere.

    ```
    with Progress("training", total=1000, start=200) as progress:
        progress.advance(note="loss 0.01")
    ```

    Args:
        what: one word or two for the work.
        total: how many pieces; None where that is unknown.
        start: pieces done before (a resumed run); the ETA does not count them.
        unit: what a piece is.
    """

    def __init__(
        self, what: str, total: int | None, *, start: int = 0, unit: str = "", stream: TextIO | None = None
    ) -> None:
        self.what, self.total, self.start, self.done, self.unit = what, total, start, start, unit
        self.stream = stream if stream is not None else sys.stderr
        self.began = self.last_line = time.monotonic()
        self._bar = None
        if self.stream.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                desc=what,
                total=total,
                initial=start,
                unit=unit or "it",
                file=self.stream,
                leave=False,
                delay=QUIET_FOR,
                dynamic_ncols=True,
            )

    def advance(self, count: int = 1, note: str = "") -> None:
        """`count` more pieces are done; `note` is shown beside the count."""
        self.done += count
        if self._bar is not None:
            if note:
                self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(count)
            return
        now = time.monotonic()
        if now - self.began >= QUIET_FOR and now - self.last_line >= LINE_EVERY:
            self.last_line = now
            print(self.line(now, note), file=self.stream, flush=True)

    def line(self, now: float, note: str = "") -> str:
        """What a log shows: count, share, time spent and time left."""
        spent = now - self.began
        unit = f" {self.unit}" if self.unit else ""
        text = f"{self.what}: {self.done:,}"
        if self.total:
            rate = (self.done - self.start) / spent if spent > 0 else 0.0
            left = f", {clock((self.total - self.done) / rate)} left" if rate > 0 else ""
            text += f"/{self.total:,}{unit} ({self.done / self.total:.0%}), {clock(spent)} spent{left}"
        else:
            text += f"{unit}, {clock(spent)} spent"
        return text + (f", {note}" if note else "")

    def say(self, text: str) -> None:
        """A line of its own, above the bar."""
        if self._bar is not None:
            self._bar.clear()
        print(text, file=self.stream, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def track(pieces: Iterable[T], what: str, total: int | None = None, *, unit: str = "") -> Iterator[T]:
    """Iterate with progress; `total` defaults to the length where there is one."""
    if total is None and isinstance(pieces, Sized):
        total = len(pieces)
    with Progress(what, total, unit=unit) as progress:
        for piece in pieces:
            yield piece
            progress.advance()
