import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import slow_order
from pattern_oracle import slow_blocks
from strategies import weights

from topoimp.errors import OptionError
from topoimp.layers.layer import as_layer
from topoimp.pruning.block_pattern import BlockPattern, LayerBlocks, parse_pattern

SIZES = st.sampled_from([1, 2, 3, 4, 8, 32])


@pytest.mark.parametrize("text", ["1:1", "2:4", "4:4", "1:32", "32:32"])
def test_a_pattern_is_two_numbers(text):
    assert str(parse_pattern(text)) == text


@pytest.mark.parametrize(
    "text", ["0:4", "5:4", "4:33", "2", "2:4:8", "-1:4", "2/4", "", "2:0", " 2:4", "two:four", None]
)
def test_any_other_text_is_refused(text):
    with pytest.raises(OptionError, match=r"it must be N:M with N from 1 to M and M at most 32, as in 2:4$"):
        parse_pattern(text)


@given(weights(), SIZES, st.booleans())
def test_weights_of_a_block_have_its_number(weight, size, by_column):
    blocks = LayerBlocks(BlockPattern(1, size), by_column)

    numbers = blocks.of(as_layer(weight), np.arange(weight.size))

    own = [set(numbers[block]) for block in slow_blocks(weight.shape, size, by_column)]
    assert [len(numbers) for numbers in own] == [1] * len(own)
    assert len(set().union(*own)) == len(own)


@given(weights(), SIZES, st.booleans())
def test_positions_are_those_of_a_sorted_block(weight, size, by_column):
    order = slow_order(weight)
    edges = np.array(order, dtype=np.int64)

    positions = LayerBlocks(BlockPattern(1, size), by_column).positions(as_layer(weight), edges)

    blocks = slow_blocks(weight.shape, size, by_column)
    expected = {i: place for block in blocks for place, i in enumerate(i for i in order if i in block)}
    assert positions.tolist() == [expected[index] for index in order]


@given(weights(), SIZES, st.booleans(), st.integers(1, 3))
def test_edges_within_the_pattern_are_counted(weight, size, by_column, threads):
    pattern = BlockPattern(-(-size // 2), size)

    n_within = LayerBlocks(pattern, by_column).n_within(as_layer(weight), threads)

    counts = [np.count_nonzero(weight.flat[block]) for block in slow_blocks(weight.shape, size, by_column)]
    assert n_within == sum(min(count, pattern.n_kept) for count in counts)
