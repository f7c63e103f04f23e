"""Kernels that add up the strengths of all paths: sums in a fixed order, so that every machine has the same."""

import numpy as np

from topoimp.arrays import FloatArray
from topoimp.kernels.compiled import compiled


@compiled("weights", "before")
def add_up_rows(weights: FloatArray, before: FloatArray, sums: FloatArray) -> None:
    """Write for each row the sum over the columns of the square of a weight times a number of its column."""
    for row in range(weights.shape[0]):
        total = 0.0
        for column in range(weights.shape[1]):
            total += weights[row, column] * weights[row, column] * before[column]
        sums[row] = total


@compiled("weights", "after")
def add_up_columns(weights: FloatArray, after: FloatArray, sums: FloatArray) -> None:
    """Add to the number of each column, row after row, the square of a weight times a number of its row."""
    for row in range(weights.shape[0]):
        for column in range(weights.shape[1]):
            sums[column] += weights[row, column] * weights[row, column] * after[row]


@compiled("weights", "before", "after")
def write_products(weights: FloatArray, before: FloatArray, after: FloatArray, products: FloatArray) -> None:
    """Write for each weight its square times the numbers of its column and of its row."""
    for row in range(weights.shape[0]):
        for column in range(weights.shape[1]):
            square = weights[row, column] * weights[row, column]
            products[row, column] = np.float64(square * before[column]) * after[row]
