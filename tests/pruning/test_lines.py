from itertools import pairwise

import numpy as np
import pytest
from conftest import stream_of
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import masked_layer, slow_forest, slow_line_counts, slow_lines
from strategies import SEEDS, weights

from topoimp.choices import Method, Scope
from topoimp.errors import OptionError
from topoimp.kernels.lines import find_thresholds
from topoimp.layers.layer import as_layer
from topoimp.layers.records import LayerInfo
from topoimp.pruning.bounds import layer_bound
from topoimp.pruning.line_counts import line_counts, safe_target
from topoimp.pruning.lines import keep_lines
from topoimp.pruning.methods.magnitude import strength_rule
from topoimp.pruning.methods.naming import method_of
from topoimp.pruning.one_shot import sweep
from topoimp.pruning.options import PruningOptions, Scheme
from topoimp.pruning.rules import kept_of
from topoimp.pruning.schedule import plan_schedule
from topoimp.topology.barcode import barcode_of_forest
from topoimp.topology.forest import spanning_forest


def masks_of(weight, targets, *, protected_above=None, by_column=False, threads=1):
    """The masks of a layer in the scope row, for each target."""
    layer = as_layer(weight)
    info = LayerInfo(layer.name, layer.name, weight.shape, *weight.shape, layer.number_format)
    forest = spanning_forest(layer)
    rule = strength_rule([info], protected_above)
    keeps = keep_lines(info, layer, forest, targets, rule, by_column=by_column, threads=threads)
    return [kept_of(keep, layer, threads).reshape(weight.shape) for keep in keeps]


LINES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8)


@given(LINES, st.integers(0, 80))
def test_lines_keep_equal_numbers_but_for_their_protected_weights_and_their_edges(lines, target):
    protected, edges = [min(pair) for pair in lines], [max(pair) for pair in lines]

    counts = line_counts(np.array(protected), np.array(edges), target).tolist()

    assert counts == slow_line_counts(protected, edges, target)
    assert sum(counts) == min(max(target, sum(protected)), sum(edges))


@given(LINES)
def test_a_smaller_target_gives_no_line_more_weights(lines):
    protected, edges = (np.array([pick(pair) for pair in lines]) for pick in (min, max))

    counts = [line_counts(protected, edges, target) for target in range(edges.sum() + 2)]

    assert all((smaller <= larger).all() for smaller, larger in pairwise(counts))


@given(LINES)
def test_the_safe_target_is_the_smallest_at_which_every_line_has_its_need(lines):
    needed, edges = [min(pair) for pair in lines], [max(pair) for pair in lines]

    target = safe_target(np.array(needed), np.array(edges))

    none = np.zeros(len(lines), np.int64)
    has_need = [(line_counts(none, np.array(edges), k) >= needed).all() for k in range(sum(edges) + 1)]
    assert has_need.index(True) == target


@given(
    SEEDS,
    st.sampled_from([np.uint8, np.uint16, np.uint32, np.uint64]),
    st.integers(1, 300),
    st.sampled_from([1, 3, 40, None]),
)
def test_thresholds_keep_the_first_of_each_line_in_the_order(seed, dtype, n, n_values):
    rng = np.random.default_rng(seed)
    largest = int(np.iinfo(dtype).max) - 1
    values = rng.integers(0, largest, n_values or 4 * n, dtype=dtype, endpoint=True)
    ranks = rng.choice(np.append(values, dtype(0)), size=(4, n))
    n_kept = rng.integers(0, np.count_nonzero(ranks, axis=1), endpoint=True)
    thresholds, lasts = np.empty(4, dtype), np.empty(4, np.int64)

    find_thresholds(ranks, n_kept, thresholds, lasts)

    is_last = (ranks == thresholds[:, None]) & (np.arange(n) <= lasts[:, None])
    kept = (ranks > thresholds[:, None]) | is_last
    for row, flags, k in zip(ranks, kept, n_kept, strict=True):
        order = np.lexsort((np.arange(n), -row.astype(object)))
        assert sorted(np.flatnonzero(flags)) == sorted(order[:k])


@pytest.mark.parametrize("exponent", [7, 15, 31, 63])
def test_the_search_ends_on_ranks_that_double(exponent):
    dtype = f"uint{exponent + 1}"
    ranks = (np.ones(1, dtype) << np.arange(exponent, dtype=dtype))[None, :]
    thresholds, lasts = np.empty(1, dtype), np.empty(1, np.int64)

    for n_kept in range(exponent + 1):
        find_thresholds(ranks, np.array([n_kept]), thresholds, lasts)
        assert np.count_nonzero((ranks > thresholds) | ((ranks == thresholds) & (lasts >= 0))) == n_kept


@given(weights(), st.booleans(), st.booleans())
def test_a_mask_is_that_of_a_plain_sort_of_each_line(weight, by_column, is_topological):
    protected = slow_forest(weight) if is_topological else []
    targets = [0, weight.size // 4, weight.size // 2, weight.size]

    masks = masks_of(weight, targets, protected_above=0.0 if is_topological else None, by_column=by_column)

    for target, mask in zip(targets, masks, strict=True):
        assert np.array_equal(mask, slow_lines(weight, max(target, len(protected)), protected, by_column))


@given(weights(), st.booleans())
def test_columns_are_the_rows_of_the_transposed_layer(weight, is_topological):
    protected_above = 0.0 if is_topological else None
    is_tied = len(set(np.abs(weight[weight != 0]))) < np.count_nonzero(weight)
    if is_tied and is_topological:  # of equal edges, the forest takes others
        return

    by_column = masks_of(weight, [weight.size // 3], by_column=True, protected_above=protected_above)
    of_rows = masks_of(np.ascontiguousarray(weight.T), [weight.size // 3], protected_above=protected_above)

    assert np.array_equal(by_column[0], of_rows[0].T)


def test_a_factor_for_each_row_changes_nothing():
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(7, 30)).astype(np.float32)
    factors = 2.0 ** rng.integers(-20, 20, size=(7, 1)).astype(np.float32)

    (plain,), (scaled,) = (masks_of(each, [60]) for each in (weight, weight * factors))

    assert np.array_equal(plain, scaled)


@pytest.mark.parametrize("by_column", [False, True])
def test_threads_change_nothing(by_column):
    weight = np.random.default_rng(1).normal(size=(900, 1100)).astype(np.float16)  # more than a piece

    masks = [
        masks_of(weight, [300_000], protected_above=0.0, by_column=by_column, threads=threads)[0]
        for threads in (1, 2, 3)
    ]

    assert masks[0].sum() == 300_000
    assert np.array_equal(masks[0], masks[1])
    assert np.array_equal(masks[0], masks[2])


@given(weights(), st.booleans())
def test_from_the_safe_count_on_magnitude_pruning_keeps_the_barcode(weight, by_column):
    layer, forest = as_layer(weight), spanning_forest(as_layer(weight))
    count = layer_bound(layer, forest, by_column=by_column).safe_count_row

    masks = masks_of(weight, [count, count + 1, max(count - 1, 0)], by_column=by_column)

    is_kept = [
        barcode_of_forest(spanning_forest(masked_layer(layer, mask))).equals(barcode_of_forest(forest))
        for mask in masks
    ]
    assert is_kept[:2] == [True, True]
    if len(set(np.abs(weight[weight != 0]))) == np.count_nonzero(weight) and count:
        assert not is_kept[2]


@pytest.mark.parametrize("method", [Method.RANDOM, Method.MAGNITUDE])
@pytest.mark.parametrize("columns", [(), ("*",)])
def test_every_output_keeps_as_many_weights_by_any_method(write, method, columns):
    weight = np.random.default_rng(2).normal(size=(6, 50))
    stream = stream_of(write({"a": weight}))
    scheme = Scheme(plan_schedule(rounds=1, sparsity=0.5), method_of(method), Scope.ROW, seed=3, output_columns=columns)

    (round_,) = sweep(stream, scheme).rounds

    kept = kept_of(round_.keeps["a"], as_layer(weight), 1).reshape(6, 50)
    assert kept.sum(axis=0 if columns else 1).tolist() == [3 if columns else 25] * (50 if columns else 6)


def test_output_columns_need_the_scope_row():
    with pytest.raises(OptionError, match=r"^`output_columns` goes with the scope row, not with layer$"):
        PruningOptions(sparsity=0.5, output_columns=("*",))


def test_output_columns_must_match_a_layer():
    options = PruningOptions(sparsity=0.5, scope="row", output_columns=("conv*",))
    info = LayerInfo("fc", "fc", (2, 3), 2, 3, as_layer(np.ones((2, 3))).number_format)

    with pytest.raises(OptionError, match=r"^pattern 'conv\*' matches no layer that is pruned"):
        options.scheme([info])


@settings(max_examples=20)
@given(weights(rows=st.integers(2, 9), columns=st.integers(2, 9), kinds=("normal", "ties")))
def test_one_row_at_a_time_is_the_scope_layer_of_that_row(weight):
    n = weight.shape[1] // 2

    (mask,) = masks_of(weight, [n * len(weight)])

    if (weight != 0).all():
        rows = [masks_of(row[None, :], [n])[0] for row in weight]
        assert np.array_equal(mask, np.concatenate(rows))
