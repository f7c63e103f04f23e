import numpy as np
import pytest
from conftest import read_all, stream_of
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import slow_components, slow_forest
from strategies import FILE_METHODS, weights

from topoimp.checkpoint import write_arrays
from topoimp.choices import Method, Scope
from topoimp.errors import OptionError, VerificationError
from topoimp.pruning.layer_amounts import with_layer_rates
from topoimp.pruning.methods.naming import method_of
from topoimp.pruning.one_shot import sweep
from topoimp.pruning.options import Scheme
from topoimp.pruning.rules import pruned_layer
from topoimp.pruning.schedule import plan_schedule


def schedule_of(n_rounds=5, **options):
    return plan_schedule(rounds=n_rounds, sparsity=options.get("sparsity"), rate=options.get("rate"))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("sweeping") / "model.safetensors"


ARRAYS = st.lists(weights(rows=st.integers(2, 7), columns=st.integers(2, 7)), min_size=1, max_size=3)
METHODS, SCOPES = st.sampled_from(FILE_METHODS), st.sampled_from(list(Scope))


@settings(max_examples=60)
@given(ARRAYS, METHODS, SCOPES)
def test_every_round_reports_what_its_masks_are(scratch, arrays, method, scope):
    write_arrays(scratch, {f"layer{k}": array for k, array in enumerate(arrays)}, {})
    stream = stream_of(scratch)

    rounds = sweep(stream, Scheme(schedule_of(), method=method_of(method), scope=scope, seed=1)).rounds

    assert [round_.number for round_ in rounds] == [1, 2, 3, 4, 5]
    for round_ in rounds:
        for layer, weight in zip(read_all(stream.layers), arrays, strict=True):
            mask = pruned_layer(round_.keeps[layer.name], layer, 1).edges()
            found = round_.layers[layer.name].preservation
            assert found.n_kept == np.count_nonzero(mask)
            assert found.n_forest_kept == sum(mask.flat[index] for index in slow_forest(weight))
            assert found.beta0 == slow_components(mask)
            assert found.beta0_kept == (slow_components(mask) == slow_components(weight != 0))
            kept_strengths = np.abs(np.where(mask, weight, 0)).flat[slow_forest(np.where(mask, weight, 0))]
            same = sorted(kept_strengths) == sorted(np.abs(weight).flat[slow_forest(weight)])
            assert found.barcode_kept == same


@settings(max_examples=60)
@given(ARRAYS, SCOPES)
def test_the_topological_method_keeps_every_barcode_in_every_round(scratch, arrays, scope):
    write_arrays(scratch, {f"layer{k}": array for k, array in enumerate(arrays)}, {})

    rounds = sweep(
        stream_of(scratch), Scheme(schedule_of(rate=0.5), method=method_of(Method.TOPOLOGICAL), scope=scope)
    ).rounds

    assert all(round_.preservation.barcode_kept and round_.preservation.beta0_kept for round_ in rounds)
    assert all(
        round_.preservation.n_kept == max(round_.target, round_.preservation.floor)
        for round_ in rounds
        if scope is Scope.GLOBAL
    )


@settings(max_examples=40)
@given(ARRAYS, METHODS, SCOPES)
def test_rounds_equal_one_shot_at_the_last_target(scratch, arrays, method, scope):
    write_arrays(scratch, {f"layer{k}": array for k, array in enumerate(arrays)}, {})
    stream = stream_of(scratch)

    last = sweep(stream, Scheme(schedule_of(4, sparsity=0.6), method=method_of(method), scope=scope)).rounds[-1]
    once = sweep(stream, Scheme(schedule_of(1, sparsity=0.6), method=method_of(method), scope=scope)).rounds[-1]

    for layer in read_all(stream.layers):
        pruned = [pruned_layer(round_.keeps[layer.name], layer, 1).codes for round_ in (last, once)]
        assert np.array_equal(*pruned)


def test_a_layer_whose_target_is_below_its_floor_is_held_there_and_named(write):
    rng = np.random.default_rng(0)
    path = write({"small": rng.normal(size=(4, 4)), "large": rng.normal(size=(30, 30))})

    rounds = sweep(
        stream_of(path), Scheme(schedule_of(4, rate=0.5), method=method_of(Method.TOPOLOGICAL), scope=Scope.LAYER)
    ).rounds

    assert [round_.missed for round_ in rounds] == [[], ["small"], ["small"], ["large", "small"]]
    assert rounds[3].layers["small"].preservation.n_kept == 7


def test_magnitude_pruning_knows_no_floor(write):
    path = write({"small": np.random.default_rng(0).normal(size=(4, 4))})

    rounds = sweep(
        stream_of(path), Scheme(schedule_of(4, rate=0.5), method=method_of(Method.MAGNITUDE), scope=Scope.LAYER)
    ).rounds

    assert [round_.missed for round_ in rounds] == [[]] * 4
    assert rounds[-1].preservation.n_kept == 1


def test_a_shared_target_below_all_floors_is_said_of_all_layers(write):
    path = write({"a": np.random.default_rng(0).normal(size=(4, 4)), "b": np.random.default_rng(1).normal(size=(4, 4))})

    rounds = sweep(
        stream_of(path), Scheme(schedule_of(2, rate=0.5), method=method_of(Method.TOPOLOGICAL), scope=Scope.GLOBAL)
    ).rounds

    assert [round_.missed for round_ in rounds] == [[], ["all layers together"]]
    assert [[layer.floor_binds for layer in round_.layers.values()] for round_ in rounds] == [
        [False, True],
        [True, True],
    ]
    assert rounds[1].preservation.n_kept == 14


def test_a_round_that_keeps_another_number_than_it_was_to_is_noticed(write, monkeypatch):
    path = write({"a": np.random.default_rng(0).normal(size=(4, 4))})
    monkeypatch.setattr("topoimp.pruning.rules.layer_selections", _selections_off_by_one)

    with pytest.raises(VerificationError, match="layer 'a': 7 weights are kept in round 1; 8 were to be kept"):
        sweep(stream_of(path), Scheme(schedule_of(1, rate=0.5), method=method_of(Method.MAGNITUDE), scope=Scope.LAYER))


def _selections_off_by_one(layers, targets, source, targets_of_all):
    from topoimp.pruning.selection import layer_selections

    return layer_selections(layers, [target - 1 for target in targets], source, targets_of_all)


def test_a_weight_that_comes_back_is_noticed(write, monkeypatch):
    path = write({"a": np.random.default_rng(0).normal(size=(4, 4))})
    schedule = schedule_of(2, rate=0.5)
    monkeypatch.setattr(type(schedule), "targets", lambda _schedule, **_counts: [4, 8])

    with pytest.raises(VerificationError, match="layer 'a': a weight that was pruned came back"):
        sweep(stream_of(path), Scheme(schedule, method=method_of(Method.MAGNITUDE), scope=Scope.LAYER))


def test_a_layer_of_zeros_is_not_held_at_a_floor(write):
    path = write({"dead": np.zeros((3, 3)), "live": np.random.default_rng(0).normal(size=(6, 6))})

    rounds = sweep(
        stream_of(path), Scheme(schedule_of(1), method=method_of(Method.TOPOLOGICAL), scope=Scope.GLOBAL)
    ).rounds

    assert not rounds[0].layers["dead"].floor_binds


def test_layers_of_different_sizes_each_follow_the_sparsity(write):
    rng = np.random.default_rng(0)
    path = write({"big": rng.normal(size=(100, 100)), "small": rng.normal(size=(20, 20))})

    rounds = sweep(
        stream_of(path), Scheme(schedule_of(5, sparsity=0.999), method=method_of(Method.MAGNITUDE), scope=Scope.LAYER)
    ).rounds

    assert [round_.layers["small"].target for round_ in rounds] == [100, 25, 6, 2, 0]
    assert [round_.layers["big"].target for round_ in rounds] == [2512, 631, 158, 40, 10]


@settings(max_examples=60)
@given(ARRAYS, SCOPES, st.sampled_from([0.01, 0.1, 0.3, 0.7, 1.0]), st.sampled_from([0.3, 0.6]))
def test_epsilon_bounds_how_far_a_bar_moves_over_all_rounds(scratch, arrays, scope, epsilon, rate):
    write_arrays(scratch, {f"layer{k}": array for k, array in enumerate(arrays)}, {})
    stream = stream_of(scratch)
    scale = max(np.abs(array).max() for array in arrays)

    swept = sweep(
        stream, Scheme(schedule_of(6, rate=rate), method=method_of(Method.TOPOLOGICAL), scope=scope, epsilon=epsilon)
    )

    for round_ in swept.rounds:
        for layer, weight in zip(read_all(stream.layers), arrays, strict=True):
            mask = pruned_layer(round_.keeps[layer.name], layer, 1).edges()
            was, left = _deaths(weight), _deaths(np.where(mask, weight, 0))
            left += [0.0] * (len(was) - len(left))
            assert [d for d in was if d > epsilon * scale] == [d for d in left if d > epsilon * scale]
            assert max((abs(a - b) for a, b in zip(was, left, strict=True)), default=0) <= epsilon * scale
            assert round_.layers[layer.name].preservation.n_kept == np.count_nonzero(mask)
            assert round_.layers[layer.name].preservation.n_forest_kept == sum(
                mask.flat[index] for index in slow_forest(weight)
            )


def _deaths(weight):
    return sorted((float(death) for death in np.abs(weight).flat[slow_forest(weight)]), reverse=True)


@settings(max_examples=40)
@given(ARRAYS, SCOPES)
def test_epsilon_1_is_magnitude_pruning_and_0_protects_all(scratch, arrays, scope):
    write_arrays(scratch, {f"layer{k}": array for k, array in enumerate(arrays)}, {})
    stream, schedule = stream_of(scratch), schedule_of(4, rate=0.5)

    def masks(method, **options):
        swept = sweep(stream, Scheme(schedule, method=method_of(method), scope=scope, **options))
        return [
            pruned_layer(round_.keeps[layer.name], layer, 1).edges().tolist()
            for round_ in swept.rounds
            for layer in read_all(stream.layers)
        ]

    assert masks(Method.TOPOLOGICAL, epsilon=1.0) == masks(Method.MAGNITUDE)
    assert masks(Method.TOPOLOGICAL, epsilon=0.0) == masks(Method.TOPOLOGICAL)


def test_a_target_below_what_epsilon_protects_is_missed_and_said(write):
    path = write({"w": np.diag(np.arange(10.0, 4.0, -1.0)) + 0.5})

    swept = sweep(
        stream_of(path),
        Scheme(schedule_of(3, rate=0.6), method=method_of(Method.TOPOLOGICAL), scope=Scope.LAYER, epsilon=0.1),
    )

    assert [round_.layers["w"].n_protected for round_ in swept.rounds] == [
        6,
        6,
        6,
    ]  # the diagonal; 0.5 is below a tenth
    assert [round_.layers["w"].preservation.n_kept for round_ in swept.rounds] == [14, 6, 6]
    assert [round_.missed for round_ in swept.rounds] == [[], [], ["w"]]


def test_one_round_of_a_schedule_goes_by_the_edges_at_round_0(write):
    arrays = {"a": np.random.default_rng(0).normal(size=(8, 8)), "b": np.random.default_rng(1).normal(size=(5, 5))}
    stream = stream_of(write(arrays))
    schedule = schedule_of(4, rate=0.5)

    one = sweep(
        stream,
        Scheme(schedule, method=method_of(Method.MAGNITUDE), scope=Scope.LAYER),
        only=3,
        n_edges={"a": 640, "b": 250},
    )
    shared = sweep(
        stream,
        Scheme(schedule, method=method_of(Method.MAGNITUDE), scope=Scope.GLOBAL),
        only=3,
        n_edges={"a": 640, "b": 40},
    )

    assert [(round_.number, round_.target) for round_ in one.rounds] == [(3, 111)]
    assert [layer.preservation.n_kept for layer in one.rounds[0].layers.values()] == [64, 25]  # no more than there is
    assert (shared.rounds[0].target, shared.rounds[0].preservation.n_kept) == (85, 85)


def test_layers_may_have_rates_of_their_own(write):
    path = write({"fc1": np.random.default_rng(0).normal(size=(10, 10)), "fc2": np.eye(10) + 1})
    stream = stream_of(path)
    schedule = with_layer_rates(schedule_of(2, rate=0.2), {"fc2": 0.1}, stream.layers.infos, Scope.LAYER)

    rounds = sweep(stream, Scheme(schedule, method=method_of(Method.MAGNITUDE), scope=Scope.LAYER)).rounds

    assert [layer.target for round_ in rounds for layer in round_.layers.values()] == [80, 90, 64, 81]


@pytest.mark.parametrize(
    ("rates", "scope", "options", "message"),
    [
        ({"fc": 0.1}, Scope.LAYER, {}, "pattern 'fc' matches no layer that is pruned; the last of them are a, b"),
        (
            {"a": 0.1},
            Scope.ERK,
            {},
            "in the scope erk shapes decide; rates of layers need the scope layer, row or global",
        ),
        ({"a": 1.0}, Scope.LAYER, {}, "the rate is 1.0; it must be at least 0 and below 1"),
        ({"a": 0.1}, Scope.LAYER, {"sparsity": 0.5}, "a sparsity already fixes the density of every layer"),
    ],
)
def test_rates_of_layers_that_mean_nothing_are_refused(write, rates, scope, options, message):
    infos = stream_of(write({"a": np.ones((2, 2)), "b": np.ones((2, 2))})).layers.infos

    with pytest.raises(OptionError, match=message):
        with_layer_rates(schedule_of(2, **options), rates, infos, scope)


@settings(max_examples=30)
@given(ARRAYS, METHODS, SCOPES, st.sampled_from([None, 3]))
def test_each_layer_is_handed_on_with_its_forest_and_the_numbers_kept(scratch, arrays, method, scope, only):
    write_arrays(scratch, {f"layer{k}": array for k, array in enumerate(arrays)}, {})
    handed = {}

    def on_kept(layer, forest, n_kept, _threads):
        handed[layer.name] = (np.array(layer.codes), forest.indices.tolist(), list(n_kept))

    stream = stream_of(scratch)
    swept = sweep(
        stream, Scheme(schedule_of(), method=method_of(method), scope=scope, seed=1), only=only, on_kept=on_kept
    )

    for layer in read_all(stream.layers):
        codes, indices, n_kept = handed.pop(layer.name)
        assert np.array_equal(codes, layer.codes)
        assert indices == swept.forests[layer.name].indices.tolist()
        assert n_kept == [round_.layers[layer.name].preservation.n_kept for round_ in swept.rounds]
    assert handed == {}
