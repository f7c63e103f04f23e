"""What reports say of a forest without its edges: it takes little memory, and travels as a few hundred bytes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topoimp.arrays import FloatArray
from topoimp.topology.components import components_of
from topoimp.topology.forest import Forest, ForestCounts


@dataclass(frozen=True)
class ForestSummary(ForestCounts):
    """The counts of a maximum spanning forest, and the strengths of its edges.

    Args:
        n_rows: rows of the layer; ``n_live_rows`` of them have an edge. Likewise columns.
        n_edges: edges of the layer.
        largest_component: vertices of the largest component.
        strengths: those of the forest's edges, descending, shape (n,).
    """

    n_rows: int
    n_columns: int
    n_live_rows: int
    n_live_columns: int
    n_edges: int
    largest_component: int
    strengths: FloatArray

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what to pickle: weights of few bits have few strengths, each of them many times."""
        counts = (self.n_rows, self.n_columns, self.n_live_rows, self.n_live_columns, self.n_edges)
        return _unpacked, (*counts, self.largest_component, *_packed(self.strengths))


def summary_of(forest: Forest) -> ForestSummary:
    """Return the summary of a forest.

    >>> from topoimp.layers.layer import as_layer
    >>> from topoimp.topology.forest import spanning_forest
    >>> summary_of(spanning_forest(as_layer(np.array([[3.0, 1.0], [0.0, 0.0]])))).n_live_rows
    1
    """
    rows, columns = np.divmod(forest.indices, forest.n_columns)
    n_live_rows, n_live_columns = (len(np.unique(vertices)) for vertices in (rows, columns))
    largest = int(components_of(forest).n_vertices[0])
    counts = (forest.n_rows, forest.n_columns, n_live_rows, n_live_columns, forest.n_edges)
    return ForestSummary(*counts, largest, forest.strengths)


def _packed(strengths: FloatArray) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the different strengths, ascending, as the smallest numbers that hold them, and how often each occurs.

    Numbers whose lower halves are zero, as of bfloat16, are kept as the upper halves of float32.
    """
    values, n_times = np.unique(strengths, return_counts=True)
    counts: NDArray[Any] = n_times.astype(np.min_scalar_type(int(n_times.max(initial=0))))
    with np.errstate(over="ignore", under="ignore"):
        singles, halves = values.astype(np.float32), values.astype(np.float16)
    if np.array_equal(halves, values):
        return halves, counts
    if not np.array_equal(singles, values):
        return values, counts
    codes = singles.view(np.uint32)
    return (singles if np.any(codes & 0xFFFF) else (codes >> 16).astype(np.uint16)), counts


def _unpacked(  # the fields of a summary
    n_rows: int,
    n_columns: int,
    n_live_rows: int,
    n_live_columns: int,
    n_edges: int,
    largest_component: int,
    values: NDArray[Any],
    counts: NDArray[Any],
) -> ForestSummary:
    if values.dtype == np.uint16:
        values = (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
    strengths = np.repeat(values.astype(np.float64)[::-1], counts[::-1])
    return ForestSummary(n_rows, n_columns, n_live_rows, n_live_columns, n_edges, largest_component, strengths)
