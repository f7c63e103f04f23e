from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import connected_probabilities, slow_guaranteed, slow_order, slow_rank
from scipy.stats import hypergeom
from strategies import weights

from topoimp.chance.closed_forms import (
    connectivity_probability,
    connectivity_threshold,
    expected_forest_edges_iid,
    expected_forest_edges_random,
    guaranteed_forest_edges,
)
from topoimp.chance.forest_by_chance import LEAST_SIDE
from topoimp.chance.simulation import simulated_forest_edges_iid
from topoimp.errors import OptionError

SIDES = st.integers(1, 40)
LONG_SIDES = st.integers(LEAST_SIDE, 2000)
SHARES = st.floats(0, 1)


@given(weights(), SHARES)
def test_the_strongest_weights_never_keep_fewer_than_guaranteed(weight, share):
    order = slow_order(weight)
    k = round(share * len(order))

    assert slow_rank(order[:k], *weight.shape) >= guaranteed_forest_edges(*weight.shape, k)


@given(SIDES, SIDES, SHARES)
def test_the_guarantee_is_the_smallest_block_with_room(n_rows, n_columns, share):
    k = round(share * n_rows * n_columns)

    assert guaranteed_forest_edges(n_rows, n_columns, k) == slow_guaranteed(n_rows, n_columns, k)


@given(SIDES, SIDES, SHARES)
def test_the_guarantee_is_the_same_for_rows_and_columns(n_rows, n_columns, share):
    k = round(share * n_rows * n_columns)

    assert guaranteed_forest_edges(n_rows, n_columns, k) == guaranteed_forest_edges(n_columns, n_rows, k)


@pytest.mark.parametrize(("n_rows", "n_columns"), [(1, 1), (1, 6), (2, 5), (3, 3), (3, 4), (6, 2)])
def test_some_choice_of_weights_keeps_no_more_than_guaranteed(n_rows, n_columns):
    sizes = range(n_rows * n_columns + 1)
    fewest = [min(slow_rank(c, n_rows, n_columns) for c in combinations(range(max(sizes)), k)) for k in sizes]

    assert [guaranteed_forest_edges(n_rows, n_columns, k) for k in sizes] == fewest


@pytest.mark.parametrize(
    ("n_rows", "n_columns", "k", "fewest"),
    [
        (4, 4, 0, 0),
        (4, 4, 1, 1),
        (4, 4, 4, 3),
        (4, 4, 5, 4),
        (4, 4, 6, 4),
        (4, 4, 16, 7),
        (1, 9, 5, 5),
        (2, 100, 50, 26),
        (300, 784, 2352, 96),
        (10**9, 10**9, 10**18, 2 * 10**9 - 1),
    ],
)
def test_guarantees_by_hand(n_rows, n_columns, k, fewest):
    assert guaranteed_forest_edges(n_rows, n_columns, k) == fewest


@given(LONG_SIDES, LONG_SIDES, SHARES, st.sampled_from([1, 1e-2, 1e-4]))
def test_what_is_expected_lies_between_what_is_guaranteed_and_what_is_possible(n_rows, n_columns, share, factor):
    k = round(share * factor * n_rows * n_columns)

    expected = expected_forest_edges_iid(n_rows, n_columns, k)

    assert guaranteed_forest_edges(n_rows, n_columns, k) <= expected <= min(k, n_rows + n_columns - 1)


def test_what_is_expected_is_exact_where_every_choice_of_weights_keeps_the_whole_forest():
    assert guaranteed_forest_edges(9, 9, 76) == 17
    assert expected_forest_edges_iid(9, 9, 76) == 17  # the formula alone says 16.99999999977


@given(LONG_SIDES, LONG_SIDES, SHARES, st.sampled_from([1, 1e-2, 1e-4]))
def test_what_is_expected_is_the_same_for_rows_and_columns(n_rows, n_columns, share, factor):
    k = round(share * factor * n_rows * n_columns)

    expected = expected_forest_edges_iid(n_rows, n_columns, k)

    assert expected == pytest.approx(expected_forest_edges_iid(n_columns, n_rows, k), rel=1e-6)


@given(LONG_SIDES, LONG_SIDES)
def test_nothing_keeps_nothing_and_everything_keeps_the_forest(n_rows, n_columns):
    assert expected_forest_edges_iid(n_rows, n_columns, 0) == 0
    assert expected_forest_edges_iid(n_rows, n_columns, n_rows * n_columns) == n_rows + n_columns - 1


@pytest.mark.parametrize(("n_rows", "n_columns"), [(9, 9), (9, 18), (40, 9), (10, 256), (60, 60), (100, 300)])
@pytest.mark.parametrize("of_critical", [0.2, 0.5, 0.7, 0.8, 0.9, 1.0, 1.3, 2.0, 3.0, 5.0])
def test_what_is_expected_is_simulated_within_one_percent_or_half_an_edge(n_rows, n_columns, of_critical):
    k = min(round(of_critical * (n_rows + n_columns - 1)), n_rows * n_columns)

    simulated = simulated_forest_edges_iid(n_rows, n_columns, k, n_simulations=400, seed=1)

    tolerance = max(0.01 * simulated.mean, 0.5) + 4 * simulated.standard_deviation / 400**0.5
    assert abs(expected_forest_edges_iid(n_rows, n_columns, k) - simulated.mean) < tolerance


def test_a_layer_of_10_by_256_keeps_179_edges_by_chance_at_its_critical_density():
    simulated = simulated_forest_edges_iid(10, 256, 265, n_simulations=4000)

    assert expected_forest_edges_iid(10, 256, 265) == pytest.approx(179.164, abs=5e-4)
    assert simulated.mean == pytest.approx(179.33, abs=0.35)


def test_a_layer_of_1000_by_1000_keeps_1676_edges_by_chance_at_its_critical_density():
    simulated = simulated_forest_edges_iid(1000, 1000, 1999)

    assert expected_forest_edges_iid(1000, 1000, 1999) == pytest.approx(1675.609, abs=5e-4)
    assert simulated.mean == pytest.approx(1675.7, abs=3.5)


@pytest.mark.parametrize(
    ("n_rows", "n_columns", "share"),
    [
        (9, 9, 0.8541),
        (9, 10**6, 0.6536),
        (1000, 10**8, 1 - np.exp(-1)),
        (1000, 1000, 0.8382),
        (10**5, 10**5, 0.8381),
        (300, 784, 0.7995),  # the layers of LeNet-300-100
        (100, 300, 0.7895),
        (10, 100, 0.7107),
    ],
)
def test_chance_keeps_most_of_the_forest_at_the_critical_density(n_rows, n_columns, share):
    critical = n_rows + n_columns - 1

    assert expected_forest_edges_iid(n_rows, n_columns, critical) / critical == pytest.approx(share, abs=2e-4)


def test_just_where_a_giant_component_appears_an_expectation_is_off_by_three_percent():
    simulated = simulated_forest_edges_iid(9, 18, 14, n_simulations=4000)

    assert expected_forest_edges_iid(9, 18, 14) / simulated.mean == pytest.approx(0.969, abs=2e-3)


@given(st.integers(1, 300), SHARES, SHARES)
def test_a_random_mask_meets_the_forest_hypergeometrically(n_edges, floor_share, kept_share):
    floor, k = round(floor_share * n_edges), round(kept_share * n_edges)
    numbers = np.arange(n_edges + 1)

    found = expected_forest_edges_random(n_edges, floor, k)

    assert found == pytest.approx(hypergeom.pmf(numbers, n_edges, floor, k) @ numbers)


def test_random_masks_by_hand():
    assert expected_forest_edges_random(4, 2, 2) == 1
    assert expected_forest_edges_random(0, 0, 0) == 0
    assert expected_forest_edges_random(1, 1, 1) == 1
    assert expected_forest_edges_random(1, 1, 0) == 0


@pytest.mark.parametrize("p", [0.01, 0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.541, 0.6, 0.7, 0.8, 0.9, 0.99])
def test_connectivity_is_exact_within_0_051(p):
    exact = connected_probabilities(9, 9, p)

    found = {shape: connectivity_probability(*shape, p) for shape in exact if shape[1]}
    assert found == {shape: pytest.approx(exact[shape], abs=0.0505) for shape in found}
    assert found[3, 3] - exact[3, 3] < 0.0505


def test_connectivity_is_worst_at_3_by_3():
    assert connectivity_probability(3, 3, 0.541) - connected_probabilities(3, 3, 0.541)[3, 3] > 0.05


@given(st.integers(1, 12), SHARES)
def test_one_row_is_connected_only_whole(n_columns, p):
    assert connectivity_probability(1, n_columns, p) == pytest.approx(p**n_columns, abs=1e-300)
    assert connectivity_probability(n_columns, 1, p) == pytest.approx(p**n_columns, abs=1e-300)


@given(st.integers(1, 10**5), st.integers(1, 10**5), SHARES)
def test_connectivity_is_a_probability_and_the_same_for_rows_and_columns(n_rows, n_columns, p):
    found = connectivity_probability(n_rows, n_columns, p)

    assert 0 <= found <= 1
    assert found == pytest.approx(connectivity_probability(n_columns, n_rows, p))


def test_connectivity_at_both_ends():
    assert [connectivity_probability(3, 4, p) for p in (0, 1e-300, 1)] == [0, 0, 1]


@given(st.integers(1, 10**5), st.integers(1, 10**5))
def test_at_the_threshold_one_vertex_of_the_binding_side_is_alone_on_average(n_rows, n_columns):
    assume(n_rows * n_columns > 1)
    p = connectivity_threshold(n_rows, n_columns)

    alone = max(n_rows * (1 - p) ** n_columns, n_columns * (1 - p) ** n_rows)

    assert alone == pytest.approx(1, rel=1e-6)


def test_thresholds_by_hand():
    assert connectivity_threshold(1, 1) == 0
    assert connectivity_threshold(4, 2) == connectivity_threshold(2, 4) == 0.5
    assert connectivity_threshold(10, 100) == pytest.approx(1 - 100**-0.1)
    at_the_threshold = connectivity_probability(1000, 1000, connectivity_threshold(1000, 1000))
    assert at_the_threshold == pytest.approx(np.exp(-2), abs=2e-3)


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: guaranteed_forest_edges(0, 3, 0), "the layer is 0 x 3; it must have at least one row and one column"),
        (lambda: guaranteed_forest_edges(2, 3, 7), "7 weights are kept of 2 x 3; it must be from 0 to 6"),
        (lambda: expected_forest_edges_iid(2, 3, -1), "-1 weights are kept of 2 x 3; it must be from 0 to 6"),
        (lambda: expected_forest_edges_iid(9, 9, 82), "82 weights are kept of 9 x 9; it must be from 0 to 81"),
        (
            lambda: expected_forest_edges_random(5, 6, 1),
            "the forest has 6 edges; it must have from 0 to the layer's 5",
        ),
        (lambda: expected_forest_edges_random(5, 3, 6), "6 edges are kept; it must be from 0 to the layer's 5"),
        (lambda: connectivity_probability(2, 2, 1.5), "the probability is 1.5; it must be from 0 to 1"),
        (lambda: connectivity_probability(2, 2, float("nan")), "the probability is nan; it must be from 0 to 1"),
        (lambda: connectivity_threshold(2, 0), "the layer is 2 x 0; it must have at least one row and one column"),
    ],
)
def test_numbers_outside_their_range_are_refused(call, complaint):
    with pytest.raises(OptionError, match=f"^{complaint}$"):
        call()
