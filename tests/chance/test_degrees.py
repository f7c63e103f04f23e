from collections import Counter
from itertools import islice, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from oracles import slow_rank
from scipy.stats import chisquare
from strategies import SEEDS, make_weight

from topoimp.chance.degrees import STEPS_PER_EDGE, degree_preserving_ranks, graph_of
from topoimp.chance.drawing import generator_of
from topoimp.chance.null import Null
from topoimp.chance.null_models import null_distribution
from topoimp.chance.shuffling import strongest_weights
from topoimp.choices import NullModel
from topoimp.layers.layer import as_layer
from topoimp.topology.forest import spanning_forest

SIDES = st.integers(1, 7)
N_SAMPLES = 4000


@st.composite
def graphs(draw):
    """Flags of the edges of a graph, of any density."""
    rng = np.random.default_rng(draw(SEEDS))
    return rng.random((draw(SIDES), draw(SIDES))) < draw(st.floats(0, 1))


def graph(is_edge):
    return graph_of(np.flatnonzero(is_edge), is_edge.shape[1])


def places_of(graph):
    """The places of a graph's edges, as flat indices."""
    return tuple(np.sort(np.concatenate(list(graph._edges()))).tolist())


def with_the_degrees_of(is_edge):
    """Every graph with the degrees of another, by enumeration, as flat indices of its edges."""
    rows = list(product((0, 1), repeat=is_edge.shape[1]))
    by_row = [[row for row in rows if sum(row) == n] for n in is_edge.sum(1)]
    all_of_them = (np.array(rows) for rows in product(*by_row))
    return [tuple(np.flatnonzero(each).tolist()) for each in all_of_them if (each.sum(0) == is_edge.sum(0)).all()]


@given(graphs(), SEEDS, st.integers(0, 200))
def test_every_row_and_column_keeps_its_number_of_edges(is_edge, seed, n_steps):
    before = graph(is_edge)
    live = is_edge[is_edge.any(1)][:, is_edge.any(0)]

    after = before.after(n_steps, np.random.default_rng(seed))

    moved = np.zeros(live.size, bool)
    moved[list(places_of(after))] = True
    assert_array_equal(moved.reshape(live.shape).sum(0), live.sum(0))
    assert_array_equal(moved.reshape(live.shape).sum(1), live.sum(1))
    assert_array_equal(np.packbits(moved != after.has_holes, bitorder="little")[:-1], after.taken[:-1])


@given(graphs(), SEEDS)
def test_steps_leave_the_graph_that_they_start_from_as_it_was(is_edge, seed):
    before = graph(is_edge)
    places = places_of(before)

    before.after(50, np.random.default_rng(seed))

    assert places_of(before) == places


@given(graphs())
def test_the_rank_is_that_of_its_forest(is_edge):
    assert graph(is_edge).rank() == slow_rank(np.flatnonzero(is_edge), *is_edge.shape)


UNIFORM = {
    "3 x 3 permutations": np.eye(3, dtype=bool),
    "4 x 4 permutations": np.eye(4, dtype=bool),
    "4 x 4, two in each": np.kron(np.eye(2), np.ones((2, 2))).astype(bool),
    "4 x 5, sparse": np.random.default_rng(1).random((4, 5)) < 0.35,
    "4 x 4, half": np.random.default_rng(3).random((4, 4)) < 0.5,
    "5 x 4, dense: holes are swapped": np.random.default_rng(2).random((5, 4)) < 0.7,
    "3 x 6, a full row": np.vstack([np.ones(6), np.eye(6)[:2] + np.eye(6)[3:5]]).astype(bool),
}


@pytest.mark.parametrize("case", UNIFORM)
def test_all_graphs_with_the_degrees_come_up_equally_often(case):
    """Fit by chi-square, with fixed seeds; a fit as bad as p < 0.001 would be an error in 1 of 1,000 cases."""
    given_graph = graph(UNIFORM[case])
    live = UNIFORM[case][UNIFORM[case].any(1)][:, UNIFORM[case].any(0)]
    rng = np.random.default_rng(5)
    n_steps = 2 * STEPS_PER_EDGE * len(given_graph.rows)

    found = Counter(places_of(given_graph.after(n_steps, rng)) for _ in range(N_SAMPLES))

    expected = with_the_degrees_of(live)
    assert len(expected) > 4
    assert set(found) <= set(expected)
    assert chisquare([found[each] for each in expected]).pvalue > 0.001


def test_steps_that_counted_only_where_they_succeed_would_not_be_uniform():
    """The twin: of these graphs some can be swapped in more ways than others, and come up too often."""
    is_edge = np.array([[0, 0, 0, 1], [0, 0, 0, 1], [0, 1, 1, 0], [1, 0, 1, 1]], bool)
    rng = np.random.default_rng(5)

    def successes(current):
        while True:
            following = current.after(1, rng)
            if places_of(following) != places_of(current):
                yield places_of(following)
            current = following

    found = Counter(islice(successes(graph(is_edge)), 0, 40_000, 8))

    expected = with_the_degrees_of(is_edge)
    assert chisquare([found[each] for each in expected]).pvalue < 1e-6


@pytest.mark.parametrize(
    "is_edge",
    [
        np.ones((3, 4), bool),
        np.tri(4, dtype=bool),  # a threshold graph
        np.array([[True] * 4]),
        np.zeros((2, 3), bool),
        np.arange(9).reshape(3, 3) != 4,  # all places but one
    ],
)
def test_of_a_single_graph_with_its_degrees_all_samples_are_that_one(is_edge):
    rank = slow_rank(np.flatnonzero(is_edge), *is_edge.shape)

    assert len(with_the_degrees_of(is_edge)) == 1
    assert degree_preserving_ranks(graph(is_edge), 20, np.random.default_rng(0)) == [rank] * 20


@given(graphs(), SEEDS)
def test_more_simulations_begin_with_fewer(is_edge, seed):
    few, many = (degree_preserving_ranks(graph(is_edge), n, np.random.default_rng(seed)) for n in (2, 4))

    assert few == many[:2]


@given(SEEDS, st.integers(2, 5), st.integers(2, 5))
def test_ranks_come_up_as_often_as_among_all_graphs(seed, n_rows, n_columns):
    is_edge = np.random.default_rng(seed).random((n_rows, n_columns)) < 0.4
    live = is_edge[is_edge.any(1)][:, is_edge.any(0)]

    ranks = Counter(degree_preserving_ranks(graph(is_edge), 300, np.random.default_rng(seed)))

    all_of_them = Counter(slow_rank(places, *live.shape) for places in with_the_degrees_of(live))
    chances = {rank: n / all_of_them.total() for rank, n in all_of_them.items()}
    assert set(ranks) <= set(chances)
    # One hub for all samples: its part of the deviation is small after so many steps.
    assert {rank: ranks[rank] / 300 for rank in chances} == {
        rank: pytest.approx(p, abs=6 * (p * (1 - p) / 300) ** 0.5 + 0.02) for rank, p in chances.items()
    }


@pytest.mark.parametrize("kind", ["ties", "sparse", "dead", "constant"])
def test_it_is_the_graph_of_the_strongest_weights_equal_ones_by_index_and_zeros_are_places(kind):
    weight = make_weight(3, 6, 8, kind)
    layer = as_layer(weight)
    forest = spanning_forest(layer)
    k = forest.n_edges // 2
    (strongest,) = strongest_weights(layer, forest, [k], threads=1)

    null = null_distribution(layer, forest, strongest, Null(5, NullModel.DEGREES), seed=1, threads=1)

    order = np.argsort(-np.abs(weight), axis=None, kind="stable")[:k]
    expected = degree_preserving_ranks(graph_of(np.sort(order), 8), 5, generator_of(layer.name, 1))
    assert list(null.counts) == expected


def test_a_graph_of_columns_of_one_weight_has_more_components_than_chance_and_its_degrees_explain_them():
    weight = make_weight(5, 30, 90, "normal")
    weight[:5] *= 20
    weight[:, :15] *= 10
    layer = as_layer(weight)
    forest = spanning_forest(layer)
    (strongest,) = strongest_weights(layer, forest, [119], threads=1)
    n_kept = strongest.n_kept_of(forest, layer, 1)

    scores = {
        model: null_distribution(layer, forest, strongest, Null(200, model), seed=0, threads=1).z_score(n_kept)
        for model in (NullModel.EDGES, NullModel.DEGREES)
    }

    assert scores[NullModel.EDGES] < -10
    assert abs(scores[NullModel.DEGREES]) < 4
