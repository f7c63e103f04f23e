"""The edges that join the components left by the filter of ``forest``: Boruvka's rule.

In each step every component but the largest joins another one along its first strongest edge; only its rows and columns
are read. A vertex without an edge out of its component never gets one again, as components only grow: no later step
reads it. Where everything must be read and few components are left, one pass finds the first strongest edge between
every two of them, and Kruskal's rule joins these.
"""

from typing import Any

import numpy as np

from topoimp.arrays import CodeArray, IndexArray, LabelArray
from topoimp.kernels.components import join_best_edges, join_edges, label_components
from topoimp.kernels.strongest import STRIP, strongest_between, strongest_of_columns, strongest_of_rows
from topoimp.kernels.threads import in_parallel
from topoimp.layers.layer import Layer

_MANY = 16
"""More than one column in so many is many: a cache line holds sixteen float32."""

_FEW = 32
"""So many components are few: the notes on every pair of them stay in the processor's cache."""

_CACHE_LINE = 64

Best = tuple[CodeArray, IndexArray]
"""Rank, 0 without an edge, and flat index of the best edge of some vertices."""


def joining(edges: IndexArray, n_columns: int, parent: IndexArray, n_wanted: int) -> IndexArray:
    """Return the edges that join two components, ``n_wanted`` at most, taken in the order of the array."""
    places = np.empty(min(len(edges), n_wanted), np.int64)
    n_joining = join_edges(edges, n_columns, parent, n_wanted, places)
    return edges[places[:n_joining]]


def finish(layer: Layer, parent: IndexArray, n_missing: int, threads: int) -> IndexArray:
    """Join the remaining components, and return the joining edges, ``n_missing`` at most, strongest first."""
    vertices = np.arange(layer.n_vertices)
    labels = np.empty(layer.n_vertices, np.int32)
    is_open = np.ones(layer.n_vertices, np.bool_)
    ranks, edges = _room(layer.n_vertices, layer)
    joined = [np.empty(0, np.int64)]

    while sum(map(len, joined)) < n_missing:
        largest = label_components(parent, labels, np.empty_like(labels))
        outside = np.flatnonzero((labels != largest) & is_open)
        if len(outside) == 0:
            break

        # A few columns are read one by one. Reading many touches every cache line, and all rows come for free.
        reads_all = int(np.count_nonzero(outside >= layer.n_rows)) > layer.n_columns // _MANY
        roots = np.flatnonzero(labels == vertices)
        if reads_all and len(roots) <= _FEW:
            joined.append(join_in_pairs(layer, labels, roots, parent, threads))
            break

        _find_best(layer, vertices if reads_all else outside, reads_all, labels, (ranks, edges), threads)
        joining_edges = np.empty(len(outside), np.int64)
        scratch = np.empty_like(parent)
        n_joined = join_best_edges(outside, ranks, edges, labels, layer.n_columns, parent, scratch, joining_edges)
        joined.append(joining_edges[:n_joined])
        is_open[outside[ranks[outside] == 0]] = False
    return _strongest_first(layer, np.concatenate(joined))


def join_in_pairs(layer: Layer, labels: LabelArray, roots: IndexArray, parent: IndexArray, threads: int) -> IndexArray:
    """Join a few components in one pass: only the first strongest edge between two of them can be in the forest."""
    numbers = np.searchsorted(roots, labels).astype(np.int32)
    mask = layer.codes.dtype.type(layer.number_format.magnitude_mask)

    def find(start: int, stop: int) -> Best:
        pairs = (len(roots), len(roots))
        ranks = np.zeros(pairs, layer.codes.dtype)
        edges = np.zeros(pairs, np.int64)
        scratch = _strips(len(roots), layer.codes.dtype), np.empty(len(roots), np.bool_)
        strongest_between(layer.codes, start, stop, mask, numbers, ranks, edges, *scratch)
        return ranks.reshape(-1), edges.reshape(-1)

    ranks, edges = _best_of_parts(in_parallel(find, layer.n_rows, threads))
    return joining(_strongest_first(layer, edges[ranks > 0]), layer.n_columns, parent, len(roots) - 1)


def _find_best(
    layer: Layer, vertices: IndexArray, reads_all: bool, labels: LabelArray, best: Best, threads: int
) -> None:
    """Write the best edge of each of some vertices, or of all: the first strongest out of its component."""
    rows, columns = np.split(vertices, [np.searchsorted(vertices, layer.n_rows)])
    codes = layer.codes
    mask = layer.codes.dtype.type(layer.number_format.magnitude_mask)

    def of_rows(start: int, stop: int) -> Best:
        best_of_columns = _room(len(columns) if reads_all else 0, layer)
        scratch = _strips(2, codes.dtype)
        strongest_of_rows(codes, rows[start:stop], mask, labels, *best, *best_of_columns, scratch)
        return best_of_columns

    def of_columns(start: int, stop: int) -> Best:
        best_of_columns = _room(len(columns), layer)
        strongest_of_columns(codes, start, stop, columns - layer.n_rows, mask, labels, *best_of_columns)
        return best_of_columns

    # The best edges of columns are found part by part of the rows.
    parts = in_parallel(of_rows, len(rows), threads) if len(rows) else []
    if len(columns):
        parts = parts if reads_all else in_parallel(of_columns, layer.n_rows, threads)
        best[0][columns], best[1][columns] = _best_of_parts(parts)


def _strongest_first(layer: Layer, indices: IndexArray) -> IndexArray:
    """Return a few edges, strongest first, equal ones by index."""
    magnitudes = layer.number_format.magnitudes(layer.codes.reshape(-1)[indices])
    return indices[np.lexsort((indices, ~magnitudes))]


def _room(n: int, layer: Layer) -> Best:
    """Return room for the best edges of n vertices."""
    return np.empty(n, layer.codes.dtype), np.empty(n, np.int64)


def _best_of_parts(parts: list[Best]) -> Best:
    """Return the best over parts of the rows; of equal ones the earlier part's, which has the smaller index."""
    ranks, edges = parts[0]
    for other_ranks, other_edges in parts[1:]:
        is_better = other_ranks > ranks
        ranks[is_better], edges[is_better] = other_ranks[is_better], other_edges[is_better]
    return ranks, edges


def _strips(n: int, dtype: np.dtype[Any]) -> CodeArray:
    """Return room for n strips of codes, each at the start of a cache line: other places are slower to read."""
    size = n * STRIP * dtype.itemsize
    room = np.empty(size + _CACHE_LINE, np.uint8)
    begin = -room.ctypes.data % _CACHE_LINE
    return room[begin : begin + size].view(dtype).reshape(n, STRIP)
