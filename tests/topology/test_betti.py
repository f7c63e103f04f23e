import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from oracles import slow_betti_numbers
from strategies import make_weight, weights

from topoimp.checkpoint.number_format import NUMBER_FORMATS
from topoimp.errors import OptionError
from topoimp.layers.layer import as_layer, by_channel
from topoimp.topology.barcode import Unit
from topoimp.topology.betti import DEFAULT_LEVELS, betti_curve, count_reaching, reaching_strengths
from topoimp.topology.forest import spanning_forest

ANY_LEVELS = st.lists(st.sampled_from([0.0, 5e-324, 0.1, 0.25, 0.3, 0.5, 2 / 3, 0.99, 1.0, 1.5, 1e300]), max_size=12)
NUMBERS = st.floats(min_value=5e-324, max_value=1.7e308)


def curve_of(weight, levels, **options):
    layer = as_layer(weight)
    forest = spanning_forest(layer)
    return betti_curve(layer, forest, levels, unit=Unit(1.0, forest.strongest), **options)


@settings(max_examples=200)
@given(weights(), ANY_LEVELS)
def test_curves_are_those_of_the_graphs_themselves(weight, levels):
    curve = curve_of(weight, levels)

    expected = slow_betti_numbers(weight, levels)
    assert list(zip(curve.n_edges.tolist(), curve.beta0.tolist(), curve.beta1.tolist(), strict=True)) == expected


@given(weights())
def test_an_edge_is_there_at_the_level_at_which_its_bar_dies(weight):
    layer = as_layer(weight)
    forest = spanning_forest(layer)
    unit = Unit(1.0, forest.strongest)
    deaths = unit.levels(forest.strengths)

    beta0 = betti_curve(layer, forest, deaths.tolist(), unit=unit).beta0

    assert_array_equal(beta0, [forest.n_vertices - (deaths >= death).sum() for death in deaths])


@given(weights(dtypes=(np.float64,)), st.integers(1, 4))
def test_curves_do_not_depend_on_threads(weight, threads):
    assert_array_equal(
        curve_of(weight, DEFAULT_LEVELS, threads=threads).n_edges, curve_of(weight, DEFAULT_LEVELS, threads=1).n_edges
    )


@given(st.lists(NUMBERS, min_size=1, max_size=8), NUMBERS)
def test_the_least_strength_that_reaches_a_level_does_and_the_next_smaller_does_not(levels, scale):
    levels = np.minimum(np.array(levels), 1.0)

    strengths = reaching_strengths(levels, Unit(1.0, scale))

    assert (strengths / scale >= levels).all()
    assert (np.nextafter(strengths, 0) / scale < levels).all()


@pytest.mark.parametrize("name", NUMBER_FORMATS)
def test_counts_are_exact_in_every_number_format(name):
    number_format = NUMBER_FORMATS[name]
    rng = np.random.default_rng(0)
    codes = rng.integers(0, number_format.first_special, (70, 90)).astype(number_format.code_dtype)
    layer = layer_of(codes, number_format)
    asked = np.concatenate([layer.strengths().ravel()[:50], [0.0, np.inf, 5e-324]])

    counts = count_reaching(layer, asked, threads=2)

    assert counts.tolist() == [int(((layer.strengths() >= s) & layer.edges()).sum()) for s in asked]


def layer_of(codes, number_format):
    from topoimp.layers.layer import Layer

    return Layer("weight", codes, number_format)


@settings(max_examples=20)
@example(make_weight(0, 130, 150, "constant", np.float32), 3)
@given(weights(rows=st.just(130), columns=st.just(150), dtypes=(np.float32, np.float64)), st.integers(1, 3))
def test_many_levels_close_together_are_told_apart(weight, threads):
    strengths = np.sort(np.abs(weight.astype(np.float64)).ravel())[::7]

    counts = count_reaching(as_layer(weight), strengths, threads=threads)

    present = np.abs(weight.astype(np.float64))
    assert counts.tolist() == [int(((present >= s) & (present > 0)).sum()) for s in strengths]


def test_a_curve_by_hand():
    curve = curve_of(np.array([[4.0, 1.0], [-2.0, 2.0]]), [1, 0.75, 0.5, 0.25, 0])

    assert curve.strengths.tolist() == [4, 3, 2, 1, 0]
    assert curve.n_edges.tolist() == [1, 1, 3, 4, 4]
    assert curve.beta0.tolist() == [3, 3, 1, 1, 1]
    assert curve.beta1.tolist() == [0, 0, 0, 1, 1]


def test_a_layer_of_zeros_has_no_edges_at_any_level():
    curve = curve_of(np.zeros((2, 3)), [1, 0])

    assert np.isnan(curve.strengths).all()
    assert (curve.n_edges.tolist(), curve.beta0.tolist(), curve.beta1.tolist()) == ([0, 0], [5, 5], [0, 0])


def test_a_single_weight_joins_its_row_and_its_column_at_1():
    curve = curve_of(np.array([[-3.0]]), [1.0, np.nextafter(1, 2)])

    assert (curve.n_edges.tolist(), curve.beta0.tolist()) == ([1, 0], [1, 2])


def test_channels_count_edges_not_weights():
    layer = by_channel(as_layer(np.array([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])), 2)

    curve = betti_curve(layer, spanning_forest(layer), [0.75, 0], unit=Unit(1.0, 8.0))

    assert (curve.n_edges.tolist(), curve.beta1.tolist()) == ([2, 4], [0, 1])


def test_no_levels_give_an_empty_curve():
    assert len(curve_of(np.eye(2), []).beta0) == 0


def test_the_default_levels_go_from_1_to_0_by_hundredths():
    assert (DEFAULT_LEVELS[0], DEFAULT_LEVELS[50], DEFAULT_LEVELS[-1], len(DEFAULT_LEVELS)) == (1.0, 0.5, 0.0, 101)


@pytest.mark.parametrize("level", [-0.1, float("nan"), float("inf")])
def test_a_level_that_no_edge_can_have_is_refused(level):
    with pytest.raises(OptionError, match=f"a level is {level}; levels are finite numbers, 0 or above"):
        curve_of(np.eye(2), [0.5, level])
