from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import literally_shuffled, slow_drawing_chances, slow_forest, slow_order, slow_shuffle_chances
from strategies import KINDS, make_weight, weights

from topoimp.chance.shuffling import live_shape, shuffled, strongest_weights
from topoimp.choices import Shuffle
from topoimp.errors import OptionError
from topoimp.layers.layer import as_layer, by_channel
from topoimp.topology.forest import spanning_forest

SHARES = st.floats(0, 1)
SHUFFLES = st.sampled_from(list(Shuffle))
FEW_ROWS, FEW_COLUMNS = st.integers(1, 2), st.integers(1, 3)


def strongest(weight, k):
    (keep,) = strongest_weights(as_layer(weight), spanning_forest(as_layer(weight)), [k], threads=1)
    return keep


def drawing_of_layer(layer, k, shuffle):
    forest = spanning_forest(layer)
    (keep,) = strongest_weights(layer, forest, [k], threads=1)
    return shuffled(layer, forest, keep, shuffle, threads=1)


def drawing_of(weight, k, shuffle):
    return drawing_of_layer(as_layer(weight), k, shuffle)


@settings(max_examples=200)
@given(weights(rows=FEW_ROWS, columns=FEW_COLUMNS), SHARES, SHUFFLES)
def test_what_is_drawn_has_the_chances_of_shuffling_in_every_way(weight, share, shuffle):
    k = round(share * np.count_nonzero(weight))

    drawn = slow_drawing_chances(drawing_of(weight, k, shuffle))

    assert drawn == pytest.approx(slow_shuffle_chances(weight, k, shuffle))


@pytest.mark.parametrize("shuffle", list(Shuffle))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.05, 0.3])
def test_what_is_drawn_is_what_shuffling_and_pruning_keeps(kind, shuffle, share):
    weight = make_weight(7, 12, 20, kind)
    k = round(share * np.count_nonzero(weight))
    rng = np.random.default_rng(1)

    drawing = drawing_of(weight, k, shuffle)
    drawn = [drawing.rank(rng) for _ in range(1000)]

    literal = [literally_shuffled(weight, k, shuffle, rng) for _ in range(60)]
    assert np.mean(drawn) == pytest.approx(np.mean(literal), abs=5 * np.std(drawn) / 60**0.5 + 0.1)


@given(weights(), SHARES, SHUFFLES)
def test_no_draw_exceeds_the_rank_at_which_it_is_over(weight, share, shuffle):
    k = round(share * np.count_nonzero(weight))
    drawing = drawing_of(weight, k, shuffle)

    assert drawing.rank(np.random.default_rng(0)) <= min(k, drawing.most)


@given(weights())
def test_shuffling_edges_and_keeping_all_keeps_the_floor(weight):
    k, floor = np.count_nonzero(weight), len(slow_forest(weight))

    drawings = [drawing_of(weight, k, shuffle) for shuffle in (Shuffle.EDGES, Shuffle.ROWS, Shuffle.COLUMNS)]

    assert [drawing.rank(np.random.default_rng(0)) for drawing in drawings] == [floor, floor, floor]


@given(weights(), SHARES)
def test_the_strongest_end_where_the_order_ends_them(weight, share):
    order = slow_order(weight)
    k = round(share * len(order))
    strengths = np.abs(weight.astype(np.float64)).ravel()[order]

    selection = strongest(weight, k).selection

    assert selection.n_kept == k
    if 0 < k < len(order):
        n_above, n_tied = (
            np.count_nonzero(strengths > strengths[k - 1]),
            np.count_nonzero(strengths == strengths[k - 1]),
        )
        assert (selection.n_of_rank, selection.n_equal) in [(n_tied, k - n_above), (0, 0)]


@given(weights())
def test_rows_and_columns_with_edges_are_live(weight):
    forest = spanning_forest(as_layer(weight))

    assert live_shape(forest) == (np.count_nonzero(weight.any(1)), np.count_nonzero(weight.any(0)))


@given(weights(dtypes=(np.float16,)), SHARES, SHUFFLES)
def test_the_number_format_does_not_matter_if_the_order_is_the_same(weight, share, shuffle):
    k = round(share * np.count_nonzero(weight))

    narrow, wide = drawing_of(weight, k, shuffle), drawing_of(weight.astype(np.float64), k, shuffle)

    assert [narrow.rank(np.random.default_rng(0)) for _ in range(3)] == [
        wide.rank(np.random.default_rng(0)) for _ in range(3)
    ]


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_narrow_formats_are_shuffled_under_the_rule_of_ties(name):
    import torch

    weight = torch.from_numpy(make_weight(3, 2, 3, "ties")).to(getattr(torch, name))
    layer = as_layer(weight)

    drawn = slow_drawing_chances(drawing_of_layer(layer, 3, Shuffle.EDGES))

    assert drawn == pytest.approx(slow_shuffle_chances(weight.to(torch.float64).numpy(), 3, Shuffle.EDGES))


def test_in_the_view_channel_it_is_edges_that_are_shuffled():
    layer = by_channel(as_layer(np.array([[1.0, 2.0, 0.0, 3.0], [4.0, 0.0, 5.0, 0.0]])), 2)

    drawing = drawing_of_layer(layer, 4, Shuffle.ROWS)

    assert drawing.n_drawn.tolist() == [2, 2]


def test_the_strongest_of_a_constant_layer_by_hand():
    selection = strongest(np.full((2, 3), -0.5), 4).selection

    assert (selection.n_kept, selection.n_equal, selection.n_of_rank) == (4, 4, 6)
    assert strongest(np.full((2, 3), -0.5), 0).selection.n_kept == 0


def test_rows_keep_how_many_of_the_strongest_each_has():
    weight = np.array([[9.0, 8.0, 1.0], [0.0, 0.0, 0.0], [2.0, 7.0, 3.0]])

    drawing = drawing_of(weight, 3, Shuffle.ROWS)

    assert drawing.n_drawn.tolist() == [2, 1]
    assert Counter(drawing.sizes.tolist()) == {3: 2}


def test_columns_keep_how_many_of_the_strongest_each_has():
    weight = np.array([[9.0, 0.0, 2.0], [8.0, 0.0, 7.0], [1.0, 0.0, 3.0]])

    drawing = drawing_of(weight, 3, Shuffle.COLUMNS)

    assert drawing.n_drawn.tolist() == [2, 1]
    assert (drawing.n_rows, drawing.n_columns, drawing.is_transposed) == (2, 3, True)


def test_of_equal_weights_in_several_columns_the_first_by_index_are_kept():
    # After any shuffle within columns, two of the three equal weights are kept: in each case those of the first rows.
    weight = np.array([[1.0, 1.0, 0.0], [0.5, 1.0, 0.0]])

    drawing = drawing_of(weight, 2, Shuffle.COLUMNS)

    assert (drawing.n_drawn.tolist(), drawing.tied.n_drawn.tolist(), drawing.tied.n_first) == ([0, 0], [1, 2], 2)
    assert slow_drawing_chances(drawing) == {2: 1.0}


def test_shuffling_within_columns_is_shuffling_the_transposed_layer_within_rows_if_no_weights_are_equal():
    weight = make_weight(4, 5, 9, "normal")

    columns, rows = drawing_of(weight, 20, Shuffle.COLUMNS), drawing_of(weight.T.copy(), 20, Shuffle.ROWS)

    assert [columns.rank(np.random.default_rng(n)) for n in range(20)] == [
        rows.rank(np.random.default_rng(n)) for n in range(20)
    ]


@pytest.mark.parametrize("k", [-1, 3])
def test_more_edges_than_there_are_cannot_be_kept(k):
    complaint = f"^{k} edges of layer 'weight' are kept; it must be from 0 to the 2 that it has$"

    with pytest.raises(OptionError, match=complaint):
        strongest(np.array([[1.0, 0.0], [0.0, 2.0]]), k)
