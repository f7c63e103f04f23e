"""The paths that small random layers rarely reach: each test shows that it took them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import sorted_forest
from strategies import SEEDS, weights

from topoimp.checkpoint.number_format import NUMBER_FORMATS
from topoimp.layers.layer import as_layer
from topoimp.topology import boruvka, strong_edges
from topoimp.topology.forest import spanning_forest


@pytest.fixture
def taken(monkeypatch):
    """Small rooms for the filter, and counts of the paths that were taken."""
    counts = SimpleNamespace(passes=0, raised=0, steps=0, pairs=0)

    def count(module, name, attribute):
        original = getattr(module, name)

        def counted(*arguments):
            setattr(counts, attribute, getattr(counts, attribute) + 1)
            return original(*arguments)

        monkeypatch.setattr(module, name, counted)

    monkeypatch.setattr(strong_edges, "LEAST_COLLECTED", 8)
    count(strong_edges, "collect_parts", "passes")
    count(strong_edges, "raised_threshold", "raised")
    count(boruvka, "join_best_edges", "steps")
    count(boruvka, "join_in_pairs", "pairs")
    return counts


def lognormal_scales(rng, m, n):
    return rng.normal(size=(m, n)) * np.exp(2 * rng.normal(size=(m, 1)) + 2 * rng.normal(size=(1, n)))


def dead_vertices(rng, m, n):
    weight = rng.normal(size=(m, n))
    weight[rng.random(m) < 0.2] = 0
    weight[:, rng.random(n) < 0.2] = 0
    return weight


def block_diagonal(rng, m, n):
    weight = rng.normal(size=(m, n))
    return np.where(np.arange(m)[:, None] * 4 // m == np.arange(n) * 4 // n, weight, weight * 1e-6)


def rank_one(rng, m, n):
    return rng.normal(size=(m, 1)) @ rng.normal(size=(1, n)) + 0.01 * rng.normal(size=(m, n))


def gradient(rng, m, n):
    return rng.normal(size=(m, n)) * np.linspace(1, 1e-4, m)[:, None]


def staircase(rng, m, n):
    """The strongest edges are a path through all vertices, ever weaker along it, among much weaker noise."""
    weight = rng.random((m, n)) * 1e-3
    steps = np.arange(min(m, n))
    weight[steps, steps] = 2 - steps / len(steps)
    weight[steps[1:], steps[:-1]] = 2 - (steps[1:] - 0.5) / len(steps)
    return weight


HARD = {
    "iid": lambda rng, m, n: rng.normal(size=(m, n)),
    "lognormal scales": lognormal_scales,
    "dead vertices": dead_vertices,
    "block-diagonal": block_diagonal,
    "rank one plus noise": rank_one,
    "gradient": gradient,
    "staircase": staircase,
    "constant": lambda _rng, m, n: np.full((m, n), 0.5),
    "few values": lambda rng, m, n: rng.integers(-2, 3, size=(m, n)) / 2,
    "95 % zeros": lambda rng, m, n: rng.normal(size=(m, n)) * (rng.random((m, n)) < 0.05),
    "99.8 % zeros": lambda rng, m, n: rng.normal(size=(m, n)) * (rng.random((m, n)) < 0.002),
}
SHAPES = [(120, 150), (40, 400), (700, 30)]


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", HARD)
def test_hard_layers_have_the_forest_of_the_oracle_on_any_number_of_threads(taken, kind, shape, threads):
    weight = HARD[kind](np.random.default_rng(3), *shape)

    forest = spanning_forest(as_layer(weight), threads=threads)

    assert forest.indices.tolist() == sorted_forest(weight)
    assert taken.passes >= 1


@pytest.mark.parametrize("name", ["F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"])
@pytest.mark.parametrize("kind", HARD)
@pytest.mark.usefixtures("taken")
def test_every_type_has_the_forest_of_the_same_values_in_float64(kind, name):
    types = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    types |= {"F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2}
    largest = torch.finfo(types[name]).max  # some releases of torch round larger numbers to it, some to NaN
    weight = torch.from_numpy(HARD[kind](np.random.default_rng(5), 60, 90))
    stored = weight.clamp(-largest, largest).to(types[name])

    forest = spanning_forest(as_layer(stored))

    assert forest.indices.tolist() == sorted_forest(stored.to(torch.float64).numpy())
    assert NUMBER_FORMATS[name] is as_layer(stored).number_format


@settings(max_examples=150)
@given(weights(rows=st.integers(1, 40), columns=st.integers(1, 40)), SEEDS, st.integers(1, 4))
def test_layers_with_further_zeros_have_the_forest_of_the_oracle(weight, seed, threads):
    weight = np.where(np.random.default_rng(seed).random(weight.shape) < 0.5, weight, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strong_edges, "LEAST_COLLECTED", 4)
        forest = spanning_forest(as_layer(weight), threads=threads)

    assert forest.indices.tolist() == sorted_forest(weight.astype(np.float64))
    assert forest.n_edges == np.count_nonzero(weight)


def test_too_many_strong_edges_raise_the_threshold(taken):
    weight = np.random.default_rng(0).random((400, 400)) * 0.01
    # The sample looks at short runs at regular places, and misses what stands between them.
    flat = weight.reshape(-1)
    starts = np.arange(1024) * (flat.size - 32) // 1023
    hidden = np.ones(flat.size, bool)
    hidden[(starts[:, None] + np.arange(32)).ravel()] = False
    flat[np.flatnonzero(hidden)] += 1

    forest = spanning_forest(as_layer(weight))

    assert forest.indices.tolist() == sorted_forest(weight)
    assert taken.raised >= 1
    assert taken.passes == taken.raised + 1


def test_a_constant_layer_is_joined_by_boruvka_alone(taken):
    forest = spanning_forest(as_layer(np.full((300, 200), -1.0, np.float32)))

    assert forest.indices.tolist() == [*range(200), *range(200, 300 * 200, 200)]
    assert (taken.passes, taken.raised, taken.steps) == (1, 0, 1)


def test_a_tie_at_the_threshold_is_taken_whole_or_not_at_all(taken, monkeypatch):
    weight = np.random.default_rng(0).integers(1, 5, size=(200, 200)).astype(np.float32)
    thresholds = []
    original = strong_edges.collect_parts

    def collect_parts(layer, threshold, room, threads):
        thresholds.append(threshold)
        return original(layer, threshold, room, threads)

    monkeypatch.setattr(strong_edges, "collect_parts", collect_parts)

    forest = spanning_forest(as_layer(weight))

    assert forest.indices.tolist() == sorted_forest(weight)
    assert thresholds == [int(np.float32(4).view(np.uint32)) + 1]  # a quarter of all weights tie: none of them is taken
    assert taken.steps >= 1


def test_a_few_large_blocks_are_joined_in_pairs_in_one_pass(taken):
    weight = block_diagonal(np.random.default_rng(0), 400, 600)

    forest = spanning_forest(as_layer(weight))

    assert forest.indices.tolist() == sorted_forest(weight)
    assert (taken.pairs, taken.steps) == (1, 0)


def test_equal_edges_between_blocks_are_taken_by_index(taken):
    weight = np.where(np.arange(1500)[:, None] * 2 // 1500 == np.arange(2100) * 2 // 2100, 1.0, 0.5).astype(np.float32)
    weight += np.where(weight == 1.0, np.random.default_rng(0).random(weight.shape), 0).astype(np.float32)

    forest = spanning_forest(as_layer(weight))

    assert forest.indices[-1] == 1050  # the first weight of the first row that lies outside its block
    assert (taken.pairs, taken.steps) == (1, 0)


def test_a_path_is_joined_in_a_logarithmic_number_of_steps(taken):
    weight = staircase(np.random.default_rng(0), 500, 500)
    weight[weight < 0.5] = 0
    weight = np.where(weight > 0, 3 - weight, 0)  # weakest first: every component grows by pairs

    forest = spanning_forest(as_layer(weight))

    assert forest.n_components == 1
    assert forest.indices.tolist() == sorted_forest(weight)
    assert taken.steps <= 11


def test_nothing_is_left_to_finish_if_all_edges_were_collected(taken):
    weight = np.random.default_rng(0).normal(size=(300, 300)) * (np.random.default_rng(1).random((300, 300)) < 0.002)

    assert spanning_forest(as_layer(weight)).indices.tolist() == sorted_forest(weight)
    assert taken.steps == 0


def test_vertices_without_an_edge_out_of_their_component_are_looked_at_once(taken):
    weight = dead_vertices(np.random.default_rng(0), 300, 300)

    spanning_forest(as_layer(weight))

    assert taken.steps <= 3


@pytest.mark.parametrize("shape", [(1, 5000), (5000, 1)])
@pytest.mark.usefixtures("taken")
def test_a_single_row_or_column_keeps_every_edge(shape):
    weight = np.random.default_rng(0).normal(size=shape)

    assert spanning_forest(as_layer(weight)).indices.tolist() == np.argsort(-np.abs(weight.ravel())).tolist()
