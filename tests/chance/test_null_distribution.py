from fractions import Fraction
from math import comb, inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from topoimp.chance.null_distribution import ExactDistribution, NullDistribution, added_up, hypergeometric
from topoimp.errors import OptionError

COUNTS = st.lists(st.integers(0, 50), min_size=1, max_size=8)
MANY = st.lists(st.integers(0, 30), min_size=1, max_size=200)


@given(COUNTS, st.integers(0, 50))
def test_a_score_is_the_excess_in_standard_deviations(counts, observed):
    null = NullDistribution(7, tuple(counts))

    assert null.mean == pytest.approx(np.mean(counts))
    assert null.excess(observed) == pytest.approx(observed - np.mean(counts))
    if len(set(counts)) > 1:
        assert null.z_score(observed) == pytest.approx((observed - np.mean(counts)) / np.std(counts, ddof=1))


def test_a_single_simulation_has_no_deviation_and_no_score():
    null = NullDistribution(3, (2,))

    assert (null.mean, null.standard_deviation, null.z_score(2)) == (2, None, None)


def test_where_all_simulations_agree_a_score_is_zero_or_infinite():
    null = NullDistribution(3, (2, 2, 2))

    assert null.standard_deviation == 0
    assert [null.z_score(observed) for observed in (1, 2, 3)] == [-inf, 0, inf]


@given(MANY, st.integers(-1, 31))
def test_a_p_value_counts_the_observed_number_as_one_more_simulation(counts, observed):
    everything = [*counts, observed]
    low, high = (sum(map(beyond, everything)) for beyond in (observed.__ge__, observed.__le__))

    p_value = NullDistribution(7, tuple(counts)).p_value(observed)

    assert p_value == pytest.approx(min(1, 2 * min(low, high) / len(everything)))


@given(MANY, st.integers(-1, 31))
def test_the_central_95_percent_are_the_numbers_whose_p_value_is_above_5_percent(counts, observed):
    null = NullDistribution(7, tuple(counts))

    if null.central is None:
        assert len(counts) < 39
    else:
        assert (null.central[0] <= observed <= null.central[1]) == (null.p_value(observed) > 0.05)


@pytest.mark.parametrize(("n", "central"), [(38, None), (39, (1, 39)), (78, (1, 78)), (79, (2, 78)), (1000, (25, 976))])
def test_the_central_95_percent_by_hand(n, central):
    assert NullDistribution(7, tuple(range(n, 0, -1))).central == central


def test_under_the_null_a_p_value_is_no_more_than_a_level_as_often_as_the_level():
    """Any of 40 exchangeable numbers is as likely the observed one: 2 of 40 have a p-value of 0.05."""
    numbers = range(40)

    p_values = [NullDistribution(7, tuple(n for n in numbers if n != each)).p_value(each) for each in numbers]

    assert [sum(p <= level for p in p_values) for level in (0.05, 0.1, 0.5)] == [2, 4, 20]


LAYERS = st.integers(0, 40).flatmap(
    lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(0, n)),
)


@given(LAYERS)
def test_a_hypergeometric_number_is_exact(layer):
    n_edges, floor, k = layer
    chances = {
        x: Fraction(comb(floor, x) * comb(n_edges - floor, k - x), comb(n_edges, k))
        for x in range(max(0, k + floor - n_edges), min(k, floor) + 1)
    }
    mean = sum(x * p for x, p in chances.items())
    variance = sum((x - mean) ** 2 * p for x, p in chances.items())

    null = hypergeometric(n_edges, floor, k)

    assert null.least == min(chances)
    assert null.probabilities.tolist() == pytest.approx([float(p) for p in chances.values()], rel=1e-9)
    assert (null.mean, null.variance) == (pytest.approx(float(mean)), pytest.approx(float(variance), abs=1e-12))
    for x in range(-1, n_edges + 2):
        low = sum(p for y, p in chances.items() if y <= x)
        high = sum(p for y, p in chances.items() if y >= x)
        assert null.p_value(x) == pytest.approx(float(min(1, 2 * min(low, high))))


@given(LAYERS, st.integers(0, 40))
def test_the_central_95_percent_of_an_exact_null_are_the_numbers_whose_p_value_is_above_5_percent(layer, observed):
    null = hypergeometric(*layer)

    p_value = null.p_value(observed)

    lowest, highest = null.central
    assert (lowest <= observed <= highest) == (p_value > 0.05) or p_value == pytest.approx(0.05)


def test_a_large_layer_far_from_its_mean_has_an_exact_p_value_and_none_beyond_all_numbers():
    null = hypergeometric(16_777_216, 8_191, 167_772)

    assert null.mean == pytest.approx(81.91, abs=0.001)
    assert null.p_value(200) == pytest.approx(2 * hypergeom(16_777_216, 8_191, 167_772).sf(199), rel=1e-6)
    assert null.p_value(8_192) == 0
    assert null.z_score(100) == pytest.approx((100 - null.mean) / hypergeom(16_777_216, 8_191, 167_772).std())


def test_without_deviation_a_number_that_is_not_the_only_one_is_infinitely_far():
    everything = hypergeometric(12, 6, 12)

    assert [everything.z_score(n) for n in (5, 6)] == [-inf, 0]
    assert (everything.central, everything.p_value(6), everything.p_value(5)) == ((6, 6), 1, 0)


def test_simulations_of_several_layers_are_added_up_one_by_one():
    together = added_up([NullDistribution(30, (4, 6)), NullDistribution(40, (10, 20))])

    assert together == NullDistribution(70, (14, 26))


def test_exact_numbers_of_several_layers_are_added_up_as_independent():
    layers = [hypergeometric(6, 3, 2), hypergeometric(8, 4, 4), hypergeometric(5, 0, 2)]

    together = added_up(layers)

    chances = {}
    for x, p in enumerate(layers[0].probabilities):
        for y, q in enumerate(layers[1].probabilities):
            chances[x + y] = chances.get(x + y, 0) + p * q
    assert isinstance(together, ExactDistribution)
    assert (together.n_kept, together.least) == (8, 0)
    assert together.probabilities.tolist() == pytest.approx(list(chances.values()))
    assert together.mean == pytest.approx(3 / 3 + 2)
    assert together.variance == pytest.approx(sum(layer.variance for layer in layers))
    assert np.dot(together.probabilities, np.arange(len(together.probabilities))) == pytest.approx(together.mean)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((4, 5, 2), "the forest has 5 edges; it must have from 0 to the layer's 4"),
        ((4, 2, 5), "5 edges are kept; it must be from 0 to the layer's 4"),
    ],
)
def test_a_number_out_of_range_is_refused(arguments, message):
    with pytest.raises(OptionError, match=f"^{message}$"):
        hypergeometric(*arguments)
