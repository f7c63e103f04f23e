import numpy as np

from topoimp.kernels.swapping import swap_edges


def swapped(places, n_columns, pairs):
    rows, columns = np.divmod(np.array(places), n_columns)
    taken = np.zeros(32, np.uint8)
    taken[places] = 1
    bits = np.packbits(taken, bitorder="little")
    n = swap_edges(rows, columns, n_columns, bits, np.array(pairs))
    return n, (rows * n_columns + columns).tolist(), np.flatnonzero(np.unpackbits(bits, bitorder="little")).tolist()


def test_two_edges_exchange_their_columns():
    assert swapped([0, 10], 9, [[0, 1]]) == (1, [1, 9], [1, 9])


def test_a_place_that_is_taken_leaves_all_as_it_is():
    assert swapped([0, 10, 1], 9, [[0, 1]]) == (0, [0, 10, 1], [0, 1, 10])
    assert swapped([0, 10, 9], 9, [[1, 0]]) == (0, [0, 10, 9], [0, 9, 10])


def test_edges_of_one_row_or_column_and_an_edge_and_itself_stay():
    assert swapped([0, 4, 9], 9, [[0, 1], [0, 2], [1, 1]]) == (0, [0, 4, 9], [0, 4, 9])


def test_a_swap_and_the_same_swap_again_lead_back():
    assert swapped([0, 10], 9, [[0, 1], [1, 0]]) == (2, [0, 10], [0, 10])


def test_no_pairs_change_nothing():
    assert swapped([3], 9, np.empty((0, 2), np.int64)) == (0, [3], [3])
