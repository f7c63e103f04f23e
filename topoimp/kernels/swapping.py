"""A kernel that swaps the ends of edges, so that every row and every column keeps its number of edges."""

from topoimp.arrays import ByteArray, IndexArray
from topoimp.kernels.compiled import compiled


@compiled("pairs")
def swap_edges(rows: IndexArray, columns: IndexArray, n_columns: int, present: ByteArray, pairs: IndexArray) -> int:
    """Exchange the columns of two edges, for each pair of edges in turn, unless a place of the new ones is taken.

    Two edges of one row or one column, or an edge and itself, stay as they are: one of their new places is their own.

    Args:
        rows: row of each edge; unchanged.
        columns: column of each edge, no two edges having the same place; written.
        n_columns: number of columns.
        present: a bit for each place ``row * n_columns + column``, the first in the lowest bit; written.
        pairs: numbers of two edges, shape (steps, 2).

    Returns:
        the number of pairs that were exchanged.
    """
    n_exchanged = 0
    for step in range(pairs.shape[0]):
        one, other = pairs[step, 0], pairs[step, 1]
        column, other_column = columns[one], columns[other]
        place = rows[one] * n_columns + other_column
        other_place = rows[other] * n_columns + column
        if (present[place >> 3] >> (place & 7)) & 1 or (present[other_place >> 3] >> (other_place & 7)) & 1:
            continue

        # Clear the bits of the old places, and set those of the new ones.
        old = rows[one] * n_columns + column
        other_old = rows[other] * n_columns + other_column
        present[old >> 3] &= 255 ^ (1 << (old & 7))
        present[other_old >> 3] &= 255 ^ (1 << (other_old & 7))
        present[place >> 3] |= 1 << (place & 7)
        present[other_place >> 3] |= 1 << (other_place & 7)
        columns[one] = other_column
        columns[other] = column
        n_exchanged += 1
    return n_exchanged
