import numpy as np

from topoimp.kernels.components import join_edges, label_components, root_of


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


def test_the_largest_component_is_named():
    labels = np.empty(6, np.int32)

    largest = label_components(np.array([0, 1, 1, 2, 4, 4]), labels, np.empty_like(labels))

    assert largest == 1
    assert labels.tolist() == [0, 1, 1, 1, 4, 4]
