"""Numbers of a layer's edges by block: a layer is cut into a grid of blocks of about the same size."""

from dataclasses import dataclass

import numpy as np

from topoimp.arrays import FloatArray, IndexArray
from topoimp.kernels.threads import PIECE, in_parallel
from topoimp.layers.layer import Layer


@dataclass(frozen=True)
class EdgeCounts:
    """Numbers of the edges in each block of a layer.

    Args:
        counts: shape (blocks along the rows, blocks along the columns).
        row_edges: the first row of each block, then the number of rows.
        column_edges: the first column of each block, then the number of columns.
    """

    counts: IndexArray
    row_edges: IndexArray
    column_edges: IndexArray

    @property
    def density(self) -> FloatArray:
        """The share of the weights that are edges, by block."""
        return np.asarray(self.counts / np.outer(np.diff(self.row_edges), np.diff(self.column_edges)))


def edge_counts(layer: Layer, most_row_blocks: int, most_column_blocks: int, *, threads: int = 1) -> EdgeCounts:
    """Return the numbers of edges by block, in at most so many blocks, which differ by one row or column at most.

    A stored zero is no edge. In the view ``channel`` an edge is a pair of channels.

    >>> from topoimp.layers.layer import as_layer
    >>> edge_counts(as_layer(np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]])), 1, 3).counts
    array([[1, 0, 2]])
    """
    row_edges = _edges(layer.n_rows, most_row_blocks)
    column_edges = _edges(layer.n_columns, most_column_blocks)
    block_of_row = np.repeat(np.arange(len(row_edges) - 1), np.diff(row_edges))
    step = max(PIECE // layer.n_columns, 1)

    def count(first: int, last: int) -> IndexArray:
        counts = np.zeros((len(row_edges) - 1, len(column_edges) - 1), np.int64)
        for start in range(first, last, step):
            rows = slice(start, min(start + step, last))
            is_edge = np.not_equal(layer.number_format.magnitudes(layer.codes[rows]), 0)

            # Rows of a block are added up first, as that is fast whatever the number of blocks along the columns.
            blocks = block_of_row[rows]
            first_of_block = np.flatnonzero(np.diff(blocks, prepend=-1))
            by_column = np.add.reduceat(is_edge, first_of_block, axis=0, dtype=np.int32)
            is_whole = counts.shape[1] == layer.n_columns
            by_block = by_column if is_whole else np.add.reduceat(by_column, column_edges[:-1], axis=1)
            counts[blocks[first_of_block]] += by_block
        return counts

    counts = sum(in_parallel(count, layer.n_rows, threads), np.zeros((len(row_edges) - 1, 1), np.int64))
    return EdgeCounts(np.asarray(counts), row_edges, column_edges)


def _edges(n: int, most: int) -> IndexArray:
    n_blocks = min(n, most)
    return np.arange(n_blocks + 1) * n // n_blocks
