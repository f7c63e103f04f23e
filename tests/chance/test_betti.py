import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose
from oracles import slow_shuffle_chances
from strategies import SEEDS, make_weight, weights

from topoimp.chance.betti import expected_betti_curve
from topoimp.chance.closed_forms import expected_forest_edges_iid
from topoimp.chance.forest_by_chance import ClosedFormDecision
from topoimp.errors import OptionError
from topoimp.layers.layer import as_layer, by_channel
from topoimp.topology.forest import spanning_forest


def expected(weight, n_edges, *, name="a", seed=0):
    layer = as_layer(weight, name=name)
    return expected_betti_curve(layer, spanning_forest(layer), np.array(n_edges, np.int64), seed=seed)


@settings(max_examples=200)
@given(weights(), SEEDS)
def test_without_edges_and_with_all_of_them_it_is_the_curve_of_the_layer_itself(weight, seed):
    forest = spanning_forest(as_layer(weight))

    curve = expected(weight, [0, forest.n_edges], seed=seed)

    beta0 = forest.n_vertices - len(forest.indices)
    assert_allclose(curve.beta0, [forest.n_vertices, beta0], rtol=1e-12)
    assert_allclose(curve.beta1, [0, forest.n_edges - forest.n_vertices + beta0], rtol=1e-12)


@settings(max_examples=50)
@given(weights(), SEEDS)
def test_cycles_are_edges_beyond_those_of_a_forest(weight, seed):
    forest = spanning_forest(as_layer(weight))
    k = np.arange(forest.n_edges + 1)

    curve = expected(weight, k, seed=seed)

    assert_allclose(curve.beta1, k - (forest.n_vertices - curve.beta0), atol=1e-9)
    assert (np.diff(curve.beta0) <= 1e-9).all()


def closed_form(n_rows, n_columns, n_edges):
    return [n_rows + n_columns - expected_forest_edges_iid(n_rows, n_columns, k) for k in n_edges]


ZEROS = np.array([[3.0, 1, 0], [2, 4, 0], [0, 0, 5]])
DEAD = np.array([[3.0, 1, 0], [2, 4, 0], [0, 0, 0]])


@pytest.mark.parametrize("weight", [np.arange(1.0, 7).reshape(2, 3), ZEROS, DEAD, ZEROS[:1]])
def test_simulations_agree_with_all_shuffles_there_are(weight):
    n_edges, n_names = np.count_nonzero(weight), 40

    means = np.mean([expected(weight, range(n_edges + 1), name=f"{i}").beta0 for i in range(n_names)], axis=0)

    ranks = [slow_shuffle_chances(weight, k, "edges") for k in range(n_edges + 1)]
    exact = [sum(weight.shape) - sum(rank * chance for rank, chance in each.items()) for each in ranks]
    assert_allclose(means, exact, atol=5 * 0.5 / (20 * n_names) ** 0.5)


def test_a_layer_without_zeros_has_the_closed_form():
    k = [0, 10, 300, 600]

    curve = expected(make_weight(0, 20, 30, "normal"), k)

    assert curve.beta0.tolist() == closed_form(20, 30, k)
    assert_allclose(curve.beta1, np.array(k) - 50 + curve.beta0, atol=1e-12)


def test_dead_rows_and_columns_are_components_of_the_closed_form():
    weight = np.zeros((25, 33))
    weight[5:, 3:] = make_weight(0, 20, 30, "normal")

    curve = expected(weight, [10, 300])

    alone = expected(weight[5:, 3:], [10, 300])
    assert (curve.beta0.tolist(), curve.beta1.tolist()) == ((alone.beta0 + 8).tolist(), alone.beta1.tolist())


@pytest.mark.parametrize(("n_rows", "n_columns"), [(9, 9), (10, 100), (30, 30), (12, 400)])
def test_the_closed_form_is_what_simulations_give(n_rows, n_columns, monkeypatch):
    weight, k = make_weight(1, n_rows, n_columns, "normal"), np.arange(0, n_rows * n_columns, 7)
    closed = expected(weight, k)
    simulate = ClosedFormDecision("a test", is_simulated=True)
    monkeypatch.setattr("topoimp.chance.betti.closed_form_decision", lambda *_: simulate)

    simulated = np.mean([expected(weight, k, name=f"{i}").beta0 for i in range(20)], axis=0)

    n_forest = n_rows + n_columns - simulated
    assert (np.abs(closed.beta0 - simulated) <= np.maximum(0.5, 0.01 * n_forest)).all()


def test_a_few_zeros_have_the_closed_form_and_more_in_a_layer_too_large_to_simulate_nothing(monkeypatch):
    monkeypatch.setattr("topoimp.chance.forest_by_chance.LARGEST_SIMULATED", 100)
    few, many = make_weight(0, 40, 50, "normal"), make_weight(0, 40, 50, "normal")
    few[0, :2], many[0, :3] = 0, 0

    assert expected(few, [60]).beta0.tolist() == closed_form(40, 50, [60])
    assert expected(many, [60]) is None


def test_edges_of_the_view_channel_are_pairs_of_channels():
    layer = by_channel(as_layer(make_weight(0, 10, 12 * 9, "normal")), 9)

    curve = expected_betti_curve(layer, spanning_forest(layer), np.array([30, 120]))

    assert curve.beta0.tolist() == closed_form(10, 12, [30, 120])


def test_the_seed_and_the_name_choose_the_simulations():
    weight, k = make_weight(0, 4, 30, "normal"), [5, 10, 20]

    chosen = [("a", 0), ("a", 0), ("a", 1), ("b", 0)]
    curves = [expected(weight, k, name=name, seed=seed).beta0.tolist() for name, seed in chosen]

    assert curves[0] == curves[1]
    assert len({tuple(curve) for curve in curves}) == 3


def test_a_layer_too_large_to_simulate_has_no_expectation(monkeypatch):
    monkeypatch.setattr("topoimp.chance.forest_by_chance.LARGEST_SIMULATED", 7)

    assert expected(np.ones((2, 4)), [1]) is None
    assert expected(np.ones((1, 7)), [1]) is not None
    assert expected(np.ones((9, 9)), [1]) is not None


def test_a_negative_seed_is_refused():
    with pytest.raises(OptionError, match="the seed is -1; it must be at least 0"):
        expected(np.ones((2, 4)), [1], seed=-1)
