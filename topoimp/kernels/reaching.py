"""Kernels that follow kept weights from layer to layer of a network.

Here kept weights come as flags of shape (rows, columns), for some rows of a layer. A column belongs to the vertex
``column // columns_per_vertex`` of the layer's source, a row to one vertex of its target.
"""

from topoimp.arrays import BoolArray, IndexArray
from topoimp.kernels.compiled import compiled


@compiled("kept", "is_reached")
def reach_rows(kept: BoolArray, columns_per_vertex: int, is_reached: BoolArray, is_row_reached: BoolArray) -> None:
    """Flag each row that a kept weight joins to a reached vertex of the source, beside those flagged before."""
    for row in range(kept.shape[0]):
        for column in range(kept.shape[1]):
            if is_row_reached[row]:
                break
            if kept[row, column]:
                is_row_reached[row] = is_reached[column // columns_per_vertex]


@compiled("kept", "does_row_reach", "is_reached")
def reach_columns(
    kept: BoolArray,
    columns_per_vertex: int,
    does_row_reach: BoolArray,
    is_reached: BoolArray,
    does_reach: BoolArray,
    counts: IndexArray,
) -> None:
    """Flag each vertex of the source that a kept weight joins to a row that reaches an output.

    Add to ``counts``, shape (2,), the kept weights, and those of them that lie between a vertex that an input reaches
    and a row that reaches an output.
    """
    for row in range(kept.shape[0]):
        n_kept = 0
        n_on_path = 0
        for column in range(kept.shape[1]):
            if kept[row, column]:
                n_kept += 1
                if does_row_reach[row]:
                    vertex = column // columns_per_vertex
                    does_reach[vertex] = True
                    n_on_path += 1 if is_reached[vertex] else 0
        counts[0] += n_kept
        counts[1] += n_on_path
