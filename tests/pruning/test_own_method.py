from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import stream_of
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies import weights

from topoimp.checkpoint import write_arrays
from topoimp.choices import Scope
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import MethodError, OptionError
from topoimp.pruning.masks import read_masks
from topoimp.pruning.methods.naming import method_of
from topoimp.pruning.methods.own import can_be_sent, own_method
from topoimp.pruning.methods.scores import ranks_of_scores
from topoimp.pruning.one_shot import sweep
from topoimp.pruning.options import PruningOptions, Scheme
from topoimp.pruning.schedule import plan_schedule
from topoimp.torch_modules.pruning import ModulePruner, masks_of_round, prune_module

SCOPES = st.sampled_from([Scope.LAYER, Scope.GLOBAL])
WEIGHTS = weights(rows=st.integers(2, 6), columns=st.integers(2, 6))
SCORES = st.sampled_from([-np.inf, -2.0, -0.0, 0.0, 0.5, 2.0**60, np.inf])


def smallest(arrays):
    """Keep the smallest weights first: the opposite of magnitude."""
    return {name: -np.abs(array) for name, array in arrays.items()}


def n_kept(n_edges, k):
    return int(n_edges * Fraction(3, 5) ** k + Fraction(1, 2))


def masks(path, method, scope=Scope.LAYER, n_rounds=4, rate=0.3):
    stream = stream_of(path)
    schedule = plan_schedule(rounds=n_rounds, sparsity=None, rate=rate)
    rounds = sweep(stream, Scheme(schedule, method_of(method), scope)).rounds
    return [masks_of_round(stream, round_) for round_ in rounds]


@pytest.fixture
def two_layers(write):
    rng = np.random.default_rng(0)
    return write({"a": rng.normal(size=(4, 5)).astype(np.float32), "b": rng.normal(size=(3, 4)).astype(np.float32)})


@given(st.lists(SCORES, min_size=1, max_size=30))
def test_ranks_order_scores_and_equal_scores_have_equal_ranks(scores):
    ranks = ranks_of_scores(np.array(scores))

    assert (ranks > 0).all()
    assert_array_equal(np.unique(ranks, return_inverse=True)[1], np.unique(scores, return_inverse=True)[1])


@given(st.lists(WEIGHTS, min_size=1, max_size=3), st.data(), SCOPES)
def test_the_larger_scores_are_kept_and_of_equal_ones_the_first(tmp_path_factory, arrays, data, scope):
    path = tmp_path_factory.mktemp("own") / "model.safetensors"
    named = {f"layer{k}": array for k, array in enumerate(arrays)}
    write_arrays(path, named, {})
    scores = {name: data.draw(st.lists(SCORES, min_size=w.size, max_size=w.size)) for name, w in named.items()}

    def drawn(_weights):
        return {name: np.array(scores[name]).reshape(w.shape) for name, w in named.items()}

    rounds = masks(path, drawn, scope, n_rounds=3, rate=0.4)

    # The plain way: all edges in the order of (score, layer, index), and the first of them.
    edges = {name: [(-scores[name][i], name, i) for i in np.flatnonzero(w)] for name, w in named.items()}
    parts = [[edge for part in edges.values() for edge in part]] if scope is Scope.GLOBAL else edges.values()
    for k, kept in enumerate(rounds, start=1):
        expected = {(name, i) for part in parts for _, name, i in sorted(part)[: n_kept(len(part), k)]}
        found = {(name, i) for name, mask in kept.items() for i in np.flatnonzero(mask)}
        assert found == expected


@given(WEIGHTS, st.integers(1, 4))
def test_masks_are_nested_whatever_the_scores(tmp_path_factory, weight, seed):
    path = tmp_path_factory.mktemp("own") / "model.safetensors"
    write_arrays(path, {"w": weight}, {})

    def noise(arrays):
        return {name: np.random.default_rng(seed).integers(0, 3, array.shape) for name, array in arrays.items()}

    rounds = [kept["w"] for kept in masks(path, noise)]

    assert not any(np.any(later & ~earlier) for earlier, later in pairwise(rounds))
    assert not np.any(rounds[0] & (weight == 0))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_the_function_gets_exact_read_only_arrays_in_the_shape_of_the_tensor(write, dtype):
    weight = np.random.default_rng(0).normal(size=(3, 2, 3, 3)).astype(dtype)
    seen = {}

    def look(arrays):
        seen.update(arrays)
        return arrays

    masks(write({"conv": weight, "fc": np.ones((2, 2), dtype)}), look)

    assert_array_equal(seen["conv"], weight)
    assert seen["conv"].dtype == (np.float64 if dtype is np.float64 else np.float32)
    with pytest.raises(ValueError, match="read-only"):
        seen["conv"][0] = 0


def test_layers_come_in_the_order_of_the_file(tmp_path):
    write_arrays(tmp_path / "model.safetensors", {name: np.ones((2, 2)) for name in ("stem", "block", "a10", "a2")}, {})
    seen = []

    def look(arrays):
        seen.extend(arrays)
        return arrays

    masks(tmp_path / "model.safetensors", look, n_rounds=1)

    assert seen == ["stem", "block", "a10", "a2"]


def test_counts_facts_and_the_files_are_verified_as_of_a_built_in_method(two_layers):
    pruning = prune_checkpoint(two_layers, PruningOptions(rounds=3, rate=0.5, method=smallest))

    kept = {name: mask.kept() for name, mask in read_masks(pruning.outputs.mask).items()}
    network = pruning.report.network
    assert pruning.report.settings["method"] == "smallest"
    assert network["n_kept"] == sum(np.count_nonzero(mask) for mask in kept.values()) == 5
    assert_array_equal(kept["a"], masks(two_layers, smallest, n_rounds=3, rate=0.5)[-1]["a"])


def test_a_module_is_pruned_by_a_function_too():
    model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Linear(5, 4))
    before = model[0].weight.detach().clone()

    pruning = prune_module(model, PruningOptions(sparsity=0.5, method=smallest))

    kept = before[pruning.masks["0.weight"]].abs()
    dropped = before[~pruning.masks["0.weight"]].abs()
    assert len(kept) == 15
    assert kept.max() < dropped.min()


def test_a_pruner_calls_the_function_with_the_pruned_weights_as_zeros():
    zeros = []

    def count(arrays):
        zeros.append(int(np.count_nonzero(arrays["weight"] == 0)))
        return arrays

    pruner = ModulePruner(torch.nn.Linear(10, 10), PruningOptions(rate=0.5, method=count))
    pruner.step()
    pruner.step()

    assert zeros == [0, 50]


def raises(_arrays):
    return 1 / 0


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (raises, r"method 'raises' raised ZeroDivisionError at line \d+ \(division by zero\); it must return scores"),
        (lambda _: [1], "method 'lambda' returned list; it must return a dictionary of arrays by layer name"),
        (lambda w: {**w, "c": w["a"]}, "method 'lambda' returned scores of 'c'; the layers are a, b"),
        (
            lambda w: {"a": w["a"]},
            "method 'lambda', layer 'b': there are no scores; a score for each of the 12 weights is needed",
        ),
        (
            lambda w: {**w, "b": w["b"].T},
            r"method 'lambda', layer 'b': the scores have the shape \[4, 3\]; \[3, 4\] is needed",
        ),
        (
            lambda w: {**w, "b": np.where(w["b"] == w["b"][1, 2], np.nan, 1)},
            "method 'lambda', layer 'b': 1 scores are NaN, the first at index 6; every weight needs a score",
        ),
        (lambda w: {**w, "b": "x"}, "method 'lambda', layer 'b': the scores have the type <U1; numbers are needed"),
        (lambda w: {**w, "b": w["b"] > 0}, "method 'lambda', layer 'b': the scores are booleans; scores, of which"),
        (
            lambda w: {**w, "b": torch.ones(3, 4, requires_grad=True)},
            "method 'lambda', layer 'b': the scores are no array .*; an array of numbers is needed",
        ),
    ],
)
def test_a_function_that_breaks_its_promise_ends_in_one_sentence(two_layers, function, message):
    with pytest.raises(MethodError, match=f"^{message}"):
        prune_checkpoint(two_layers, PruningOptions(rounds=1, method=function))


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (3, "`method` is 3; it must be a word, FILE.py:FUNCTION, or a function of the weights"),
        ("nowhere.py:f", "`method` names the file nowhere.py, which cannot be read: No such file or directory"),
    ],
)
def test_a_method_that_is_none_is_refused(method, message):
    with pytest.raises(OptionError, match=f"^{message}$"):
        PruningOptions(rounds=1, method=method)


def test_a_function_with_the_name_of_a_built_in_method_is_refused():
    def magnitude(arrays):
        return arrays

    with pytest.raises(OptionError, match="`method` is a function called 'magnitude', as a built-in method is"):
        PruningOptions(rounds=1, method=magnitude)


def test_a_lambda_stays_in_this_process_and_a_file_goes_to_others(tmp_path):
    (tmp_path / "own.py").write_text("def f(weights):\n    return weights\n")

    assert not can_be_sent(own_method(lambda arrays: arrays))
    assert can_be_sent(method_of(f"{tmp_path}/own.py:f"))
    assert can_be_sent(method_of("topological"))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def g(w): ...", "own.py: has no function 'f'; `method` is FILE.py:FUNCTION"),
        ("x = 1\ny = z", "own.py: cannot be run: NameError at line 2: name 'z' is not defined"),
        ("x = 1\nf = (", "own.py: cannot be run: SyntaxError at line 2: "),
    ],
)
def test_a_file_without_the_function_is_refused_before_any_checkpoint_is_read(tmp_path, code, message):
    (tmp_path / "own.py").write_text(code)

    with pytest.raises(OptionError, match=message):
        PruningOptions(rounds=1, method=f"{tmp_path}/own.py:f")


def test_a_file_that_changes_after_it_was_named_is_refused(two_layers, tmp_path):
    file = tmp_path / "own.py"
    file.write_text("def f(weights):\n    return weights\n")
    method = method_of(f"{file}:f")
    file.write_text("def f(weights):\n    return {}\n")
    from topoimp.pruning.methods.own_file import _function_in

    _function_in.cache_clear()
    with pytest.raises(MethodError, match=r"own.py: changed since it was named as `method`; all rounds need the same"):
        prune_checkpoint(two_layers, PruningOptions(rounds=1, method=method))
