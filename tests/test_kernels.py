import numpy as np

from topoimp.kernels import join_edges, root_of


def test_root_of_halves_the_path_it_walks():
    parent = np.array([0, 0, 1, 2, 3])

    assert root_of(parent, 4) == 0
    assert parent.tolist() == [0, 0, 0, 2, 2]


def test_join_edges_continues_where_earlier_edges_left_off():
    parent = np.arange(4)

    first = join_edges(np.array([0, 1]), 2, parent)
    second = join_edges(np.array([2, 3]), 2, parent)

    assert first.tolist() == [0, 1]
    assert second.tolist() == [2]


def test_no_edges_join_nothing():
    assert join_edges(np.empty(0, np.int64), 2, np.arange(4)).tolist() == []
