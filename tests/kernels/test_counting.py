import numpy as np

from topoimp.kernels.counting import LANES, count_between, count_degrees, place_of_equal


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


def test_degrees_are_added_up_by_row_and_by_column():
    codes = np.array([[0, 5, 0x80], [1, 0x82, 3], [0x80, 0, 9]], np.uint8)  # 0x80 is the code of -0
    by_row, by_column = np.array([10, 10, 10]), np.zeros(3, np.int64)

    count_degrees(codes, 1, 3, np.uint8(0x7F), by_row, by_column)

    assert (by_row.tolist(), by_column.tolist()) == ([10, 13, 11], [1, 1, 2])
