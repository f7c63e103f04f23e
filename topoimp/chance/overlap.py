"""The paper's overlap: how much of a layer's forest lies among its strongest weights, and how much is to be expected.

Strengths are *exchangeable* if every order of them over the edges of a layer is equally likely, as for independent
strengths that are alike. Without that, ``closed_forms.guaranteed_forest_edges`` is the only bound.
"""

from dataclasses import dataclass

import numpy as np

from topoimp.arrays import FloatArray, IndexArray
from topoimp.chance.shuffling import live_vertices
from topoimp.kernels.counting import count_degrees
from topoimp.kernels.threads import in_parallel
from topoimp.layers.layer import Layer
from topoimp.pruning.preservation import count_overlapping
from topoimp.topology.forest import Forest

_STEPS = 1 << 20
"""Terms of the bound that are added up at once."""


@dataclass(frozen=True)
class Overlap:
    """The forest edges among as many strongest weights as the forest has edges.

    Args:
        floor: edges of the forest.
        n_shared: those among the ``floor`` strongest weights, equal ones ordered by index; None without weights.
        least_expected: a lower bound of their mean if strengths are exchangeable.
    """

    floor: int
    n_shared: int | None
    least_expected: float


def overlap_of(layer: Layer, forest: Forest, threads: int) -> Overlap:
    """Return how much of a layer's forest lies among its strongest weights; 0 of 0 without edges.

    Source: Balwani & Krzyston, 2022, theorem 3.3, whose X is ``n_shared / floor``.
    """
    floor = len(forest.indices)
    n_shared = count_overlapping(layer, forest, threads)
    return Overlap(floor, n_shared, LeastExpected.of_layer(layer, forest, threads).forest_edges(floor))


def overlap_of_shape(n_rows: int, n_columns: int) -> Overlap:
    """Return the same for a layer of which only the shape is known, all of its weights being edges."""
    floor = n_rows + n_columns - 1
    return Overlap(floor, None, LeastExpected(n_rows, n_columns).forest_edges(floor))


@dataclass(frozen=True)
class LeastExpected:
    """The bound of the mean number of forest edges among the strongest weights of exchangeable strengths.

    An edge is a forest edge if no stronger edge has its row or its column. The i strongest edges have i rows and i
    columns at most. In a layer without zeros they leave (m - i)(n - i) of the mn - i other edges free, at least, and
    edge i + 1 is each of the others equally likely: the bound is the sum of these ratios. With E edges and Z zeros,
    E - R - C + max(0, i^2 - Z) edges are free, R and C being the largest sums of i degrees of rows and of columns.

    Args:
        n_rows: live rows, at least 1 if there is an edge.
        n_columns: live columns.
        degrees: numbers of edges of each live row, and of each live column; None without other zeros.

    Source: Balwani & Krzyston, 2022, theorem 3.3, for layers without zeros and i < m + n - 1. The proof and the form
    with zeros are ours (docs/theory.md, 6.7).

    >>> LeastExpected(3, 2).forest_edges(4)  # among the 4 strongest of 6 weights, all of which are 4 forest edges
    1.4
    """

    n_rows: int
    n_columns: int
    degrees: tuple[IndexArray, IndexArray] | None = None

    @classmethod
    def of_layer(cls, layer: Layer, forest: Forest, threads: int) -> "LeastExpected":
        """Return the bound of a layer, given with its forest; a layer with zeros is read once."""
        live = live_vertices(forest)
        n_rows, n_columns = (int(np.count_nonzero(side)) for side in live)
        if forest.n_edges == n_rows * n_columns:
            return cls(n_rows, n_columns)
        by_row, by_column = (degrees[side] for degrees, side in zip(_degrees(layer, threads), live, strict=True))
        return cls(n_rows, n_columns, (by_row, by_column))

    def forest_edges(self, n_kept: int) -> float:
        """Return the bound for the ``n_kept`` strongest weights, from 0 to the number of edges.

        In a layer of a single live row or column every edge is a forest edge.
        """
        short = min(self.n_rows, self.n_columns)
        if short <= 1:
            return float(n_kept)

        steps = range(0, min(n_kept, short), _STEPS)
        return sum(float(self._shares(start, min(start + _STEPS, n_kept, short)).sum()) for start in steps)

    def _shares(self, start: int, stop: int) -> FloatArray:
        """Return the least shares of free edges among those left by the i strongest, for i from start to stop."""
        i = np.arange(start, stop)
        if self.degrees is None:
            n_rows, n_columns = float(self.n_rows), float(self.n_columns)
            return np.asarray((n_rows - i) * (n_columns - i) / (n_rows * n_columns - i))

        by_row, by_column = self.degrees
        n_edges = int(by_row.sum())
        n_zeros = len(by_row) * len(by_column) - n_edges
        n_free = n_edges - _largest_sums(by_row)[i] - _largest_sums(by_column)[i] + np.maximum(i * i - n_zeros, 0)
        return np.asarray(np.maximum(n_free, 0) / (n_edges - i))


def _degrees(layer: Layer, threads: int) -> tuple[IndexArray, IndexArray]:
    """Return the numbers of edges of each row and of each column."""
    by_row = np.zeros(layer.n_rows, np.int64)
    mask = layer.codes.dtype.type(layer.number_format.magnitude_mask)

    def count(start: int, stop: int) -> IndexArray:
        by_column = np.zeros(layer.n_columns, np.int64)
        count_degrees(layer.codes, start, stop, mask, by_row, by_column)
        return by_column

    by_column = sum(in_parallel(count, layer.n_rows, threads), np.zeros(layer.n_columns, np.int64))
    return by_row, by_column


def _largest_sums(degrees: IndexArray) -> IndexArray:
    """Return the largest sums of 0, 1, 2, ... degrees."""
    return np.concatenate([[0], np.cumsum(np.sort(degrees)[::-1])])
