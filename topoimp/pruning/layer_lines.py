"""The lines of a layer: its outputs, which are its rows, or its columns where a layer stores them so."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from topoimp.arrays import CodeArray, IndexArray
from topoimp.kernels.threads import PIECE, in_parallel
from topoimp.layers.layer import Layer
from topoimp.topology.forest import Forest


@dataclass(frozen=True)
class Lines:
    """The lines of a layer, and their edges.

    Args:
        by_column: whether the lines are columns, not rows.
        edges: nonzero weights of each line.
    """

    by_column: bool
    edges: IndexArray

    def of(self, layer: Layer, indices: IndexArray) -> IndexArray:
        """Return the line of each weight, by flat index."""
        return indices % layer.n_columns if self.by_column else indices // layer.n_columns

    def places(self, layer: Layer, indices: IndexArray) -> IndexArray:
        """Return the place of each weight within its line."""
        return indices // layer.n_columns if self.by_column else indices % layer.n_columns

    def parts(self, layer: Layer, first: int, end: int) -> Iterator[tuple[int, int]]:
        """Return consecutive (start, stop) pairs that cover the lines from ``first`` to ``end``, a piece at a time."""
        step = max(PIECE // (layer.n_rows if self.by_column else layer.n_columns), 1)
        for start in range(first, end, step):
            yield start, min(start + step, end)

    def laid_out(self, layer: Layer, start: int, stop: int) -> CodeArray:
        """Return the magnitude codes of some lines, each as a row."""
        codes = layer.codes[:, start:stop].T if self.by_column else layer.codes[start:stop]
        return np.ascontiguousarray(layer.number_format.magnitudes(codes))


def lines_of(layer: Layer, forest: Forest, *, by_column: bool = False, threads: int = 1) -> Lines:
    """Return the lines of a layer, given with its forest; a layer without zeros is not read.

    >>> from topoimp.layers.layer import as_layer
    >>> from topoimp.topology.forest import spanning_forest
    >>> layer = as_layer(np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]]))
    >>> lines_of(layer, spanning_forest(layer)).edges
    array([2, 1])
    """
    n_lines, n_places = (layer.n_columns, layer.n_rows) if by_column else (layer.n_rows, layer.n_columns)
    if forest.n_edges == layer.n_weights:
        return Lines(by_column, np.full(n_lines, n_places))

    step = max(PIECE // layer.n_columns, 1)

    def count(first: int, end: int) -> IndexArray:
        edges = np.zeros(n_lines, np.int64)
        for start in range(first, end, step):
            rows = slice(start, min(start + step, end))
            is_edge = layer.number_format.magnitudes(layer.codes[rows]) != 0
            if by_column:
                edges += np.count_nonzero(is_edge, axis=0)
            else:
                edges[rows] = np.count_nonzero(is_edge, axis=1)
        return edges

    return Lines(by_column, np.asarray(np.sum(in_parallel(count, layer.n_rows, threads), axis=0)))
