from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topoimp.chance.holm import holm

P_VALUES = st.lists(st.sampled_from([0, 0.001, 0.01, 0.02, 0.04, 0.05, 0.3, 1]) | st.floats(0, 1), max_size=5)


@given(P_VALUES)
def test_it_is_the_closed_test_of_bonferroni(p_values):
    """A hypothesis falls if every set of hypotheses that holds it falls by Bonferroni's rule."""
    places = range(len(p_values))
    sets = [each for n in places for each in combinations(places, n + 1)]

    expected = [max(min(1, len(each) * min(p_values[i] for i in each)) for each in sets if k in each) for k in places]

    assert holm(p_values) == pytest.approx(expected)


@given(P_VALUES)
def test_no_corrected_value_is_smaller_and_the_order_is_kept(p_values):
    corrected = holm(p_values)

    assert all(0 <= p <= q <= 1 for p, q in zip(p_values, corrected, strict=True))
    pairs = sorted(zip(p_values, corrected, strict=True))
    assert [q for _, q in pairs] == sorted(corrected)


def test_one_test_is_not_corrected_and_none_is_none():
    assert holm([0.03]) == [0.03]
    assert holm([]) == []
