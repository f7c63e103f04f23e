import numpy as np
from hypothesis import given
from oracles import slow_certificate
from strategies import weights

from topoimp.layers.layer import as_layer
from topoimp.pruning.bounds import certificate_of
from topoimp.topology.forest import spanning_forest


def certificate(weight):
    return certificate_of(spanning_forest(as_layer(weight)))


@given(weights())
def test_it_is_the_smallest_of_the_largest_strengths_of_rows_and_columns_with_an_edge(weight):
    assert certificate(weight) == slow_certificate(weight)


@given(weights())
def test_tau_is_never_above_it(weight):
    assert (spanning_forest(as_layer(weight)).weakest or 0) <= (certificate(weight) or 0)


def test_it_is_tight_where_the_last_edge_attaches_a_lone_vertex():
    assert certificate(np.array([[4.0, 1.0], [2.0, 0.5]])) == 1.0
    assert spanning_forest(as_layer(np.array([[4.0, 1.0], [2.0, 0.5]]))).weakest == 1.0


def test_it_is_above_tau_where_the_last_edge_joins_two_blocks():
    weight = np.array([[4.0, 0.0, 0.0], [3.0, 1.0, 0.0], [0.0, 2.0, 2.5]])

    assert certificate(weight) == 2.0
    assert spanning_forest(as_layer(weight)).weakest == 1.0


def test_a_layer_of_zeros_has_none():
    assert certificate(np.zeros((2, 3))) is None


def test_a_single_weight_is_its_own():
    assert certificate(np.array([[-0.5]])) == 0.5


def test_a_large_layer_without_structure_is_tight():
    weight = np.random.default_rng(0).normal(size=(100, 200))

    assert certificate(weight) == spanning_forest(as_layer(weight)).weakest
