"""How work is split over the processor's cores: into fixed parts, whose results come back in order."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from itertools import pairwise
from typing import Generic, TypeVar

from topoimp.errors import OptionError

Result = TypeVar("Result")

OnStep = Callable[[int, int], None]
"""Called during long work with the number of steps done and the number of steps in all."""

PIECE = 1 << 19
"""Entries of an array that are worked on together, so that temporary copies stay small; a multiple of 8 for masks."""


def available_threads() -> int:
    """Give how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_count(threads: int | None) -> int:
    """Give the number of threads asked for; all cores if None.

    Raises:
        OptionError: if it is below 1.
    """
    if threads is not None and threads < 1:
        raise OptionError(f"the number of threads is {threads}; it must be at least 1")
    return available_threads() if threads is None else threads


def in_parallel(work: Callable[[int, int], Result], n_items: int, threads: int, *, unit: int = 1) -> list[Result]:
    """Run work(start, stop) on consecutive parts of n_items, one per thread, and give the results in order.

    Args:
        work: must release the interpreter's lock to gain anything.
        n_items: what is split.
        threads: at most so many parts; 1 runs in this thread.
        unit: parts begin at multiples of it.
    """
    edges = _part_edges(n_items, threads, unit)
    if len(edges) <= 2:
        return [work(0, n_items)]
    first, *others = pairwise(edges)
    futures = [_pool(threads).submit(work, *part) for part in others]
    try:
        # This thread works too: waking one fewer is noticed where a layer is read in milliseconds.
        result = work(*first)
    finally:
        wait(futures)  # nobody may still look at the weights when the caller is told of an error
    return [result, *(future.result() for future in futures)]


class Window(Generic[Result]):
    """Work that is done by several threads, as much of it at a time as a size allows, oldest first.

    If something fails, what has not begun is left out, what runs is waited for, and the error of the first that failed
    is raised by ``add`` or ``finish``.

    Args:
        threads: how many at a time; 1 works in this thread.
        size: of all that is worked on at a time; anything larger is worked on alone.
    """

    def __init__(self, threads: int, size: int) -> None:
        self.found: dict[str, Result] = {}
        self._threads, self._size, self._in_work = threads, size, 0
        self._running: deque[tuple[str, int, Future[Result]]] = deque()

    def add(self, name: str, size: int, work: Callable[[], Result]) -> None:
        """Have work() done, once there is room for it; ``found`` has its result under a name once all is finished."""
        if self._threads == 1:
            self.found[name] = work()
            return
        while self._running and self._in_work + size > self._size:
            self._finish_oldest()
        self._running.append((name, size, _pool(self._threads).submit(work)))
        self._in_work += size

    def finish(self) -> None:
        """Wait for everything."""
        while self._running:
            self._finish_oldest()

    def _finish_oldest(self) -> None:
        name, size, future = self._running.popleft()
        try:
            self.found[name] = future.result()
        except BaseException:
            for _, _, other in self._running:
                other.cancel()
            wait([other for _, _, other in self._running])
            raise
        self._in_work -= size


def pieces(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Return consecutive (first, end) pairs of at most ``PIECE`` entries that cover ``start`` to ``stop``.

    >>> list(pieces(5, PIECE + 7))
    [(5, 524293), (524293, 524295)]
    """
    return pairwise([*range(start, stop, PIECE), stop])


def _part_edges(n_items: int, n_parts: int, unit: int) -> Sequence[int]:
    n_units = -(-n_items // unit)
    return sorted({min(n_items, unit * (n_units * k // n_parts)) for k in range(n_parts + 1)} | {0, n_items})


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="topoimp")
