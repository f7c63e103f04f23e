import networkx as nx
import numpy as np
import pytest
from random_networks import edges_between, in_networkx, live_in_networkx, random_network

from topoimp.arrays import BoolArray
from topoimp.errors import LayerError
from topoimp.network import facts
from topoimp.network.facts import KeptWeights, OnPaths, kept_in, off_path_share, path_facts
from topoimp.network.graph import Connection, NetworkGraph, chain_graph


def facts_of(graph, weights):
    return path_facts(graph, lambda name: kept_in(weights[name]))


def chain_of(*weights):
    weights = {f"fc{number}": np.array(weight) for number, weight in enumerate(weights, 1)}
    return chain_graph({name: weight.shape for name, weight in weights.items()}), weights


@pytest.mark.parametrize("seed", range(300))
def test_facts_are_those_of_networkx(seed):
    graph, weights = random_network(np.random.default_rng(seed))

    found = facts_of(graph, weights)

    live = live_in_networkx(graph, weights)
    assert {(place, int(k)) for place, flags in found.live.items() for k in np.flatnonzero(flags)} == live
    assert found.live_vertices == len(live)
    assert found.beta0_glued == nx.number_weakly_connected_components(in_networkx(graph, weights))
    assert list(found.layers) == graph.layers
    for each in graph.connections:
        if each.layer is not None:
            edges = edges_between(each, graph, weights)
            n_off_path = sum(not {source, target} <= live for source, target, _ in edges)
            assert found.layers[each.layer] == OnPaths(weights[each.layer].size, len(edges), n_off_path)
    whole, last = found.total(list(found.layers)), list(found.layers)[-1]
    rest = found.total([*found.layers][:-1]) if len(found.layers) > 1 else None
    for names, of_them in [(found.layers, whole), (found.layers.keys() - {last}, rest), ([], None)]:
        share = off_path_share(graph, lambda name: kept_in(weights[name]), [*names, "no layer"])
        assert share == (0 if of_them is None else of_them.n_off_path / max(of_them.n_kept, 1))


def test_random_networks_have_all_that_a_graph_can_have():
    networks = [random_network(np.random.default_rng(seed)) for seed in range(300)]
    connections = [each for graph, _ in networks for each in graph.connections]
    off_path = [sum(layer.n_off_path for layer in facts_of(*network).layers.values()) for network in networks]

    assert min(sum(each.layer is None for each in connections), sum(each.first_source > 0 for each in connections)) > 30
    assert min(sum(n > 0 for n in off_path), sum(n == 0 for n in off_path)) > 50


@pytest.mark.parametrize("seed", range(100))
def test_a_weight_is_off_path_if_and_only_if_no_path_has_it(seed):
    """Each path is walked, from each input on."""
    graph, weights = random_network(np.random.default_rng(1000 + seed))
    edges = [(*edge, each.layer) for each in graph.connections for edge in edges_between(each, graph, weights)]
    leaving = {}
    for edge in edges:
        leaving.setdefault(edge[0], []).append(edge)
    on_path = set()

    def walk(vertex, path):
        if vertex[0] == graph.outputs:
            on_path.update(path)
        for edge in leaving.get(vertex, []):
            walk(edge[1], [*path, edge])

    for k in range(graph.places[graph.inputs]):
        walk((graph.inputs, k), [])

    found = facts_of(graph, weights)
    for layer, numbers in found.layers.items():
        of_layer = {edge for edge in edges if edge[3] == layer}
        assert numbers.n_off_path == len(of_layer - on_path)


@pytest.mark.parametrize("seed", range(100))
def test_removing_off_path_weights_leaves_all_live_vertices_and_none_off_path(seed):
    graph, weights = random_network(np.random.default_rng(2000 + seed))
    before = facts_of(graph, weights)
    cleared = {name: weight.copy() for name, weight in weights.items()}
    for each in graph.connections:
        for source, target, index in edges_between(each, graph, weights):
            if index is not None and not (before.live[source[0]][source[1]] and before.live[target[0]][target[1]]):
                cleared[each.layer].flat[index] = 0

    after = facts_of(graph, cleared)

    assert {place: flags.tolist() for place, flags in after.live.items()} == {
        place: flags.tolist() for place, flags in before.live.items()
    }
    for layer, numbers in before.layers.items():
        assert after.layers[layer] == OnPaths(numbers.n_weights, numbers.n_kept - numbers.n_off_path, 0)


def test_a_dead_end_and_all_that_only_it_needs_are_off_path():
    graph, weights = chain_of([[1, 0], [1, 1], [0, 1]], [[1, 0, 0], [0, 1, 0]], [[1, 0]])

    found = facts_of(graph, weights)

    assert [layer.n_off_path for layer in found.layers.values()] == [3, 1, 0]
    assert {place: flags.tolist() for place, flags in found.live.items()} == {
        "inputs": [True, False],
        "fc1": [True, False, False],
        "fc2": [True, False],
        "fc3": [True],
    }
    assert found.beta0_glued == 1
    assert found.total(["fc1", "fc2"]) == OnPaths(12, 6, 4)
    assert found.total(["fc1", "fc2"]).effective_density == 2 / 12


def test_without_kept_weights_each_vertex_is_a_component_and_none_is_live():
    found = facts_of(*chain_of(np.zeros((3, 2)), np.zeros((1, 3))))

    assert (found.live_vertices, found.beta0_glued) == (0, 6)
    assert found.total(["fc1", "fc2"]) == OnPaths(9, 0, 0)


def test_dense_layers_have_no_weight_off_path():
    found = facts_of(*chain_of(np.ones((3, 2)), -np.ones((1, 3))))

    assert (found.live_vertices, found.beta0_glued) == (6, 1)
    assert found.total(["fc1", "fc2"]) == OnPaths(9, 9, 0)


def test_one_weight_is_a_path():
    found = facts_of(*chain_of([[2.0]]))

    assert (found.live_vertices, found.beta0_glued, found.layers["fc1"]) == (2, 1, OnPaths(1, 1, 0))


def test_a_shortcut_keeps_a_channel_alive_whose_layers_are_pruned():
    graph = NetworkGraph(
        {"inputs": 2, "sum": 3, "out": 1},
        (Connection("inputs", "sum", "conv", 4), Connection("inputs", "sum"), Connection("sum", "out", "fc")),
    )
    weights = {"conv": np.zeros((3, 2, 2, 2)), "fc": np.array([[0.0, 1.0, 1.0]])}

    found = facts_of(graph, weights)

    assert found.live["inputs"].tolist() == [False, True]
    assert found.live["sum"].tolist() == [False, True, False]
    assert found.layers["fc"] == OnPaths(3, 2, 1)
    assert found.beta0_glued == 2  # the input 0 and its sum; the channel 2 hangs on the output


def test_layers_are_read_a_few_rows_at_a_time(monkeypatch):
    monkeypatch.setattr(facts, "PIECE", 12)
    asked = []

    def reading(name):
        weights = kept_in(arrays[name])

        def flags(start: int, stop: int) -> BoolArray:
            asked.append((name, start, stop))
            return weights.flags(start, stop)

        return KeptWeights(weights.shape, flags)

    sparse = np.random.default_rng(0).random((2, 9, 9)) < 0.15
    graph, arrays = chain_of(*sparse, np.ones((4, 36)))
    arrays["fc3"] = arrays["fc3"].reshape(4, 9, 2, 2)
    whole = facts_of(graph, arrays)
    in_parts = path_facts(graph, reading)

    assert in_parts.layers == whole.layers
    assert (in_parts.live_vertices, in_parts.beta0_glued) == (whole.live_vertices, whole.beta0_glued)
    rows = {name: [(start, stop) for layer, start, stop in asked if layer == name] for name in arrays}
    assert rows["fc1"] == rows["fc2"] == 2 * [(9 * row, 9 * row + 9) for row in range(9)]
    assert rows["fc3"] == 2 * [(36 * row, 36 * row + 36) for row in range(4)]


@pytest.mark.parametrize("shape", [(4, 2), (3, 3)])
def test_a_layer_of_another_shape_is_named(shape):
    graph = chain_graph({"fc1": (3, 2), "fc2": (1, 3)})
    weights = {"fc1": np.ones(shape), "fc2": np.ones((1, 3))}

    with pytest.raises(
        LayerError,
        match=rf"^layer fc1 has {shape[0]} rows and {shape[1]} columns, but the network has 3 outputs and 2 inputs",
    ):
        facts_of(graph, weights)
