"""Squared norms against sums of exact fractions, in every type."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import KINDS, SEEDS, SIZES, make_weight

from topoimp.kernels.threads import PIECE
from topoimp.layers.layer import as_layer
from topoimp.layers.squared_norms import SquaredNorms, added_norms, squared_norms

TYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2]


def exact_share(weight, kept):
    """The share as a fraction of the sums of all squares."""
    squares = [Fraction(value) ** 2 for value in weight.double().flatten().tolist()]
    flags = kept.flatten().tolist()
    return sum(square for square, flag in zip(squares, flags, strict=True) if flag) / sum(squares)


@given(SEEDS, SIZES, SIZES, st.sampled_from([kind for kind in KINDS if kind != "zero"]), st.sampled_from(TYPES))
def test_the_share_is_that_of_exact_sums(seed, n_rows, n_columns, kind, dtype):
    weight = torch.from_numpy(make_weight(seed, n_rows, n_columns, kind)).to(dtype)
    kept = torch.from_numpy(np.random.default_rng(seed).random((n_rows, n_columns)) < 0.5)

    share = squared_norms(as_layer(weight), as_layer(torch.where(kept, weight, 0)), 1).share_kept

    if not (weight != 0).any():
        assert share is None
    else:
        assert share == pytest.approx(float(exact_share(weight, kept)), rel=1e-13, abs=1e-300)


@pytest.mark.parametrize("scale", [1e200, 5e307, 1.0, 1e-200, 5e-324])
def test_squares_that_float64_cannot_hold_are_no_matter(scale):
    weight = np.array([[3.0, 2.0], [1.0, 0.0]]) * scale
    kept = np.where(weight == weight.max(), weight, 0)

    share = squared_norms(as_layer(weight), as_layer(kept), 1).share_kept

    assert share == pytest.approx(float(exact_share(torch.from_numpy(weight), torch.from_numpy(kept != 0))), rel=1e-13)


def test_a_layer_of_zeros_has_no_share():
    layer = as_layer(np.zeros((2, 2)))

    assert squared_norms(layer, layer, 1).share_kept is None
    assert added_norms([]).share_kept is None


def test_a_layer_that_is_kept_whole_has_the_share_1_and_one_without_weights_0():
    layer = as_layer(make_weight(0, 30, 20, "normal"))

    assert squared_norms(layer, layer, 1).share_kept == 1
    assert squared_norms(layer, as_layer(np.zeros((30, 20))), 1).share_kept == 0


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_the_sums_do_not_depend_on_the_number_of_threads(dtype):
    weight = make_weight(0, 1100, 1200, "normal", dtype)
    kept = np.where(np.abs(weight) > 1, weight, 0).astype(dtype)
    assert weight.size > 2 * PIECE

    one, two, three = (squared_norms(as_layer(weight), as_layer(kept), threads) for threads in (1, 2, 3))

    assert one == two == three
    expected = np.sum(kept.astype(np.longdouble) ** 2) / np.sum(weight.astype(np.longdouble) ** 2)
    assert one.share_kept == pytest.approx(float(expected), rel=1e-12)


def test_layers_of_different_types_add_up_at_their_true_sizes():
    ones = [torch.ones(2, 2, dtype=dtype) for dtype in TYPES]

    norms = [squared_norms(as_layer(one), as_layer(one), 1) for one in ones]

    total = added_norms(norms)
    assert np.ldexp(total.total, 2 * total.exponent) == 4 * len(TYPES)
    none_of_one = replace_kept(norms[0])
    assert added_norms([none_of_one, *norms[1:]]).share_kept == (len(TYPES) - 1) / len(TYPES)


def replace_kept(norms):
    return SquaredNorms(0.0, norms.total, norms.exponent)


def test_a_layer_of_zeros_leaves_the_others_as_they_are():
    zeros = SquaredNorms(0.0, 0.0, 112)

    assert added_norms([zeros, SquaredNorms(1.0, 4.0, -1000)]).share_kept == 0.25
