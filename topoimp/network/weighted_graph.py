"""A network's graph with everything that makes its paths strong: weights, factors of norms, strengths of inputs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

import numpy as np

from topoimp.arrays import CodeArray, FloatArray, IndexArray
from topoimp.errors import LayerError
from topoimp.layers.layer import Layer
from topoimp.network.graph import Connection, NetworkGraph, groups_of
from topoimp.network.logarithms import logarithms

NumberArray = TypeVar("NumberArray", FloatArray, CodeArray)

MOST_CONNECTIONS = 900
"""Connections of a graph whose paths have logarithms that fit 64 bits, whatever their weights."""


@dataclass(frozen=True)
class WeightedGraph:
    """The graph of a network and everything that makes paths strong.

    Args:
        graph: how the layers are joined.
        layers: by name, the layers of the graph.
        inputs: the strength of each input, at least 0; 1 if None.
        norms: by the name of a batch norm, its factor |gamma| / sqrt(variance + eps) for each vertex that it enters.
        unpruned: names of layers on paths that are never pruned: no target counts their weights.

    Raises:
        LayerError: if a layer or a norm is missing or has another size than the graph says, if a strength of an input
            or a factor is negative, NaN or infinite, or if the graph has a layer twice or over 900 connections.
    """

    graph: NetworkGraph
    layers: Mapping[str, Layer]
    inputs: FloatArray | None = None
    norms: Mapping[str, FloatArray] = field(default_factory=dict)
    unpruned: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Check names, sizes and numbers."""
        names = self.graph.layers
        repeated = [name for name in names if names.count(name) > 1]
        if repeated:
            raise LayerError(f"layer {repeated[0]!r} stands twice in the graph; paths need each weight once")
        missing = [name for name in names if name not in self.layers]
        if missing:
            raise LayerError(f"layer {missing[0]!r} is in the graph, but is not among the weights")
        if len(self.graph.connections) > MOST_CONNECTIONS:
            n = len(self.graph.connections)
            raise LayerError(f"the graph has {n} connections; paths can be followed through {MOST_CONNECTIONS}")
        if self.inputs is not None:
            _check_factors("the strengths of the inputs", self.inputs, self.graph.places[self.graph.inputs])

    @cached_property
    def edges(self) -> list["Edges"]:
        """The connections in the order of the places that they enter, with their weights numbered throughout.

        Each group of a layer has edges of its own.
        """
        first_weight = 0
        edges = []
        for position, connection in enumerate(self.graph.by_target):
            for each in self._edges(connection, position):
                edges.append(replace(each, first_weight=first_weight))
                first_weight += 0 if each.pruned is None else each.pruned.n_weights
        return edges

    @property
    def n_weights(self) -> int:
        """Weights of all layers that are pruned, stored zeros included."""
        return sum(layer.n_weights for _, layer in self.pruned_edges)

    @property
    def pruned_edges(self) -> list[tuple["Edges", Layer]]:
        """The edges that are weights of pruned layers, with their layers."""
        return [(each, each.pruned) for each in self.edges if each.pruned is not None]

    @property
    def depth(self) -> int:
        """The largest number of weights of pruned layers on a path, whatever the weights."""
        depths = dict.fromkeys(self.graph.places, 0)
        for each in self.edges:
            here = depths[each.connection.source] + (each.pruned is not None)
            depths[each.connection.target] = max(depths[each.connection.target], here)
        return depths[self.graph.outputs]

    def _edges(self, connection: Connection, position: int) -> Iterator["Edges"]:
        """Yield the edges of each group of a connection, their weights numbered from 0."""
        graph = self.graph
        n_sources = graph.places[connection.source] - connection.first_source
        n_targets = graph.places[connection.target] - connection.first_target
        layer = None if connection.layer is None else self.layers[connection.layer]
        if layer is None:
            n_joined = min(n_sources, n_targets)
            n_read, n_entered = n_joined, n_joined
        else:
            n_read = layer.n_columns // connection.columns_per_vertex * connection.groups
            n_entered = layer.n_rows
            if layer.n_columns % connection.columns_per_vertex or n_read > n_sources or n_entered > n_targets:
                raise LayerError(
                    f"layer {connection.layer!r} has the shape {layer.n_rows} x {layer.n_columns}; the graph joins "
                    f"it to {n_sources} vertices of {connection.columns_per_vertex} columns and to {n_targets} rows"
                )

        factors = np.ones(n_entered)
        if connection.norm is not None:
            if connection.norm not in self.norms:
                raise LayerError(f"the norm {connection.norm!r} is in the graph, but its factors are not known")
            _check_factors(f"the factors of {connection.norm!r}", self.norms[connection.norm], n_entered)
            factors = self.norms[connection.norm]
        of_source, of_target = graph.first_vertices[connection.source], graph.first_vertices[connection.target]
        is_pruned = connection.layer not in self.unpruned
        n_columns = n_read if layer is None else layer.n_columns
        for rows, group in groups_of(connection, n_entered, n_columns):
            part = layer if layer is None or connection.groups == 1 else replace(layer, codes=layer.codes[rows])
            sources = slice(
                of_source + group.first_source, of_source + group.first_source + n_read // connection.groups
            )
            targets = slice(of_target + group.first_target, of_target + group.first_target + rows.stop - rows.start)
            yield Edges(group, part, is_pruned, position, 0, sources, targets, factors[rows])


@dataclass(frozen=True)
class Edges:
    """The edges of a connection, or of one of its groups.

    Args:
        layer: the layer whose weights they are; None where they join vertices one to one.
        is_pruned: whether the layer's weights may be pruned.
        position: the number of the connection in the order of the layers.
        first_weight: the number of the layer's first weight, if the weights of all layers are counted in this order.
        sources: the vertices that the edges leave, numbered through all places.
        targets: the vertices that they enter; one for each row of a layer.
        factors: the factor of each target.
    """

    connection: Connection
    layer: Layer | None
    is_pruned: bool
    position: int
    first_weight: int
    sources: slice
    targets: slice
    factors: FloatArray

    @cached_property
    def norm(self) -> IndexArray:
        """The logarithm of the factor of each target."""
        return logarithms(self.factors)

    @property
    def pruned(self) -> Layer | None:
        """The layer if its weights may be pruned."""
        return self.layer if self.is_pruned else None

    def weight_numbers(self, flat: IndexArray) -> IndexArray:
        """Return the numbers of weights of the layer, given by flat index; -1 if it is never pruned."""
        return self.first_weight + flat if self.is_pruned else np.full_like(flat, -1)

    def by_column(self, of_vertices: IndexArray) -> IndexArray:
        """Return for each column of the layer a number of its vertex."""
        return np.repeat(of_vertices[self.sources], self.connection.columns_per_vertex)


def rows_together(of_groups: Sequence[NumberArray]) -> NumberArray:
    """Return the rows of all groups of a layer as one array, shape (rows, columns); one group is not copied."""
    return of_groups[0] if len(of_groups) == 1 else np.concatenate(of_groups)


def _check_factors(name: str, factors: FloatArray, size: int) -> None:
    if np.shape(factors) != (size,):
        raise LayerError(f"{name} have the shape {np.shape(factors)}; {(size,)} is needed")
    wrong = np.flatnonzero(~((factors >= 0) & np.isfinite(factors)))  # also true for NaN
    if wrong.size:
        raise LayerError(f"{name} hold {factors[wrong[0]]} at index {wrong[0]}; they are finite and at least 0")
