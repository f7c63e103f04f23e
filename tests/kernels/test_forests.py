import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from topoimp.kernels.counting import LANES, count_between, place_of_equal
from topoimp.kernels.forests import (
    SORT_COUNTS,
    collect_strongest,
    join_edges,
    label_components,
    root_of,
    sort_strongest_first,
)


def test_root_of_halves_the_path_it_walks():
    parent = np.array([0, 0, 1, 2, 3])

    assert root_of(parent, 4) == 0
    assert parent.tolist() == [0, 0, 0, 2, 2]


def joining(edges, n_columns, parent, n_wanted):
    places = np.empty(min(len(edges), n_wanted), np.int64)
    return places[: join_edges(edges, n_columns, parent, n_wanted, places)].tolist()


def test_join_edges_continues_where_earlier_edges_left_off():
    parent = np.arange(4)

    first = joining(np.array([0, 1]), 2, parent, 3)
    second = joining(np.array([2, 3]), 2, parent, 3)

    assert first == [0, 1]
    assert second == [0]


def test_join_edges_stops_when_no_more_can_join():
    assert joining(np.array([0, 1, 2, 3]), 2, np.arange(4), 2) == [0, 1]


def test_no_edges_join_nothing():
    assert joining(np.empty(0, np.int64), 2, np.arange(4), 3) == []


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


def test_the_largest_component_is_named():
    labels = np.empty(6, np.int32)

    largest = label_components(np.array([0, 1, 1, 2, 4, 4]), labels, np.empty_like(labels))

    assert largest == 1
    assert labels.tolist() == [0, 1, 1, 1, 4, 4]


def test_what_is_skipped_does_not_count():
    codes = np.array([5, 3, 5, 5, 0x85], np.uint8)

    places = [place_of_equal(codes, 0, 5, np.uint8(0x7F), np.uint8(5), n, np.array([2])) for n in (1, 2, 3, 4)]

    assert places == [0, 3, 4, -1]


def test_weights_are_counted_between_bounds_that_begin_alike_and_apart():
    codes = np.array([0, 5, 0x85, 6, 7, 9, 0x7F, 64, 63], np.uint8)
    bounds, shift = np.array([5, 6, 64, 255], np.uint8), 2
    table = np.searchsorted(bounds, np.arange(33) << shift, "right").astype(np.uint32)
    counts = np.zeros((LANES, 4), np.int64)

    count_between(codes, 0, 9, np.uint8(0x7F), shift, table, bounds, 2, counts, np.empty(4, np.uint32))

    assert counts.sum(axis=0).tolist() == [1, 2, 4, 2]
