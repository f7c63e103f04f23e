"""Timing two things against each other on a machine that others use too: interleaved, caches evicted, medians."""

import csv
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

_EVICTOR = np.zeros(32 * 1024 * 1024, np.int64)
"""256 MB: more than any cache holds."""


@dataclass(frozen=True)
class Times:
    """Seconds of several runs."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median, in seconds."""
        return float(np.median(self.seconds))

    @property
    def spread(self) -> float:
        """Half the distance of the quartiles, as a share of the median."""
        low, high = np.percentile(self.seconds, [25, 75])
        return float((high - low) / 2 / self.median)


def interleaved(contenders: Mapping[str, Callable[[], Any]], n_runs: int) -> dict[str, Times]:
    """Time every contender once a turn, for some turns after one that does not count, with cold caches."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(n_runs + 1):
        for name, run in contenders.items():
            evict_caches()
            start = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: Times(tuple(runs)) for name, runs in seconds.items()}


def once(run: Callable[[], Any]) -> float:
    """Give the seconds that one run takes."""
    evict_caches()
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def extra_memory(run: Callable[[], Any]) -> int:
    """Give the most bytes that a run holds beside what was there before; what numpy and Python allocate."""
    tracemalloc.start()
    run()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def write_table(path: Path, lines: Sequence[Any]) -> None:
    """Write dataclasses of one kind, at least one, as the rows of a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(asdict(lines[0])), lineterminator="\n")
        table.writeheader()
        table.writerows(asdict(line) for line in lines)


def evict_caches() -> None:
    """Read and write more than the caches hold."""
    np.add(_EVICTOR, 1, out=_EVICTOR)
