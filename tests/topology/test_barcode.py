import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from oracles import gudhi_bars
from strategies import make_weight, weights

from topoimp.choices import NeuralPersistence, Scale
from topoimp.errors import OptionError
from topoimp.layers.layer import as_layer
from topoimp.topology.barcode import Barcode, barcode_of, neural_persistence, reason_undefined, scale_of_convention

RIECK, RIECK_FINITE, BALWANI = NeuralPersistence


def assert_bars_equal_those_of_gudhi(weight):
    scale = float(np.abs(weight).max()) or 1.0

    barcode = barcode_of(as_layer(weight))

    deaths, n_essential, births = gudhi_bars(weight, scale)
    assert_array_equal(-barcode.deaths / scale, deaths)
    assert barcode.n_essential == n_essential
    assert (births == -1).all()
    assert len(births) == barcode.n_vertices


@settings(max_examples=250)
@given(weights())
def test_small_barcodes_are_those_of_gudhi(weight):
    assert_bars_equal_those_of_gudhi(weight)


SIDES = st.integers(min_value=2, max_value=90)
LONG_SIDES = st.integers(min_value=200, max_value=260)


@settings(max_examples=130)
@example(make_weight(0, 2, 200, "normal"))
@example(make_weight(0, 2, 200, "constant"))
@given(weights(rows=SIDES, columns=LONG_SIDES))
def test_barcodes_with_more_than_200_vertices_are_those_of_gudhi(weight):
    assert_bars_equal_those_of_gudhi(weight)


def test_every_vertex_has_one_bar():
    barcode = barcode_of(as_layer(np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.5]])))

    assert barcode.deaths.tolist() == [2.0, 1.0, 0.5]
    assert (barcode.n_essential, barcode.n_vertices) == (2, 5)


def test_persistences_ascend_and_essential_bars_have_one():
    barcode = Barcode(np.array([2.0, 1.0, 0.5]), n_essential=2)

    assert barcode.persistences(2.0).tolist() == [0.0, 0.5, 0.75, 1.0, 1.0]


@given(weights())
def test_a_barcode_does_not_depend_on_which_of_equal_edges_are_in_the_forest(weight):
    assert barcode_of(as_layer(weight)).equals(barcode_of(as_layer(weight[::-1, ::-1])))


def test_barcodes_differ_in_deaths_or_in_components():
    barcode = Barcode(np.array([1.0]), n_essential=2)

    assert not barcode.equals(Barcode(np.array([1.0]), n_essential=1))
    assert not barcode.equals(Barcode(np.array([0.5]), n_essential=2))


@given(weights(rows=st.integers(2, 12), columns=st.integers(2, 12)), st.sampled_from([1.0, 2.0, 3.5]))
def test_neural_persistences_stay_within_their_ranges(weight, p):
    barcode = barcode_of(as_layer(weight))
    scale = float(np.abs(weight).max()) or None
    most = (barcode.n_vertices / (barcode.n_vertices - 1)) ** (1 / p)

    least = (1 / (barcode.n_vertices - 1)) ** (1 / p)
    assert least - 1e-12 <= neural_persistence(barcode, RIECK, scale=scale, p=p) <= most + 1e-12
    assert 0 <= neural_persistence(barcode, RIECK_FINITE, scale=scale, p=p) <= 1 + 1e-12
    assert 0 <= (neural_persistence(barcode, BALWANI, scale=scale, p=p) or 0) <= 1 + 1e-12


@given(weights(rows=st.integers(2, 12), columns=st.integers(2, 12)))
def test_the_conventions_are_what_their_definitions_say(weight):
    barcode = barcode_of(as_layer(weight))
    scale = float(np.abs(weight).max()) or 1.0
    finite = [(1 - death / scale) ** 2 for death in barcode.deaths]
    c, v = barcode.n_essential, barcode.n_vertices

    assert neural_persistence(barcode, RIECK, scale=scale) == pytest.approx(((sum(finite) + c) / (v - 1)) ** 0.5)
    assert neural_persistence(barcode, RIECK_FINITE, scale=scale) == pytest.approx(
        ((sum(finite) + c - 1) / (v - 1)) ** 0.5
    )
    if len(barcode.deaths):
        expected = ((sum(finite) + c - 1) / (v - 2)) ** 0.5
        assert neural_persistence(barcode, BALWANI, scale=scale) == pytest.approx(expected)


def test_balwani_is_undefined_for_a_layer_of_zeros_and_for_a_single_weight():
    zeros, single = Barcode(np.empty(0), n_essential=4), Barcode(np.array([2.0]), n_essential=1)

    assert neural_persistence(zeros, BALWANI, scale=None) is None
    assert neural_persistence(single, BALWANI, scale=2.0) is None
    assert (reason_undefined(zeros), reason_undefined(single)) == ("a layer of zeros", "a single weight")


def test_a_layer_of_zeros_has_the_largest_rieck_value():
    zeros = Barcode(np.empty(0), n_essential=4)

    assert neural_persistence(zeros, RIECK, scale=None) == pytest.approx((4 / 3) ** 0.5)
    assert neural_persistence(zeros, RIECK_FINITE, scale=None) == pytest.approx(1.0)


def test_a_constant_layer_has_the_least_values():
    constant = Barcode(np.full(4, 2.0), n_essential=1)

    assert neural_persistence(constant, RIECK, scale=2.0) == 0.5  # the root of 1 / (V - 1)
    assert [neural_persistence(constant, name, scale=2.0) for name in (RIECK_FINITE, BALWANI)] == [0, 0]


def test_edges_without_a_scale_have_no_neural_persistence():
    assert neural_persistence(Barcode(np.array([1.0, 1.0]), 1), RIECK, scale=None) is None


def test_a_bar_that_dies_above_a_foreign_scale_counts_with_its_distance():
    assert neural_persistence(Barcode(np.array([3.0]), 1), RIECK_FINITE, scale=2.0) == 0.5


@pytest.mark.parametrize("p", [1000.0, 20_000.0, 1e6])
def test_a_high_norm_comes_near_the_longest_bar_s_persistence(p):
    barcode = Barcode(np.array([4.0, 3.0, 1.0]), n_essential=1)

    value = neural_persistence(barcode, RIECK_FINITE, scale=4.0, p=p)

    assert value == pytest.approx(0.75 / 3 ** (1 / p), rel=1e-12)


def test_a_high_norm_at_a_foreign_scale_is_finite():
    assert neural_persistence(Barcode(np.array([3.0]), 1), RIECK_FINITE, scale=0.5, p=1000) == pytest.approx(5.0)


def test_a_norm_below_one_is_refused():
    with pytest.raises(OptionError, match=r"the norm's p is 0.5; it must be at least 1"):
        neural_persistence(Barcode(np.array([1.0]), 1), RIECK, scale=1.0, p=0.5)


def test_each_convention_has_its_scale():
    assert [scale_of_convention(convention) for convention in NeuralPersistence] == [
        Scale.NETWORK,
        Scale.NETWORK,
        Scale.LAYER,
    ]
