import numpy as np
import pytest
from conftest import info_of

from topoimp.chance.closed_forms import connectivity_probability
from topoimp.commands.chance_columns import density_rows, density_rows_of_shape
from topoimp.commands.densities import parse_densities
from topoimp.layers.layer import as_layer
from topoimp.topology.forest import spanning_forest


def rows(weight, *densities):
    layer = as_layer(weight)
    return density_rows(layer, spanning_forest(layer), parse_densities(densities), threads=1)


def test_stored_zeros_are_never_kept():
    (row,) = rows(np.diag([3.0, 2.0, 1.0]), 0.9)

    assert (row["n_kept"], row["forest_kept"], row["forest_random"]) == (3, 3, 3.0)


def test_a_layer_without_structure_keeps_the_number_of_edges_that_chance_does():
    (row,) = rows(np.random.default_rng(0).normal(size=(200, 300)), 0.01)

    counts = (row["n_kept"], row["floor"], row["forest_guaranteed"], row["forest_random"])
    assert counts == (600, 499, 48, pytest.approx(4.99))
    assert row["forest_kept"] == pytest.approx(row["forest_iid"], rel=0.05)


def test_a_density_of_a_layer_too_large_to_simulate_says_why_a_number_is_missing(monkeypatch):
    monkeypatch.setattr("topoimp.chance.forest_by_chance.LARGEST_SIMULATED", 3)

    (row,) = rows(np.arange(1.0, 7).reshape(2, 3), 0.5)

    assert row["forest_iid"] is None
    assert row["undefined"] == (
        "no forest_iid: fewer than 9 rows or columns have edges, and too many edges to be simulated"
    )


def test_a_shape_has_the_rows_of_a_layer_of_that_shape_but_for_what_weights_say():
    layer = as_layer(np.random.default_rng(0).normal(size=(20, 30)))
    densities = parse_densities([0.0, 0.1, 1.0, "critical"])

    alone = density_rows_of_shape(info_of(layer), densities)

    columns = (
        "density",
        "n_kept",
        "floor",
        "forest_guaranteed",
        "forest_random",
        "forest_iid",
        "overlap_bound",
        "random_connected",
    )
    weighed = density_rows(layer, spanning_forest(layer), densities, threads=1)
    assert [[row[name] for name in columns] for row in alone] == [[row[name] for name in columns] for row in weighed]
    assert {(row["forest_kept"], row["retention"]) for row in alone} == {(None, None)}


def test_a_multiple_of_the_critical_density_is_one_of_the_floor():
    weight = np.random.default_rng(0).normal(size=(20, 30))
    weight[:, 29] = 0  # leaves 48 edges of a forest

    found = rows(weight, "critical", "2.5*critical", "100*critical", "0.08")

    assert [(row["n_kept"], row["density"]) for row in found] == [(48, 0.08), (120, 0.2), (580, 580 / 600), (48, 0.08)]
    assert found[0] == found[3]


def test_a_random_mask_is_connected_as_likely_as_the_live_block_is():
    weight = np.random.default_rng(0).normal(size=(5, 7))
    weight[1], weight[:, 2] = 0, 0

    (row,) = rows(weight, 0.5)

    assert row["n_kept"] == 18
    assert row["random_connected"] == connectivity_probability(4, 6, 18 / 24)


def test_of_a_layer_with_other_zeros_the_probability_is_unknown():
    assert rows(np.array([[1.0, 2.0], [3.0, 0.0]]), 0.5)[0]["random_connected"] is None
    assert rows(np.zeros((2, 3)), 0.5)[0]["random_connected"] is None
