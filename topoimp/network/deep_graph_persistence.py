"""Deep graph persistence: the neural persistence of the paths from inputs to outputs, by their weakest weights.

Girrbach et al. standardise each layer (``topoimp.network.standardised``) and divide by the largest magnitude of all
layers. S holds, for each input and output, the strength of the strongest path between them, a path being as strong as
its weakest weight. Deep graph persistence is the neural persistence of S, the complete bipartite graph of inputs and
outputs.

S is never computed here: the product of n0 x n1 and n1 x n2 would cost n0 n1 n2. Two inputs or outputs are joined in S
at a level exactly if they are joined by edges of the network, each on a path from an input to an output that is at
least as strong as the level (docs/theory.md, section 12.7). The strength of the strongest path through a weight is the
smallest of three: the weight, the strongest path from an input to it, and the strongest path from it to an output. So
the barcode of S comes from the maximum spanning forest of the network under these strengths, in a time linear in the
number of weights, for every graph and not only for chains of dense layers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import numpy as np

from topoimp.arrays import FloatArray
from topoimp.choices import NeuralPersistence
from topoimp.layers.layer import Layer, as_layer
from topoimp.network.glued_edges import (
    GluedEdges,
    barcode_of_edges,
    graph_layers,
    group_layers,
    layer_edges,
    one_to_one_edges,
)
from topoimp.network.graph import Connection, NetworkGraph, joined_vertices
from topoimp.network.standardised import StandardisedLayer, standardised
from topoimp.topology.barcode import Barcode, check_norm, neural_persistence
from topoimp.topology.forest import spanning_forest


@dataclass(frozen=True)
class DeepGraphPersistence:
    """The barcode of the matrix S of a network, and its neural persistence at two scales.

    Args:
        barcode: a bar for each input and each output; deaths are standardised magnitudes, not divided by a scale.
        scale: the largest standardised magnitude of all layers.
        value: the neural persistence of S, divided by the largest entry of S.
        value_at_network_scale: the same with S divided by ``scale`` alone; at least ``value``.
    """

    barcode: Barcode
    scale: float
    value: float
    value_at_network_scale: float


def deep_graph_persistence(
    graph: NetworkGraph, layers: Mapping[str, Layer], *, p: float = 2.0, threads: int = 1
) -> DeepGraphPersistence:
    """Return the deep graph persistence of a network, and the barcode that it sums up.

    The values are those of the code of Girrbach et al. for chains of dense layers with p = 2: ``value`` is its
    ``dnp_exact_norm``, ``value_at_network_scale`` its ``dnp_prev_norm``. Differences: means and deviations are float64,
    theirs have the type of the weights, mostly float32; a layer of equal weights is refused, theirs becomes NaN. As in
    their code, a stored zero is a weight as others, so that a mask removes no edge. Graphs other than chains of dense
    layers are our extension: a layer with groups is standardised whole, of parallel edges the strongest counts, a
    connection that joins vertices one to one has the largest magnitude of all layers, and factors of norms do not
    count.

    Args:
        graph: the network.
        layers: by name, the layers of the graph, in the view ``matrix``; others are left alone.
        p: the norm of the persistences, at least 1.
        threads: threads for the forest of each layer; the result does not depend on them.

    Raises:
        LayerError: if a layer is missing, has another shape than the graph says, has NaN, infinite, or only equal
            weights, or if the graph has no connection.
        OptionError: if p is below 1 or infinite, or the number of threads is below 1.

    Source: Girrbach, Christensen, Winther, Akata, Koepke, "Addressing caveats of neural persistence with deep graph
    persistence", TMLR 2023.

    >>> from topoimp.network.graph import chain_graph
    >>> layers = {"fc1": as_layer(np.array([[3.0, 1.0], [1.0, 1.0]])), "fc2": as_layer(np.array([[2.0, 4.0]]))}
    >>> graph = chain_graph({"fc1": (2, 2), "fc2": (1, 2)})
    >>> found = deep_graph_persistence(graph, layers)
    >>> found.barcode.deaths.round(3), round(found.scale, 3)  # the second path of the first input is 0.577
    (array([1.   , 0.577]), 1.732)
    """
    check_norm(p)
    found = {name: standardised(layer) for name, layer in graph_layers(graph, layers).items()}
    scale = max((each.largest for each in found.values()), default=1.0)
    paths = _Paths(graph, found, scale)

    up = paths.up()
    down = paths.down()
    edges = [paths.forest_edges(part, up, down, threads) for part in paths.parts]
    ends = np.zeros(graph.n_vertices, np.bool_)
    ends[: graph.places[graph.inputs]] = True
    ends[graph.n_vertices - graph.places[graph.outputs] :] = True
    barcode = barcode_of_edges(edges, ends)

    def value(divisor: float) -> float:
        # No death is above either scale, so the persistence is defined.
        return cast("float", neural_persistence(barcode, NeuralPersistence.RIECK, scale=divisor, p=p))

    return DeepGraphPersistence(barcode, scale, value(barcode.strongest or scale), value(scale))


@dataclass(frozen=True)
class _Part:
    """A connection, or a group of it, with its standardised weights; None where it joins vertices one to one."""

    connection: Connection
    layer: StandardisedLayer | None


@dataclass(frozen=True)
class _Paths:
    """A network whose layers are standardised; ``largest`` is the largest magnitude of all layers."""

    graph: NetworkGraph
    layers: Mapping[str, StandardisedLayer]
    largest: float

    @cached_property
    def parts(self) -> list[_Part]:
        """All connections, group by group, in the order of the places that they enter."""
        parts = []
        for each in self.graph.by_target:
            if each.layer is None:
                parts.append(_Part(each, None))
            else:
                whole = self.layers[each.layer]
                groups = group_layers(each, whole.layer)
                parts += [_Part(group, replace(whole, layer=layer)) for group, layer in groups]
        return parts

    def up(self) -> dict[str, FloatArray]:
        """Return by place the strength of the strongest path from an input to each vertex; 0 if there is none."""
        up = {place: np.zeros(size) for place, size in self.graph.places.items()}
        up[self.graph.inputs][:] = self.largest
        for part in self.parts:
            sources, targets = self.joined(part)
            before, entered = up[part.connection.source][sources], up[part.connection.target][targets]
            if part.layer is None:
                np.maximum(entered, before, out=entered)
                continue

            by_column = np.repeat(before, part.connection.columns_per_vertex)
            for rows, magnitudes in part.layer.blocks():
                np.maximum(entered[rows], np.minimum(magnitudes, by_column).max(axis=1), out=entered[rows])
        return up

    def down(self) -> dict[str, FloatArray]:
        """Return by place the strength of the strongest path from each vertex to an output; 0 if there is none."""
        down = {place: np.zeros(size) for place, size in self.graph.places.items()}
        down[self.graph.outputs][:] = self.largest
        for part in reversed(self.parts):
            sources, targets = self.joined(part)
            left, after = down[part.connection.source][sources], down[part.connection.target][targets]
            if part.layer is None:
                np.maximum(left, after, out=left)
                continue

            for rows, magnitudes in part.layer.blocks():
                by_column = np.minimum(magnitudes, after[rows, None]).max(axis=0)
                by_vertex = by_column.reshape(-1, part.connection.columns_per_vertex).max(axis=1)
                np.maximum(left, by_vertex, out=left)
        return down

    def forest_edges(
        self, part: _Part, up: Mapping[str, FloatArray], down: Mapping[str, FloatArray], threads: int
    ) -> GluedEdges:
        """Return the edges of a maximum spanning forest of a part, each as strong as the strongest path through it."""
        sources, targets = self.joined(part)
        before, after = up[part.connection.source][sources], down[part.connection.target][targets]
        if part.layer is None:
            return one_to_one_edges(self.graph, part.connection, np.minimum(before, after))

        by_column = np.repeat(before, part.connection.columns_per_vertex)
        through = np.empty((len(after), len(by_column)))
        for rows, magnitudes in part.layer.blocks():
            through[rows] = np.minimum(np.minimum(magnitudes, by_column), after[rows, None])
        forest = spanning_forest(as_layer(through), threads=threads)
        return layer_edges(self.graph, part.connection, forest)

    def joined(self, part: _Part) -> tuple[slice, slice]:
        """Return the vertices of the source and of the target that a part joins."""
        shape = (0, 0) if part.layer is None else part.layer.layer.codes.shape
        return joined_vertices(self.graph, part.connection, shape)
