import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies import weights

from topoimp import as_layer
from topoimp.layers.edge_counts import edge_counts


@given(weights(), st.integers(1, 14), st.integers(1, 14), st.integers(1, 3))
def test_every_edge_is_counted_in_its_block(weight, most_rows, most_columns, threads):
    found = edge_counts(as_layer(weight), most_rows, most_columns, threads=threads)

    expected = np.zeros(found.counts.shape, int)
    for row, column in np.argwhere(weight != 0):
        block = np.searchsorted(found.row_edges, row, side="right") - 1
        expected[block, np.searchsorted(found.column_edges, column, side="right") - 1] += 1
    assert_array_equal(found.counts, expected)
    assert found.counts.shape == (min(most_rows, weight.shape[0]), min(most_columns, weight.shape[1]))
    for edges, n in zip((found.row_edges, found.column_edges), weight.shape, strict=True):
        assert (edges[0], edges[-1]) == (0, n)
        assert np.ptp(np.diff(edges)) <= 1
    assert found.density.mean() <= 1
    assert (found.density * np.outer(np.diff(found.row_edges), np.diff(found.column_edges))).sum() == pytest.approx(
        np.count_nonzero(weight)
    )


def test_density_by_hand():
    found = edge_counts(as_layer(np.array([[1.0, 0, 2], [0, 0, 3], [0, 4, 5]])), 2, 2)

    assert (found.row_edges.tolist(), found.column_edges.tolist()) == ([0, 1, 3], [0, 1, 3])
    assert found.density.tolist() == [[1.0, 0.5], [0.0, 0.75]]


def test_a_layer_of_many_pieces_is_counted_whole():
    weight = np.zeros((3000, 700), np.float32)
    weight[::3] = 1

    assert edge_counts(as_layer(weight), 1, 1, threads=2).counts.tolist() == [[700_000]]
    assert edge_counts(as_layer(weight), 1000, 1).density.ravel().tolist() == [1 / 3] * 1000
