from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import slow_drawing_chances, slow_rank
from strategies import SEEDS

from topoimp.chance.drawing import Drawing, Tied

N_DRAWS = 600


@st.composite
def drawings(draw):
    """A layer with some places, in one group or a group a row, and as many wanted as there may be."""
    n_rows, n_columns = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    is_place = draw(st.lists(st.booleans(), min_size=n_rows * n_columns, max_size=n_rows * n_columns))
    is_place = np.array(is_place) if draw(st.booleans()) else np.ones(n_rows * n_columns, bool)
    by_row = np.count_nonzero(is_place.reshape(n_rows, n_columns), axis=1)
    sizes = by_row if draw(st.booleans()) else np.array([by_row.sum()])
    wanted = np.array([draw(st.integers(0, size)) for size in sizes.tolist()])
    group = draw(st.integers(0, len(sizes) - 1))
    n_drawn = draw(st.integers(0, int(sizes[group] - wanted[group])))
    of_group = np.where(np.arange(len(sizes)) == group, n_drawn, 0)
    tied = Tied(of_group, draw(st.integers(0, n_drawn))) if n_drawn and draw(st.booleans()) else None
    flat = None if is_place.all() else np.flatnonzero(is_place).astype(np.int32)
    most = slow_rank(np.flatnonzero(is_place).tolist(), n_rows, n_columns)
    return Drawing(n_rows, n_columns, flat, np.concatenate([[0], np.cumsum(sizes)]), wanted, most, tied)


@settings(max_examples=100)
@given(drawings(), SEEDS)
def test_every_rank_comes_up_as_often_as_in_all_draws_there_are(drawing, seed):
    rng = np.random.default_rng(seed)

    counts = Counter(drawing.rank(rng) for _ in range(N_DRAWS))

    chances = slow_drawing_chances(drawing)
    tolerance = {rank: 6 * (chance * (1 - chance) / N_DRAWS) ** 0.5 + 3 / N_DRAWS for rank, chance in chances.items()}
    assert counts.keys() <= chances.keys()
    assert {rank: counts[rank] / N_DRAWS for rank in chances} == {
        rank: pytest.approx(chance, abs=tolerance[rank]) for rank, chance in chances.items()
    }


@settings(max_examples=50)
@given(drawings(), SEEDS, st.integers(0, 12))
def test_joining_draws_up_to_k_are_the_rank_of_k_places_drawn(drawing, seed, k):
    k = min(k, int(drawing.starts[-1]))
    of_all = Drawing(
        drawing.n_rows, drawing.n_columns, drawing.flat, drawing.starts[[0, -1]], np.array([k]), drawing.most
    )
    rng = np.random.default_rng(seed)

    counts = Counter(int(np.count_nonzero(drawing.joining_draws(rng) <= k)) for _ in range(N_DRAWS))

    chances = slow_drawing_chances(of_all)
    assert {rank: counts[rank] / N_DRAWS for rank in chances} == {
        rank: pytest.approx(chance, abs=6 * (chance * (1 - chance) / N_DRAWS) ** 0.5 + 3 / N_DRAWS)
        for rank, chance in chances.items()
    }


@given(drawings(), SEEDS)
def test_in_a_random_order_of_all_places_as_many_join_as_can(drawing, seed):
    joining = drawing.joining_draws(np.random.default_rng(seed))

    assert len(joining) == drawing.most
    assert (np.diff(joining) > 0).all()
    assert set(joining.tolist()) <= set(range(1, int(drawing.starts[-1]) + 1))


def ranks(drawing, seed=0, n=200):
    rng = np.random.default_rng(seed)
    return [drawing.rank(rng) for _ in range(n)]


@pytest.mark.parametrize("k", [0, 1, 499, 500, 501, 999, 1000])
def test_of_a_single_row_every_edge_drawn_joins(k):
    drawing = Drawing(1, 1000, None, np.array([0, 1000]), np.array([k]), most=1000)

    assert set(ranks(drawing)) == {k}


@pytest.mark.parametrize("k", [0, 1, 24, 25, 26, 49, 50])
def test_of_rows_without_common_columns_every_edge_drawn_joins(k):
    flat = np.flatnonzero(np.kron(np.eye(20), np.ones((1, 50))))
    starts = 50 * np.arange(21)

    by_row = Drawing(20, 1000, flat, starts, np.full(20, k), most=1000)
    of_all = Drawing(20, 1000, flat, starts[[0, -1]], np.array([20 * k]), most=1000)

    assert set(ranks(by_row, n=20)) == set(ranks(of_all, n=20)) == {20 * k}


def test_a_draw_that_is_over_early_has_the_rank_of_one_that_is_not():
    starts, wanted = np.array([0, 10_000]), np.array([9_000])

    over_early, never_over = (Drawing(100, 100, None, starts, wanted, most) for most in (199, 200))

    assert set(ranks(over_early)) == set(ranks(never_over, n=20)) == {199}


@pytest.mark.parametrize("wanted", [150, 250, 400])
def test_batches_do_not_matter(wanted):
    starts = np.array([0, 900])

    batches = ranks(Drawing(30, 30, None, starts, np.array([wanted]), most=60), n=500)

    rng = np.random.default_rng(1)
    at_once = [slow_rank(rng.choice(900, wanted, replace=False), 30, 30) for _ in range(100)]
    assert np.mean(batches) == pytest.approx(np.mean(at_once), abs=5 * (np.std(batches) + 1e-9) / 100**0.5)


def test_tied_places_are_taken_by_index():
    first_rows = Drawing(10, 10, None, np.array([0, 100]), np.array([0]), most=19, tied=Tied(np.array([100]), 20))

    assert set(ranks(first_rows)) == {11}  # all of two rows


def test_nothing_drawn_has_no_rank():
    assert ranks(Drawing(0, 0, None, np.array([0, 0]), np.array([0]), most=0), n=1) == [0]
    assert ranks(Drawing(3, 3, None, np.array([0, 3, 6, 9]), np.zeros(3, int), most=5), n=1) == [0]
