"""A layer with groups is a network's layer for each group, in every number of its graph."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from slow_paths import published_magnitudes, slow_s

from topoimp.errors import LayerError
from topoimp.layers.layer import as_layer
from topoimp.network.deep_graph_persistence import deep_graph_persistence
from topoimp.network.facts import kept_in, path_facts
from topoimp.network.glued_persistence import glued_persistence
from topoimp.network.graph import Connection, NetworkGraph, groups_of
from topoimp.network.path_masks import path_masks
from topoimp.network.path_sums import path_sums
from topoimp.network.weighted_graph import WeightedGraph
from topoimp.topology.barcode import barcode_of

GROUPED = NetworkGraph(
    {"inputs": 4, "a": 6, "b": 6, "outputs": 3},
    (
        Connection("inputs", "a", "a", 4, groups=2, norm="norm"),
        Connection("a", "b", "depthwise", 9, groups=6),
        Connection("a", "b"),
        Connection("b", "outputs", "fc", 2),
    ),
)
SHAPES = {"a": (6, 2, 2, 2), "depthwise": (6, 1, 3, 3), "fc": (3, 12)}


def weights_of(seed, density):
    rng = np.random.default_rng(seed)
    return {
        name: np.where(rng.random(shape) < density, rng.lognormal(size=shape), 0.0) for name, shape in SHAPES.items()
    }


def split(weights):
    """The same network with a layer for each group, called as its layer and its number."""
    connections, parts = [], {}
    for each in GROUPED.connections:
        if each.layer is None:
            connections.append(each)
            continue
        matrix = weights[each.layer].reshape(len(weights[each.layer]), -1)
        for number, (rows, part) in enumerate(groups_of(each, *matrix.shape)):
            name = f"{each.layer}{number}"
            parts[name] = matrix[rows]
            norm = None if each.norm is None else f"{each.norm}{number}"
            connections.append(replace(part, layer=name, norm=norm))
    return replace(GROUPED, connections=tuple(connections)), parts


def joined(found):
    """By layer, the rows that were found for all its groups."""
    return {
        name: np.concatenate([rows for part, rows in found.items() if part.rstrip("0123456789") == name])
        for name in SHAPES
    }


def layers_of(weights):
    return {name: as_layer(weight) for name, weight in weights.items()}


def weighted(graph, weights, norms):
    return WeightedGraph(graph, layers_of(weights), norms=norms)


def both(weights):
    norm = np.arange(1.0, 7.0)
    graph, parts = split(weights)
    return (
        weighted(GROUPED, weights, {"norm": norm}),
        weighted(graph, parts, {"norm0": norm[:3], "norm1": norm[3:]}),
    )


@pytest.mark.parametrize("seed", range(20))
def test_facts_are_those_of_a_layer_for_each_group(seed):
    weights = weights_of(seed, 0.15)
    graph, parts = split(weights)

    found = path_facts(GROUPED, lambda name: kept_in(weights[name]))

    expected = path_facts(graph, lambda name: kept_in(parts[name]))
    assert (found.live_vertices, found.beta0_glued) == (expected.live_vertices, expected.beta0_glued)
    for name, layer in found.layers.items():
        assert layer == expected.total([part for part in parts if part.rstrip("0123456789") == name])


@pytest.mark.parametrize("seed", range(5))
def test_sums_and_masks_by_paths_are_those_of_a_layer_for_each_group(seed):
    grouped, separate = both(weights_of(seed, 1.0))  # every weight is on a path

    sums, expected = path_sums(grouped), joined(path_sums(separate))
    for name in SHAPES:
        assert_array_equal(sums[name], expected[name])

    targets = [3, 20, 60, 90]
    masks, others = path_masks(grouped, targets), path_masks(separate, targets)
    for target in targets:
        of_groups = joined(others.kept(target))
        for name, kept in masks.kept(target).items():
            assert_array_equal(kept, of_groups[name])


def test_rows_that_are_no_equal_groups_are_refused():
    with pytest.raises(LayerError, match="layer a has 5 rows, which are not 2 equal groups"):
        groups_of(GROUPED.connections[0], 5, 8)


@pytest.mark.parametrize("seed", range(20))
def test_the_glued_barcode_is_that_of_a_layer_for_each_group(seed):
    weights = weights_of(seed, 0.4)
    graph, parts = split(weights)

    found = glued_persistence(GROUPED, layers_of(weights))

    assert found.barcode.equals(glued_persistence(graph, layers_of(parts)).barcode)


@pytest.mark.parametrize("seed", range(5))
def test_a_layer_with_groups_is_standardised_whole(seed):
    """Zeros between the groups have no magnitude: the parts of S are those of the split network."""
    weights = weights_of(seed, 1.0)
    magnitudes, largest = published_magnitudes(weights)

    found = deep_graph_persistence(GROUPED, layers_of(weights))

    graph, parts = split(magnitudes)
    barcode = barcode_of(as_layer(slow_s(graph, parts, largest)))
    assert_allclose(found.barcode.deaths, barcode.deaths, rtol=1e-12)
    assert found.barcode.n_essential == barcode.n_essential
