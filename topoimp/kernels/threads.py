"""Work split over the processor's cores: into fixed parts, whose results come back in order.

Work inside a worker thread runs in place: it never waits for the pool that it fills.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from itertools import pairwise
from types import TracebackType
from typing import Generic, TypeVar

from topoimp.errors import OptionError

Result = TypeVar("Result")

OnStep = Callable[[int, int], None]
"""Called during long work with the number of steps done and the number of steps in all."""

PIECE = 1 << 19
"""Entries of an array that are worked on together, so that temporary copies stay small; a multiple of 8 for masks."""


def available_threads() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_count(threads: int | None) -> int:
    """Return the number of threads to use; all cores if None; raise an ``OptionError`` below 1."""
    if threads is not None and threads < 1:
        raise OptionError(f"the number of threads is {threads}; it must be at least 1")
    return available_threads() if threads is None else threads


def in_parallel(work: Callable[[int, int], Result], n_items: int, threads: int, *, unit: int = 1) -> list[Result]:
    """Run work(start, stop) on consecutive parts of n_items, one per thread, and return the results in order.

    Parts begin at multiples of ``unit``. With one thread, and inside a worker, the calling thread does everything.
    Threads help only where the work releases the interpreter's lock.
    """
    n_parts, n_units = _usable(threads), -(-n_items // unit)
    edges = sorted({min(n_items, unit * (n_units * k // n_parts)) for k in range(n_parts + 1)} | {0, n_items})
    if len(edges) <= 2:
        return [work(0, n_items)]

    first, *others = pairwise(edges)
    futures = [_pool(threads).submit(work, *part) for part in others]
    try:
        # The calling thread works too: waking one thread fewer shows where a layer is read in milliseconds.
        result = work(*first)
    finally:
        wait(futures)  # no thread may still read the weights when the caller gets an error
    return [result, *(future.result() for future in futures)]


class Window(Generic[Result]):
    """A context in which ``threads`` workers run tasks side by side, oldest first, up to a total ``size`` at a time.

    A larger task runs alone. With one thread, and inside a worker, the calling thread works. ``results`` is complete at
    the end of the context. After an error, tasks that have not begun are left out and running ones are waited for; then
    the error of the oldest task that failed is raised.
    """

    def __init__(self, threads: int, size: int) -> None:
        self.results: dict[str, Result] = {}
        self._threads = _usable(threads)
        self._size = size
        self._size_running = 0
        self._running: deque[tuple[str, int, Future[Result]]] = deque()

    def __enter__(self) -> "Window[Result]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.finish()
        finally:
            futures = [future for _, _, future in self._running]
            for future in futures:
                future.cancel()
            wait(futures)

    def add(self, name: str, size: int, work: Callable[[], Result]) -> None:
        """Run work() once its size fits; its result comes under the name."""
        if self._threads == 1:
            self.do(name, work)
            return

        while self._running and self._size_running + size > self._size:
            self._finish_oldest()
        self._running.append((name, size, _pool(self._threads).submit(work)))
        self._size_running += size

    def do(self, name: str, work: Callable[[], Result]) -> None:
        """Run work() in the calling thread, beside the tasks that run; its result comes under the name."""
        try:
            self.results[name] = work()
        except Exception:
            self.finish()  # the error of an older task comes first
            raise

    def finish(self) -> None:
        """Wait for all work that was added."""
        while self._running:
            self._finish_oldest()

    def _finish_oldest(self) -> None:
        name, size, future = self._running[0]
        self.results[name] = future.result()
        self._running.popleft()
        self._size_running -= size


def pieces(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Return consecutive (first, end) pairs of at most ``PIECE`` entries that cover ``start`` to ``stop``.

    >>> list(pieces(5, PIECE + 7))
    [(5, 524293), (524293, 524295)]
    """
    return pairwise([*range(start, stop, PIECE), stop])


_this_thread = threading.local()


def _become_worker() -> None:
    _this_thread.is_worker = True


def _usable(threads: int) -> int:
    """Return 1 inside a worker: if workers waited for places in their pool, all could wait for ever."""
    return 1 if getattr(_this_thread, "is_worker", False) else threads


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="topoimp", initializer=_become_worker)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a forked process has no threads but its own
