import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from random_networks import edges_between, random_network

from topoimp.errors import LayerError, OptionError
from topoimp.layers.layer import as_layer, by_channel
from topoimp.network.glued_persistence import glued_persistence
from topoimp.network.graph import Connection, NetworkGraph, chain_graph
from topoimp.topology.barcode import barcode_of, neural_persistence


def layers_of(weights):
    return {name: as_layer(weight, name=name) for name, weight in weights.items()}


def strengths_in_networkx(graph, weights):
    """The strengths of a maximum spanning forest of networkx over all edges, strongest first."""
    largest = max((np.abs(weight).max() for weight in weights.values()), default=0) or 1.0
    network = nx.MultiGraph()
    network.add_nodes_from((place, k) for place, size in graph.places.items() for k in range(size))
    for each in graph.connections:
        for source, target, flat in edges_between(each, graph, weights):
            strength = largest if flat is None else abs(weights[each.layer].flat[flat])
            network.add_edge(source, target, weight=strength)
    forest = nx.maximum_spanning_edges(network, keys=False)
    return sorted((data["weight"] for _, _, data in forest), reverse=True), largest


@pytest.mark.parametrize("seed", range(400))
def test_bars_are_those_of_a_maximum_spanning_forest_of_networkx(seed):
    graph, weights = random_network(np.random.default_rng(seed))

    found = glued_persistence(graph, layers_of(weights))

    deaths, largest = strengths_in_networkx(graph, weights)
    n_essential = graph.n_vertices - len(deaths)
    persistences = [1 - death / largest for death in deaths] + n_essential * [1.0]
    assert_array_equal(found.barcode.deaths, deaths)
    assert (found.barcode.n_essential, found.scale) == (n_essential, largest)
    assert found.value == pytest.approx(np.linalg.norm(persistences) / np.sqrt(graph.n_vertices - 1))


@pytest.mark.parametrize("seed", range(20))
def test_distinct_strengths_of_a_dense_chain_have_the_forest_of_networkx(seed):
    rng = np.random.default_rng(seed)
    shapes = {"fc1": (7, 12), "fc2": (6, 7), "fc3": (3, 6)}
    weights = {name: rng.standard_normal(shape) for name, shape in shapes.items()}

    found = glued_persistence(chain_graph(shapes), layers_of(weights), threads=2)

    assert_array_equal(found.barcode.deaths, strengths_in_networkx(chain_graph(shapes), weights)[0])


@pytest.mark.parametrize("p", [1.0, 2.0, 3.5])
def test_a_network_of_one_layer_has_the_neural_persistence_of_the_layer(p):
    layer = as_layer(np.random.default_rng(0).standard_normal((5, 4)))

    found = glued_persistence(chain_graph({"fc": (5, 4)}), {"fc": layer}, p=p)

    barcode = barcode_of(layer)
    assert found.barcode.equals(barcode)
    assert found.value == neural_persistence(barcode, "rieck", scale=barcode.strongest, p=p)


def test_the_forests_of_the_view_channel_give_the_same_bars():
    rng = np.random.default_rng(1)
    weights = {"conv1": rng.standard_normal((4, 2, 3, 3)), "conv2": rng.standard_normal((3, 4, 2, 2))}
    graph = chain_graph({name: weight.shape for name, weight in weights.items()})
    joined = {"conv1": by_channel(as_layer(weights["conv1"]), 9), "conv2": by_channel(as_layer(weights["conv2"]), 4)}

    found = glued_persistence(chain_graph({"conv1": (4, 2), "conv2": (3, 4)}), joined)

    assert found.barcode.equals(glued_persistence(graph, layers_of(weights)).barcode)


def test_multiplying_all_layers_by_a_power_of_two_changes_no_persistence():
    graph, weights = random_network(np.random.default_rng(3))

    found, scaled = (
        glued_persistence(graph, layers_of({name: factor * weight for name, weight in weights.items()}))
        for factor in (1.0, 4.0)
    )

    assert scaled.value == found.value
    assert_array_equal(scaled.barcode.deaths, 4 * found.barcode.deaths)


def test_the_layers_share_their_vertices():
    """Two rows that the first layer leaves apart meet in the second."""
    weights = {"fc1": np.eye(2), "fc2": np.ones((1, 2))}

    found = glued_persistence(chain_graph({"fc1": (2, 2), "fc2": (1, 2)}), layers_of(weights))

    assert (found.barcode.deaths.tolist(), found.barcode.n_essential) == ([1.0] * 4, 1)
    assert found.value == pytest.approx(0.5)  # sqrt(1 / (5 - 1))


@pytest.mark.parametrize(("n_essential", "connections"), [(6, ()), (4, (Connection("inputs", "sum"),))])
def test_of_zeros_every_bar_is_essential_but_those_of_identities(n_essential, connections):
    layers = (Connection("inputs", "sum", "a"), Connection("sum", "out", "b"))
    graph = NetworkGraph({"inputs": 2, "sum": 3, "out": 1}, (*layers, *connections))
    weights = {"a": np.zeros((3, 2)), "b": np.zeros((1, 3))}

    found = glued_persistence(graph, layers_of(weights), p=1)

    assert (found.barcode.n_essential, found.scale) == (n_essential, 1.0)
    assert found.value == pytest.approx(n_essential / 5)


def test_a_layer_that_is_missing_or_has_another_shape_is_named():
    graph = chain_graph({"fc1": (3, 2), "fc2": (1, 3)})

    with pytest.raises(LayerError, match=r"^layer 'fc2' is in the graph, but is not among the weights$"):
        glued_persistence(graph, layers_of({"fc1": np.ones((3, 2))}))
    with pytest.raises(LayerError, match=r"^layer fc2 has 1 rows and 4 columns, but the network has 1 outputs and 3 "):
        glued_persistence(graph, layers_of({"fc1": np.ones((3, 2)), "fc2": np.ones((1, 4))}))


def test_a_graph_without_a_connection_and_a_norm_below_1_are_refused():
    with pytest.raises(LayerError, match=r"^the graph has the place inputs alone; a network needs a connection$"):
        glued_persistence(NetworkGraph({"inputs": 2}, ()), {})
    with pytest.raises(OptionError, match=r"^the norm's p is 0.5"):
        glued_persistence(chain_graph({"fc": (1, 1)}), layers_of({"fc": np.ones((1, 1))}), p=0.5)
