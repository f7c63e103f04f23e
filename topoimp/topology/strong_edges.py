"""The strongest edges of a layer, a few per vertex: the filter of ``forest``.

A sample of the layer suggests a threshold that a few edges per vertex reach; one pass collects these edges. If ties or
odd distributions let too many edges reach it, the threshold rises, at worst until no edge does. The layer is never
sorted, nor are all of its edges ever listed.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from topoimp.arrays import CodeArray, IndexArray
from topoimp.kernels import BLOCK
from topoimp.kernels.collecting import SORT_COUNTS, collect_strongest, sort_strongest_first
from topoimp.kernels.threads import in_parallel
from topoimp.layers.layer import Layer, sampled_magnitudes

EDGES_PER_VERTEX = 5
"""Edges to aim at: with fewer, more components are left to finish; with more, sorting takes longer."""

LEAST_COLLECTED = 4096
"""Least number of edges to aim at: a smaller layer is taken whole."""

_OVERFLOW = 4
"""Room for the edges, as a multiple of the number aimed at."""


@dataclass(frozen=True)
class StrongEdges:
    """All edges that reach a threshold, a prefix of the order of edges, and facts about the whole layer."""

    indices: IndexArray
    n_edges: int
    largest: int

    @property
    def is_all(self) -> bool:
        """Whether every edge of the layer is among them."""
        return len(self.indices) == self.n_edges


def collect(layer: Layer, threads: int) -> StrongEdges:
    """Collect the strongest edges of a layer, a few per vertex."""
    aim = max(EDGES_PER_VERTEX * layer.n_vertices, LEAST_COLLECTED)
    room = min(_OVERFLOW * aim, layer.codes.size)
    threshold = 1
    if layer.codes.size > _OVERFLOW * aim:
        sample = sampled_magnitudes(layer)
        threshold = _threshold_in(sample, aim / layer.codes.size * len(sample))

    parts = collect_parts(layer, threshold, room, threads)
    while sum(part.n_found for part in parts) > room:
        threshold = raised_threshold(threshold, [part.ranks for part in parts], aim)
        parts = collect_parts(layer, threshold, room, threads)

    # Parts follow each other: equal ranks are in the order of their indices, and a stable sort keeps them so.
    indices = np.concatenate([part.indices for part in parts])
    ranks = np.concatenate([part.ranks for part in parts])
    if len(ranks):
        scratch = np.empty_like(indices), np.empty_like(ranks), np.empty(SORT_COUNTS, np.int64)
        sort_strongest_first(indices, ranks, ranks.min(), ranks.max(), *scratch)

    return StrongEdges(indices, sum(part.n_edges for part in parts), max(part.largest for part in parts))


class Part(NamedTuple):
    """The edges of a part of the layer that reach the threshold, as far as there is room for them."""

    n_found: int
    n_edges: int
    largest: int
    indices: IndexArray
    ranks: CodeArray


def collect_parts(layer: Layer, threshold: int, room: int, threads: int) -> list[Part]:
    """Collect the edges that reach a threshold, part by part, at most ``room`` in each."""
    codes = layer.codes.reshape(-1)
    # A threshold above the largest code collects nothing, but the kernel needs a code.
    rank = codes.dtype.type(min(threshold, int(np.iinfo(codes.dtype).max)))
    mask = codes.dtype.type(layer.number_format.magnitude_mask)

    def collect_part(start: int, stop: int) -> Part:
        size = min(room, stop - start)
        indices, ranks = np.empty(size, np.int64), np.empty(size, codes.dtype)
        n_found, n_edges, largest = collect_strongest(codes, start, stop, mask, rank, indices, ranks)
        return Part(n_found, n_edges, int(largest), indices[:n_found], ranks[:n_found])

    return in_parallel(collect_part, codes.size, threads, unit=BLOCK)


def raised_threshold(threshold: int, found: list[CodeArray], aim: int) -> int:
    """Return a higher threshold, from the ranks found before the room was full."""
    ranks = np.sort(np.concatenate(found))
    return max(_threshold_in(ranks, min(aim, len(ranks) // 2)), threshold + 1)


def _threshold_in(ascending: CodeArray, n_wanted: float) -> int:
    """Return the least magnitude code above 0 that not many more than ``n_wanted`` of the codes reach."""
    n = len(ascending)
    if n_wanted >= n:
        return 1
    threshold = max(int(ascending[n - max(int(n_wanted), 1)]), 1)
    n_reaching = n - int(np.searchsorted(ascending, threshold))
    return threshold + 1 if threshold > 1 and n_reaching > _OVERFLOW / 2 * max(n_wanted, 1) else threshold
