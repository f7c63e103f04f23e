from dataclasses import replace

import numpy as np
import pytest
from conftest import info_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracles import masked_layer, slow_forest
from pattern_oracle import all_masks, slow_blocks, slow_pattern
from strategies import make_weight, weights

from topoimp.checkpoint.number_format import NUMBER_FORMATS
from topoimp.errors import VerificationError
from topoimp.layers.layer import Layer, as_layer
from topoimp.pruning.block_pattern import BlockPattern, LayerBlocks
from topoimp.pruning.layer_rounds import layer_rounds
from topoimp.pruning.methods.magnitude import strength_rule
from topoimp.pruning.pattern_keep import keep_blocks
from topoimp.pruning.rules import kept_of, pruned_codes
from topoimp.topology.barcode import barcode_of_forest
from topoimp.topology.forest import spanning_forest

PATTERNS = st.sampled_from([(1, 1), (1, 2), (2, 4), (3, 4), (1, 5), (4, 8), (7, 32), (32, 32)])
SMALL = weights(rows=st.integers(1, 3), columns=st.integers(1, 4), kinds=("normal", "ties", "sparse"))


def keep_of(layer, pattern, *, is_topological=True, by_column=False, threads=1):
    rule = strength_rule([info_of(layer)], 0.0 if is_topological else None)
    blocks = LayerBlocks(BlockPattern(*pattern), by_column)
    return keep_blocks(layer, spanning_forest(layer), rule, blocks, threads)


def mask_of(weight, pattern, **options):
    layer = as_layer(weight)
    return kept_of(keep_of(layer, pattern, **options), layer, options.get("threads", 1)).reshape(weight.shape)


def n_unfit(weight, pattern):
    return keep_of(as_layer(weight), pattern).n_forest_unfit


@given(weights(), PATTERNS, st.booleans(), st.booleans())
def test_a_mask_is_that_of_a_plain_sort_of_each_block(weight, pattern, by_column, is_topological):
    mask = mask_of(weight, pattern, by_column=by_column, is_topological=is_topological)

    forest = slow_forest(weight) if is_topological else []
    assert np.array_equal(mask, slow_pattern(weight, *pattern, forest, by_column))


@given(weights(), PATTERNS, st.booleans(), st.booleans())
def test_its_counts_are_those_of_the_mask(weight, pattern, by_column, is_topological):
    keep = keep_of(as_layer(weight), pattern, by_column=by_column, is_topological=is_topological)

    forest = slow_forest(weight)
    mask = mask_of(weight, pattern, by_column=by_column, is_topological=is_topological)
    in_block = [len(set(block) & set(forest)) for block in slow_blocks(weight.shape, pattern[1], by_column)]
    assert keep.n_kept == mask.sum()
    assert keep.n_forest_kept == mask.flat[forest].sum()
    assert keep.n_forest_unfit == sum(max(n - pattern[0], 0) for n in in_block)


@given(weights(), PATTERNS, st.booleans(), st.booleans())
def test_a_round_has_the_topology_of_the_pruned_copy(weight, pattern, by_column, is_topological):
    layer, forest = as_layer(weight), spanning_forest(as_layer(weight))
    keep = keep_of(layer, pattern, by_column=by_column, is_topological=is_topological)

    (round_,) = layer_rounds(layer, forest, [keep.n_kept], [keep], 1)

    mask = mask_of(weight, pattern, by_column=by_column, is_topological=is_topological)
    after = spanning_forest(masked_layer(layer, mask))
    found = round_.preservation
    assert (found.n_kept, found.beta0, found.beta1) == (mask.sum(), after.n_components, after.n_cycles)
    assert found.n_forest_kept == mask.flat[slow_forest(weight)].sum()
    assert found.barcode_kept == barcode_of_forest(after).equals(barcode_of_forest(forest))
    assert not round_.floor_binds


def test_a_wrong_count_of_forest_edges_is_noticed():
    layer = as_layer(np.arange(1.0, 9.0).reshape(2, 4))
    keep = keep_of(layer, (1, 4))
    wrong = replace(keep, n_forest_kept=1)

    with pytest.raises(VerificationError, match=f"^layer 'weight': {keep.n_forest_kept} forest edges stay, not 1$"):
        layer_rounds(layer, spanning_forest(layer), [keep.n_kept], [wrong], 1)


@given(weights(), PATTERNS, st.booleans())
def test_the_two_methods_differ_in_forest_edges_alone(weight, pattern, by_column):
    ours, theirs = (mask_of(weight, pattern, by_column=by_column, is_topological=each) for each in (True, False))

    added = np.flatnonzero(ours & ~theirs)
    assert set(added) <= set(slow_forest(weight))
    assert ours.sum() == theirs.sum()
    for is_topological in (True, False):
        keep = keep_of(as_layer(weight), pattern, by_column=by_column, is_topological=is_topological)
        assert keep.n_forest_added == len(added)


@settings(max_examples=40)
@given(SMALL, st.sampled_from([(1, 2), (2, 3), (1, 4), (2, 4)]))
def test_every_mask_of_the_pattern_lacks_the_edges_that_do_not_fit(weight, pattern):
    forest = set(slow_forest(weight))

    fewest = min(len(forest - mask) for mask in all_masks(weight, *pattern))

    assert fewest == n_unfit(weight, pattern)
    assert fewest == len(forest) - keep_of(as_layer(weight), pattern).n_forest_kept


@settings(max_examples=40)
@given(SMALL, st.sampled_from([(1, 2), (2, 3), (3, 4), (2, 4)]))
def test_no_mask_of_the_pattern_that_contains_the_forest_is_stronger(weight, pattern):
    assume(n_unfit(weight, pattern) == 0)
    strengths = np.abs(weight).ravel()

    ours = sorted(strengths[mask_of(weight, pattern).ravel()], reverse=True)

    others = [mask for mask in all_masks(weight, *pattern) if mask >= set(slow_forest(weight))]
    for mask in others:
        theirs = sorted(strengths[list(mask)], reverse=True)
        assert len(theirs) <= len(ours)
        assert all(own >= other for own, other in zip(ours, theirs, strict=False))


@given(weights(rows=st.integers(1, 6), kinds=("normal", "ties", "sparse")), PATTERNS)
def test_the_barcode_is_kept_if_the_forest_fits_and_only_then_unless_strengths_are_equal(weight, pattern):
    layer = as_layer(weight)
    left = masked_layer(layer, mask_of(weight, pattern))

    is_kept = barcode_of_forest(spanning_forest(left)).equals(barcode_of_forest(spanning_forest(layer)))

    fits = n_unfit(weight, pattern) == 0
    has_ties = len(set(np.abs(weight[weight != 0]))) < np.count_nonzero(weight)
    assert is_kept >= fits
    assert is_kept == fits or has_ties


def test_with_ties_another_forest_may_fit():
    layer = as_layer(np.ones((2, 3)))  # the order forest is the first row, and the first weight of the second
    kept = np.array([[True, True, False], [False, True, True]])

    barcodes = [barcode_of_forest(spanning_forest(each)) for each in (layer, masked_layer(layer, kept))]

    assert n_unfit(np.ones((2, 3)), (2, 3)) == 1
    assert set(np.flatnonzero(kept)) in all_masks(np.ones((2, 3)), 2, 3)
    assert barcodes[0].equals(barcodes[1])


@given(weights(rows=st.just(1)), PATTERNS)
def test_a_layer_with_one_output_has_no_room_for_its_forest(weight, pattern):
    counts = [np.count_nonzero(weight.flat[block]) for block in slow_blocks(weight.shape, pattern[1])]

    assert n_unfit(weight, pattern) == sum(max(count - pattern[0], 0) for count in counts)


@pytest.mark.parametrize("by_column", [False, True])
@pytest.mark.parametrize(
    ("shape", "pattern"), [((901, 803), (2, 4)), ((901, 803), (16, 32)), ((3, 200_001), (3, 5)), ((200_001, 3), (2, 4))]
)
def test_threads_change_nothing(by_column, pattern, shape):
    weight = np.random.default_rng(1).integers(-50, 50, shape).astype(np.float16)  # more than a piece

    one, *others = (mask_of(weight, pattern, by_column=by_column, threads=threads) for threads in (1, 2, 3))

    assert all(np.array_equal(one, other) for other in others)
    lines = one.T if by_column else one
    in_blocks = np.add.reduceat(lines, range(0, lines.shape[1], pattern[1]), axis=1, dtype=np.int64)
    assert in_blocks.max() == min(pattern[0], lines.shape[1])
    assert keep_of(as_layer(weight), pattern, by_column=by_column, threads=3).n_kept == one.sum()


@pytest.mark.parametrize("name", sorted(NUMBER_FORMATS))
@pytest.mark.parametrize("by_column", [False, True])
def test_every_format_has_the_mask_of_its_strengths(name, by_column):
    number_format = NUMBER_FORMATS[name]
    rng = np.random.default_rng(3)
    magnitudes = rng.integers(0, number_format.first_special, (9, 30)).astype(number_format.code_dtype)
    signs = rng.integers(0, 2, (9, 30)).astype(number_format.code_dtype)
    shift = number_format.code_dtype.type(number_format.n_bits - 1)
    codes = magnitudes | (signs << shift)
    codes[0, :4] = signs[0, :4] << shift  # zeros, some of them -0.0
    layer = Layer("fc", codes, number_format)

    pruned = pruned_codes(keep_of(layer, (2, 4), by_column=by_column), layer, 2).reshape(9, 30)

    order = magnitudes.astype(np.float64) * (codes & number_format.magnitude_mask != 0)  # codes order as strengths do
    mask = slow_pattern(order, 2, 4, spanning_forest(layer).indices.tolist(), by_column)
    assert np.array_equal(pruned, np.where(mask, codes, 0))


def test_a_part_that_begins_within_a_block_is_that_of_the_whole():
    layer = as_layer(make_weight(5, 7, 22, "ties"))
    keep = keep_of(layer, (2, 4))
    write = keep.on(layer, 1)
    part = np.empty(31, layer.codes.dtype)

    kept = write(17, part)

    assert np.array_equal(kept, kept_of(keep, layer, 1)[17:48])
    assert np.array_equal(part, pruned_codes(keep, layer, 1)[17:48])
