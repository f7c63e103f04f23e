from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import slow_forest, slow_guaranteed, slow_order
from strategies import KINDS, SEEDS, make_weight, weights

from topoimp.chance.betti import expected_betti_curve
from topoimp.chance.closed_forms import expected_forest_edges_iid, expected_forest_edges_random
from topoimp.chance.forest_by_chance import (
    LARGEST_SIMULATED,
    MANY_TIES,
    ClosedFormDecision,
    ForestByChance,
    added_up_by_chance,
    closed_form_decision,
    forest_edges_by_chance,
    forests_by_chance,
    shape_by_chance,
)
from topoimp.chance.null import Null
from topoimp.chance.null_distribution import NullDistribution
from topoimp.chance.overlap import LeastExpected
from topoimp.chance.simulation import shuffled_forest_edges
from topoimp.choices import NullModel, Shuffle
from topoimp.errors import OptionError
from topoimp.layers.layer import as_layer, by_channel
from topoimp.pruning.selection import LayerSelection
from topoimp.topology.forest import spanning_forest

SHARES = st.floats(0, 1)
NULL = Null(2)
ZEROS, SHORT = "the layer has zeros beside dead rows and columns", "fewer than 9 rows or columns have edges"
TIES = "too many weights are as strong as the weakest that is kept"


def in_steps(weight, n_steps):
    strengths = np.abs(weight)
    return np.ceil(n_steps * strengths / strengths.max())


@given(weights(), SHARES)
def test_the_forest_edges_observed_are_those_among_the_strongest_weights(weight, share):
    forest, order = slow_forest(weight), slow_order(weight)
    k = round(share * len(order))

    found = forest_edges_by_chance(as_layer(weight), k, n_simulations=1)

    assert (found.n_kept, found.floor) == (k, len(forest))
    assert found.observed == len(set(forest) & set(order[:k]))


@given(weights(), SHARES)
def test_no_less_than_guaranteed_and_no_more_than_the_floor_is_kept(weight, share):
    k = round(share * np.count_nonzero(weight))

    found = forest_edges_by_chance(as_layer(weight), k)

    assert found.guaranteed <= found.observed <= min(found.n_kept, found.floor)
    assert found.guaranteed <= found.iid <= found.n_kept
    assert found.random <= found.floor


@given(weights(), SHARES)
def test_a_known_forest_changes_nothing(weight, share):
    layer, k = as_layer(weight), round(share * np.count_nonzero(weight))

    assert forest_edges_by_chance(layer, k, forest=spanning_forest(layer)) == forest_edges_by_chance(layer, k)


@given(SEEDS, st.sampled_from(KINDS), st.sampled_from(Shuffle), st.integers(2, 5))
def test_the_null_is_that_of_the_shuffled_layer(seed, kind, shuffle, n_shuffles):
    layer = as_layer(make_weight(seed, 6, 7, kind))
    forest = spanning_forest(layer)
    k = forest.n_edges // 2
    null = Null(n_shuffles, NullModel(shuffle))

    (found,) = forests_by_chance(layer, forest, [k], nulls=[null], seed=seed, threads=1)

    assert found.nulls[null] == shuffled_forest_edges(
        layer, k, forest=forest, shuffle=shuffle, n_simulations=n_shuffles, seed=seed
    )


@pytest.mark.parametrize("n_live", [(9, 12), (12, 9), (300, 784)])
def test_the_closed_form_holds_without_zeros_ties_and_short_sides(n_live):
    n_edges = n_live[0] * n_live[1]
    all_equal_weights = LayerSelection(5, n_equal=3, n_of_rank=3, n_kept=4)

    assert closed_form_decision(n_live, n_edges) == ClosedFormDecision()
    assert closed_form_decision(n_live, n_edges, all_equal_weights) == ClosedFormDecision()


@pytest.mark.parametrize(("n_zeros", "reason"), [(4, None), (5, ZEROS)])
def test_one_weight_in_a_thousand_may_be_zero(n_zeros, reason):
    assert closed_form_decision((60, 70), 4200 - n_zeros).reason == reason


@pytest.mark.parametrize("live", [(8, 100), (100, 8), (1, 1)])
def test_a_short_side_has_no_closed_form(live):
    assert closed_form_decision(live, live[0] * live[1]) == ClosedFormDecision(SHORT, is_simulated=True)


@pytest.mark.parametrize(("n_of_rank", "reason"), [(50, None), (51, TIES)])
def test_half_as_many_weights_as_are_kept_may_equal_the_weakest(n_of_rank, reason):
    selection = LayerSelection(5, n_equal=1, n_of_rank=n_of_rank, n_kept=100)

    assert closed_form_decision((20, 20), 400, selection).reason == reason


@pytest.mark.parametrize(
    ("live", "n_edges", "reason"), [((4000, 4000), LARGEST_SIMULATED + 1, ZEROS), ((8, 600_000), 4_800_000, SHORT)]
)
def test_many_edges_are_not_simulated(live, n_edges, reason):
    unknown = ClosedFormDecision(f"{reason}, and too many edges to be simulated", is_simulated=False)

    assert closed_form_decision(live, n_edges) == unknown


def test_ties_are_simulated_in_a_layer_of_any_size():
    selection = LayerSelection(5, n_equal=1, n_of_rank=1000, n_kept=1000)

    assert closed_form_decision((4000, 4000), 16_000_000, selection) == ClosedFormDecision(TIES, is_simulated=True)


def test_a_dense_layer_has_the_closed_form():
    found = forest_edges_by_chance(as_layer(make_weight(5, 20, 30, "normal")), 60)

    assert replace(found, observed=None) == ForestByChance(
        n_kept=60,
        floor=49,
        observed=None,
        guaranteed=slow_guaranteed(20, 30, 60),
        iid=expected_forest_edges_iid(20, 30, 60),
        random=expected_forest_edges_random(600, 49, 60),
        least_expected=LeastExpected(20, 30).forest_edges(60),
    )


def test_dead_rows_and_columns_are_not_counted():
    weight = make_weight(5, 20, 30, "normal")
    padded = np.zeros((25, 37))
    padded[5:, 7:] = weight

    assert forest_edges_by_chance(as_layer(padded), 60) == forest_edges_by_chance(as_layer(weight), 60)


@pytest.mark.parametrize(
    ("weight", "reason"),
    [
        (make_weight(5, 8, 30, "normal"), SHORT),
        (make_weight(5, 20, 30, "normal") * (make_weight(6, 20, 30, "normal") > -1), ZEROS),
        (in_steps(make_weight(5, 20, 30, "normal"), 4), TIES),
        (make_weight(5, 20, 30, "constant"), TIES),
    ],
)
def test_where_the_closed_form_does_not_hold_shuffles_replace_it(weight, reason):
    found = forest_edges_by_chance(as_layer(weight), 60, n_simulations=7, seed=3)

    assert found.reason == reason
    assert found.iid == shuffled_forest_edges(as_layer(weight), 60, n_simulations=7, seed=3).mean


def test_a_layer_too_large_to_be_simulated_is_unknown_with_the_reason(monkeypatch):
    monkeypatch.setattr("topoimp.chance.forest_by_chance.LARGEST_SIMULATED", 7)

    found = forest_edges_by_chance(as_layer(make_weight(0, 2, 4, "normal")), 3)

    assert (found.iid, found.reason) == (None, f"{SHORT}, and too many edges to be simulated")


@pytest.mark.parametrize("n_kept", [0, 3])
def test_no_edge_and_all_edges_need_no_simulation(n_kept, monkeypatch):
    monkeypatch.setattr("topoimp.chance.forest_by_chance.LARGEST_SIMULATED", 1)

    found = forest_edges_by_chance(as_layer(np.diag([3.0, 2.0, 1.0])), n_kept)

    assert (found.iid, found.reason) == (n_kept, None)


@pytest.mark.parametrize("share", [0.02, 0.04, 0.1])
def test_a_few_zeros_anywhere_do_not_matter(share):
    weight = np.random.default_rng(0).normal(size=(60, 70))
    weight[0, :4] = 0
    layer = as_layer(weight)
    k = int(share * weight.size)

    found = forest_edges_by_chance(layer, k)

    shuffled = shuffled_forest_edges(layer, k, n_simulations=200)
    assert found.reason is None
    assert found.iid == pytest.approx(shuffled.mean, abs=0.01 * found.floor)


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1, 0.2, 0.3])
@pytest.mark.parametrize(("n_rows", "n_columns"), [(40, 40), (100, 300)])
def test_as_many_equal_weights_as_are_allowed_do_not_matter(n_rows, n_columns, share):
    weight = in_steps(make_weight(0, n_rows, n_columns, "normal"), 32)
    layer, k = as_layer(weight), int(share * weight.size)
    n_equal = np.count_nonzero(weight == np.sort(weight, axis=None)[-k])

    found = forest_edges_by_chance(layer, k)

    shuffled = shuffled_forest_edges(layer, k, n_simulations=200)
    assert 0.2 < n_equal / k < MANY_TIES
    assert found.reason is None
    assert found.iid == pytest.approx(shuffled.mean, abs=max(0.01 * found.floor, 0.5))


def test_the_closed_form_never_exceeds_the_forest():
    weight = np.ones((2500, 2500))
    weight[0, 1:] = 0
    weight[1:, 0] = 0

    found = forest_edges_by_chance(as_layer(weight + np.arange(2500.0) * (weight > 0)), 2499**2)

    assert found.iid == found.floor == 4998


def test_a_layer_of_zeros_keeps_nothing():
    found = forest_edges_by_chance(as_layer(np.zeros((3, 3))), 0)

    assert found == ForestByChance(n_kept=0, floor=0, observed=0, guaranteed=0, iid=0, random=0, least_expected=0)


def test_by_hand():
    layer = as_layer(np.array([[4.0, 3.0], [2.0, 1.0]]))

    found = forests_by_chance(layer, spanning_forest(layer), [2, 3, 4], threads=1)

    assert [(each.n_kept, each.guaranteed, each.observed, each.random) for each in found] == [
        (2, 2, 2, 1.5),
        (3, 3, 3, 2.25),
        (4, 3, 3, 3.0),
    ]


def test_edges_of_the_view_channel_are_counted_as_those_of_their_graph():
    layer = by_channel(as_layer(make_weight(0, 10, 12 * 9, "normal")), 9)

    found = forest_edges_by_chance(layer, 40)

    assert found.iid == expected_forest_edges_iid(10, 12, 40)
    assert found == forest_edges_by_chance(replace(layer, parallel=None), 40)


@given(weights(rows=st.integers(2, 12), columns=st.integers(2, 12), kinds=("normal",)), SHARES)
def test_a_shape_alone_is_a_layer_without_zeros(weight, share):
    k = round(share * weight.size)

    alone, found = shape_by_chance(*weight.shape, k), forest_edges_by_chance(as_layer(weight), k)

    assert (alone.n_kept, alone.floor, alone.guaranteed) == (found.n_kept, found.floor, found.guaranteed)
    assert alone.random == found.random
    assert alone.observed is None


def test_a_long_shape_with_a_short_side_is_not_simulated():
    found = shape_by_chance(2, 10**12, 10**12)

    assert (found.iid, found.reason) == (None, f"{SHORT}, and too many edges to be simulated")


def test_simulations_of_a_shape_depend_on_the_seed_alone():
    assert shape_by_chance(3, 40, 24, seed=1) == shape_by_chance(3, 40, 24, seed=1)
    assert shape_by_chance(3, 40, 24, seed=1) != shape_by_chance(3, 40, 24, seed=2)


def test_a_layer_and_its_curve_have_one_number():
    layer = as_layer(in_steps(make_weight(0, 60, 80, "normal"), 20))
    forest = spanning_forest(layer)
    n_edges = np.cumsum(np.unique(layer.codes, return_counts=True)[1][::-1])

    curve = expected_betti_curve(layer, forest, n_edges)

    found = forests_by_chance(layer, forest, n_edges.tolist(), threads=1)
    assert [each.reason for each in found] == [None] * len(n_edges)
    assert (140 - curve.beta0).tolist() == pytest.approx([each.iid for each in found], rel=1e-12)


def test_layers_are_added_up():
    one = ForestByChance(30, 10, 8, 2, 6.0, 3.0, 1.0, {NULL: NullDistribution(30, (4, 6))})
    other = ForestByChance(40, 20, 9, 3, 7.0, 5.0, 1.5, {NULL: NullDistribution(40, (10, 20))}, is_strongest=False)

    together = ForestByChance(70, 30, 17, 5, 13.0, 8.0, 2.5, {NULL: NullDistribution(70, (14, 26))}, is_strongest=False)
    assert added_up_by_chance([one, other]) == together


def test_a_layer_with_an_unknown_number_leaves_the_network_without_one():
    one = ForestByChance(30, 10, 8, 2, 6.0, 3.0, 1.0, reason="simulated")
    other = ForestByChance(40, 20, 9, 3, None, 5.0, 1.5, reason="unknown")

    assert added_up_by_chance([one, other]) == ForestByChance(70, 30, 17, 5, None, 8.0, 2.5, reason="unknown")


def test_a_number_of_edges_out_of_range_is_refused():
    with pytest.raises(
        OptionError, match=r"^-1 edges of layer 'weight' are kept; it must be from 0 to the 6 that it has$"
    ):
        forest_edges_by_chance(as_layer(np.ones((2, 3))), -1)
