from itertools import combinations
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import slow_rank
from strategies import weights

from topoimp.chance.overlap import LeastExpected, Overlap, overlap_of, overlap_of_shape
from topoimp.chance.simulation import simulated_forest_edges_iid
from topoimp.layers.layer import as_layer
from topoimp.topology.forest import spanning_forest


def of_paper(m, n, p=1.0):
    """The bound that theorem 3.3 prints, and with p < 1 the one of corollary 3.4."""
    terms = [(m - i) * (n - i) / (p * m * n - i) for i in range(min(m, n) + 1)]
    return min(sum(terms) / (m + n - 1), 1.0)


def exact_means(places, n_rows, n_columns):
    """The mean number of forest edges among the k strongest, over all orders of the strengths on some places."""
    return [
        np.mean([slow_rank(chosen, n_rows, n_columns) for chosen in combinations(places, k)])
        for k in range(len(places) + 1)
    ]


@pytest.mark.parametrize(("m", "n"), [(m, n) for m in range(1, 5) for n in range(m, 5)])
def test_over_all_orders_of_a_full_layer_the_mean_is_at_least_the_bound(m, n):
    means = exact_means(range(m * n), m, n)

    bounds = [LeastExpected(m, n).forest_edges(k) for k in range(m * n + 1)]
    assert all(bound <= mean + 1e-12 for bound, mean in zip(bounds, means, strict=True))
    if m > 1:
        assert bounds[m + n - 1] / (m + n - 1) == pytest.approx(of_paper(m, n))
    else:
        assert bounds == means


@pytest.mark.parametrize(("m", "n"), [(2, 2), (2, 3), (2, 4), (3, 3)])
def test_over_all_orders_of_every_layer_with_zeros_the_mean_is_at_least_the_bound(m, n):
    is_close = 0
    for number in range(1 << (m * n)):
        support = (number >> np.arange(m * n) & 1).reshape(m, n)
        rows, columns = (degrees[degrees > 0] for degrees in (support.sum(axis=1), support.sum(axis=0)))
        means = exact_means(np.flatnonzero(support), m, n)

        least_expected = LeastExpected(len(rows), len(columns), (rows, columns))
        bounds = [least_expected.forest_edges(k) for k in range(len(means))]
        assert all(bound <= mean + 1e-12 for bound, mean in zip(bounds, means, strict=True))
        is_close += bounds[-1] == means[-1]

    assert is_close > 2 ** min(m, n)  # layers of one live row or column, at least


@pytest.mark.parametrize(("m", "n"), [(5, 7), (9, 100), (30, 20), (100, 100)])
def test_simulated_means_are_above_the_bound(m, n):
    for k in (m, m + n - 1, 2 * (m + n)):
        simulated = simulated_forest_edges_iid(m, n, k, n_simulations=50, seed=3)

        assert LeastExpected(m, n).forest_edges(k) < simulated.mean + 5 * simulated.standard_deviation / sqrt(50)


@pytest.mark.parametrize(
    ("m", "n", "share"), [(784, 100, 0.0548), (100, 100, 0.1704), (100, 10, 0.0491), (300, 784, 0.1213)]
)
def test_shares_of_the_layers_of_the_paper(m, n, share):
    overlap = overlap_of_shape(m, n)

    assert (overlap.floor, overlap.n_shared) == (m + n - 1, None)
    assert overlap.least_expected / overlap.floor == pytest.approx(of_paper(m, n))
    assert overlap.least_expected / overlap.floor == pytest.approx(share, abs=5e-5)


def test_a_block_of_strong_weights_is_below_the_bound_as_its_strengths_are_not_exchangeable():
    weight = np.random.default_rng(0).random((100, 100))
    weight[:15, :14] += 1  # 210 strongest weights, of which 199 are taken
    layer = as_layer(weight)

    overlap = overlap_of(layer, spanning_forest(layer), threads=1)

    assert (overlap.n_shared, overlap.floor) == (28, 199)
    assert overlap.n_shared / overlap.floor == pytest.approx(0.1407, abs=5e-5)
    assert overlap.least_expected / overlap.floor == pytest.approx(0.1704, abs=5e-5)


def test_corollary_3_4_as_printed_is_false_and_the_bounds_of_the_support_hold():
    rng = np.random.default_rng(1)
    shares, of_degrees = [], []
    for _ in range(200):
        weight = np.zeros(10_000)
        weight[rng.choice(10_000, 1000, replace=False)] = rng.random(1000) + 0.1
        layer = as_layer(weight.reshape(100, 100))
        overlap = overlap_of(layer, spanning_forest(layer), threads=1)
        shares.append(overlap.n_shared / overlap.floor)
        of_degrees.append(overlap.least_expected / overlap.floor)

    assert of_paper(100, 100, p=0.1) == 1.0
    assert np.mean(shares) == pytest.approx(0.838, abs=0.005)  # 5 standard errors
    assert np.mean(shares) > of_paper(100, 100)
    assert max(of_degrees) < of_paper(100, 100)


@given(weights(), st.integers(1, 3))
def test_degrees_are_the_numbers_of_edges_of_live_rows_and_columns(weight, threads):
    layer = as_layer(weight)

    found = LeastExpected.of_layer(layer, spanning_forest(layer), threads)

    rows, columns = (np.count_nonzero(weight, axis=axis) for axis in (1, 0))
    live = rows[rows > 0].tolist(), columns[columns > 0].tolist()
    assert (found.n_rows, found.n_columns) == tuple(map(len, live))
    if found.degrees is None:
        assert np.count_nonzero(weight) == found.n_rows * found.n_columns
    else:
        assert tuple(degrees.tolist() for degrees in found.degrees) == live


@pytest.mark.parametrize(("m", "n"), [(2, 9), (7, 5), (30, 20)])
def test_degrees_of_a_full_layer_give_its_bound(m, n, monkeypatch):
    monkeypatch.setattr("topoimp.chance.overlap._STEPS", 4)
    of_degrees = LeastExpected(m, n, (np.full(m, n), np.full(n, m)))

    for k in range(m * n + 1):
        assert of_degrees.forest_edges(k) == pytest.approx(LeastExpected(m, n).forest_edges(k), rel=1e-12)


def test_a_layer_of_zeros_has_nothing_to_overlap():
    layer = as_layer(np.zeros((3, 4)))

    assert overlap_of(layer, spanning_forest(layer), threads=1) == Overlap(0, 0, 0.0)
