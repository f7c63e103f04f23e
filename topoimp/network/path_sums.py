"""The strength of all paths through each weight, added up: the product of the squares of the weights on each.

The factors of norms are squared too. Numbers of one place share a power of two, and so do the weights of a layer, so
products of many layers neither overflow nor vanish. Sums are taken in a fixed order: every machine has the same.
"""

from dataclasses import dataclass
from math import frexp

import numpy as np

from topoimp.arrays import FloatArray
from topoimp.kernels.path_sums import add_up_columns, add_up_rows, write_products
from topoimp.network.weighted_graph import Edges, WeightedGraph, rows_together


@dataclass(frozen=True)
class _Scaled:
    """Numbers of at least 0, each times 2^exponent; the largest lies in [0.5, 1), or all are 0."""

    numbers: FloatArray
    exponent: int = 0

    def normal(self) -> "_Scaled":
        """Return the same numbers with the largest in [0.5, 1)."""
        shift = frexp(float(self.numbers.max(initial=0)))[1]
        return _Scaled(np.ldexp(self.numbers, -shift), self.exponent + shift)


def path_sums(network: WeightedGraph) -> dict[str, FloatArray]:
    """Return for each weight of each layer the sum over the paths through it, shape (rows, columns).

    All sums have one unit, a power of two, in which the largest lies in [0.5, 1). A sum below 2^-1074 in it, and that
    of a weight on no path, is 0.

    Source: SynFlow-L2, in Gebhart, Saxena & Schrater, "A Unified Paths Perspective for Pruning at Initialization",
    arXiv 2101.10552, 2021, after Tanaka et al., "Pruning neural networks without any data by iteratively conserving
    synaptic flow", NeurIPS 2020.

    >>> from topoimp.layers.layer import as_layer
    >>> from topoimp.network.graph import chain_graph
    >>> layers = {"fc1": as_layer([[1.0, 1.0]]), "fc2": as_layer([[0.5], [0.0]])}
    >>> {name: sums.tolist() for name, sums in path_sums(
    ...     WeightedGraph(chain_graph({"fc1": (1, 2), "fc2": (2, 1)}), layers)).items()}
    {'fc1': [[0.25, 0.25]], 'fc2': [[0.5], [0.0]]}
    """
    graph = network.graph
    n_inputs = graph.places[graph.inputs]
    inputs = np.ones(n_inputs) if network.inputs is None else network.inputs
    before = {place: _Scaled(np.zeros(size)) for place, size in graph.places.items()}
    before[graph.inputs] = _Scaled(inputs).normal()
    before[graph.inputs] = _squared(before[graph.inputs])
    for each in network.edges:
        target = each.connection.target
        before[target] = _added(
            before[target], _into_target(each, before[each.connection.source], graph.places[target])
        )

    after = {place: _Scaled(np.zeros(size)) for place, size in graph.places.items()}
    after[graph.outputs] = _Scaled(np.ones(graph.places[graph.outputs]))
    for each in reversed(network.edges):
        source = each.connection.source
        leaving = _out_of_source(each, after[each.connection.target], graph.places[source])
        after[source] = _added(after[source], leaving)

    sums: dict[str, list[_Scaled]] = {name: [] for name in graph.layers}
    for each in network.edges:
        if each.connection.layer is not None:
            through = _through(each, before[each.connection.source], after[each.connection.target])
            sums[each.connection.layer].append(through)
    exponents = [part.exponent for parts in sums.values() for part in parts if part.numbers.any()]
    largest = max(exponents, default=0)
    return {
        name: rows_together([np.ldexp(part.numbers, part.exponent - largest) for part in parts])
        for name, parts in sums.items()
    }


def _squared(scaled: _Scaled) -> _Scaled:
    return _Scaled(scaled.numbers**2, 2 * scaled.exponent)


def _added(one: _Scaled, other: _Scaled) -> _Scaled:
    """Return the sums of numbers, in the larger unit."""
    if not one.numbers.any():
        return other
    if not other.numbers.any():
        return one
    exponent = max(one.exponent, other.exponent)
    sums = np.ldexp(one.numbers, one.exponent - exponent) + np.ldexp(other.numbers, other.exponent - exponent)
    return _Scaled(sums, exponent).normal()


def _weights(edges: Edges) -> _Scaled:
    """Return |w| of a layer, shape (rows, columns)."""
    if edges.layer is None:
        raise ValueError("one-to-one edges are not weights")
    return _Scaled(edges.layer.number_format.strengths(edges.layer.codes)).normal()


def _norm(edges: Edges) -> _Scaled:
    """Return the squares of the factors of the targets."""
    return _squared(_Scaled(edges.factors).normal())


def _part(whole: _Scaled, edges: Edges, *, is_source: bool) -> FloatArray:
    """Return the numbers of the vertices at one end of a connection, of those of its place."""
    first = edges.connection.first_source if is_source else edges.connection.first_target
    ends = edges.sources if is_source else edges.targets
    return whole.numbers[first : first + ends.stop - ends.start]


def _into_target(edges: Edges, before: _Scaled, size: int) -> _Scaled:
    """Return the sums that a connection brings to all vertices of its target."""
    part = _part(before, edges, is_source=True)
    exponent = before.exponent
    if edges.layer is not None:
        weights = _weights(edges)
        by_column = np.repeat(part, edges.connection.columns_per_vertex)
        part = np.empty(edges.layer.n_rows)
        add_up_rows(weights.numbers, by_column, part)
        exponent += 2 * weights.exponent
    norm = _norm(edges)
    return _placed(_Scaled(part * norm.numbers, exponent + norm.exponent), edges.connection.first_target, size)


def _out_of_source(edges: Edges, after: _Scaled, size: int) -> _Scaled:
    """Return the sums that a connection brings to all vertices of its source."""
    norm = _norm(edges)
    part = _part(after, edges, is_source=False) * norm.numbers
    exponent = after.exponent + norm.exponent
    if edges.layer is not None:
        weights = _weights(edges)
        by_column = np.zeros(edges.layer.n_columns)
        add_up_columns(weights.numbers, part, by_column)
        by_vertex = by_column.reshape(-1, edges.connection.columns_per_vertex)
        part = np.zeros(len(by_vertex))
        for of_vertices in by_vertex.T:  # one after the other, in a fixed order
            part += of_vertices
        exponent += 2 * weights.exponent
    return _placed(_Scaled(part, exponent), edges.connection.first_source, size)


def _placed(part: _Scaled, first: int, size: int) -> _Scaled:
    """Return numbers of some vertices of a place among zeros for the others."""
    whole = np.zeros(size)
    whole[first : first + len(part.numbers)] = part.numbers
    return _Scaled(whole, part.exponent).normal()


def _through(edges: Edges, before: _Scaled, after: _Scaled) -> _Scaled:
    """Return the sums over the paths through each weight of a layer."""
    weights, norm = _weights(edges), _norm(edges)
    by_column = np.repeat(_part(before, edges, is_source=True), edges.connection.columns_per_vertex)
    by_row = _Scaled(_part(after, edges, is_source=False) * norm.numbers, after.exponent + norm.exponent).normal()
    products = np.empty_like(weights.numbers)
    write_products(weights.numbers, by_column, by_row.numbers, products)
    return _Scaled(products, before.exponent + by_row.exponent + 2 * weights.exponent).normal()
