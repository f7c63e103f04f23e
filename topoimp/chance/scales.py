"""The null model ``scales``: strengths shuffled over the places of edges, the scales of rows and of columns left alone.

Strengths are written as ``r_i c_j e_ij``: a scale of the row, a scale of the column, and the rest. The scales are those
whose logarithms fit the logarithms of the strengths best, by least squares over the edges. They are found by setting
each row's scale to the geometric mean of its strengths / c, each column's to that of its strengths / r, in turn. Then
the rests are shuffled over the places of all edges and multiplied back, and the k strongest are kept.

Logarithms to base 2 are integers here, in steps of ``1 / STEPS``: strengths closer than one part in four billion count
as equal, and equal ones are kept by index. In a layer whose strengths are all equal, all rests are equal, so that every
shuffle is the layer itself; so it is in a layer of rank one, but for strengths that differ by a step or two.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from topoimp.arrays import IndexArray
from topoimp.kernels.components import join_edges
from topoimp.layers.layer import Layer

STEPS = 1 << 32
"""Steps of the logarithm for a factor of 2."""

MOST_SWEEPS = 200
"""Two are enough without zeros; scattered zeros take tens."""


@dataclass(frozen=True)
class ScaledStrengths:
    """Strengths of edges as a product: steps of the logarithms of the scales and of the rest, by edge; shape (n,).

    ``flat`` has the flat indices of the edges, ascending; ``most`` is the number of edges of the forest.
    """

    n_rows: int
    n_columns: int
    flat: IndexArray
    scale: IndexArray
    rest: IndexArray
    most: int

    def ranks(self, n_kept: int, rng: np.random.Generator) -> Iterator[int]:
        """Yield the number of forest edges among the strongest weights of one shuffled layer after another."""
        while True:
            flat = self.flat[_strongest(self.scale + rng.permutation(self.rest), n_kept)]
            parent = np.arange(self.n_rows + self.n_columns)
            yield join_edges(flat, self.n_columns, parent, self.most, np.empty(min(len(flat), self.most), np.int64))


def scaled_strengths(layer: Layer, n_forest_edges: int) -> ScaledStrengths:
    """Return the strengths of a layer as the product of scales and rests.

    >>> from topoimp.layers.layer import as_layer
    >>> scaled_strengths(as_layer(np.array([[1.0, 2.0], [4.0, 8.0]])), 3).rest.tolist()
    [0, 0, 0, 0]
    """
    flat = np.flatnonzero(layer.edges())
    if len(flat) == 0:
        return ScaledStrengths(layer.n_rows, layer.n_columns, flat, flat, flat, 0)

    steps = np.log2(layer.strengths().reshape(-1)[flat]) * STEPS
    steps = np.rint(steps - np.rint(steps.mean()))  # small numbers have exact sums
    rows, columns = np.divmod(flat, layer.n_columns)
    scale = _fitted(steps, rows, columns)
    return ScaledStrengths(layer.n_rows, layer.n_columns, flat, scale, steps.astype(np.int64) - scale, n_forest_edges)


def _fitted(steps: np.ndarray, rows: IndexArray, columns: IndexArray) -> IndexArray:
    """Return, for each edge, the sum of a term of its row and one of its column that fits best by least squares."""
    n_by_row, n_by_column = (np.maximum(np.bincount(line), 1) for line in (rows, columns))
    of_columns = np.zeros(len(n_by_column))
    for _ in range(MOST_SWEEPS):
        of_rows = np.bincount(rows, steps - of_columns[columns]) / n_by_row
        before, of_columns = of_columns, np.bincount(columns, steps - of_rows[rows]) / n_by_column
        if np.abs(of_columns - before).max() < 0.5:
            break
    return np.rint(of_rows).astype(np.int64)[rows] + np.rint(of_columns).astype(np.int64)[columns]


def _strongest(strengths: IndexArray, n_kept: int) -> IndexArray:
    """Return the places of the strongest, ascending; of equal ones the first."""
    if n_kept == 0:
        return np.empty(0, np.int64)
    weakest = np.partition(strengths, -n_kept)[-n_kept]
    is_kept = strengths > weakest
    equal = np.flatnonzero(strengths == weakest)
    is_kept[equal[: n_kept - np.count_nonzero(is_kept)]] = True
    return np.flatnonzero(is_kept)
