"""Edges between the vertices of a whole network, and the bars that they end when they enter strongest first.

The vertices of all places are numbered together (``NetworkGraph.first_vertices``). A layer gives only the edges of its
maximum spanning forest: gluing rows of one layer to columns of another, or several columns to one vertex, leaves every
cycle of the layer a closed walk, on which the same edge is weakest. So an edge outside the layer's forest joins nothing
in the network either. The edges of all layers together are at most the rows and columns of all layers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from topoimp.arrays import BoolArray, FloatArray, IndexArray
from topoimp.errors import LayerError
from topoimp.kernels.components import join_marked
from topoimp.layers.layer import Layer
from topoimp.network.graph import Connection, NetworkGraph, groups_of, joined_vertices
from topoimp.topology.barcode import Barcode
from topoimp.topology.forest import Forest


@dataclass(frozen=True)
class GluedEdges:
    """Edges between vertices of a network: their two ends and their strengths, each of shape (n,), in any order."""

    sources: IndexArray
    targets: IndexArray
    strengths: FloatArray


def graph_layers(graph: NetworkGraph, layers: Mapping[str, Layer]) -> dict[str, Layer]:
    """Return the layers of a graph, in the order of its connections.

    Raises:
        LayerError: if a layer is missing, or the graph has no connection.
    """
    if not graph.connections:
        raise LayerError(f"the graph has the place {graph.inputs} alone; a network needs a connection")
    missing = [name for name in graph.layers if name not in layers]
    if missing:
        raise LayerError(f"layer {missing[0]!r} is in the graph, but is not among the weights")
    return {name: layers[name] for name in graph.layers}


def group_layers(connection: Connection, layer: Layer) -> list[tuple[Connection, Layer]]:
    """Return the connection and the rows of each group of a layer; both as they are without groups."""
    if connection.groups == 1:
        return [(connection, layer)]
    groups = groups_of(connection, layer.n_rows, layer.n_columns)
    return [(group, replace(layer, codes=layer.codes[rows])) for rows, group in groups]


def layer_edges(graph: NetworkGraph, connection: Connection, forest: Forest) -> GluedEdges:
    """Return the edges of the forest of a layer, or of one of its groups; columns of one vertex make parallel edges.

    Raises:
        LayerError: if the layer has groups, or does not have the rows and columns that the graph gives it.
    """
    sources, targets = joined_vertices(graph, connection, (forest.n_rows, forest.n_columns))
    rows, columns = np.divmod(forest.indices, forest.n_columns)
    return GluedEdges(
        graph.first_vertices[connection.source] + sources.start + columns // connection.columns_per_vertex,
        graph.first_vertices[connection.target] + targets.start + rows,
        forest.strengths,
    )


def one_to_one_edges(graph: NetworkGraph, connection: Connection, strengths: FloatArray | float) -> GluedEdges:
    """Return the edges of a connection without a layer; ``strengths`` are one for each edge, or one for all."""
    sources, targets = joined_vertices(graph, connection, (0, 0))
    pairs = np.arange(sources.stop - sources.start)
    return GluedEdges(
        graph.first_vertices[connection.source] + sources.start + pairs,
        graph.first_vertices[connection.target] + targets.start + pairs,
        np.broadcast_to(np.asarray(strengths, np.float64), pairs.shape),
    )


def barcode_of_edges(edges: Iterable[GluedEdges], is_marked: BoolArray) -> Barcode:
    """Return the barcode of the marked vertices of a network, in which the other vertices only carry paths.

    A bar begins for each marked vertex. An edge ends one if it joins two components that both have a marked vertex.
    ``is_marked`` has a flag for each vertex of the network. An edge of strength 0 is none.

    >>> edges = GluedEdges(np.array([0, 1]), np.array([1, 2]), np.array([3.0, 2.0]))
    >>> barcode_of_edges([edges], np.array([True, False, True])).deaths
    array([2.])
    """
    parts = list(edges)
    strengths = np.concatenate([np.zeros(0), *(part.strengths for part in parts)])
    order = np.argsort(-strengths, kind="stable")
    order = order[: np.count_nonzero(strengths)]
    sources, targets = (
        np.concatenate([np.zeros(0, np.int64), *(getattr(part, side) for part in parts)])[order]
        for side in ("sources", "targets")
    )

    joining = np.empty(len(order), np.int64)
    n_joining = join_marked(sources, targets, np.arange(len(is_marked)), is_marked.copy(), joining)
    n_marked = int(np.count_nonzero(is_marked))
    return Barcode(strengths[order[joining[:n_joining]]], n_marked - n_joining)
