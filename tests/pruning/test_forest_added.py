"""The number of weights that ``topological`` keeps and ``magnitude`` drops, against the two masks."""

import numpy as np
import pytest
import torch
from conftest import read_all, stream_of
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from strategies import FILE_METHODS, KINDS, SEEDS, make_weight, weights

from topoimp.checkpoint import write_arrays
from topoimp.choices import Method, Scope
from topoimp.pruning.layer_amounts import with_layer_rates
from topoimp.pruning.methods.naming import method_of
from topoimp.pruning.one_shot import sweep
from topoimp.pruning.options import Scheme
from topoimp.pruning.rules import kept_of
from topoimp.pruning.schedule import plan_schedule

OTHER_METHODS = [method for method in FILE_METHODS if method not in (Method.TOPOLOGICAL, Method.MAGNITUDE)]
TYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2]
SCOPES = st.sampled_from(list(Scope))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("added") / "model.safetensors"


def rounds_of(path, method, scope, *, threads=2, epsilon=0.0, **amounts):
    scheme = Scheme(plan_schedule(**amounts), method=method_of(method), scope=scope, epsilon=epsilon, seed=1)
    return sweep(stream_of(path, threads), scheme).rounds


def masks_of(path, round_):
    return {layer.name: kept_of(round_.keeps[layer.name], layer, 1) for layer in read_all(stream_of(path).layers)}


def assert_is_difference_of_masks(path, ours, theirs):
    kept, by_magnitude = masks_of(path, ours), masks_of(path, theirs)
    added = {name: np.count_nonzero(kept[name] & ~by_magnitude[name]) for name in kept}
    assert {name: layer.n_forest_added for name, layer in ours.layers.items()} == added
    assert ours.n_forest_added == sum(added.values())
    same = all(np.array_equal(kept[name], by_magnitude[name]) for name in kept)
    assert (ours.n_forest_added == 0) is same


@settings(max_examples=60)
@given(
    st.lists(weights(rows=st.integers(2, 7), columns=st.integers(2, 7)), min_size=1, max_size=3),
    SCOPES,
    st.sampled_from([0.0, 0.0, 0.3, 1.0]),
    st.sampled_from([0.0, 0.2, 0.5, 0.99]),
)
def test_it_is_the_difference_of_the_masks_of_the_two_methods(scratch, arrays, scope, epsilon, rate):
    write_arrays(scratch, {f"layer{k}": array for k, array in enumerate(arrays)}, {})

    rounds = rounds_of(scratch, Method.TOPOLOGICAL, scope, epsilon=epsilon, rounds=3, rate=rate)

    by_magnitude = rounds_of(scratch, Method.MAGNITUDE, scope, rounds=3, rate=rate)
    for ours, theirs in zip(rounds, by_magnitude, strict=True):
        assert_is_difference_of_masks(scratch, ours, theirs)


@settings(max_examples=30)
@given(SEEDS, st.sampled_from(KINDS), st.lists(st.sampled_from(TYPES), min_size=1, max_size=3), SCOPES)
def test_it_is_exact_for_every_type_also_where_many_weights_are_equal(scratch, seed, kind, types, scope):
    tensors = [torch.from_numpy(make_weight(seed + k, 60, 40, kind)).to(dtype) for k, dtype in enumerate(types)]
    save_file({f"layer{k}": tensor for k, tensor in enumerate(tensors)}, scratch)

    rounds = rounds_of(scratch, Method.TOPOLOGICAL, scope, rounds=3, sparsity=0.95)

    by_magnitude = rounds_of(scratch, Method.MAGNITUDE, scope, rounds=3, sparsity=0.95)
    for ours, theirs in zip(rounds, by_magnitude, strict=True):
        assert_is_difference_of_masks(scratch, ours, theirs)


@given(SEEDS, SCOPES)
def test_magnitude_reports_the_same_number_as_topological(scratch, seed, scope):
    write_arrays(scratch, {f"layer{k}": make_weight(seed + k, 9, 6, "normal") for k in range(2)}, {})

    added = [
        [round_.n_forest_added for round_ in rounds_of(scratch, method, scope, rounds=4, rate=0.4)]
        for method in (Method.TOPOLOGICAL, Method.MAGNITUDE)
    ]

    assert added[0] == added[1]


def test_the_edge_of_a_lone_row_is_added(write):
    path = write({"fc": np.array([[5.0, 4.0], [3.0, 2.5], [0.2, 0.1]])})

    (round_,) = rounds_of(path, Method.TOPOLOGICAL, Scope.LAYER, rounds=1, sparsity=2 / 6)

    # Of 5, 4, 3, 2.5 magnitude keeps all; the forest is 5, 4, 3 and 0.2.
    assert round_.n_forest_added == 1


def test_a_layer_that_is_held_at_its_floor_adds_the_rest_of_its_forest(write):
    path = write({"fc": np.array([[5.0, 4.0], [3.0, 2.5], [0.2, 0.1]])})

    (round_,) = rounds_of(path, Method.TOPOLOGICAL, Scope.LAYER, rounds=1, sparsity=4 / 6)

    assert round_.layers["fc"].preservation.n_kept == 4
    assert round_.n_forest_added == 2


@pytest.mark.parametrize("method", OTHER_METHODS)
def test_other_methods_have_none(write, method):
    path = write({"fc": make_weight(0, 6, 5, "normal")})
    scope = method_of(method).only_scope or Scope.LAYER

    assert [round_.n_forest_added for round_ in rounds_of(path, method, scope, rounds=2)] == [None, None]


@pytest.mark.parametrize("scope", [Scope.LAYER, Scope.GLOBAL])
def test_it_does_not_depend_on_the_number_of_threads(write, scope):
    weight = make_weight(3, 300, 200, "ties", np.float32) + make_weight(4, 300, 200, "normal", np.float32)
    path = write({"one": weight, "two": weight[:, :90].astype(np.float16)})

    added = [
        [
            [layer.n_forest_added for layer in round_.layers.values()]
            for round_ in rounds_of(path, Method.TOPOLOGICAL, scope, threads=threads, rounds=5, sparsity=0.98)
        ]
        for threads in (1, 2, 3)
    ]

    assert added[0] == added[1] == added[2]
    assert added[0][-1][0] > 0


def test_layers_with_rates_of_their_own_add_to_the_network(write):
    path = write({f"layer{k}": make_weight(k, 12, 8, "normal") for k in range(3)})
    infos = stream_of(path).layers.infos
    schedule = with_layer_rates(plan_schedule(rounds=2, rate=0.6), {"layer0": 0.8}, infos, Scope.GLOBAL)

    rounds = [
        sweep(stream_of(path), Scheme(schedule, method=method_of(method), scope=Scope.GLOBAL)).rounds
        for method in (Method.TOPOLOGICAL, Method.MAGNITUDE)
    ]

    for ours, theirs in zip(*rounds, strict=True):
        assert_is_difference_of_masks(path, ours, theirs)
