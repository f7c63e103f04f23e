import numpy as np
import pytest
from gudhi.representations import Entropy
from hypothesis import given
from strategies import persistences, weights

from topoimp.choices import NeuralPersistence
from topoimp.errors import OptionError
from topoimp.layers.layer import as_layer
from topoimp.topology.barcode import barcode_of, neural_persistence
from topoimp.topology.summaries import persistent_entropy, total_persistence


@given(persistences())
def test_the_order_of_bars_and_bars_of_length_zero_change_nothing(bars):
    padded = np.concatenate([np.zeros(3), bars[::-1]])

    assert total_persistence(padded) == pytest.approx(total_persistence(bars), rel=1e-12)
    assert persistent_entropy(padded) == pytest.approx(persistent_entropy(bars), abs=1e-12)


@given(persistences())
def test_entropy_is_at_least_0_and_at_most_the_logarithm_of_the_number_of_bars(bars):
    entropy = persistent_entropy(np.append(bars, 1.0))

    assert 0 <= entropy <= np.log(len(bars) + 1) + 1e-12


@given(persistences())
def test_a_common_factor_does_not_change_entropy_and_raises_total_persistence_by_its_power(bars):
    assert persistent_entropy(4 * bars) == persistent_entropy(bars)
    assert total_persistence(4 * bars, p=3) == 64 * total_persistence(bars, p=3)


@given(weights())
def test_rieck_s_neural_persistence_is_the_normalised_root_of_total_persistence(weight):
    barcode, scale = barcode_of(as_layer(weight)), float(np.abs(weight).max()) or None
    total = total_persistence(barcode.persistences(scale or 1.0), p=3)

    expected = neural_persistence(barcode, NeuralPersistence.RIECK, scale=scale, p=3)
    assert (total / (barcode.n_vertices - 1)) ** (1 / 3) == pytest.approx(expected)


@given(persistences())
def test_entropy_is_that_of_gudhi(bars):
    there = np.append(bars[bars > 0], 1.0)
    diagram = np.stack([np.zeros(len(there)), there], axis=1)

    assert persistent_entropy(there) == pytest.approx(float(Entropy()(diagram)[0]), abs=1e-9)


def test_total_persistence_by_hand():
    assert total_persistence(np.array([0.5, 1.0, 0.0])) == 1.25
    assert total_persistence(np.array([0.5, 1.0, 0.0]), p=1) == 1.5


def test_entropy_by_hand():
    assert persistent_entropy(np.array([0.25, 0.25, 0.5])) == pytest.approx(1.5 * np.log(2))
    assert persistent_entropy(np.ones(4)) == pytest.approx(np.log(4))


def test_a_single_bar_has_no_entropy():
    assert str(persistent_entropy(np.array([0.0, 1.0]))) == "0.0"


def test_a_bar_on_the_other_side_of_the_diagonal_counts_with_its_length():
    assert total_persistence(np.array([-0.5])) == 0.25
    assert persistent_entropy(np.array([-0.5, 0.5])) == pytest.approx(np.log(2))


def test_without_bars_there_is_a_total_and_no_entropy():
    assert total_persistence(np.empty(0)) == 0
    assert persistent_entropy(np.empty(0)) is None
    assert persistent_entropy(np.zeros(3)) is None


def test_numbers_without_end_have_no_total_but_an_entropy():
    assert total_persistence(np.full(2, 1e200)) is None
    assert persistent_entropy(np.full(2, 1.7e308)) == pytest.approx(np.log(2))


@pytest.mark.parametrize("p", [0.5, float("inf"), float("nan")])
def test_a_degree_that_is_none_is_refused(p):
    with pytest.raises(OptionError, match=f"the norm's p is {p}; it must be at least 1, and finite"):
        total_persistence(np.ones(2), p=p)
