"""Several items at once, results in order, and never more under way than fits."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(function: Callable[[T], R], items: Iterable[T], *, workers: int, ahead: int) -> Iterator[R]:
    """`map` in threads: results come in the order of the items, which are taken one by one as there is room.

    Args:
        function: called in `workers` threads.
        items: taken in the thread that takes the results.
        workers: how many calls run at once.
        ahead: how many items at most are taken and not yet handed out.

    Raises:
        whatever an item or its call raised, at its turn.
    """
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="subpixel") as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                while pending and (len(pending) >= ahead or pending[0].done()):
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
