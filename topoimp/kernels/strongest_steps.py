"""Kernels that find near the strongest steps of paths fast, by products in float32.

``weights`` are float32, shape (rows, columns). ``by_column`` and ``by_row`` approximate the strengths of the strongest
path to each column, or behind each row, as float32 of at most 1: 0, or at least 2^-100. A product of at least 2^-100
then errs by less than 2^-20 of itself.
"""

import numpy as np
from numpy.typing import NDArray

from topoimp.arrays import IndexArray
from topoimp.kernels import BLOCK
from topoimp.kernels.compiled import compiled


@compiled("weights", "by_column")
def largest_of_rows(
    weights: NDArray[np.float32], by_column: NDArray[np.float32], lanes: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """Write the largest product of each row; ``lanes`` is scratch of ``BLOCK`` numbers."""
    for row in range(weights.shape[0]):
        lanes[:] = np.float32(0)
        for base in range(0, by_column.size, BLOCK):
            part, of_columns = weights[row, base : base + BLOCK], by_column[base : base + BLOCK]
            for j in range(part.size):
                product = np.float32(np.abs(part[j]) * of_columns[j])
                lanes[j] = product if product > lanes[j] else lanes[j]
        out[row] = lanes.max()


@compiled("weights", "by_row")
def largest_of_columns(weights: NDArray[np.float32], by_row: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Update the largest product of each column."""
    for row in range(weights.shape[0]):
        of_row, part = by_row[row], weights[row]
        for column in range(out.size):
            product = np.float32(np.abs(part[column]) * of_row)
            out[column] = product if product > out[column] else out[column]


@compiled("weights", "by_column", "limits")
def near_in_rows(
    weights: NDArray[np.float32],
    by_column: NDArray[np.float32],
    limits: NDArray[np.float32],
    start: int,
    near: IndexArray,
) -> int:
    """Write the flat indices of the weights whose product is at least the limit of their row, and return their number.

    ``start`` is the flat index of the first weight. Indices beyond the room in ``near`` are counted alone.
    """
    found = 0
    n_columns = weights.shape[1]
    for row in range(weights.shape[0]):
        limit = limits[row]
        for base in range(0, n_columns, BLOCK):
            part, of_columns = weights[row, base : base + BLOCK], by_column[base : base + BLOCK]
            n_near = np.int32(0)
            for j in range(part.size):
                n_near += np.int32(1) if np.float32(np.abs(part[j]) * of_columns[j]) >= limit else np.int32(0)
            if n_near != 0:
                for j in range(part.size):
                    if np.float32(np.abs(part[j]) * of_columns[j]) >= limit:
                        if found < near.size:
                            near[found] = start + row * n_columns + base + j
                        found += 1
    return found


@compiled("weights", "by_row", "limits")
def near_in_columns(
    weights: NDArray[np.float32],
    by_row: NDArray[np.float32],
    limits: NDArray[np.float32],
    start: int,
    near: IndexArray,
) -> int:
    """Write the flat indices of the weights whose product is at least the limit of their column; else as above."""
    found = 0
    n_columns = weights.shape[1]
    for row in range(weights.shape[0]):
        of_row = by_row[row]
        for base in range(0, n_columns, BLOCK):
            part, of_columns = weights[row, base : base + BLOCK], limits[base : base + BLOCK]
            n_near = np.int32(0)
            for j in range(part.size):
                n_near += np.int32(1) if np.float32(np.abs(part[j]) * of_row) >= of_columns[j] else np.int32(0)
            if n_near != 0:
                for j in range(part.size):
                    if np.float32(np.abs(part[j]) * of_row) >= of_columns[j]:
                        if found < near.size:
                            near[found] = start + row * n_columns + base + j
                        found += 1
    return found
