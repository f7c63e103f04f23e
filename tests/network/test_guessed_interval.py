"""Masks by a guessed interval against those by counts of all keys, and guesses that are wrong."""

from itertools import pairwise

import numpy as np
import pytest
from path_oracle import first_of, small_network, weighted

from topoimp.kernels.path_strengths import LEAST
from topoimp.layers.layer import as_layer
from topoimp.network import guessed_interval as module
from topoimp.network import path_masks as masks_module
from topoimp.network.graph import chain_graph
from topoimp.network.guessed_interval import Guess, guessed_interval
from topoimp.network.path_masks import path_masks
from topoimp.network.path_strengths import path_strengths
from topoimp.network.weighted_graph import WeightedGraph

WIDTHS = (80, 96, 128, 72)
"""Every layer has enough weights for products in float32."""

N = sum(rows * columns for columns, rows in pairwise(WIDTHS))


def chain(values, inputs=None):
    """Return a chain of dense layers whose weights are made by a function of a generator and a shape."""
    rng = np.random.default_rng(7)
    shapes = {f"fc{k}": (rows, columns) for k, (columns, rows) in enumerate(pairwise(WIDTHS))}
    layers = {name: as_layer(values(rng, shape).astype(np.float32)) for name, shape in shapes.items()}
    return WeightedGraph(chain_graph(shapes), layers, inputs)


def normal(rng, shape):
    return rng.standard_normal(shape)


def sparse(rng, shape):
    return np.where(rng.random(shape) < 0.03, rng.standard_normal(shape), 0.0)


def powers_of_two(rng, shape):
    return np.exp2(rng.integers(-1, 2, shape))


def equal(_, shape):
    return np.full(shape, -0.75)


def zero(_, shape):
    return np.zeros(shape)


def with_dead_rows(rng, shape):
    return rng.standard_normal(shape) * (np.arange(shape[0]) % 3 > 0)[:, None]


def of_many_sizes(rng, shape):
    return rng.standard_normal(shape) * np.exp2(rng.integers(-140, 120, shape).astype(float))


VALUES = [normal, sparse, powers_of_two, equal, zero, with_dead_rows, of_many_sizes]


@pytest.fixture
def guess_always(monkeypatch):
    """Guess in networks of any size, from all weights."""
    monkeypatch.setattr(module, "MANY", 0)


@pytest.fixture
def guesses_used(monkeypatch):
    """Return a list that says of each search for masks whether a guess decided them."""
    monkeypatch.setattr(module, "MANY", 0)
    used = []
    guessed = masks_module._Selection._guessed

    def recorded(self, first, levels):
        found = guessed(self, first, levels)
        used.append(found is not None)
        return found

    monkeypatch.setattr(masks_module._Selection, "_guessed", recorded)
    return used


def levels_of(network, target, threads=1):
    return path_masks(network, [target], threads=threads).levels


def assert_same_levels(found, expected):
    assert found.keys() == expected.keys()
    for name, levels in expected.items():
        np.testing.assert_array_equal(found[name], levels)


@pytest.mark.usefixtures("guess_always")
@pytest.mark.parametrize("seed", range(60))
def test_small_networks_have_the_first_weights_of_the_order(seed):
    graph, weights, inputs, norms, order = small_network(seed)
    for target in np.random.default_rng(seed).integers(0, len(order.weights) + 2, 3).tolist():
        found = path_masks(weighted(graph, weights, inputs, norms), [target]).kept(target)

        expected = first_of(order, target, weights)
        assert {name: found[name].reshape(-1).tolist() for name in expected} == {
            name: kept.reshape(-1).tolist() for name, kept in expected.items()
        }


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("target", [300, N // 10, N // 2, N + 1])
def test_a_guess_changes_no_mask(values, target, monkeypatch):
    network = chain(values)
    expected = levels_of(network, target)
    monkeypatch.setattr(module, "MANY", 0)

    assert_same_levels(levels_of(network, target, threads=3), expected)


@pytest.mark.parametrize("values", [normal, powers_of_two, equal, with_dead_rows])
def test_a_guess_from_a_part_of_the_weights_decides_alone(values, guesses_used, monkeypatch):
    monkeypatch.setattr(module, "_FEWEST_SAMPLES", N // 16)

    levels_of(chain(values), N // 4)

    assert guesses_used == [True]


@pytest.mark.usefixtures("guess_always")
@pytest.mark.parametrize("shift", [-(1 << 40), -1, 1, 1 << 40])
@pytest.mark.parametrize("values", [normal, powers_of_two, equal])
def test_a_guess_beside_the_last_key_changes_no_mask(values, shift, monkeypatch):
    network = chain(values)
    right = guessed_interval(path_strengths(network), N // 10)
    monkeypatch.setattr(masks_module, "guessed_interval", lambda *_: None)
    expected = levels_of(network, N // 10)
    monkeypatch.setattr(masks_module, "guessed_interval", lambda *_: Guess(right.low + shift, right.high + shift))

    assert_same_levels(levels_of(network, N // 10), expected)


@pytest.mark.parametrize("shift", [-(1 << 40), 1 << 40])
def test_a_guess_that_is_too_low_or_too_high_is_seen_to_be_wrong(shift, guesses_used, monkeypatch):
    network = chain(normal)
    right = guessed_interval(path_strengths(network), N // 10)
    monkeypatch.setattr(masks_module, "guessed_interval", lambda *_: Guess(right.low + shift, right.high + shift))

    levels_of(network, N // 10)

    assert guesses_used == [False]


@pytest.mark.usefixtures("guess_always")
@pytest.mark.parametrize("n_ends", [1, 2])
def test_intervals_may_begin_or_end_at_the_last_key_itself(n_ends, monkeypatch):
    network = chain(powers_of_two)
    expected = levels_of(network, N // 3)
    keys = np.unique(path_strengths(network).keys_of_numbers(np.arange(N)))
    for low, high in zip(keys, keys[n_ends:], strict=False):
        monkeypatch.setattr(masks_module, "guessed_interval", lambda *_, ends=(int(low), int(high)): Guess(*ends))

        assert_same_levels(levels_of(network, N // 3), expected)


def test_strengths_of_inputs_far_apart_change_nothing(monkeypatch):
    inputs = np.exp2(-np.arange(float(WIDTHS[0])) * 2)
    network = chain(normal, inputs)
    expected = levels_of(network, N // 5)
    monkeypatch.setattr(module, "MANY", 0)

    assert_same_levels(levels_of(network, N // 5), expected)


@pytest.mark.usefixtures("guess_always")
def test_no_interval_holds_weights_on_no_path():
    assert guessed_interval(path_strengths(chain(zero)), 1) is None
    assert guessed_interval(path_strengths(chain(sparse)), N) is None
    found = guessed_interval(path_strengths(chain(sparse)), N // 100)
    assert LEAST <= found.low < found.high


def test_a_network_of_few_weights_has_no_guess():
    assert guessed_interval(path_strengths(chain(normal)), N // 2) is None
