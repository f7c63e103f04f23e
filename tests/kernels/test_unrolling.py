import numpy as np

from topoimp.kernels.unrolling import count_joining, join_unrolled, root_in


def joining(shifts, corners, n_inputs):
    shifts, corners = np.array(shifts, np.int64), np.array(corners, np.int64)
    counts = np.full(len(shifts), -1)
    count_joining(shifts, corners, np.empty(len(corners) + n_inputs, np.int64), counts)
    return counts.tolist()


def test_each_of_the_first_two_offsets_joins_every_output_and_later_ones_only_the_rest():
    # Three outputs over five inputs: a path after two offsets, closed by the third but for the last input.
    assert joining([0, 1, 2], [0, 1, 2], 5) == [3, 3, 1]


def test_the_counts_depend_on_the_order():
    assert joining([0, 1, 2, 3], [0, 1, 2, 3], 7) == [4, 4, 1, 1]
    assert joining([0, 1, 3, 2], [0, 1, 2, 3], 7) == [4, 4, 2, 0]


def test_no_offset_joins_nothing():
    assert joining([], [0, 1], 3) == []


def test_the_scratch_may_hold_anything():
    counts = np.empty(1, np.int64)

    count_joining(np.array([0]), np.array([0, 1]), np.array([3, 2, 1, 0]), counts)

    assert counts.tolist() == [2]


def joined(shifts, stops, corners, n_inputs):
    shifts, stops, corners = (np.array(each, np.int64) for each in (shifts, stops, corners))
    edges = np.empty(len(corners) + n_inputs, np.int64)
    return edges[: join_unrolled(shifts, stops, corners, np.empty_like(edges), edges)].tolist()


def test_edges_come_strength_by_strength():
    assert joined([1, 0], [1, 2], [0, 1], 3) == [1, 5, 0, 4]


def test_edges_of_equal_strength_come_by_their_index():
    assert joined([0, 1], [2], [0, 1], 3) == [0, 1, 4, 5]


def test_without_offsets_there_is_no_edge():
    assert joined([], [0], [0, 1], 3) == []


def test_the_path_to_a_root_is_halved():
    parent = np.array([0, 0, 1, 2, 3])

    assert root_in(parent, 4) == 0
    assert parent.tolist() == [0, 0, 0, 2, 2]
