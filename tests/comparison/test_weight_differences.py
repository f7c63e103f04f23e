import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from oracles import slow_forest
from strategies import KINDS, SEEDS, SIZES, make_weight

from topoimp.checkpoint.number_format import BF16, F8_E4M3, F8_E5M2, F16, F32, F64
from topoimp.comparison.weight_differences import WeightDifferences, jaccard, n_shared_edges, weight_differences
from topoimp.errors import LayerError
from topoimp.kernels.threads import PIECE
from topoimp.layers.layer import Layer, as_layer
from topoimp.topology.forest import spanning_forest

FORMATS = st.sampled_from([F64, F32, F16, BF16, F8_E5M2, F8_E4M3])
SMALL = st.integers(1, 40)


def layer_of_codes(number_format, seed, shape):
    """Finite weights of any bits, a third of them zero, with ties."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, number_format.first_special, shape).astype(number_format.code_dtype)
    codes[rng.random(shape) < 1 / 3] = 0
    sign = number_format.code_dtype.type(1 << (number_format.n_bits - 1))
    return Layer("a", codes | np.where(rng.random(shape) < 0.5, sign, 0).astype(codes.dtype), number_format)


def slow_agreement(one, other):
    """The same in float64, all at once."""
    a, b = one.strengths(), other.strengths()
    both = (a > 0) & (b > 0)
    return WeightDifferences(int(both.sum()), int((both & (a != b)).sum()), float(np.abs(a - b).max()))


@given(FORMATS, FORMATS, SEEDS, SMALL, SMALL)
def test_it_is_what_the_strengths_say_whatever_the_formats(one, other, seed, n_rows, n_columns):
    here = layer_of_codes(one, seed, (n_rows, n_columns))
    there = layer_of_codes(other, seed + 1, (n_rows, n_columns))

    assert weight_differences(here, there, threads=1) == slow_agreement(here, there)


@given(FORMATS, SEEDS, SMALL, SMALL, st.floats(0, 1))
def test_what_differs_little_is_subtracted_exactly(number_format, seed, n_rows, n_columns, share):
    here = layer_of_codes(number_format, seed, (n_rows, n_columns))
    is_next = (np.random.default_rng(seed).random(here.codes.shape) < share) & (here.magnitudes() > 1)
    there = Layer("b", here.codes - is_next.astype(here.codes.dtype), number_format)

    assert weight_differences(here, there, threads=1) == slow_agreement(here, there)


@given(SEEDS, SIZES, SIZES, st.sampled_from(KINDS))
def test_a_layer_agrees_with_itself(seed, n_rows, n_columns, kind):
    layer = as_layer(make_weight(seed, n_rows, n_columns, kind))
    n_edges = int(np.count_nonzero(layer.edges()))

    assert weight_differences(layer, layer, threads=1) == WeightDifferences(n_edges, 0, 0.0)
    assert weight_differences(layer, layer, threads=1).is_masked(n_edges)


@given(SEEDS, SIZES, SIZES)
def test_the_sign_of_a_weight_does_not_matter(seed, n_rows, n_columns):
    one, other = (make_weight(seed + k, n_rows, n_columns, "normal") for k in (0, 1))

    assert weight_differences(as_layer(one), as_layer(other), threads=1) == weight_differences(
        as_layer(-one), as_layer(other), threads=1
    )


@given(SEEDS, SIZES, SIZES, st.floats(0, 1))
def test_a_layer_under_a_mask_is_recognised(seed, n_rows, n_columns, share):
    weight = make_weight(seed, n_rows, n_columns, "normal")
    masked = weight * (np.random.default_rng(seed).random(weight.shape) < share)

    assert weight_differences(as_layer(weight), as_layer(masked), threads=1).is_masked(np.count_nonzero(masked))


@given(SEEDS, SIZES, SIZES, st.sampled_from(KINDS), st.sampled_from(KINDS))
def test_forests_share_the_edges_that_are_in_both(seed, n_rows, n_columns, kind, other_kind):
    one, other = make_weight(seed, n_rows, n_columns, kind), make_weight(seed + 1, n_rows, n_columns, other_kind)

    shared = n_shared_edges(spanning_forest(as_layer(one)), spanning_forest(as_layer(other)))

    assert shared == len(set(slow_forest(one)) & set(slow_forest(other)))


@pytest.mark.parametrize("number_format", [F32, BF16, F64])
def test_threads_and_pieces_change_nothing(number_format):
    shape = (3, PIECE - 17)
    here, there = layer_of_codes(number_format, 0, shape), layer_of_codes(number_format, 1, shape)

    one, two = weight_differences(here, there, threads=1), weight_differences(here, there, threads=2)

    assert one == two == slow_agreement(here, there)


def test_every_piece_is_told_of_before_and_after_it_is_looked_at():
    layer, told = as_layer(np.ones((3, PIECE), np.float16)), []

    weight_differences(
        layer,
        layer,
        threads=1,
        before=lambda start, stop: told.append(("before", start, stop)),
        after=lambda start, stop: told.append(("after", start, stop)),
    )

    assert told[:2] == [("before", 0, PIECE), ("after", 0, PIECE)]
    assert [start for word, start, _ in told if word == "after"] == [0, PIECE, 2 * PIECE]


def test_by_hand():
    here, there = as_layer(np.array([[3.0, 1.0], [2.0, 0.5]])), as_layer(np.array([[3.0, 0.0], [-1.5, 0.5]]))

    assert weight_differences(here, there, threads=1) == WeightDifferences(
        n_both=3, n_changed=1, largest_difference=1.0
    )
    assert_array_equal(here.codes, as_layer(np.array([[3.0, 1.0], [2.0, 0.5]])).codes)


def test_a_single_weight():
    assert weight_differences(
        as_layer(np.array([[-2.0]])), as_layer(np.array([[0.5]])), threads=1
    ) == WeightDifferences(1, 1, 1.5)


def test_other_shapes_are_refused():
    with pytest.raises(LayerError, match=r"layer 'b' of shape \(3, 2\) cannot be compared with one of \(2, 3\)"):
        weight_differences(as_layer(np.ones((2, 3))), as_layer(np.ones((3, 2)), name="b"), threads=1)


@pytest.mark.parametrize(
    ("sizes", "expected"), [((2, 3, 4), 0.4), ((0, 3, 0), 0.0), ((3, 3, 3), 1.0), ((0, 0, 0), None)]
)
def test_jaccard(sizes, expected):
    assert jaccard(*sizes) == expected
