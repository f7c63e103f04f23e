import numpy as np
from conftest import info_of, read_all, stream_of
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from oracles import slow_forest, slow_order, slow_permutation_keys
from strategies import FILE_METHODS, weights

from topoimp.checkpoint import write_arrays
from topoimp.choices import Method
from topoimp.layers.layer import as_layer
from topoimp.layers.streaming import InHand
from topoimp.pruning.methods.magnitude import strength_rule
from topoimp.pruning.methods.method import RuleInputs
from topoimp.pruning.methods.naming import method_of
from topoimp.pruning.methods.random_order import PermutationRule
from topoimp.pruning.rank_ranking import permutation_keys
from topoimp.pruning.rules import keep_each, pruned_layer
from topoimp.topology.forest import spanning_forest

METHODS = st.sampled_from(FILE_METHODS)


def mask_of(weight, target, method, seed=0):
    layer = as_layer(weight)
    inputs = RuleInputs([info_of(layer)], InHand(layer, threads=1), seed)
    return kept_of(layer, target, method_of(method).rule(inputs))


def kept_of(layer, target, rule):
    forests = {layer.name: spanning_forest(layer)}
    (keep,) = keep_each([info_of(layer)], forests, [target], rule, InHand(layer, threads=2))
    pruned = pruned_layer(keep[layer.name], layer, threads=2)
    assert keep[layer.name].n_kept == np.count_nonzero(pruned.codes)
    return pruned.edges()


@given(weights(), st.integers(0, 150))
def test_magnitude_keeps_the_strongest_and_of_equals_the_first(weight, target):
    kept = np.flatnonzero(mask_of(weight, target, Method.MAGNITUDE))

    assert kept.tolist() == sorted(slow_order(weight)[:target])


@given(weights(), st.integers(0, 150))
def test_topological_keeps_the_forest_and_fills_up_with_the_strongest(weight, target):
    forest = slow_forest(weight)
    others = [index for index in slow_order(weight) if index not in forest]

    kept = np.flatnonzero(mask_of(weight, target, Method.TOPOLOGICAL))

    assert kept.tolist() == sorted(forest + others[: max(target - len(forest), 0)])


@given(weights(), METHODS, st.integers(0, 150), st.integers(0, 150))
def test_masks_are_nested_and_never_hold_a_stored_zero(weight, method, one, other):
    less, more = mask_of(weight, min(one, other), method), mask_of(weight, max(one, other), method)

    assert not np.any(less & ~more)
    assert not np.any(more & (weight == 0))


@given(weights(), METHODS, st.integers(0, 150))
def test_as_many_are_kept_as_asked_for_floors_aside(weight, method, target):
    n_edges = np.count_nonzero(weight)
    floor = len(slow_forest(weight)) if method is Method.TOPOLOGICAL else 0

    kept = np.count_nonzero(mask_of(weight, target, method))

    assert kept == max(min(target, n_edges), floor)


@given(
    st.lists(weights(rows=st.integers(2, 6), columns=st.integers(2, 6)), min_size=1, max_size=3),
    METHODS,
    st.integers(0, 99),
)
def test_one_target_for_all_layers_is_met_exactly_floors_aside(tmp_path_factory, arrays, method, target):
    path = tmp_path_factory.mktemp("global") / "model.safetensors"
    write_arrays(path, {f"layer{k}": array for k, array in enumerate(arrays)}, {})
    stream = stream_of(path)
    infos, layers = stream.layers.infos, read_all(stream.layers)
    forests = {layer.name: spanning_forest(layer) for layer in layers}

    (keeps,) = keep_each(infos, forests, [target], method_of(method).rule(RuleInputs(infos, stream)), stream)

    masks = {layer.name: pruned_layer(keeps[layer.name], layer, 1).edges() for layer in layers}
    n_edges = sum(np.count_nonzero(array) for array in arrays)
    floor = sum(map(len, (forest.indices for forest in forests.values()))) if method is Method.TOPOLOGICAL else 0
    assert sum(np.count_nonzero(mask) for mask in masks.values()) == max(min(target, n_edges), floor)
    if method is Method.MAGNITUDE:
        kept = [abs(float(w)) for k, array in enumerate(arrays) for w in array[masks[f"layer{k}"]]]
        dropped = [abs(float(w)) for k, array in enumerate(arrays) for w in array[~masks[f"layer{k}"]]]
        assert min(kept, default=np.inf) >= max(dropped, default=0)


def test_layers_of_mixed_types_are_compared_by_exact_values(write):
    path = write({"a": np.array([[1.0, 2.0], [3.0, 4.0]], np.float16), "b": np.array([[1.5, 2.5], [3.5, 4.5]])})
    stream = stream_of(path)
    infos, layers = stream.layers.infos, read_all(stream.layers)
    forests = {layer.name: spanning_forest(layer) for layer in layers}

    (keeps,) = keep_each(infos, forests, [5], strength_rule(infos), stream)

    masks = {layer.name: pruned_layer(keeps[layer.name], layer, 1).edges().tolist() for layer in layers}
    assert masks == {"a": [[False, False], [True, True]], "b": [[False, True], [True, True]]}


def test_random_masks_depend_on_the_seed_and_on_the_name_of_the_layer():
    def mask(name, seed):
        layer = as_layer(np.ones((20, 20)), name=name)
        return kept_of(layer, 200, PermutationRule(seed)).tolist()

    assert mask("a", 0) == mask("a", 0)
    assert mask("a", 0) != mask("a", 1)
    assert mask("a", 0) != mask("b", 0)


def test_permutation_keys_are_distinct_and_spread_evenly():
    keys = permutation_keys(0, 100_000, "seed")

    assert len(np.unique(keys)) == 100_000
    shares = np.bincount((keys >> np.uint64(60)).astype(int), minlength=16) / 100_000
    assert_array_equal(np.abs(shares - 1 / 16) < 0.004, np.ones(16, bool))


def test_permutation_keys_are_those_of_the_slow_twin():
    assert permutation_keys(0, 50, "3:fc1.weight").tolist() == slow_permutation_keys(50, "3:fc1.weight")
    assert permutation_keys(20, 30, "3:fc1.weight").tolist() == slow_permutation_keys(50, "3:fc1.weight")[20:]


def test_by_hand():
    weight = np.arange(1.0, 13.0).reshape(3, 4)

    assert np.flatnonzero(mask_of(weight, 7, Method.MAGNITUDE)).tolist() == [5, 6, 7, 8, 9, 10, 11]
    assert np.flatnonzero(mask_of(weight, 7, Method.TOPOLOGICAL)).tolist() == [3, 6, 7, 8, 9, 10, 11]
    assert np.flatnonzero(mask_of(weight, 1, Method.TOPOLOGICAL)).tolist() == [3, 7, 8, 9, 10, 11]
