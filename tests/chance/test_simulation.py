import numpy as np
import pytest
from conftest import SAMPLES, read_all
from hypothesis import given
from hypothesis import strategies as st
from oracles import slow_guaranteed
from strategies import SEEDS, make_weight, weights

from topoimp.chance.forest_by_chance import forest_edges_by_chance
from topoimp.chance.simulation import shuffled_forest_edges, simulated_forest_edges_iid
from topoimp.checkpoint import open_checkpoint
from topoimp.choices import Shuffle
from topoimp.errors import OptionError
from topoimp.layers.layer import as_layer
from topoimp.layers.records import LayerPatterns
from topoimp.layers.tensors import select_layers
from topoimp.topology.forest import spanning_forest

SHARES = st.floats(0, 1)
SHUFFLES = st.sampled_from(list(Shuffle))


def normal(n_rows, n_columns, name="weight"):
    return as_layer(make_weight(5, n_rows, n_columns, "normal"), name=name)


def observed(layer, k):
    return forest_edges_by_chance(layer, k, n_simulations=1).observed


@given(weights(), SHARES, SHUFFLES, SEEDS)
def test_the_same_seed_gives_the_same_numbers_and_more_begin_with_fewer(weight, share, shuffle, seed):
    layer, k = as_layer(weight), round(share * np.count_nonzero(weight))

    few = shuffled_forest_edges(layer, k, shuffle=shuffle, seed=seed, n_simulations=2)
    many = shuffled_forest_edges(layer, k, shuffle=shuffle, seed=seed, n_simulations=5)

    assert few.counts == many.counts[:2]


@given(weights(kinds=("normal", "ties", "sparse", "blocks", "tiny")), SHARES, SEEDS)
def test_only_strengths_and_their_places_matter_to_a_shuffle(weight, share, seed):
    k = round(share * np.count_nonzero(weight))
    signs = np.random.default_rng(seed).choice([-1, 1], weight.shape).astype(weight.dtype)

    original, other = (shuffled_forest_edges(as_layer(each), k, seed=seed) for each in (weight, weight * signs))

    assert original == other


@given(weights(), SHARES, SHUFFLES)
def test_by_chance_no_more_is_kept_than_weights_and_no_less_than_guaranteed(weight, share, shuffle):
    k = round(share * np.count_nonzero(weight))

    null = shuffled_forest_edges(as_layer(weight), k, shuffle=shuffle, n_simulations=3)

    assert max(null.counts) <= k
    assert min(null.counts) >= slow_guaranteed(*weight.shape, k)


@given(weights(), SHARES)
def test_a_known_forest_changes_nothing(weight, share):
    layer, k = as_layer(weight), round(share * np.count_nonzero(weight))
    forest = spanning_forest(layer)

    assert shuffled_forest_edges(layer, k, forest=forest) == shuffled_forest_edges(layer, k)


def test_layers_with_different_names_are_shuffled_independently():
    one, same, other = (normal(20, 30, name) for name in ("a", "a", "b"))

    assert shuffled_forest_edges(one, 60) == shuffled_forest_edges(same, 60)
    assert shuffled_forest_edges(one, 60).counts != shuffled_forest_edges(other, 60).counts
    assert shuffled_forest_edges(one, 60).counts != shuffled_forest_edges(one, 60, seed=1).counts


def test_defaults():
    layer = normal(20, 30)

    default = shuffled_forest_edges(layer, 60)

    assert default == shuffled_forest_edges(layer, 60, shuffle="edges", n_simulations=20, seed=0)
    assert len(simulated_forest_edges_iid(3, 4, 5).counts) == 200
    assert simulated_forest_edges_iid(3, 4, 5) == simulated_forest_edges_iid(3, 4, 5, n_simulations=200, seed=0)


@pytest.mark.parametrize(("n_rows", "n_columns"), [(1, 1), (1, 7), (2, 3)])
def test_all_or_none_of_a_small_shape_by_hand(n_rows, n_columns):
    everything = simulated_forest_edges_iid(n_rows, n_columns, n_rows * n_columns)

    assert set(everything.counts) == {n_rows + n_columns - 1}
    assert set(simulated_forest_edges_iid(n_rows, n_columns, 0).counts) == {0}


def test_four_of_nine_weights_close_a_cycle_in_one_case_of_fourteen():
    # 9 of the 126 ways to choose four weights of a 3 x 3 layer are a cycle.
    simulated = simulated_forest_edges_iid(3, 3, 4, n_simulations=5000)

    assert simulated.mean == pytest.approx(4 - 9 / 126, abs=0.02)
    assert simulated.standard_deviation == pytest.approx((9 / 126 * 117 / 126) ** 0.5, abs=0.02)


def test_block_structure_keeps_fewer_than_chance_and_a_planted_forest_more():
    rng = np.random.default_rng(0)
    block, forest = rng.random((30, 40)), rng.random((30, 40))
    block[:10, :10] += 1
    forest[:, 0] += 1
    forest[0] += 1

    blocky, planted = as_layer(block), as_layer(forest)

    null_of_block, null_of_forest = shuffled_forest_edges(blocky, 69), shuffled_forest_edges(planted, 69)
    assert null_of_block.z_score(observed(blocky, 69)) < -10
    assert null_of_forest.z_score(observed(planted, 69)) > 3


def test_shuffling_within_rows_explains_what_row_scales_do():
    weight = make_weight(5, 40, 60, "normal") * np.exp(np.linspace(0, 6, 40))[:, None]
    layer = as_layer(weight)
    n_kept = observed(layer, 400)

    over_the_layer = shuffled_forest_edges(layer, 400).z_score(n_kept)
    within_rows = shuffled_forest_edges(layer, 400, shuffle=Shuffle.ROWS).z_score(n_kept)

    assert over_the_layer < -10
    assert abs(within_rows) < 4


def scores_at_the_floor(name):
    layers = select_layers(open_checkpoint(SAMPLES / name), LayerPatterns())
    kept = [(layer, forest_edges_by_chance(layer, sum(layer.codes.shape) - 1)) for layer in read_all(layers)]
    return [shuffled_forest_edges(layer, each.n_kept).z_score(each.observed) for layer, each in kept]


def test_a_lenet_keeps_what_chance_would_until_it_is_trained_and_far_less_after():
    before = scores_at_the_floor("lenet-300-100-mnist-init.safetensors")
    after = scores_at_the_floor("lenet-300-100-mnist.safetensors")

    assert max(np.abs(before)) < 4
    assert max(after[:2]) < -8
    assert abs(after[2]) < 4  # its output layer


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (
            lambda: shuffled_forest_edges(normal(2, 3), 7),
            "7 edges of layer 'weight' are kept; it must be from 0 to the 6 that it has",
        ),
        (
            lambda: shuffled_forest_edges(normal(2, 3), 2, shuffle="cards"),
            "there is no shuffle 'cards'; known are edges, block, rows, columns",
        ),
        (
            lambda: shuffled_forest_edges(normal(2, 3), 2, n_simulations=0),
            "the number of simulations is 0; it must be at least 1",
        ),
        (lambda: simulated_forest_edges_iid(2, 3, 2, seed=-1), "the seed is -1; it must be at least 0"),
        (lambda: simulated_forest_edges_iid(2, 3, 7), "7 weights are kept of 2 x 3; it must be from 0 to 6"),
    ],
)
def test_what_cannot_be_simulated_is_refused(call, complaint):
    with pytest.raises(OptionError, match=f"^{complaint}$"):
        call()
