"""The maximum spanning forest of a layer: which weights hold it together.

Edges are totally ordered by (strength descending, flat index ascending). The forest given here is the unique maximum
spanning forest in that order, so that equal strengths, threads and machines change nothing. A stored zero is no edge; a
layer without edges has an empty forest and as many components as vertices.

It is found in about the time it takes to read the layer once, by *filter, then finish*: a threshold, guessed from a
sample, leaves a few edges per vertex; one pass collects them; sorted and joined by Kruskal's rule they connect most of
the layer. What is still apart is joined by Boruvka's rule, which reads only rows and columns outside the largest
component. Both rules compare edges by the total order, and what is collected is a prefix of it, so together they give
the one forest. If ties or odd distributions make the collected set too large, the threshold is raised, at worst until
nothing is collected and Boruvka's rule does all: never a full sort, never a list of all edges.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from topoimp.arrays import BoolArray, CodeArray, FloatArray, IndexArray
from topoimp.errors import LayerError
from topoimp.kernels import BLOCK
from topoimp.kernels.collecting import SORT_COUNTS, collect_strongest, sort_strongest_first
from topoimp.kernels.components import join_best_edges, join_edges, label_components
from topoimp.kernels.strongest import (
    GROUP,
    STRIP,
    strongest_between,
    strongest_of_all,
    strongest_of_columns,
    strongest_of_rows,
)
from topoimp.kernels.threads import in_parallel, thread_count
from topoimp.layers.layer import Layer
from topoimp.layers.sampling import sampled_magnitudes
from topoimp.layers.streaming import LayerStream

EDGES_PER_VERTEX = 5
"""How many edges per vertex the filter aims at: fewer leave more to finish, more take longer to sort."""

LEAST_COLLECTED = 4096
"""A layer with fewer edges per thread than this is small enough to take whole."""

_OVERFLOW = 4
"""Room for so many times the edges aimed at."""

_MANY = 16
"""More than one column in so many is many: a cache line holds sixteen float32."""

_CACHE_LINE = 64

_FEW = 32
"""So many components are few: what is kept of every pair of them stays in the cache."""


@dataclass(frozen=True)
class Forest:
    """A layer's maximum spanning forest, one edge per finite bar of its barcode.

    Args:
        n_rows: vertices on one side.
        n_columns: vertices on the other.
        n_edges: edges of the graph that it spans.
        indices: flat indices of the forest's edges, strongest first, equals by index; shape (n,).
        strengths: their exact |w|, descending; shape (n,).
        parent: the components as a union-find forest over the vertices, rows first; ``labels`` reads it.
    """

    n_rows: int
    n_columns: int
    n_edges: int
    indices: IndexArray
    strengths: FloatArray
    parent: IndexArray

    @cached_property
    def labels(self) -> IndexArray:
        """Component of each vertex, rows first, numbered in the order of their first vertices; shape (n_vertices,)."""
        return _labels(self.parent)

    @property
    def n_vertices(self) -> int:
        """Rows and columns together."""
        return self.n_rows + self.n_columns

    @property
    def n_components(self) -> int:
        """Connected components (beta0); a row or column without edges is one of its own."""
        return self.n_vertices - len(self.indices)

    @property
    def n_cycles(self) -> int:
        """Independent cycles (beta1) of the graph."""
        return self.n_edges - len(self.indices)

    @property
    def weakest(self) -> float | None:
        """Strength of the weakest edge of the forest; None without edges."""
        return float(self.strengths[-1]) if len(self.strengths) else None

    @property
    def strongest(self) -> float | None:
        """Strength of the strongest edge, which every maximum spanning forest contains; None without edges."""
        return float(self.strengths[0]) if len(self.strengths) else None


def spanning_forest(layer: Layer, *, kept: BoolArray | None = None, threads: int | None = None) -> Forest:
    """Give the maximum spanning forest of a layer, or of the part of it that a mask keeps.

    Args:
        layer: its weights; 1 x n is allowed.
        kept: which weights are looked at, shape (rows, columns); all if None.
        threads: how many cores to use; all if None. The result does not depend on it.

    Raises:
        LayerError: if the mask has another shape than the layer, or a weight is NaN or infinite.

    >>> from topoimp.layers.layer import as_layer
    >>> spanning_forest(as_layer(np.array([[3.0, 1.0], [2.0, 0.5]]))).indices
    array([0, 2, 1])
    """
    if kept is not None and kept.shape != layer.codes.shape:
        raise LayerError(f"a mask of shape {kept.shape} does not fit {layer.name!r} of shape {layer.codes.shape}")
    if kept is not None:
        layer = replace(layer, codes=np.where(kept, layer.codes, layer.codes.dtype.type(0)))
    graph = _Graph(layer, thread_count(threads))
    strong = _collect(graph)
    if strong.largest >= layer.number_format.first_special:
        layer.check_finite()
    parent = np.arange(layer.n_vertices)
    indices = _joining(strong.indices, layer.n_columns, parent, layer.n_vertices - 1)
    if not strong.is_all and len(indices) < layer.n_vertices - 1:
        indices = np.concatenate([indices, _finish(graph, parent, layer.n_vertices - 1 - len(indices))])
    strengths = layer.number_format.strengths(layer.codes.reshape(-1)[indices])
    return Forest(layer.n_rows, layer.n_columns, strong.n_edges, indices, strengths, parent)


def spanning_forests(stream: LayerStream) -> dict[str, Forest]:
    """Return the maximum spanning forest of each layer of a checkpoint, by layer name."""
    return stream.each(lambda layer, threads: spanning_forest(layer, threads=threads))


@dataclass(frozen=True)
class _Graph:
    """A layer, and how many threads may look at it."""

    layer: Layer
    threads: int

    @property
    def mask(self) -> np.unsignedinteger:
        """What takes the sign away, in the codes' own type."""
        return self.layer.number_format.code_dtype.type(self.layer.number_format.magnitude_mask)


@dataclass(frozen=True)
class _Strong:
    """A prefix of the order: all edges that reach a threshold, strongest first.

    Args:
        indices: flat indices.
        n_edges: edges of the layer.
        largest: magnitude code of the strongest weight.
        is_all: whether these are all edges there are.
    """

    indices: IndexArray
    n_edges: int
    largest: int
    is_all: bool


def _collect(graph: _Graph) -> _Strong:
    """Collect and sort the strongest edges, a few per vertex."""
    layer = graph.layer
    aimed_at = max(EDGES_PER_VERTEX * layer.n_vertices, LEAST_COLLECTED)
    threshold = _guess_threshold(graph, aimed_at)
    while True:
        room = min(_OVERFLOW * aimed_at, layer.codes.size)
        parts = _collect_parts(graph, threshold, room)
        n_found = sum(part[0] for part in parts)
        n_edges, largest = sum(part[1] for part in parts), max(part[2] for part in parts)
        if n_found <= room:
            break
        threshold = _raised(threshold, [part[4] for part in parts], aimed_at)
    indices = np.concatenate([part[3] for part in parts])
    ranks = np.concatenate([part[4] for part in parts])
    _sort_strongest_first(indices, ranks)
    return _Strong(indices, n_edges, largest, is_all=n_found == n_edges)


def _collect_parts(graph: _Graph, threshold: int, room: int) -> list[tuple[int, int, int, IndexArray, CodeArray]]:
    layer = graph.layer
    codes = layer.codes.reshape(-1)
    # A threshold beyond the largest code collects nothing, but must still be a code.
    rank = layer.number_format.code_dtype.type(min(threshold, int(np.iinfo(layer.codes.dtype).max)))

    def collect(start: int, stop: int) -> tuple[int, int, int, IndexArray, CodeArray]:
        indices, ranks = np.empty(min(room, stop - start), np.int64), np.empty(min(room, stop - start), codes.dtype)
        n_found, n_edges, largest = collect_strongest(codes, start, stop, graph.mask, rank, indices, ranks)
        return n_found, n_edges, int(largest), indices[:n_found], ranks[:n_found]

    return in_parallel(collect, layer.codes.size, graph.threads, unit=BLOCK)


def _sort_strongest_first(indices: IndexArray, ranks: CodeArray) -> None:
    """Sort edges in place, equals by index, as they come."""
    if len(ranks):
        scratch = np.empty_like(indices), np.empty_like(ranks), np.empty(SORT_COUNTS, np.int64)
        sort_strongest_first(indices, ranks, ranks.min(), ranks.max(), *scratch)


def _joining(edges: IndexArray, n_columns: int, parent: IndexArray, n_wanted: int) -> IndexArray:
    """Give those of some edges that join two components, taking them in the order given: ``n_wanted`` at most."""
    joining = np.empty(min(len(edges), n_wanted), np.int64)
    n_joining = join_edges(edges, n_columns, parent, n_wanted, joining)
    return edges[joining[:n_joining]]


def _guess_threshold(graph: _Graph, aimed_at: int) -> int:
    """Give the magnitude code that about so many edges reach, from a sample of the layer."""
    layer = graph.layer
    if layer.codes.size <= _OVERFLOW * aimed_at:
        return 1
    sample = sampled_magnitudes(layer)
    return _threshold_in(sample, aimed_at / layer.codes.size * len(sample))


def _threshold_in(ascending: CodeArray, n_wanted: float) -> int:
    """Give the least magnitude code, above 0, that not many more than n_wanted of some codes reach."""
    n = len(ascending)
    if n_wanted >= n:
        return 1
    threshold = max(int(ascending[n - max(int(n_wanted), 1)]), 1)
    n_reaching = n - int(np.searchsorted(ascending, threshold))
    return threshold + 1 if threshold > 1 and n_reaching > _OVERFLOW / 2 * max(n_wanted, 1) else threshold


def _raised(threshold: int, found: list[CodeArray], aimed_at: int) -> int:
    """Give a higher threshold, from what was found before the room was full."""
    codes = np.sort(np.concatenate(found))
    return max(_threshold_in(codes, min(aimed_at, len(codes) // 2)), threshold + 1)


def _finish(graph: _Graph, parent: IndexArray, n_missing: int) -> IndexArray:
    """Join what is still apart by Boruvka's rule, and give the joining edges in order: ``n_missing`` at most.

    In each step every component but the largest is joined along its first strongest edge to another one. A vertex that
    has no edge out of its component never gets one again, as components only grow: it is not looked at any more.
    """
    layer = graph.layer
    labels = np.empty(layer.n_vertices, np.int32)
    is_open = np.ones(layer.n_vertices, np.bool_)
    ranks, edges = np.zeros(layer.n_vertices, layer.codes.dtype), np.zeros(layer.n_vertices, np.int64)
    joined: list[IndexArray] = []
    while sum(map(len, joined)) < n_missing:
        largest = label_components(parent, labels, np.empty_like(labels))
        outside = np.flatnonzero((labels != largest) & is_open)
        if len(outside) == 0:
            break
        if _is_cheaper_in_pairs(layer, labels, outside):
            joined.append(_join_in_pairs(graph, labels, parent))
            break
        _look_at(graph, outside, labels, ranks, edges)
        joined.append(_join_best(layer, outside, ranks, edges, labels, parent))
        is_open[outside[ranks[outside] == 0]] = False
    indices = np.concatenate([np.empty(0, np.int64), *joined])
    return _in_order(layer, indices)


def _join_best(
    layer: Layer, outside: IndexArray, ranks: CodeArray, edges: IndexArray, labels: np.ndarray, parent: IndexArray
) -> IndexArray:
    """Join every component along the best edge of its vertices, and give these edges."""
    joined = np.empty(len(outside), np.int64)
    n_joined = join_best_edges(outside, ranks, edges, labels, layer.n_columns, parent, np.empty_like(parent), joined)
    return joined[:n_joined]


def _in_order(layer: Layer, indices: IndexArray) -> IndexArray:
    """Give a few edges in the order, strongest first, equals by index."""
    magnitudes = layer.number_format.magnitudes(layer.codes.reshape(-1)[indices])
    return indices[np.lexsort((indices, ~magnitudes))]


def _is_cheaper_in_pairs(layer: Layer, labels: np.ndarray, outside: IndexArray) -> bool:
    """Whether all has to be read anyway, and so few components are left that all pairs can be looked at together."""
    n_columns_outside = len(outside) - int(np.searchsorted(outside, layer.n_rows))
    return n_columns_outside > layer.n_columns // _MANY and len(_roots(labels)) <= _FEW


def _roots(labels: np.ndarray) -> IndexArray:
    """Give the roots of all components, from the root of every vertex: those that are their own."""
    return np.flatnonzero(labels == np.arange(len(labels)))


def _join_in_pairs(graph: _Graph, labels: np.ndarray, parent: IndexArray) -> IndexArray:
    """Join a few components in one pass: of all edges between two of them only the first strongest can be needed."""
    layer = graph.layer
    roots = _roots(labels)
    numbers = np.searchsorted(roots, labels).astype(np.int32)

    def look(start: int, stop: int) -> tuple[CodeArray, IndexArray]:
        pairs = (len(roots), len(roots))
        ranks, edges = np.zeros(pairs, layer.codes.dtype), np.zeros(pairs, np.int64)
        scratch = _scratch(len(roots), layer.codes.dtype), np.empty(len(roots), np.bool_)
        strongest_between(layer.codes, start, stop, graph.mask, numbers, ranks, edges, *scratch)
        return ranks.reshape(-1), edges.reshape(-1)

    ranks, edges = _best_of_parts(in_parallel(look, layer.n_rows, graph.threads))
    candidates = _in_order(layer, edges[ranks > 0])
    return _joining(candidates, layer.n_columns, parent, len(roots) - 1)


def _look_at(graph: _Graph, outside: IndexArray, labels: np.ndarray, ranks: CodeArray, edges: IndexArray) -> None:
    """Find the first strongest edge out of its component for each of some vertices; rank 0 where there is none."""
    layer = graph.layer
    rows, columns = np.split(outside, [np.searchsorted(outside, layer.n_rows)])
    # A few columns are read one by one. Of many, every cache line is touched anyway, and all rows come for free.
    if len(columns) > layer.n_columns // _MANY:
        _look_at_all(graph, labels, ranks, edges)
    else:
        _look_at_rows(graph, rows, labels, ranks, edges)
        _look_at_columns(graph, columns - layer.n_rows, labels, ranks, edges)


def _look_at_all(graph: _Graph, labels: np.ndarray, ranks: CodeArray, edges: IndexArray) -> None:
    layer = graph.layer

    def look(start: int, stop: int) -> tuple[CodeArray, IndexArray]:
        found = np.empty(layer.n_columns, layer.codes.dtype), np.empty(layer.n_columns, np.int64)
        scratch = _scratch(2, layer.codes.dtype)
        strongest_of_all(layer.codes, start, stop, graph.mask, labels, ranks, edges, *found, scratch)
        return found

    found = in_parallel(look, layer.n_rows, graph.threads, unit=GROUP)
    ranks[layer.n_rows :], edges[layer.n_rows :] = _best_of_parts(found)


def _look_at_rows(graph: _Graph, rows: IndexArray, labels: np.ndarray, ranks: CodeArray, edges: IndexArray) -> None:
    def look(start: int, stop: int) -> None:
        scratch = _scratch(1, graph.layer.codes.dtype)[0]
        strongest_of_rows(graph.layer.codes, rows[start:stop], graph.mask, labels, ranks, edges, scratch)

    if len(rows):
        in_parallel(look, len(rows), graph.threads)


def _look_at_columns(
    graph: _Graph, columns: IndexArray, labels: np.ndarray, ranks: CodeArray, edges: IndexArray
) -> None:
    layer = graph.layer

    def look(start: int, stop: int) -> tuple[CodeArray, IndexArray]:
        found = np.empty(len(columns), layer.codes.dtype), np.empty(len(columns), np.int64)
        strongest_of_columns(layer.codes, start, stop, columns, graph.mask, labels, *found)
        return found

    if len(columns):
        found = in_parallel(look, layer.n_rows, graph.threads)
        ranks[layer.n_rows + columns], edges[layer.n_rows + columns] = _best_of_parts(found)


def _scratch(n: int, dtype: np.dtype[Any]) -> CodeArray:
    """Give room for n strips of codes, each beginning where a line of the cache does: others are slower to read."""
    size = n * STRIP * dtype.itemsize
    room = np.empty(size + _CACHE_LINE, np.uint8)
    begin = -room.ctypes.data % _CACHE_LINE
    return room[begin : begin + size].view(dtype).reshape(n, STRIP)


def _best_of_parts(found: list[tuple[CodeArray, IndexArray]]) -> tuple[CodeArray, IndexArray]:
    """Give the best of each column over parts of the rows; of equals the earlier part's: its index is smaller."""
    ranks, edges = found[0]
    for other_ranks, other_edges in found[1:]:
        is_better = other_ranks > ranks
        ranks[is_better], edges[is_better] = other_ranks[is_better], other_edges[is_better]
    return ranks, edges


def _labels(parent: IndexArray) -> IndexArray:
    roots = np.empty(len(parent), np.int32)
    label_components(parent, roots, np.empty_like(roots))
    _, first, label = np.unique(roots, return_index=True, return_inverse=True)
    place = np.empty(len(first), np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    return place[label]
