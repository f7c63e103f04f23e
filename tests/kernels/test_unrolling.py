import numpy as np

from topoimp.kernels.unrolling import count_joining


def joining(shifts, corners, n_inputs):
    shifts, corners = np.array(shifts, np.int64), np.array(corners, np.int64)
    counts = np.full(len(shifts), -1)
    count_joining(shifts, corners, np.empty(len(corners) + n_inputs, np.int64), counts)
    return counts.tolist()


def test_each_of_the_first_two_offsets_joins_every_output_and_later_ones_only_the_rest():
    # Three outputs over five inputs: a path after two offsets, closed by the third but for the last input.
    assert joining([0, 1, 2], [0, 1, 2], 5) == [3, 3, 1]


def test_the_counts_depend_on_the_order():
    assert joining([0, 2, 1], [0, 1, 2], 5) == [3, 3, 1]
    assert joining([0, 3, 1], [0, 1, 2, 3], 7) == [4, 4, 2]


def test_no_offset_joins_nothing():
    assert joining([], [0, 1], 3) == []


def test_the_scratch_may_hold_anything():
    counts = np.empty(1, np.int64)

    count_joining(np.array([0]), np.array([0, 1]), np.array([3, 2, 1, 0]), counts)

    assert counts.tolist() == [2]
