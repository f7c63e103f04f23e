import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import SEEDS

from topoimp.kernels.blocks import SIDE_BY_SIDE, count_in_columns, count_in_rows, mark_in_columns, mark_in_rows

TYPES = st.sampled_from([np.uint8, np.uint16, np.uint32, np.uint64])


@st.composite
def patterns(draw, largest=32):
    size = draw(st.integers(1, largest))
    return draw(st.integers(1, size)), size


def first_of_each_block(keys, n_kept, size):
    """The first keys of each block of every row, by sorting."""
    kept = np.zeros(keys.shape, bool)
    for row, flags in zip(keys.tolist(), kept, strict=True):
        for start in range(0, len(row), size):
            places = [place for place in range(start, min(start + size, len(row))) if row[place]]
            flags[sorted(places, key=lambda place: (-row[place], place))[:n_kept]] = True
    return kept


@given(SEEDS, TYPES, st.integers(1, 4), st.integers(1, 100), patterns(), st.sampled_from([2, 5, None]))
def test_the_first_keys_of_each_block_are_marked(seed, dtype, n_rows, n, pattern, n_values):
    largest = np.iinfo(dtype).max if n_values is None else n_values
    keys = np.random.default_rng(seed).integers(0, largest, (n_rows, n), dtype=dtype, endpoint=True)
    in_rows, in_columns = np.empty(keys.shape, bool), np.empty(keys.T.shape, bool)

    mark_in_rows(keys, *pattern, in_rows)
    mark_in_columns(np.ascontiguousarray(keys.T), *pattern, in_columns)

    expected = first_of_each_block(keys, *pattern)
    assert np.array_equal(in_rows, expected)
    assert np.array_equal(in_columns, expected.T)


@given(SEEDS, st.integers(1, 4), st.integers(1, 100), patterns())
def test_flags_are_counted_by_block(seed, n_rows, n, pattern):
    most, size = pattern
    flags = np.random.default_rng(seed).integers(0, 2, (n_rows, n), dtype=np.uint8)
    blocks = [row[start : start + size].sum() for row in flags for start in range(0, n, size)]

    expected = sum(min(int(count), most) for count in blocks), max(blocks)
    assert count_in_rows(flags, most, size) == expected
    assert count_in_columns(np.ascontiguousarray(flags.T), most, size) == expected


@pytest.mark.parametrize("n", [4 * SIDE_BY_SIDE, 4 * SIDE_BY_SIDE + 3, 9 * SIDE_BY_SIDE + 1])
def test_rows_of_more_blocks_than_are_worked_on_together(n):
    keys = np.random.default_rng(n).integers(0, 9, (2, n), dtype=np.uint16)
    kept = np.empty(keys.shape, bool)

    mark_in_rows(keys, 2, 4, kept)

    assert np.array_equal(kept, first_of_each_block(keys, 2, 4))
    assert count_in_rows(kept.view(np.uint8), 2, 4) == (kept.sum(), 2)
