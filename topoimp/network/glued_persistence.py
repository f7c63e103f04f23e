"""The barcode and the neural persistence of a network as one graph, in which the layers share their vertices.

Vertices are the inputs, neurons, channels and outputs of the network (``topoimp.network.graph``). The strength of an
edge is |w|; of parallel edges, such as the weights of a kernel, the strongest counts. Strengths are divided by the
largest |w| of all layers of the graph, as Rieck et al. do for single layers. A connection that joins vertices one to
one, such as a shortcut, is an identity: its edges have that largest strength, 1 after division. Factors of batch norms
do not change a strength.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from topoimp.choices import NeuralPersistence
from topoimp.layers.layer import Layer
from topoimp.network.glued_edges import barcode_of_edges, graph_layers, group_layers, layer_edges, one_to_one_edges
from topoimp.network.graph import NetworkGraph
from topoimp.topology.barcode import Barcode, check_norm, largest_strength, neural_persistence
from topoimp.topology.forest import spanning_forest


@dataclass(frozen=True)
class GluedPersistence:
    """The barcode of a network's glued graph and its neural persistence.

    Args:
        barcode: a bar for each vertex of the network; deaths are strengths, not divided by the scale.
        scale: the largest |w| of the layers; 1 if all weights are 0.
        value: the p-norm of the persistences 1 - death / scale, essential bars counting 1, over (V - 1)^(1/p), V
            vertices: in [0, (V / (V - 1))^(1/p)].
    """

    barcode: Barcode
    scale: float
    value: float


def glued_persistence(
    graph: NetworkGraph, layers: Mapping[str, Layer], *, p: float = 2.0, threads: int = 1
) -> GluedPersistence:
    """Return the barcode and the neural persistence of a network as one graph.

    The time is that of the layers' forests: each layer is read about once, and no list of all edges is made.

    Args:
        graph: the network.
        layers: by name, the layers of the graph, in the view ``matrix``; others are left alone.
        p: the norm of the persistences, at least 1.
        threads: threads for the forest of each layer; the result does not depend on them.

    Raises:
        LayerError: if a layer is missing, has another shape than the graph says, or has NaN or infinite weights, or if
            the graph has no connection.
        OptionError: if p is below 1 or infinite, or the number of threads is below 1.

    Source: Rieck et al., "Neural Persistence", ICLR 2019, definition 2, for the graph of one layer; the glued graph in
    place of it is ours (docs/theory.md, section 12.6).

    >>> from topoimp.layers.layer import as_layer
    >>> from topoimp.network.graph import chain_graph
    >>> layers = {"fc1": as_layer(np.array([[4.0, 1.0], [0.0, 2.0]])), "fc2": as_layer(np.array([[1.0, 3.0]]))}
    >>> graph = chain_graph({"fc1": (2, 2), "fc2": (1, 2)})
    >>> glued_persistence(graph, layers, p=1).barcode.deaths  # of five vertices, all joined
    array([4., 3., 2., 1.])
    """
    check_norm(p)
    found = graph_layers(graph, layers)
    forests = [
        (group, spanning_forest(part, threads=threads))
        for each in graph.connections
        if each.layer is not None
        for group, part in group_layers(each, found[each.layer])
    ]
    scale = largest_strength(forest for _, forest in forests) or 1.0
    edges = [layer_edges(graph, group, forest) for group, forest in forests]
    edges += [one_to_one_edges(graph, each, scale) for each in graph.connections if each.layer is None]
    barcode = barcode_of_edges(edges, np.ones(graph.n_vertices, np.bool_))

    value = neural_persistence(barcode, NeuralPersistence.RIECK, scale=scale, p=p)
    return GluedPersistence(barcode, scale, cast("float", value))  # no death is above the scale, so it is defined
