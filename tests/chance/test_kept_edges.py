import numpy as np
import pytest
from conftest import info_of
from hypothesis import given
from hypothesis import strategies as st
from oracles import slow_forest, slow_order
from strategies import weights

from topoimp.chance.kept_edges import exact_densities, kept_edges_of, kept_edges_of_shape
from topoimp.chance.nulls import connectivity_probability
from topoimp.chance.simulation import forest_edges_by_chance
from topoimp.errors import OptionError
from topoimp.layers.layer import as_layer, by_channel
from topoimp.topology.forest import spanning_forest

DENSITIES = st.lists(st.sampled_from([0.0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]), max_size=3)


def kept(weight, *densities):
    layer = as_layer(weight)
    return kept_edges_of(layer, info_of(layer), spanning_forest(layer), densities, threads=1)


@given(weights(), DENSITIES)
def test_what_is_observed_are_the_forest_edges_among_the_strongest_weights(weight, densities):
    forest, order = slow_forest(weight), slow_order(weight)

    for found, density in zip(kept(weight, *densities), densities, strict=True):
        assert found.density == density
        assert found.n_kept == min(int(density * weight.size + 0.5), len(order))
        assert found.observed == len(set(forest) & set(order[: found.n_kept]))
        assert found.floor == len(forest)


@given(weights(), DENSITIES)
def test_no_less_than_guaranteed_and_no_more_than_the_floor_is_kept(weight, densities):
    for found in kept(weight, *densities):
        assert found.guaranteed <= found.observed <= min(found.n_kept, found.floor)
        assert found.guaranteed <= found.iid <= found.n_kept
        assert found.random <= found.floor


@given(weights(), DENSITIES)
def test_what_chance_keeps_is_what_it_keeps_elsewhere(weight, densities):
    layer = as_layer(weight)

    for found in kept(weight, *densities):
        by_chance = forest_edges_by_chance(layer, found.n_kept)
        numbers = (by_chance.guaranteed, by_chance.iid, by_chance.random, by_chance.observed)
        assert (found.guaranteed, found.iid, found.random, found.observed) == numbers


@given(weights(rows=st.integers(2, 12), columns=st.integers(2, 12), kinds=("normal",)), DENSITIES)
def test_a_shape_alone_is_a_layer_without_zeros(weight, densities):
    for alone, found in zip(kept_edges_of_shape(*weight.shape, densities), kept(weight, *densities), strict=True):
        assert (alone.n_kept, alone.floor, alone.guaranteed) == (found.n_kept, found.floor, found.guaranteed)
        assert alone.random == found.random
        assert alone.observed is None


def test_a_layer_without_structure_keeps_what_is_expected_of_one():
    (found,) = kept(np.random.default_rng(0).normal(size=(200, 300)), 0.01)

    assert (found.n_kept, found.floor, found.guaranteed, found.random) == (600, 499, 48, pytest.approx(4.99))
    assert found.observed == pytest.approx(found.iid, rel=0.05)


def test_a_single_zero_in_a_large_layer_does_not_matter(monkeypatch):
    weight = np.random.default_rng(0).normal(size=(40, 50))
    weight[3, 4] = 0
    monkeypatch.delattr("topoimp.chance.kept_edges.forest_edges_by_chance")

    assert kept(weight, 0.1)[0].iid == kept_edges_of_shape(40, 50, [0.1])[0].iid


def test_by_hand():
    found = kept(np.array([[4.0, 3.0], [2.0, 1.0]]), 0.5, 0.75, 1.0)

    assert [(each.n_kept, each.guaranteed, each.observed, each.random) for each in found] == [
        (2, 2, 2, 1.5),
        (3, 3, 3, 2.25),
        (4, 3, 3, 3.0),
    ]


def test_a_long_shape_with_a_short_side_is_not_simulated():
    (found,) = kept_edges_of_shape(2, 10**12, [0.5])

    assert (found.n_kept, found.iid, found.observed) == (10**12, None, None)


def test_stored_zeros_are_never_kept():
    (found,) = kept(np.diag([3.0, 2.0, 1.0]), 0.9)

    assert (found.n_kept, found.observed, found.random) == (3, 3, 3.0)


def test_a_layer_of_zeros_keeps_nothing():
    (found,) = kept(np.zeros((3, 3)), 0.5)

    assert (found.n_kept, found.floor, found.guaranteed, found.iid, found.random, found.observed) == (0, 0, 0, 0, 0, 0)


def test_simulations_depend_on_the_seed_alone():
    assert kept_edges_of_shape(3, 40, [0.2], seed=1) == kept_edges_of_shape(3, 40, [0.2], seed=1)
    assert kept_edges_of_shape(3, 40, [0.2], seed=1) != kept_edges_of_shape(3, 40, [0.2], seed=2)


def test_the_first_layer_of_lenet_300_100_at_a_tenth_of_its_weights_by_shape_alone():
    (first,) = kept_edges_of_shape(300, 784, [0.1])

    assert (first.n_kept, first.floor, first.guaranteed) == (23520, 1083, 306)


@pytest.mark.parametrize("density", [-0.1, 1.1, float("nan")])
def test_a_density_outside_0_to_1_is_refused(density):
    with pytest.raises(OptionError, match=f"a density is {density}; it must be at least 0 and at most 1"):
        exact_densities([0.5, density])


def test_kernels_have_no_densities():
    layer = by_channel(as_layer(np.ones((2, 4))), 2)

    with pytest.raises(OptionError, match="the view is channel; densities are of weights, and need the view matrix"):
        kept_edges_of(layer, info_of(layer), spanning_forest(layer), [0.5], threads=1)


def test_a_random_mask_is_in_one_piece_as_likely_as_the_live_block_is():
    weight = np.random.default_rng(0).normal(size=(5, 7))
    weight[1], weight[:, 2] = 0, 0

    (found,) = kept(weight, 0.5)

    assert found.n_kept == 18
    assert found.connected == connectivity_probability(4, 6, 18 / 24)


def test_of_a_layer_with_other_zeros_it_is_not_known_how_likely_a_random_mask_is_in_one_piece():
    assert kept(np.array([[1.0, 2.0], [3.0, 0.0]]), 0.5)[0].connected is None
    assert kept(np.zeros((2, 3)), 0.5)[0].connected is None


def test_a_shape_is_in_one_piece_whole_and_in_pieces_empty():
    assert [found.connected for found in kept_edges_of_shape(10, 100, [0, 0.4, 1])] == [
        0,
        connectivity_probability(10, 100, 0.4),
        1,
    ]
