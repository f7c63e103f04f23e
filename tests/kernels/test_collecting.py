import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from topoimp.kernels.collecting import SORT_COUNTS, collect_strongest, sort_strongest_first


@given(st.lists(st.integers(5, 2**40), max_size=60), st.sampled_from([np.uint64, np.uint32, np.uint16, np.uint8]))
def test_sorting_is_stable_and_descending(numbers, dtype):
    ranks = np.array([number % (int(np.iinfo(dtype).max) // 2) for number in numbers], dtype)
    indices = np.arange(len(ranks))
    expected = np.argsort(-ranks.astype(object), kind="stable").tolist()

    scratch = np.empty_like(indices), np.empty_like(ranks), np.empty(SORT_COUNTS, np.int64)
    sort_strongest_first(indices, ranks, dtype(0), dtype(np.iinfo(dtype).max // 2), *scratch)

    assert indices.tolist() == expected
    assert (np.diff(ranks.astype(object)) <= 0).all()


def test_what_does_not_fit_is_counted_and_nothing_is_overwritten():
    codes = np.arange(1, 201, dtype=np.uint32)
    indices, ranks = np.full(3, -1), np.zeros(3, np.uint32)

    found = collect_strongest(codes, 0, 200, np.uint32(0x7FFFFFFF), np.uint32(101), indices, ranks)

    assert found == (100, 200, 200)
    assert indices.tolist() == [100, 101, 102]
    assert ranks.tolist() == [101, 102, 103]


def test_the_sign_and_what_is_masked_are_not_looked_at():
    codes = np.array([0x80000005, 7, 0x80000000, 9], np.uint32)
    indices, ranks = np.zeros(4, np.int64), np.zeros(4, np.uint32)

    found = collect_strongest(codes, 0, 3, np.uint32(0x7FFFFFFF), np.uint32(1), indices, ranks)

    assert found == (2, 2, 7)
    assert (indices[:2].tolist(), ranks[:2].tolist()) == ([0, 1], [5, 7])
