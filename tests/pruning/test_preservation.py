import numpy as np
import pytest
from hypothesis import given
from oracles import slow_components, slow_forest, slow_order
from strategies import weights

from topoimp.layers.layer import as_layer, by_channel
from topoimp.pruning.preservation import overlap
from topoimp.topology.forest import spanning_forest
from topoimp.topology.strong_edges import collect


def overlap_of(layer, threads=1):
    return overlap(layer, spanning_forest(layer), threads=threads)


@given(weights())
def test_the_overlap_is_the_share_of_the_forest_among_as_many_largest_weights(weight):
    forest = slow_forest(weight)
    largest = slow_order(weight)[: len(forest)]

    found = overlap_of(as_layer(weight), threads=2)

    assert found == (len(set(forest) & set(largest)) / len(forest) if forest else None)


@given(weights(kinds=("normal", "ties", "blocks", "dead rows", "constant")))
def test_the_overlap_follows_from_the_components_of_the_largest_weights(weight):
    n = len(slow_forest(weight))
    largest = np.zeros(weight.size, bool)
    largest[slow_order(weight)[:n]] = True

    found = overlap_of(as_layer(weight))

    beta0 = slow_components(largest.reshape(weight.shape))
    assert found == ((sum(weight.shape) - beta0) / n if n else None)


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        ([[5.0, 4.0, 0.1], [3.0, 2.0, 0.2]], 0.75),  # of 5, 4, 3 and 2 the last closes a cycle
        ([[3.0, 2.0, 1.0]], 1.0),
        ([[3.0, 0.0], [0.0, -2.0]], 1.0),
        ([[0.0, 0.0], [0.0, 0.0]], None),
        ([[1.0, 1.0], [1.0, 1.0]], 1.0),  # the first three by index
        ([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]], 5 / 6),
    ],
)
def test_overlaps_worked_out_by_hand(weight, expected):
    assert overlap_of(as_layer(weight)) == expected


def test_of_many_equal_weights_the_first_are_the_largest():
    weight = np.random.default_rng(0).integers(1, 3, (300, 400)) * 1.0
    layer = as_layer(weight)
    forest = spanning_forest(layer)
    n = len(forest.indices)
    assert len(collect(layer, 1).indices) < n  # only the larger weights

    largest = np.argsort(-weight, axis=None, kind="stable")[:n]
    assert overlap(layer, forest) == len(np.intersect1d(largest, forest.indices)) / n


def test_the_view_channel_counts_edges_and_not_parallel_weights():
    kernels = np.array([[9.0, 9.0, 5.0, 8.0], [7.0, 7.0, 1.0, 1.0]])  # two weights a kernel
    joined = np.array([[9.0, 8.0], [7.0, 1.0]])

    assert overlap_of(by_channel(as_layer(kernels), 2)) == overlap_of(as_layer(joined)) == 1.0
    assert overlap_of(as_layer(kernels)) < 1
