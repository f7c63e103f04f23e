import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from topoimp.errors import LayerError
from topoimp.layers.layer import as_layer
from topoimp.network.glued_edges import (
    GluedEdges,
    barcode_of_edges,
    graph_layers,
    layer_edges,
    one_to_one_edges,
)
from topoimp.network.graph import Connection, NetworkGraph, chain_graph
from topoimp.topology.forest import spanning_forest


def n_marked_components(n_vertices, edges, is_marked, level):
    """Components with a marked vertex, of the edges at least as strong as a level."""
    graph = nx.Graph()
    graph.add_nodes_from(range(n_vertices))
    graph.add_edges_from((source, target) for source, target, strength in edges if strength >= level)
    return sum(any(is_marked[vertex] for vertex in component) for component in nx.connected_components(graph))


@pytest.mark.parametrize("seed", range(50))
def test_at_every_level_as_many_bars_live_as_components_have_a_marked_vertex(seed):
    rng = np.random.default_rng(seed)
    ends = rng.integers(0, 9, (12, 2))
    strengths = rng.integers(0, 4, 12).astype(float)
    is_marked = rng.random(9) < 0.6

    barcode = barcode_of_edges(
        [GluedEdges(*ends[:5].T, strengths[:5]), GluedEdges(*ends[5:].T, strengths[5:])], is_marked
    )

    edges = list(zip(*ends.T.tolist(), strengths, strict=True))
    living = [barcode.n_essential + int(np.sum(barcode.deaths < level)) for level in (1, 2, 3)]
    assert living == [n_marked_components(9, edges, is_marked, level) for level in (1, 2, 3)]
    assert len(barcode.deaths) + barcode.n_essential == is_marked.sum()


def test_the_flags_of_the_marked_vertices_stay_as_they_are():
    is_marked = np.array([True, False])

    barcode_of_edges([GluedEdges(np.array([1]), np.array([0]), np.array([1.0]))], is_marked)

    assert is_marked.tolist() == [True, False]


def test_without_edges_all_bars_of_marked_vertices_are_essential():
    barcode = barcode_of_edges([], np.array([True, False, True]))

    assert (barcode.deaths.tolist(), barcode.n_essential) == ([], 2)


def test_edges_of_a_later_group_have_the_numbers_of_the_network():
    connection = Connection("inputs", "out", "b", columns_per_vertex=2, first_source=1, first_target=2)
    graph = NetworkGraph({"inputs": 3, "out": 4}, (Connection("inputs", "out", "a"), connection))
    weight = np.array([[0.0, 0.0, 0.0, 3.0], [0.0, 2.0, 0.0, 1.0]])

    edges = layer_edges(graph, connection, spanning_forest(as_layer(weight)))

    assert edges.sources.tolist() == [2, 1, 2]
    assert edges.targets.tolist() == [3 + 2, 3 + 3, 3 + 3]
    assert edges.strengths.tolist() == [3.0, 2.0, 1.0]


def test_one_to_one_edges_join_as_many_vertices_as_both_places_have():
    graph = NetworkGraph({"inputs": 2, "out": 4}, (Connection("inputs", "out"),))

    edges = one_to_one_edges(graph, graph.connections[0], 5.0)

    assert_array_equal([edges.sources, edges.targets, edges.strengths], [[0, 1], [2, 3], [5, 5]])


def test_layers_that_the_graph_does_not_have_are_left_out():
    layers = {name: as_layer(np.ones((1, 1))) for name in ("other", "fc")}

    assert list(graph_layers(chain_graph({"fc": (1, 1)}), layers)) == ["fc"]
    with pytest.raises(LayerError, match=r"^the graph has the place inputs alone"):
        graph_layers(NetworkGraph({"inputs": 1}, ()), layers)
