"""How work is split over the processor's cores: into fixed parts, whose results come back in order."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import cache
from itertools import pairwise
from typing import TypeVar

from topoimp.errors import OptionError

Item = TypeVar("Item")
Result = TypeVar("Result")


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


def run_each(work: Callable[[Item], Result], items: Sequence[Item], threads: int) -> list[Result]:
    """Run work(item) on each of some items, as many at a time as there are threads, and give the results in order.

    If one fails, those that have not begun are left out, and the error of the first that failed is raised.

    Args:
        work: must not use several threads itself, where there is more than one item.
        items: what is worked on.
        threads: how many at a time; 1 runs in this thread.
    """
    if threads == 1 or len(items) == 1:
        return [work(item) for item in items]
    futures = [_pool(threads).submit(work, item) for item in items]
    _, running = wait(futures, return_when=FIRST_EXCEPTION)
    for future in running:
        future.cancel()
    wait(futures)
    return [future.result() for future in futures if not future.cancelled()]


def _part_edges(n_items: int, n_parts: int, unit: int) -> Sequence[int]:
    n_units = -(-n_items // unit)
    return sorted({min(n_items, unit * (n_units * k // n_parts)) for k in range(n_parts + 1)} | {0, n_items})


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="topoimp")
