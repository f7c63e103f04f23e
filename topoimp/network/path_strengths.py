"""The strongest paths of a network: for every vertex the strongest one from an input, and the strongest to an output.

The strength of a path is the strength of its input times the magnitudes of its weights, times the factors of the norms
on it. Strengths are kept as integers, log2 in steps of 2^-38 (``topoimp.kernels.path_strengths``), whose sums are
exact: all edges of a path have the same strength of their strongest path, and so have two paths of the same factors in
any order. Unequal strengths that differ by less than a factor of 1 + n 2^-38, for n factors, may compare as equal or
the other way round, the same on every machine.

Of equal paths the one along the earlier layer counts, then that of the smaller flat index. The order of the layers is
that of the places that they enter. A vertex without a path has the strength ``ABSENT``.
"""

from dataclasses import dataclass

import numpy as np

from topoimp.arrays import IndexArray
from topoimp.kernels.path_strengths import ABSENT, LEAST, write_keys
from topoimp.network.logarithms import layer_logarithms, logarithms
from topoimp.network.strongest_steps import strongest_into_rows, strongest_out_of_columns
from topoimp.network.weighted_graph import Edges, WeightedGraph


@dataclass(frozen=True)
class PathStrengths:
    """For each vertex the logarithms of its strongest paths, and the next step on each.

    ``before`` is that of the strongest path from an input to the vertex, ``after`` of that to an output. The first
    comes from ``vertex_in`` along the weight numbered ``weight_in``, and the second goes on to ``vertex_out``. Both
    numbers are -1 where there is none: at the end of a path, and the weight's for an edge that is no weight.
    """

    network: WeightedGraph
    before: IndexArray
    after: IndexArray
    weight_in: IndexArray
    vertex_in: IndexArray
    weight_out: IndexArray
    vertex_out: IndexArray

    def keys(self, edges: Edges, start: int, stop: int) -> IndexArray:
        """Return the keys of some rows of a layer: larger keys are kept first (``write_keys``)."""
        logs = layer_logarithms(edges.layer, start, stop)
        keys = np.empty_like(logs)
        after = edges.norm[start:stop] + self.after[edges.targets][start:stop]
        write_keys(logs, edges.by_column(self.before), after, edges.position, keys)
        return keys

    def keys_at(self, edges: Edges, flat: IndexArray) -> IndexArray:
        """Return the keys of some weights of a layer, given by flat index."""
        if edges.layer is None:
            raise ValueError("one-to-one edges are not weights")
        row, column = np.divmod(flat, edges.layer.n_columns)
        strengths = edges.layer.number_format.strengths(edges.layer.codes[row, column])
        before = self.before[edges.sources.start + column // edges.connection.columns_per_vertex]
        after = edges.norm[row] + self.after[edges.targets][row]

        keys = np.empty((len(flat), 1), np.int64)
        write_keys(logarithms(strengths)[:, None], np.zeros(1, np.int64), before + after, edges.position, keys)
        return keys[:, 0]

    def keys_of_numbers(self, weights: IndexArray) -> IndexArray:
        """Return the keys of some weights of the network, given by their numbers, ascending."""
        keys = np.empty(len(weights), np.int64)
        for edges, layer in self.network.pruned_edges:
            first, end = np.searchsorted(weights, [edges.first_weight, edges.first_weight + layer.n_weights])
            keys[first:end] = self.keys_at(edges, weights[first:end] - edges.first_weight)
        return keys

    @property
    def largest(self) -> int:
        """The logarithm of the strongest path from an input to an output, at least ``LEAST``."""
        graph = self.network.graph
        return max(int(self.before[graph.first_vertices[graph.outputs] :].max()), LEAST)


def path_strengths(network: WeightedGraph, *, threads: int = 1) -> PathStrengths:
    """Return the strongest paths of a network: two passes over its weights.

    >>> from topoimp.layers.layer import as_layer
    >>> from topoimp.network.graph import chain_graph
    >>> from topoimp.network.weighted_graph import WeightedGraph
    >>> layers = {"fc1": as_layer([[4.0, 1.0], [0.0, 2.0]]), "fc2": as_layer([[0.25, 8.0]])}
    >>> graph = chain_graph({"fc1": (2, 2), "fc2": (1, 2)})
    >>> strengths = path_strengths(WeightedGraph(graph, layers))
    >>> (strengths.before[-1:] / 2**38).tolist(), strengths.weight_in[-1:].tolist()
    ([4.0], [5])
    """
    graph = network.graph
    n = graph.n_vertices
    before, after = np.full(n, ABSENT), np.full(n, ABSENT)
    weight_in, vertex_in, weight_out, vertex_out = (np.full(n, -1) for _ in range(4))

    before[: graph.places[graph.inputs]] = 0 if network.inputs is None else logarithms(network.inputs)
    for each in network.edges:
        total, weight, source = _into_targets(each, before, threads)
        _replace(each.targets, total, weight, source, before, weight_in, vertex_in)

    after[graph.first_vertices[graph.outputs] :] = 0
    for place in reversed(list(graph.places)):
        for each in network.edges:
            if each.connection.source == place:
                total, weight, target = _out_of_sources(each, after, threads)
                _replace(each.sources, total, weight, target, after, weight_out, vertex_out)
    return PathStrengths(network, before, after, weight_in, vertex_in, weight_out, vertex_out)


_Steps = tuple[IndexArray, IndexArray, IndexArray]
"""The logarithm of the strongest path through each vertex, the weight of its step, and the vertex at the other end."""


def _into_targets(edges: Edges, before: IndexArray, threads: int) -> _Steps:
    """Return the strongest step into each target."""
    layer, first_source = edges.layer, edges.sources.start
    if layer is None:
        n = len(edges.norm)
        return before[edges.sources] + edges.norm, np.full(n, -1), first_source + np.arange(n)

    best, column = strongest_into_rows(layer, edges.by_column(before), threads)
    weight = edges.weight_numbers(np.arange(layer.n_rows) * layer.n_columns + column)
    return best + edges.norm, weight, first_source + column // edges.connection.columns_per_vertex


def _out_of_sources(edges: Edges, after: IndexArray, threads: int) -> _Steps:
    """Return the strongest step out of each source."""
    layer, first_target = edges.layer, edges.targets.start
    by_row = edges.norm + after[edges.targets]
    if layer is None:
        n = len(edges.norm)
        return by_row, np.full(n, -1), first_target + np.arange(n)

    best, row = strongest_out_of_columns(layer, by_row, threads)

    # Of the columns of a vertex, the strongest, at the smallest flat index.
    shape = (-1, edges.connection.columns_per_vertex)
    flat = (row * layer.n_columns + np.arange(layer.n_columns)).reshape(shape)
    total = best.reshape(shape).max(axis=1)
    flat = np.where(best.reshape(shape) == total[:, None], flat, layer.n_weights).min(axis=1)
    return total, edges.weight_numbers(flat), first_target + flat // layer.n_columns


def _replace(
    part: slice,
    total: IndexArray,
    weight: IndexArray,
    vertex: IndexArray,
    best: IndexArray,
    best_weight: IndexArray,
    best_vertex: IndexArray,
) -> None:
    """Replace the steps of some vertices by stronger ones."""
    is_stronger = (total > best[part]) & (total >= LEAST)
    for of_step, of_vertex in ((total, best), (weight, best_weight), (vertex, best_vertex)):
        of_vertex[part] = np.where(is_stronger, of_step, of_vertex[part])
