"""Statements of docs/theory.md that are about several modules at once, held against the plainest computation."""

from math import sqrt

import numpy as np
import pytest
from conftest import info_of
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from oracles import (
    complete_persistences,
    masked_layer,
    matching_costs,
    merged_deaths,
    random_rank,
    slow_forest,
    slow_order,
)
from scipy.optimize import linear_sum_assignment
from strategies import SEEDS, make_weight, weights

from topoimp.chance.closed_forms import expected_forest_edges_iid, expected_forest_edges_random
from topoimp.commands.bound import bound_report
from topoimp.layers.layer import as_layer, by_channel
from topoimp.layers.records import LayerPatterns
from topoimp.layers.streaming import InHand
from topoimp.pruning.bounds import certificate_of, critical_compression
from topoimp.pruning.methods.random_order import PermutationRule
from topoimp.pruning.rules import keep_each, pruned_layer
from topoimp.topology.barcode import barcode_of, barcode_of_forest
from topoimp.topology.distance import wasserstein_distance
from topoimp.topology.forest import spanning_forest

# Barcodes and masks.


@given(weights(), SEEDS)
def test_signs_the_order_of_rows_and_columns_and_transposing_change_no_barcode(weight, seed):
    rng = np.random.default_rng(seed)
    other = weight[rng.permutation(len(weight))][:, rng.permutation(weight.shape[1])].T
    other = np.where(rng.random(other.shape) < 0.5, other, -other)

    assert barcode_of(as_layer(other)).equals(barcode_of(as_layer(weight)))


@given(weights(dtypes=(np.float64,)))
def test_persistences_are_the_same_if_stored_zeros_are_edges_of_strength_0(weight):
    scale = float(np.abs(weight).max()) or 1.0

    assert barcode_of(as_layer(weight)).persistences(scale).tolist() == complete_persistences(weight, scale)


def other_maximum_forest(weight):
    """One that may differ from the order forest where strengths are equal: the last of equal edges come first."""
    return weight.size - 1 - np.array(slow_forest(weight[::-1, ::-1]), np.int64)


@given(weights(), st.lists(st.booleans(), min_size=144, max_size=144))
def test_a_mask_that_holds_any_maximum_forest_keeps_the_barcode_and_the_scale(weight, more):
    layer, kept = as_layer(weight), np.array(more[: weight.size])
    kept[other_maximum_forest(weight)] = True
    before, after = (spanning_forest(part) for part in (layer, masked_layer(layer, kept.reshape(weight.shape))))

    assert barcode_of_forest(after).equals(barcode_of_forest(before))
    assert np.max(np.abs(weight.ravel()[kept]), initial=0) == np.abs(weight).max()


@given(st.integers(1, 40), st.integers(1, 40))
def test_a_dense_layer_can_be_compressed_mn_over_m_plus_n_minus_1_fold(n_rows, n_columns):
    forest = spanning_forest(as_layer(make_weight(0, n_rows, n_columns, "normal")))

    found = critical_compression(len(forest.indices), forest.n_edges)

    assert found == n_rows * n_columns / (n_rows + n_columns - 1)


@given(weights(dtypes=(np.float64,)), st.floats(0, 1.1))
def test_pruning_at_a_threshold_ends_the_bars_below_it_at_0_and_changes_no_other(weight, share):
    threshold = share * np.abs(weight).max()
    before, after = (barcode_of(as_layer(w)) for w in (weight, np.where(np.abs(weight) < threshold, 0, weight)))

    assert_array_equal(after.deaths, before.deaths[before.deaths >= threshold])
    assert after.n_vertices == before.n_vertices


# The certificate.


def attaches_a_lone_vertex(weight):
    """Whether the last edge of the order forest has an end at which no earlier edge is."""
    last = slow_forest(weight)[-1]
    row, column = divmod(last, weight.shape[1])
    order = slow_order(weight)
    earlier = order[: order.index(last)]
    return all(e // weight.shape[1] != row for e in earlier) or all(e % weight.shape[1] != column for e in earlier)


@given(weights())
def test_the_certificate_is_tight_where_the_last_edge_attaches_a_lone_vertex(weight):
    assume(weight.any() and attaches_a_lone_vertex(weight))
    forest = spanning_forest(as_layer(weight))

    assert certificate_of(forest) == forest.weakest


@given(weights(dtypes=(np.float64,), kinds=("normal", "sparse", "blocks", "dead rows")))
def test_with_distinct_strengths_the_certificate_is_tight_only_there(weight):
    assume(weight.any())
    forest = spanning_forest(as_layer(weight))

    assert (certificate_of(forest) == forest.weakest) == attaches_a_lone_vertex(weight)


def test_with_ties_it_can_be_tight_elsewhere_too():
    weight = np.array([[2.0, 0.0, 1.0], [1.0, 2.0, 0.0]])  # of the two ones, the first attaches a column
    forest = spanning_forest(as_layer(weight))

    assert not attaches_a_lone_vertex(weight)
    assert certificate_of(forest) == forest.weakest == 1.0


# Chance.

SHAPES = [(9, 9), (9, 40), (12, 400), (30, 30), (10, 100), (100, 300), (300, 784)]


@pytest.mark.parametrize(("n_rows", "n_columns"), SHAPES)
@pytest.mark.parametrize("of_critical", [0.4, 1.0, 2.5])
def test_the_strongest_of_independent_weights_keep_what_is_expected(n_rows, n_columns, of_critical):
    k, rng = round(of_critical * (n_rows + n_columns - 1)), np.random.default_rng(11)

    ranks = [random_rank(n_rows, n_columns, k, rng) for _ in range(200)]

    tolerance = max(0.01 * np.mean(ranks), 0.5) + 4 * np.std(ranks) / 200**0.5
    assert expected_forest_edges_iid(n_rows, n_columns, k) == pytest.approx(np.mean(ranks), abs=tolerance)


def kept_at_random(layer, forest, k, seed):
    """How many edges of the forest a random mask keeps, and how many edges a forest of what it keeps has."""
    info = info_of(layer)
    (keep,) = keep_each([info], {layer.name: forest}, [k], PermutationRule(seed), InHand(layer, 1))
    kept = pruned_layer(keep[layer.name], layer, 1).edges()
    return np.count_nonzero(kept.flat[forest.indices]), len(
        spanning_forest(masked_layer(layer, kept), threads=1).indices
    )


def test_a_random_mask_meets_few_edges_of_the_forest_and_has_a_forest_as_large_as_chance_gives():
    layer = as_layer(make_weight(5, 20, 30, "normal"))
    forest = spanning_forest(layer)

    met, ranks = np.array([kept_at_random(layer, forest, 60, seed) for seed in range(300)]).T

    expected = expected_forest_edges_random(600, 49, 60)
    deviation = (60 * 49 / 600 * (1 - 49 / 600) * (600 - 60) / (600 - 1)) ** 0.5
    assert expected == pytest.approx(4.9)
    assert met.mean() == pytest.approx(expected, abs=4 * deviation / 300**0.5)
    assert met.std() == pytest.approx(deviation, rel=0.15)
    assert ranks.mean() == pytest.approx(expected_forest_edges_iid(20, 30, 60), abs=0.5 + 4 * ranks.std() / 300**0.5)


# Distances.


@pytest.mark.parametrize(("order", "ratio"), [(1, 3.0), (2, (4 + sqrt(7)) / 3)])
@given(pairs=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=9))
def test_equally_long_lists_within_the_largest_ratio_are_paired_in_order(order, ratio, pairs):
    u, v = 1 + (ratio - 1) * np.array(pairs).T

    in_order = (np.abs(np.sort(u) - np.sort(v)) ** order).sum() ** (1 / order)

    assert wasserstein_distance(u, v, order=order) == pytest.approx(in_order, rel=1e-12, abs=1e-12)
    costs = matching_costs(u, v) ** order
    assert costs[linear_sum_assignment(costs)].sum() ** (1 / order) == pytest.approx(in_order, rel=1e-12, abs=1e-12)


def is_separated(i, j, matching):
    return any((i < a and j > b) or (i > a and j < b) for a, b in matching)


def best_between(u, v, matching, order):
    """The cheapest matching among the pairs that none of a matching separates, in order, and its cost."""
    costs = matching_costs(u, v) ** order
    for i, j in np.ndindex(len(u), len(v)):
        if is_separated(i, j, matching):
            costs[i, j] = 1e6
    i, j = linear_sum_assignment(costs)
    is_pair = (i < len(u)) & (j < len(v))
    return list(zip(sorted(i[is_pair]), sorted(j[is_pair]), strict=True)), costs[i, j].sum()


def improved(u, v, matching, order):
    """The cost that is reached when no matching among the pairs between those of the last one is cheaper."""
    matching, cost = best_between(u, v, matching, order)
    better, cheaper = best_between(u, v, matching, order)
    return cost if cheaper > cost - 1e-9 else improved(u, v, better, order)


BARS = st.lists(st.sampled_from([1.0, 1.5, 2.0, 3.0, 4.5, 5.0, 9.0]) | st.floats(0.1, 9), max_size=7)


@given(BARS, BARS, st.sampled_from([1, 2]), st.data())
def test_a_matching_that_is_the_cheapest_of_the_pairs_it_does_not_separate_is_the_cheapest_of_all(u, v, order, data):
    u, v = np.sort(u)[::-1], np.sort(v)[::-1]
    n_paired = data.draw(st.integers(0, min(len(u), len(v))))
    first = (sorted(data.draw(st.permutations(range(len(side))))[:n_paired]) for side in (u, v))

    cost = improved(u, v, list(zip(*first, strict=True)), order)

    whole = matching_costs(u, v) ** order
    assert cost == pytest.approx(whole[linear_sum_assignment(whole)].sum(), abs=1e-8)


# Convolutions.


@given(weights(rows=st.integers(2, 6), columns=st.integers(2, 5), dtypes=(np.float64,)), SEEDS, st.integers(1, 4))
def test_of_parallel_edges_the_strongest_alone_has_the_barcode_of_all(weight, seed, n_parallel):
    factors = np.random.default_rng(seed).choice([0.0, 0.25, 0.5, 1.0], (len(weight), weight.shape[1] * n_parallel))
    kernels = np.repeat(weight, n_parallel, axis=1) * factors

    barcode = barcode_of(by_channel(as_layer(kernels), n_parallel))

    assert (barcode.deaths.tolist(), barcode.n_essential) == merged_deaths(kernels, n_parallel)


@given(st.integers(2, 4), st.integers(2, 5), st.integers(2, 6))
def test_groups_add_up_to_a_floor_larger_than_that_of_one_graph(tmp_path_factory, n_groups, n_rows, n_columns):
    from topoimp.checkpoint import write_arrays

    path = tmp_path_factory.mktemp("groups") / "model.safetensors"
    write_arrays(path, {"conv": make_weight(0, n_groups * n_rows, n_columns, "normal")}, {})

    report = bound_report(path, patterns=LayerPatterns(groups=(("conv", n_groups),)))

    assert report.network["floor"] == n_groups * (n_rows + n_columns - 1)
    assert report.network["floor"] - bound_report(path).network["floor"] == (n_groups - 1) * (n_columns - 1)


@given(st.integers(2, 4), st.integers(2, 5), st.integers(2, 6))
def test_groups_of_columns_add_up_to_a_floor_larger_than_that_of_one_graph(
    tmp_path_factory, n_groups, n_rows, n_columns
):
    from topoimp.checkpoint import write_arrays

    path = tmp_path_factory.mktemp("groups") / "model.safetensors"
    write_arrays(path, {"c_attn": make_weight(0, n_rows, n_groups * n_columns, "normal")}, {})

    report = bound_report(path, patterns=LayerPatterns(groups=(("c_attn", n_groups, 1),)))

    assert report.network["floor"] == n_groups * (n_rows + n_columns - 1)
    assert report.network["floor"] - bound_report(path).network["floor"] == (n_groups - 1) * (n_rows - 1)
