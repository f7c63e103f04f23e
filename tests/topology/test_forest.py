from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_array_equal
from oracles import slow_components, slow_forest
from strategies import make_weight, weights

from topoimp.errors import LayerError, OptionError
from topoimp.layers.layer import as_layer
from topoimp.topology.forest import spanning_forest


def forest_of(weight, **options):
    return spanning_forest(as_layer(weight), **options)


@given(weights())
def test_the_forest_is_that_of_the_slow_twin(weight):
    assert forest_of(weight).indices.tolist() == slow_forest(weight)


@given(weights())
def test_its_total_strength_is_that_of_networkx(weight):
    graph = nx.Graph()
    graph.add_weighted_edges_from(
        (row, weight.shape[0] + c, abs(float(weight[row, c]))) for row, c in np.argwhere(weight)
    )

    total = sum(data["weight"] for _, _, data in nx.maximum_spanning_edges(graph))

    assert forest_of(weight).strengths.sum() == pytest.approx(total, rel=1e-12)


@given(weights())
def test_the_sign_of_a_weight_does_not_matter(weight):
    assert_array_equal(forest_of(weight).indices, forest_of(-weight).indices)


@given(weights(kinds=("normal", "sparse", "dead rows")))
def test_a_transposed_layer_has_the_same_strengths(weight):
    assert_array_equal(forest_of(weight).strengths, forest_of(weight.T).strengths)


@given(weights())
def test_components_and_cycles_are_those_of_the_graph(weight):
    forest = forest_of(weight)

    assert forest.n_components == slow_components(weight != 0)
    assert forest.n_cycles == np.count_nonzero(weight) - sum(weight.shape) + forest.n_components


@pytest.mark.parametrize("kind", ["normal", "ties", "sparse", "blocks", "dead rows", "constant"])
@pytest.mark.parametrize("shape", [(150, 90), (3, 700)])
def test_large_layers_whose_first_batch_may_not_span_them(kind, shape):
    weight = make_weight(7, *shape, kind, np.float32)

    assert forest_of(weight).indices.tolist() == slow_forest(weight)


def test_a_layer_whose_weakest_edges_are_needed_beyond_the_first_batch():
    weight = make_weight(0, 120, 120, "normal")
    weight[60:, :60] *= 1e-9
    weight[:60, 60:] *= 1e-9

    assert forest_of(weight).indices.tolist() == slow_forest(weight)


@given(weights(dtypes=(np.float16,)))
def test_a_float16_layer_has_the_forest_of_the_same_values_in_float64(weight):
    assert_array_equal(forest_of(weight).indices, forest_of(weight.astype(np.float64)).indices)


def test_by_hand():
    forest = forest_of(np.array([[3.0, -1.0], [2.0, 0.5]]))

    assert forest.indices.tolist() == [0, 2, 1]
    assert forest.strengths.tolist() == [3.0, 2.0, 1.0]
    assert (forest.n_components, forest.n_cycles, forest.strongest, forest.weakest) == (1, 1, 3.0, 1.0)


def test_equal_strengths_are_taken_by_index():
    assert forest_of(np.full((2, 3), -1.0)).indices.tolist() == [0, 1, 2, 3]


def test_a_layer_of_zeros_has_an_empty_forest():
    forest = forest_of(np.array([[0.0, -0.0], [0.0, 0.0]]))

    assert forest.indices.tolist() == []
    assert (forest.n_components, forest.n_cycles, forest.strongest, forest.weakest) == (4, 0, None, None)


def test_a_single_weight_is_its_own_forest():
    assert forest_of(np.array([[-2.0]])).indices.tolist() == [0]


def test_a_single_row_keeps_every_edge_strongest_first():
    assert forest_of(np.array([[1.0, 0.0, 3.0, 2.0]])).indices.tolist() == [2, 3, 0]


def test_strengths_are_not_rounded():
    weight = np.array([[1e-300, 1.0], [1 - 2**-53, 5e-324]])

    assert forest_of(weight).strengths.tolist() == [1.0, 1 - 2**-53, 1e-300]


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_order_of_weights_in_memory_does_not_matter(order):
    weight = np.random.default_rng(0).normal(size=(20, 30)).astype(np.float32)
    layer = as_layer(weight)

    reordered = replace(layer, codes=np.array(layer.codes, order=order))

    assert np.array_equal(spanning_forest(reordered).indices, forest_of(weight).indices)


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_a_weight_that_is_not_finite_is_found_on_the_way(special, dtype):
    weight = np.random.default_rng(0).normal(size=(50, 60)).astype(dtype)
    weight[49, 59] = special
    layer = as_layer(np.ones((50, 60), dtype))

    with pytest.raises(LayerError, match="the first at index 2999; a layer needs finite weights"):
        spanning_forest(replace(layer, codes=weight.view(layer.codes.dtype)))


def test_the_number_of_threads_is_at_least_one():
    with pytest.raises(OptionError, match="the number of threads is 0; it must be at least 1"):
        spanning_forest(as_layer(np.ones((2, 2))), threads=0)
