from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import literally_shuffled, slow_drawing_chances, slow_forest, slow_order, slow_shuffle_chances
from strategies import KINDS, make_weight, weights

from topoimp.chance.shuffling import Strongest, live_shape, n_forest_edges_of, shuffled, strongest_of
from topoimp.choices import Shuffle
from topoimp.errors import OptionError
from topoimp.layers.layer import as_layer, by_channel
from topoimp.topology.forest import spanning_forest

SHARES = st.floats(0, 1)
SHUFFLES = st.sampled_from(list(Shuffle))
FEW_ROWS, FEW_COLUMNS = st.integers(1, 2), st.integers(1, 3)


def strongest(weight, k):
    return strongest_of(as_layer(weight), spanning_forest(as_layer(weight)), k)


def drawing_of(weight, k, shuffle):
    layer, forest = as_layer(weight), spanning_forest(as_layer(weight))
    return shuffled(layer, forest, strongest_of(layer, forest, k), shuffle)


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

    drawings = [drawing_of(weight, k, shuffle) for shuffle in (Shuffle.EDGES, Shuffle.ROWS)]

    assert [drawing.rank(np.random.default_rng(0)) for drawing in drawings] == [floor, floor]


@given(weights(), SHARES)
def test_the_strongest_end_where_the_order_ends_them(weight, share):
    order = slow_order(weight)
    k = round(share * len(order))
    strengths = np.abs(weight.astype(np.float64)).ravel()[order]

    top = strongest(weight, k)

    weakest = strengths[k - 1] if k else np.inf
    n_above = np.count_nonzero(strengths > weakest)
    assert (top.n_above, top.n_tied) == (n_above, np.count_nonzero(strengths == weakest))
    assert top.n_first == k - n_above


@given(weights(), SHARES)
def test_forest_edges_are_counted_by_their_positions_in_the_order(weight, share):
    layer, forest = as_layer(weight), spanning_forest(as_layer(weight))
    order = slow_order(weight)
    k = round(share * len(order))

    kept = n_forest_edges_of(layer, forest, strongest_of(layer, forest, k))

    assert kept == len(set(order[:k]) & set(slow_forest(weight)))


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
    top = strongest_of(layer, spanning_forest(layer), 3)

    drawn = slow_drawing_chances(shuffled(layer, spanning_forest(layer), top, Shuffle.EDGES))

    assert drawn == pytest.approx(slow_shuffle_chances(weight.to(torch.float64).numpy(), 3, Shuffle.EDGES))


def test_in_the_view_channel_it_is_edges_that_are_shuffled():
    layer = by_channel(as_layer(np.array([[1.0, 2.0, 0.0, 3.0], [4.0, 0.0, 5.0, 0.0]])), 2)
    forest = spanning_forest(layer)

    drawing = shuffled(layer, forest, strongest_of(layer, forest, 4), Shuffle.ROWS)

    assert drawing.wanted.tolist() == [2, 2]


def test_the_strongest_of_a_constant_layer_by_hand():
    top = strongest(np.full((2, 3), -0.5), 4)

    assert (top.n_above, top.n_tied, top.n_first, top.is_split) == (0, 6, 4, True)
    assert strongest(np.full((2, 3), -0.5), 0) == Strongest(0, 0, 0, 0)


def test_rows_keep_how_many_of_the_strongest_each_has():
    weight = np.array([[9.0, 8.0, 1.0], [0.0, 0.0, 0.0], [2.0, 7.0, 3.0]])

    drawing = drawing_of(weight, 3, Shuffle.ROWS)

    assert drawing.wanted.tolist() == [2, 1]
    assert Counter(drawing.sizes.tolist()) == {3: 2}


@pytest.mark.parametrize("k", [-1, 3])
def test_more_edges_than_there_are_cannot_be_kept(k):
    complaint = f"^{k} edges of layer 'weight' are kept; it must be from 0 to the 2 that it has$"

    with pytest.raises(OptionError, match=complaint):
        strongest(np.array([[1.0, 0.0], [0.0, 2.0]]), k)
