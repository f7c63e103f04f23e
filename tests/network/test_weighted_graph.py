"""What a graph with weights refuses, and its depth."""

from dataclasses import replace

import numpy as np
import pytest

from topoimp.errors import LayerError
from topoimp.layers.layer import as_layer
from topoimp.network.graph import Connection, NetworkGraph, chain_graph
from topoimp.network.weighted_graph import WeightedGraph

CHAIN = chain_graph({"fc1": (3, 2), "fc2": (2, 3)})
LAYERS = {"fc1": as_layer(np.ones((3, 2))), "fc2": as_layer(np.ones((2, 3)))}


def with_norm(graph, norm):
    first, *others = graph.connections
    return replace(graph, connections=(replace(first, norm=norm), *others))


def test_a_layer_that_is_missing_or_stands_twice_is_named():
    with pytest.raises(LayerError, match=r"^layer 'fc2' is in the graph, but is not among the weights$"):
        WeightedGraph(CHAIN, {"fc1": LAYERS["fc1"]})
    twice = replace(CHAIN, connections=(*CHAIN.connections, CHAIN.connections[0]))
    with pytest.raises(LayerError, match=r"^layer 'fc1' stands twice in the graph; paths need each weight once$"):
        WeightedGraph(twice, LAYERS)


def test_a_layer_of_another_shape_is_named():
    other = {**LAYERS, "fc2": as_layer(np.ones((2, 4)))}
    with pytest.raises(LayerError, match=r"^layer 'fc2' has the shape 2 x 4; the graph joins it to 3 vertices of"):
        _ = WeightedGraph(CHAIN, other).edges


@pytest.mark.parametrize(("value", "found"), [(-1.0, "-1.0"), (np.nan, "nan"), (np.inf, "inf")])
def test_strengths_and_factors_are_finite_and_not_negative(value, found):
    with pytest.raises(LayerError, match=rf"^the strengths of the inputs hold {found} at index 1; they are finite and"):
        WeightedGraph(CHAIN, LAYERS, np.array([1.0, value]))
    graph = with_norm(CHAIN, "bn")
    with pytest.raises(LayerError, match=rf"^the factors of 'bn' hold {found} at index 0; they are finite and at leas"):
        _ = WeightedGraph(graph, LAYERS, norms={"bn": np.array([value, 1, 1])}).edges


def test_strengths_and_factors_have_one_number_for_each_vertex():
    with pytest.raises(LayerError, match=r"^the strengths of the inputs have the shape \(3,\); \(2,\) is needed$"):
        WeightedGraph(CHAIN, LAYERS, np.ones(3))
    with pytest.raises(LayerError, match=r"^the factors of 'bn' have the shape \(2,\); \(3,\) is needed$"):
        _ = WeightedGraph(with_norm(CHAIN, "bn"), LAYERS, norms={"bn": np.ones(2)}).edges
    with pytest.raises(LayerError, match=r"^the norm 'bn' is in the graph, but its factors are not known$"):
        _ = WeightedGraph(with_norm(CHAIN, "bn"), LAYERS).edges


def test_a_graph_has_at_most_900_connections():
    places = {f"place{k}": 1 for k in range(902)}
    joined = [Connection(f"place{k}", f"place{k + 1}") for k in range(901)]
    with pytest.raises(LayerError, match=r"^the graph has 901 connections; paths can be followed through 900$"):
        WeightedGraph(NetworkGraph(places, tuple(joined)), {})


def test_the_depth_counts_weights_alone():
    graph = replace(CHAIN, connections=(*CHAIN.connections, Connection("inputs", "fc2")))

    assert WeightedGraph(graph, LAYERS).depth == 2
    assert WeightedGraph(graph, LAYERS).n_weights == 12
