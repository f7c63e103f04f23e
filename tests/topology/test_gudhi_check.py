from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import weights

from topoimp.checkpoint.number_format import NUMBER_FORMATS
from topoimp.errors import OptionError, VerificationError
from topoimp.layers.layer import Layer, as_layer
from topoimp.topology.barcode import barcode_of
from topoimp.topology.forest import spanning_forest
from topoimp.topology.gudhi_check import CHECK_LIMIT, barcode_by_gudhi, check_barcode, check_limit_of

SMALL = np.array([[4.0, -1.0, 0.0], [0.0, 2.0, 0.0]])


@settings(max_examples=200)
@given(weights())
def test_gudhi_finds_the_same_barcode_bit_for_bit(weight):
    layer = as_layer(weight)

    assert barcode_by_gudhi(layer).equals(barcode_of(layer))


@pytest.mark.parametrize("name", NUMBER_FORMATS)
def test_gudhi_agrees_in_every_number_format(name):
    number_format = NUMBER_FORMATS[name]
    codes = np.random.default_rng(1).integers(0, number_format.first_special, (30, 40))
    layer = Layer("weight", codes.astype(number_format.code_dtype), number_format)

    check_barcode(layer, spanning_forest(layer))


def test_bars_of_length_zero_are_not_dropped():
    assert barcode_by_gudhi(as_layer(np.full((2, 3), 0.1))).deaths.tolist() == [0.1] * 4


def test_rows_and_columns_without_edges_are_essential_bars():
    barcode = barcode_by_gudhi(as_layer(SMALL))

    assert (barcode.deaths.tolist(), barcode.n_essential) == ([4.0, 2.0, 1.0], 2)


def test_a_layer_of_zeros_has_essential_bars_alone():
    barcode = barcode_by_gudhi(as_layer(np.zeros((2, 3))))

    assert (len(barcode.deaths), barcode.n_essential) == (0, 5)


def test_a_single_weight_has_one_bar_that_ends():
    assert barcode_by_gudhi(as_layer(np.array([[-0.3]]))).deaths.tolist() == [0.3]


@given(st.floats(min_value=5e-324, max_value=1.7e308))
def test_no_strength_is_rounded(strength):
    assert barcode_by_gudhi(as_layer(np.array([[strength, 1.7e308]]))).deaths[-1] == strength


def test_a_death_that_differs_in_its_last_bit_is_named():
    layer = as_layer(SMALL, name="fc1")
    forest = spanning_forest(layer)
    wrong = replace(forest, strengths=np.nextafter(forest.strengths, [4, 3, 1]))

    with pytest.raises(VerificationError) as caught:
        check_barcode(layer, wrong)

    assert str(caught.value) == (
        "'fc1' has a bar 1 that dies at strength 2.0000000000000004, and at 2.0 by GUDHI; both must be the same"
    )


def test_an_edge_that_is_missing_is_told_by_the_numbers_of_bars():
    layer = replace(as_layer(SMALL, name="fc1"), origin="model.safetensors")
    forest = spanning_forest(layer)
    wrong = replace(forest, indices=forest.indices[:2], strengths=forest.strengths[:2])

    with pytest.raises(VerificationError) as caught:
        check_barcode(layer, wrong)

    assert str(caught.value) == (
        "model.safetensors: 'fc1' has 2 finite and 3 essential bars, and 3 finite and 2 essential bars by GUDHI; "
        "both must be the same"
    )


def test_the_limit_is_four_million_edges_unless_another_is_asked_for():
    assert (check_limit_of(None), check_limit_of(0), CHECK_LIMIT) == (4_000_000, 0, 4_000_000)


def test_a_negative_limit_is_refused():
    with pytest.raises(OptionError, match="the limit of edges that are checked is -1; it must be 0 or above"):
        check_limit_of(-1)
