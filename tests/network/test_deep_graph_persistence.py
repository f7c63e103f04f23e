import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from random_networks import random_network
from slow_paths import published_magnitudes, slow_s

from topoimp.errors import LayerError, OptionError
from topoimp.layers.layer import as_layer
from topoimp.network.deep_graph_persistence import deep_graph_persistence
from topoimp.network.graph import Connection, NetworkGraph, chain_graph
from topoimp.topology.barcode import barcode_of, neural_persistence


def layers_of(weights):
    return {name: as_layer(weight, name=name) for name, weight in weights.items()}


def slow_product(one, other):
    """The strongest of all steps between a column of one matrix and a row of the other: a triple loop."""
    product = np.zeros((one.shape[0], other.shape[1]))
    for i in range(one.shape[0]):
        for j in range(other.shape[1]):
            for k in range(one.shape[1]):
                product[i, j] = max(product[i, j], min(one[i, k], other[k, j]))
    return product


def random_standardisable(seed):
    """A random network of which every layer has two different weights."""
    rng = np.random.default_rng(seed)
    graph, weights = random_network(rng)
    while min(weight.size for weight in weights.values()) == 1:
        graph, weights = random_network(rng)
    for weight in weights.values():
        if weight.min() == weight.max():
            weight.flat[0] += 1
    return graph, weights


def assert_is_persistence_of(found, s, largest, p=2.0):
    """Check barcode and values against those of the matrix S, read as a layer."""
    barcode = barcode_of(as_layer(s))
    assert_allclose(found.barcode.deaths, barcode.deaths, rtol=1e-12)
    assert found.barcode.n_essential == barcode.n_essential
    assert found.scale == pytest.approx(largest)
    assert found.value == pytest.approx(neural_persistence(barcode, "rieck", scale=barcode.strongest, p=p))
    assert found.value_at_network_scale == pytest.approx(neural_persistence(barcode, "rieck", scale=largest, p=p))


@pytest.mark.parametrize("seed", range(100))
def test_of_dense_chains_it_is_the_neural_persistence_of_the_published_matrix(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 7, rng.integers(2, 6))
    shapes = {f"fc{k}": (int(sizes[k + 1]), int(sizes[k])) for k in range(len(sizes) - 1)}
    weights = {name: rng.standard_normal(shape) for name, shape in shapes.items()}

    found = deep_graph_persistence(chain_graph(shapes), layers_of(weights), p=1 + seed % 3)

    magnitudes, largest = published_magnitudes(weights)
    s, *others = [each.T for each in magnitudes.values()]
    for other in others:
        s = slow_product(s, other)
    assert_is_persistence_of(found, s, largest, p=1 + seed % 3)


@pytest.mark.parametrize("seed", range(400))
def test_of_any_graph_it_is_the_neural_persistence_of_the_strongest_paths(seed):
    graph, weights = random_standardisable(seed)

    found = deep_graph_persistence(graph, layers_of(weights))

    magnitudes, largest = published_magnitudes(weights)
    assert_is_persistence_of(found, slow_s(graph, magnitudes, largest), largest)


def test_both_oracles_agree_on_a_chain():
    rng = np.random.default_rng(0)
    magnitudes = {"fc1": rng.random((4, 3)), "fc2": rng.random((2, 4))}
    graph = chain_graph({"fc1": (4, 3), "fc2": (2, 4)})

    assert_array_equal(slow_s(graph, magnitudes, 1.0).T, slow_product(magnitudes["fc1"].T, magnitudes["fc2"].T))


def test_a_factor_and_an_offset_of_each_layer_change_nothing_but_rounding():
    rng = np.random.default_rng(0)
    shapes = {"fc1": (5, 6), "fc2": (3, 5)}
    weights = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    moved = {"fc1": 3 * weights["fc1"] + 2, "fc2": 1 - 0.1 * weights["fc2"]}

    found, other = (deep_graph_persistence(chain_graph(shapes), layers_of(each)) for each in (weights, moved))

    assert_allclose(other.barcode.deaths, found.barcode.deaths, rtol=1e-9)
    assert other.value == pytest.approx(found.value)


def test_hidden_neurons_have_no_bars():
    weights = {"fc1": np.arange(50.0).reshape(25, 2), "fc2": np.arange(75.0).reshape(3, 25)}

    found = deep_graph_persistence(chain_graph({"fc1": (25, 2), "fc2": (3, 25)}), layers_of(weights))

    assert (len(found.barcode.deaths), found.barcode.n_essential) == (4, 1)


def test_the_number_of_threads_changes_nothing():
    shapes = {"fc1": (40, 30), "fc2": (20, 40)}
    layers = layers_of({name: np.random.default_rng(0).standard_normal(shape) for name, shape in shapes.items()})

    one, two = (deep_graph_persistence(chain_graph(shapes), layers, threads=threads) for threads in (1, 2))

    assert_array_equal(one.barcode.deaths, two.barcode.deaths)
    assert one.value == two.value


def test_identities_alone_join_each_input_to_its_output():
    graph = NetworkGraph({"inputs": 2, "out": 3}, (Connection("inputs", "out"),))

    found = deep_graph_persistence(graph, {}, p=1)

    assert (found.barcode.deaths.tolist(), found.barcode.n_essential, found.scale) == ([1.0, 1.0], 3, 1.0)
    assert found.value == found.value_at_network_scale == pytest.approx(3 / 4)


def test_what_cannot_be_computed_is_refused():
    graph = chain_graph({"fc1": (3, 2), "fc2": (1, 3)})
    layers = layers_of({"fc1": np.arange(6.0).reshape(3, 2), "fc2": np.ones((1, 3))})

    with pytest.raises(LayerError, match=r"^layer 'fc2' has the weight 1 alone"):
        deep_graph_persistence(graph, layers)
    with pytest.raises(LayerError, match=r"^layer 'fc2' is in the graph, but is not among the weights$"):
        deep_graph_persistence(graph, {"fc1": layers["fc1"]})
    with pytest.raises(LayerError, match=r"^layer fc1 has 3 rows and 2 columns, but the network has 3 outputs and 1 "):
        deep_graph_persistence(chain_graph({"fc1": (3, 1)}), layers)
    with pytest.raises(OptionError, match=r"^the norm's p is inf"):
        deep_graph_persistence(graph, layers, p=float("inf"))
