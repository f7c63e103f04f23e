"""Masks by paths against all paths of hundreds of small networks, and against the reference for dense chains."""

import importlib
from dataclasses import replace
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from conftest import SHARED
from path_oracle import edges_of, first_of, slow_order, small_network, weighted
from random_networks import in_networkx, live_in_networkx

from topoimp.errors import OptionError
from topoimp.network.facts import kept_in, path_facts
from topoimp.network.graph import Connection, NetworkGraph, chain_graph
from topoimp.network.path_masks import path_masks

SEEDS = range(300)


def masks_for(graph, weights, inputs, norms, targets, threads=1):
    found = path_masks(weighted(graph, weights, inputs, norms), targets, threads=threads)
    return [
        {name: kept.reshape(weights[name].shape) for name, kept in found.kept(target).items()} for target in targets
    ]


def assert_same(masks, expected):
    assert {name: kept.tolist() for name, kept in masks.items()} == {
        name: kept.tolist() for name, kept in expected.items()
    }


def masked(weights, masks):
    return {name: np.where(masks[name], weight, 0.0) for name, weight in weights.items()}


@pytest.mark.parametrize("seed", SEEDS)
def test_every_target_keeps_the_first_weights_of_the_order(seed):
    graph, weights, inputs, norms, order = small_network(seed)
    targets = list(range(len(order.weights) + 2))

    found = masks_for(graph, weights, inputs, norms, targets)

    for target, masks in zip(targets, found, strict=True):
        assert_same(masks, first_of(order, target, weights))


@pytest.mark.parametrize("seed", SEEDS[:100])
def test_layers_that_are_not_pruned_are_on_paths_and_count_nowhere(seed):
    graph, weights, inputs, norms, _ = small_network(seed)
    unpruned = {str(np.random.default_rng(seed).choice(graph.layers))}
    order = slow_order(graph, weights, inputs, norms, unpruned)
    network = replace(weighted(graph, weights, inputs, norms), unpruned=frozenset(unpruned))
    targets = list(range(len(order.weights) + 2))

    found = path_masks(network, targets)

    others = {name: weight for name, weight in weights.items() if name not in unpruned}
    for target in targets:
        kept = {name: flags.reshape(weights[name].shape) for name, flags in found.kept(target).items()}
        assert_same(kept, first_of(order, target, others))


@pytest.mark.parametrize("seed", SEEDS[:60])
def test_one_target_has_the_mask_that_it_has_among_others_with_any_number_of_threads(seed):
    graph, weights, inputs, norms, order = small_network(seed)
    n = int(np.random.default_rng(seed).integers(0, len(order.weights) + 1))

    (found,) = masks_for(graph, weights, inputs, norms, [n], threads=3)

    assert_same(found, first_of(order, n, weights))


@pytest.mark.parametrize("seed", SEEDS)
def test_rounds_without_training_are_one_shot(seed):
    graph, weights, inputs, norms, order = small_network(seed)
    rng = np.random.default_rng(seed)
    has_shortcuts = any(each.layer is None for each in graph.connections)
    for first in rng.integers(0, len(order.weights) + 1, size=10).tolist():
        if has_shortcuts and first < order.n_of_outputs and first not in order.ends:
            continue
        second = int(rng.integers(0, first + 1))
        (masks,) = masks_for(graph, weights, inputs, norms, [first])

        (again,) = masks_for(graph, masked(weights, masks), inputs, norms, [second])

        assert_same(again, first_of(order, second, weights))


def test_with_shortcuts_rounds_may_differ_before_every_output_has_its_path():
    places = dict.fromkeys(["inputs", "c", "a1", "a2", "x", "x2"], 1) | {"outputs": 2}
    joined = [
        ("inputs", "c", "q"), ("inputs", "a1", "y4"), ("c", "a1", None), ("a1", "a2", "y3"), ("a2", "x", "y2"),
        ("c", "x", None), ("c", "x2", "b"), ("a2", "x2", None), ("x", "outputs", "y1"), ("x2", "outputs", "e"),
    ]  # fmt: skip
    graph = NetworkGraph(places, tuple(Connection(*each) for each in joined))
    weights = {"q": 8, "y4": 32, "y3": 0.5, "y2": 1, "b": 10}
    arrays = {name: np.full((1, 1), float(weight)) for name, weight in weights.items()}
    arrays |= {"y1": np.array([[0.0], [1.0]]), "e": np.array([[10.0], [0.0]])}

    (six, five) = masks_for(graph, arrays, None, {}, [6, 5])
    (again,) = masks_for(graph, masked(arrays, six), None, {}, [5])

    assert {name for name, kept in six.items() if kept.any()} == {"e", "b", "q", "y1", "y2", "y3"}
    assert {name for name, kept in five.items() if kept.any()} == {"e", "b", "q", "y1", "y2"}
    assert {name for name, kept in again.items() if kept.any()} == {"e", "b", "q", "y1", "y3"}


@pytest.mark.parametrize("seed", SEEDS)
def test_at_most_one_path_is_kept_in_part(seed):
    graph, weights, inputs, norms, order = small_network(seed)
    depth = weighted(graph, weights, inputs, norms).depth
    for n in range(order.n_on_path + 1):
        kept = masked(weights, first_of(order, n, weights))
        facts = path_facts(graph, lambda name, kept=kept: kept_in(kept[name]))
        n_off_path = sum(layer.n_off_path for layer in facts.layers.values())
        assert n_off_path <= (0 if n in order.ends else depth - 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_outputs_survive_and_components_with_paths_are_few(seed):
    graph, weights, inputs, norms, order = small_network(seed)
    n_outputs = graph.places[graph.outputs]
    depth = weighted(graph, weights, inputs, norms).depth
    reached = reached_outputs(graph, weights, inputs, norms)
    for n in range(order.n_on_path + 1):
        kept = masked(weights, first_of(order, n, weights))
        live = live_in_networkx(graph, kept)
        if n >= depth * n_outputs or n == order.n_on_path:
            assert reached <= {k for place, k in live if place == graph.outputs}
        holding = [part for part in nx.weakly_connected_components(in_networkx(graph, kept)) if part & live]
        assert len(holding) <= min(graph.places[graph.inputs], n_outputs)


def reached_outputs(graph, weights, inputs, norms):
    """The outputs to which a path of positive strength leads."""
    reached = {(graph.inputs, k) for k in np.flatnonzero(inputs).tolist()}
    for edge in edges_of(graph, weights, norms):
        if edge.source in reached and edge.strength:
            reached.add(edge.target)
    return {k for place, k in reached if place == graph.outputs}


@pytest.mark.parametrize("seed", SEEDS[:100])
def test_above_the_cut_the_strength_of_every_strongest_path_is_kept(seed):
    graph, weights, inputs, norms, order = small_network(seed)
    for n in range(order.n_of_outputs, order.n_on_path, 7):
        cut = max(order.strengths[weight] for weight in order.weights[n : order.n_on_path])
        kept = slow_order(graph, masked(weights, first_of(order, n, weights)), inputs, norms).strengths
        above = {weight: strength for weight, strength in order.strengths.items() if strength > cut}
        assert above.items() <= kept.items()
        assert {weight: strength for weight, strength in kept.items() if strength > cut} == above


@pytest.mark.parametrize("seed", range(20))
def test_rescaling_a_hidden_unit_by_a_power_of_two_changes_no_mask(seed):
    rng = np.random.default_rng(seed)
    weights = {"fc1": rng.normal(size=(5, 4)), "fc2": rng.normal(size=(3, 5)), "fc3": rng.normal(size=(2, 3))}
    graph = chain_graph({name: weight.shape for name, weight in weights.items()})
    rescaled = {name: weight.copy() for name, weight in weights.items()}
    rescaled["fc1"][2] *= 2.0**-60
    rescaled["fc2"][:, 2] *= 2.0**60

    targets = list(range(45))

    assert [*map(str, masks_for(graph, rescaled, None, {}, targets))] == [
        *map(str, masks_for(graph, weights, None, {}, targets))
    ]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_products_far_outside_the_range_of_floats_are_compared(dtype):
    """Thirty layers of the smallest weights of a type: their product has no float."""
    least = np.finfo(dtype).smallest_subnormal
    weights = {f"fc{k}": np.array([[3 * least, 2 * least], [least, 4 * least]], dtype) for k in range(30)}
    graph = chain_graph({name: weight.shape for name, weight in weights.items()})
    ones = np.ones(2)

    found = masks_for(graph, weights, ones, {}, [30, 31])

    # The strongest path runs through the weights of 4; the other output leaves it at the last layer.
    assert [kept.tolist() for kept in found[0].values()] == [[[False, False], [False, True]]] * 30
    assert found[1]["fc29"].tolist() == [[False, True], [False, True]]


def test_a_network_without_a_path_keeps_the_strongest_weights_of_its_last_layers():
    weights = {"fc1": np.zeros((2, 2)), "fc2": np.array([[1.0, -3.0], [2.0, 0.0]])}
    graph = chain_graph({name: weight.shape for name, weight in weights.items()})

    found = masks_for(graph, weights, None, {}, [0, 2, 9])

    assert [masks["fc2"].tolist() for masks in found] == [
        [[False, False], [False, False]],
        [[False, True], [True, False]],
        [[True, True], [True, False]],
    ]


def test_equal_weights_are_kept_by_layer_and_flat_index():
    weights = {"fc1": np.ones((40, 40)), "fc2": np.ones((1, 40))}
    graph = chain_graph({name: weight.shape for name, weight in weights.items()})

    (found,) = masks_for(graph, weights, None, {}, [45])

    # The path of the output, the rest of row 0, and then row 1 and its way to the output.
    expected = np.zeros((40, 40), bool)
    expected[0] = True
    expected[1, :3] = True
    assert found["fc1"].tolist() == expected.tolist()
    assert np.flatnonzero(found["fc2"]).tolist() == [0, 1]


def test_targets_are_refused_in_a_sentence():
    network = weighted(chain_graph({"fc": (2, 2)}), {"fc": np.ones((2, 2))}, None, {})
    with pytest.raises(OptionError, match=r"^a target is -1; it must be at least 0$"):
        path_masks(network, [3, -1])
    with pytest.raises(OptionError, match=r"^there are 65535 targets; at most 65534 are possible$"):
        path_masks(network, [1] * 65535)


REFERENCE = SHARED / "reference" / "path_order.py"


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference, path_order.py, is not beside the project")
@pytest.mark.parametrize("seed", range(40))
def test_dense_chains_have_the_order_of_the_reference(seed, monkeypatch):
    monkeypatch.syspath_prepend(str(REFERENCE.parent))
    reference = importlib.import_module("path_order")
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 20, size=rng.integers(2, 6))
    arrays = [rng.normal(size=(n, m)) * (rng.random((n, m)) < 0.7) for m, n in pairwise(sizes)]
    weights = {f"fc{k}": array for k, array in enumerate(arrays)}
    inputs = rng.random(sizes[0]) * (rng.random(sizes[0]) < 0.8)
    graph = chain_graph({name: weight.shape for name, weight in weights.items()})

    order, _, _ = reference.path_order(arrays, inputs)

    for n in {0, 1, *rng.integers(0, len(order) + 1, 10).tolist(), len(order)}:
        (found,) = masks_for(graph, weights, inputs, {}, [n])
        assert [kept.tolist() for kept in found.values()] == [
            kept.tolist() for kept in reference.masks_of(order, n, arrays)
        ]
