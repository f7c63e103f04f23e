"""The maximum spanning forest of a layer: which weights hold it together.

Edges are totally ordered by (strength descending, flat index ascending). The forest given here is the unique maximum
spanning forest in that order, so that equal strengths, threads and machines change nothing. A stored zero is no edge; a
layer without edges has an empty forest and as many components as vertices.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from topoimp.arrays import BoolArray, CodeArray, FloatArray, IndexArray
from topoimp.errors import LayerError
from topoimp.kernels import join_edges
from topoimp.layers import Layer


@dataclass(frozen=True)
class Forest:
    """A layer's maximum spanning forest, one edge per finite bar of its barcode.

    Args:
        n_rows: vertices on one side.
        n_columns: vertices on the other.
        n_edges: edges of the graph that it spans.
        indices: flat indices of the forest's edges, strongest first, equals by index; shape (n,).
        strengths: their exact |w|, descending; shape (n,).
    """

    n_rows: int
    n_columns: int
    n_edges: int
    indices: IndexArray
    strengths: FloatArray

    @property
    def n_vertices(self) -> int:
        """Rows and columns together."""
        return self.n_rows + self.n_columns

    @property
    def n_components(self) -> int:
        """Connected components (beta0); a row or column without edges is one of its own."""
        return self.n_vertices - len(self.indices)

    @property
    def n_cycles(self) -> int:
        """Independent cycles (beta1) of the graph."""
        return self.n_edges - len(self.indices)

    @property
    def weakest(self) -> float | None:
        """Strength of the weakest edge of the forest; None without edges."""
        return float(self.strengths[-1]) if len(self.strengths) else None

    @property
    def strongest(self) -> float | None:
        """Strength of the strongest edge, which every maximum spanning forest contains; None without edges."""
        return float(self.strengths[0]) if len(self.strengths) else None

    def share_in(self, kept: BoolArray) -> float | None:
        """Give the share of the forest's edges that ``kept`` contains; None for an empty forest.

        Args:
            kept: which weights are kept, shape (rows, columns).
        """
        return self.count_in(kept) / len(self.indices) if len(self.indices) else None

    def count_in(self, kept: BoolArray) -> int:
        """Give how many of the forest's edges ``kept``, of shape (rows, columns), contains."""
        return int(np.count_nonzero(kept.reshape(-1)[self.indices]))


def spanning_forest(layer: Layer, *, kept: BoolArray | None = None) -> Forest:
    """Give the maximum spanning forest of a layer, or of the part of it that a mask keeps.

    Args:
        layer: its weights; 1 x n is allowed.
        kept: which weights are looked at, shape (rows, columns); all if None.

    Raises:
        LayerError: if the mask has another shape than the layer.

    >>> from topoimp.layers import as_layer
    >>> spanning_forest(as_layer(np.array([[3.0, 1.0], [2.0, 0.5]]))).indices
    array([0, 2, 1])
    """
    magnitudes = layer.magnitudes()
    if kept is not None:
        if kept.shape != magnitudes.shape:
            raise LayerError(f"a mask of shape {kept.shape} does not fit {layer.name!r} of shape {magnitudes.shape}")
        magnitudes = np.where(kept, magnitudes, np.zeros(1, magnitudes.dtype))
    magnitudes = magnitudes.reshape(-1)
    parent = np.arange(layer.n_vertices)
    found, n_found = [], 0
    for edges in _strongest_first(magnitudes, first=16 * layer.n_vertices):
        joining = join_edges(edges, layer.n_columns, parent)
        found.append(joining)
        n_found += len(joining)
        if n_found == layer.n_vertices - 1:
            break
    indices = np.concatenate(found)
    strengths = layer.number_format.strengths(layer.codes.reshape(-1)[indices])
    return Forest(layer.n_rows, layer.n_columns, int(np.count_nonzero(magnitudes)), indices, strengths)


def _strongest_first(magnitudes: CodeArray, *, first: int) -> Iterator[IndexArray]:
    """Give all edges in order, in two batches: about ``first`` of them usually span the layer, and sorting is dear."""
    is_worth_it = magnitudes.size > 2 * first
    cut = max(1, int(np.partition(magnitudes, -first)[-first])) if is_worth_it else 1
    yield _in_order(magnitudes, magnitudes >= cut)
    yield _in_order(magnitudes, (magnitudes < cut) & (magnitudes != 0))


def _in_order(magnitudes: CodeArray, chosen: BoolArray) -> IndexArray:
    indices = np.flatnonzero(chosen)
    # The complement of an unsigned code descends as the code ascends; a stable sort leaves equals in index order.
    return indices[np.argsort(~magnitudes[indices], kind="stable")]
