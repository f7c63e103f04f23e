from collections import Counter
from itertools import islice, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from oracles import slow_forest, slow_order, slow_rank
from strategies import SEEDS, make_weight, weights

from topoimp.chance.scales import MOST_SWEEPS, STEPS, scaled_strengths
from topoimp.layers.layer import as_layer

N_SHUFFLES = 600


def scaled(weight):
    return scaled_strengths(as_layer(weight), len(slow_forest(weight)))


def ranks(weight, k, n, seed=0):
    return list(islice(scaled(weight).ranks(k, np.random.default_rng(seed)), n))


def least_squares(weight):
    """The fit of the logarithms by one linear system."""
    rows, columns = np.nonzero(weight)
    indicators = np.zeros((len(rows), sum(weight.shape)))
    indicators[np.arange(len(rows)), rows] = 1
    indicators[np.arange(len(rows)), len(weight) + columns] = 1
    logarithms = np.log2(np.abs(weight[rows, columns].astype(np.float64)))
    return indicators @ np.linalg.lstsq(indicators, logarithms)[0]


@given(weights(kinds=("normal", "ties", "dead rows", "constant")))
def test_the_scales_are_the_least_squares_fit_of_the_logarithms(weight):
    found = scaled(weight)

    logarithms = np.log2(np.abs(weight[weight != 0].astype(np.float64)))
    shift = logarithms.mean() if len(logarithms) else 0
    assert found.scale / STEPS + shift == pytest.approx(least_squares(weight), abs=1e-6)


def test_among_scattered_zeros_the_scales_are_the_fit_as_well():
    weight = make_weight(2, 30, 40, "normal") * (np.random.default_rng(3).random((30, 40)) < 0.3)

    found = scaled(weight)

    fit = least_squares(weight)
    assert found.scale / STEPS == pytest.approx(fit - fit.mean(), abs=1e-6)


@given(weights())
def test_the_product_is_the_strength(weight):
    found = scaled(weight)

    logarithms = np.log2(np.abs(weight[weight != 0].astype(np.float64)))
    shift = logarithms.mean() if len(logarithms) else 0
    assert (found.scale + found.rest) / STEPS + shift == pytest.approx(logarithms, abs=1e-8)
    assert_array_equal(found.flat, np.flatnonzero(weight))


@given(SEEDS)
def test_scales_of_rows_and_columns_leave_the_rests_as_they_are(seed):
    rng = np.random.default_rng(seed)
    weight = make_weight(seed, 5, 6, "normal")
    scales = 2.0 ** rng.integers(-9, 9, (5, 1)) * 2.0 ** rng.integers(-9, 9, 6)

    one, other = scaled(weight), scaled(weight * scales)

    assert np.abs(one.rest - other.rest).max() <= 4  # steps of rounding


@pytest.mark.parametrize("kind", ["constant", "normal"])
def test_a_layer_of_scales_alone_is_its_own_null(kind):
    rows, columns = np.abs(make_weight(1, 6, 1, kind)), np.abs(make_weight(2, 1, 8, kind))
    weight = rows * columns
    order = slow_order(weight)

    assert [set(ranks(weight, k, 5)) for k in (0, 7, 20, 48)] == [{slow_rank(order[:k], 6, 8)} for k in (0, 7, 20, 48)]


@settings(max_examples=40)
@given(SEEDS, st.sampled_from(["normal", "sparse", "ties"]), st.floats(0, 1))
def test_ranks_come_up_as_often_as_over_all_orders_of_the_rests(seed, kind, share):
    """Six deviations and three counts are exceeded in fewer than 1 of 10^6 cases."""
    weight = make_weight(seed, 2, 3, kind)
    found = scaled(weight)
    k = round(share * len(found.flat))

    counts = Counter(ranks(weight, k, N_SHUFFLES, seed))

    chances = Counter()
    for order in permutations(found.rest.tolist()):
        strengths = found.scale + np.array(order, np.int64)
        strongest = found.flat[np.argsort(-strengths, kind="stable")[:k]]
        chances[slow_rank(strongest.tolist(), 2, 3)] += 1
    chances = {rank: n / chances.total() for rank, n in chances.items()}
    assert counts.keys() <= chances.keys()
    assert {rank: counts[rank] / N_SHUFFLES for rank in chances} == {
        rank: pytest.approx(p, abs=6 * (p * (1 - p) / N_SHUFFLES) ** 0.5 + 3 / N_SHUFFLES)
        for rank, p in chances.items()
    }


@given(weights(), SEEDS)
def test_all_edges_keep_the_floor(weight, seed):
    assert set(ranks(weight, np.count_nonzero(weight), 2, seed)) == {len(slow_forest(weight))}


def test_a_layer_whose_scales_are_found_slowly_is_left_after_a_fixed_number_of_sweeps():
    path = np.zeros((60, 60))
    path[np.arange(60), np.arange(60)] = np.exp(np.arange(60))
    path[np.arange(59), np.arange(1, 60)] = 1.0

    found = scaled(path)

    assert MOST_SWEEPS == 200
    assert np.abs(found.rest).max() > 0  # the fit of a path is exact, and not reached
