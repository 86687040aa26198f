"""Picture files of `subpixel upscale`: several at a time, one line for each, what fails does not stop the rest."""

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

import click

from subpixel.errors import InputError, SubpixelError

if TYPE_CHECKING:
    from subpixel.media.image import Header
    from subpixel.media.naming import Job
    from subpixel.media.writing import Encoding
    from subpixel.progress import Progress
    from subpixel.upscaling.choice import Upscalers
    from subpixel.upscaling.files import Done, Limits
    from subpixel.upscaling.finished import Finished
    from subpixel.upscaling.target import Target


@dataclass(frozen=True)
class Order:
    """How pictures are to be enlarged."""

    upscalers: "Upscalers"
    target: "Target"
    encoding: "Encoding"
    limits: "Limits"
    workers: int | None
    finished: "Finished"
    resume: bool


@dataclass
class Outcome:
    """What is told of the pictures together: keys as of --json."""

    outputs: list[dict[str, Any]]
    failures: list[dict[str, str]]
    skipped: int = 0

    @property
    def count(self) -> int:
        return len(self.outputs) + len(self.failures)

    def add(self, other: "Outcome") -> None:
        self.outputs += other.outputs
        self.failures += other.failures
        self.skipped += other.skipped


def upscale_pictures(jobs: "Sequence[Job]", order: Order, say: Callable[["Progress", str], None]) -> Outcome:
    """Enlarge every job's picture; `say` is given a line for each result."""
    from subpixel.media.image import read_header
    from subpixel.progress import Progress

    outcome = Outcome([], [])
    left = [job for job in jobs if not (order.resume and job.output and order.finished.has(job.input, job.output))]
    outcome.skipped = len(jobs) - len(left)
    headers = [None if job.error else read_header(job.input) for job in left]
    work = [_kilopixels(header) for header in headers]
    workers = order.workers or _default_workers(len(left), bounded=order.limits.memory is not None)
    with Progress("upscaling", sum(work), unit="kilopixels") as progress, _Crew(order, workers, progress) as crew:
        if outcome.skipped:
            progress.say(f"subpixel: {outcome.skipped} of {len(jobs)} were done before")
        for job, result in crew.work(left, work):
            if isinstance(result, SubpixelError):
                progress.say(f"subpixel: {result}")
                outcome.failures.append({"input": str(job.input), "error": str(result)})
                continue
            for notice in result.notices:
                progress.say(f"subpixel: note: {notice}")
            row = _row(job, result)
            outcome.outputs.append(row)
            say(progress, _line(row))
    return outcome


class _Stopped(BaseException):
    """The call was interrupted: what a worker has begun ends at its next tile."""


class _Crew:
    """Workers on threads: while the network runs for one picture, others are decoded and encoded."""

    def __init__(self, order: Order, workers: int, progress: "Progress") -> None:
        self._order, self._progress = order, progress
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers)
        self._stop, self._lock = Event(), Lock()

    def __enter__(self) -> "_Crew":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)

    def work(self, jobs: "Sequence[Job]", kilopixels: Sequence[int]) -> "Iterator[tuple[Job, Done | SubpixelError]]":
        """Results in the order of the jobs."""
        if self._workers == 1:
            for job, count in zip(jobs, kilopixels, strict=True):
                yield job, self._one(job, count)
            return
        futures: list[Future[Done | SubpixelError]] = [
            self._pool.submit(self._one, job, count) for job, count in zip(jobs, kilopixels, strict=True)
        ]
        for job, future in zip(jobs, futures, strict=True):
            yield job, future.result()

    def _one(self, job: "Job", count: int) -> "Done | SubpixelError":
        from subpixel.upscaling.files import enlarge_file

        order, done, pixels = self._order, 0, 0

        def advance(more: int) -> None:
            nonlocal done, pixels
            if self._stop.is_set():
                raise _Stopped
            pixels += more
            now = min(count, pixels // 1000)
            self._advance(now - done)
            done = now

        try:
            if job.output is None:
                return job.error or InputError(f"{job.input} cannot be read")
            result = enlarge_file(
                job.input, job.output, order.upscalers, order.target,
                encoding=order.encoding, limits=order.limits, advance=advance,
            )  # fmt: skip
            order.finished.note(job.input, job.output)
            return result
        except SubpixelError as error:
            return error
        finally:
            self._advance(count - done)  # what a failure left undone

    def _advance(self, count: int) -> None:
        with self._lock:
            self._progress.advance(count)


def _kilopixels(header: "Header | None") -> int:
    """Thousands of pixels to be read, for the progress; 1 for what cannot be read."""
    if header is None:
        return 1
    return max(1, header.size[0] * header.size[1] * (header.frames if header.moves else 1) // 1000)


def _row(job: "Job", done: "Done") -> dict[str, Any]:
    return {
        "input": str(job.input),
        "output": str(job.output),
        "width": done.width,
        "height": done.height,
        "ms_network": round(1e3 * done.seconds_network, 2),
        "ms_total": round(1e3 * done.seconds_total, 2),
        "notices": done.notices,
    }


def _line(row: dict[str, Any]) -> str:
    size = f"{row['width']}×{row['height']}"
    return f"{row['output']}  {size}, network {row['ms_network']:,.0f} of {row['ms_total']:,.0f} ms"


def tell(progress: "Progress", line: str) -> None:
    """A result's line on stdout; where that is the terminal the progress bar is on, above the bar."""
    if sys.stdout.isatty() and progress.stream.isatty():
        progress.say(line)
    else:
        click.echo(line)


def _default_workers(jobs: int, *, bounded: bool) -> int:
    """Two, where there is anything to overlap and no bound on the memory."""
    from subpixel.runtime.cores import available_cores

    return 2 if jobs > 1 and not bounded and available_cores() > 1 else 1


def file_state(model: str) -> list[int | str]:
    """What tells one model from another: its name, or its file's size and time."""
    path = Path(model)
    if path.suffix.lower() not in (".onnx", ".safetensors"):
        return [model]
    try:
        seen = path.stat()
    except OSError:
        return [model]
    return [str(path.resolve()), seen.st_size, seen.st_mtime_ns]
