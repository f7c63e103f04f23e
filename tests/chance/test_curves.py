import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from oracles import slow_components, slow_forest, slow_order
from strategies import weights

from topoimp import OptionError, Unit, as_layer, spanning_forest
from topoimp.chance.curves import (
    BettiBesideChance,
    betti_beside_chance,
    checked_null,
    death_histogram,
    numbers_of_edges,
)
from topoimp.chance.null import parse_null
from topoimp.chance.null_models import null_forest_edges


@given(weights())
def test_betti_numbers_are_those_of_the_graphs_of_the_strongest_edges(weight):
    layer = as_layer(weight)
    curves = betti_beside_chance(layer, spanning_forest(layer))

    order = slow_order(weight)
    graphs = []
    for k in curves.n_kept.tolist():
        present = np.zeros(weight.size, bool)
        present[order[:k]] = True
        graphs.append(present.reshape(weight.shape))
    assert curves.beta0.tolist() == [slow_components(present) for present in graphs]
    cycles = [int(present.sum()) - sum(weight.shape) + slow_components(present) for present in graphs]
    assert curves.beta1(curves.beta0).tolist() == cycles


@given(st.integers(1, 10**12))
def test_numbers_of_edges_are_few_and_different_and_have_both_ends(n_edges):
    numbers = numbers_of_edges(n_edges)

    assert numbers == sorted(set(numbers))
    assert (numbers[0], numbers[-1]) == (1, n_edges)
    assert len(numbers) <= 60


def test_without_edges_the_number_is_0():
    layer = as_layer(np.zeros((2, 3)))
    curves = betti_beside_chance(layer, spanning_forest(layer), null=parse_null("edges:3"))

    assert (curves.n_kept.tolist(), curves.beta0.tolist(), curves.beta0_iid.tolist()) == ([0], [5], [5])
    assert curves.beta0_null.tolist() == [[5], [5]]


def test_the_band_is_that_of_the_simulations_of_each_number():
    layer = as_layer(np.random.default_rng(3).normal(size=(10, 14)), name="fc")
    curves = betti_beside_chance(layer, spanning_forest(layer), null=parse_null("edges:21"), seed=4)

    for place in (10, 25, 40):
        counts = sorted(null_forest_edges(layer, int(curves.n_kept[place]), "edges:21", seed=4).counts)
        assert curves.beta0_null[:, place].tolist() == [24 - counts[19], 24 - counts[1]]  # of 21, the 2nd from each end


def test_cycles_follow_from_components():
    curves = BettiBesideChance(5, np.array([1, 4, 6]), np.array([4, 2, 1]))

    assert curves.beta1(curves.beta0).tolist() == [0, 1, 2]


@given(weights())
def test_the_histogram_counts_every_death_once(weight):
    layer = as_layer(weight)
    forest = spanning_forest(layer)
    histogram = death_histogram(layer, forest, unit=Unit(1.0, forest.strongest))

    flat = np.abs(weight.astype(np.float64)).ravel()
    deaths = [flat[index] / flat.max() for index in slow_forest(weight)]
    assert_array_equal(histogram.observed, np.histogram(deaths, np.linspace(0, 1, 41))[0])
    assert (histogram.iid >= 0).all()
    assert histogram.iid.sum() == pytest.approx(len(deaths))


def test_simulated_deaths_add_up_to_those_of_the_forest():
    layer = as_layer(np.random.default_rng(5).normal(size=(10, 14)))
    forest = spanning_forest(layer)
    histogram = death_histogram(layer, forest, unit=Unit(1.0, forest.strongest), null=parse_null("rows:10"))

    assert histogram.simulated.sum() == pytest.approx(23)
    assert (histogram.simulated >= 0).all()


def test_independent_strengths_die_as_the_closed_form_says():
    layer = as_layer(np.random.default_rng(6).normal(size=(60, 80)))
    forest = spanning_forest(layer)
    histogram = death_histogram(layer, forest, unit=Unit(1.0, forest.strongest))

    # Deviations of the number above a level are below 6 here (docs/theory.md, 6.2): 40 is never reached.
    difference = np.cumsum(histogram.observed - histogram.iid)
    assert np.abs(difference).max() < 40


@pytest.mark.parametrize("null", ["random", "initial"])
def test_a_null_that_is_not_simulated_is_refused(null):
    with pytest.raises(OptionError, match=f"^the null is '{null}'; a curve needs one that is simulated, as in "):
        checked_null(null)


def test_a_null_by_name_is_that_null():
    layer = as_layer(np.random.default_rng(3).normal(size=(10, 14)))
    forest = spanning_forest(layer)

    by_name = betti_beside_chance(layer, forest, null="edges:5", threads=2)
    record = betti_beside_chance(layer, forest, null=parse_null("edges:5"))
    assert_array_equal(by_name.beta0_null, record.beta0_null)
    assert by_name.null == parse_null("edges:5")
    assert checked_null(None) is None
