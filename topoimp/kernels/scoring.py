"""Kernels that multiply magnitudes with the factors of their columns; a factor of a row is repeated for its columns."""

import numpy as np

from topoimp.arrays import Code, CodeArray, FloatArray
from topoimp.kernels.compiled import compiled


@compiled("weights", "factors")
def scale_magnitudes(weights: FloatArray, factors: FloatArray, products: FloatArray, codes: CodeArray) -> int:
    """Write |w| times a factor, and return the largest code of the products.

    Args:
        weights: float32 or float64, shape (rows, columns).
        factors: shape (rows or 1, columns or 1), in the type of ``products``.
        products: written, shape (rows, columns).
        codes: the same memory as unsigned integers.
    """
    for row in range(weights.shape[0]):
        own, of_row, product = weights[row], factors[row % factors.shape[0]], products[row]
        if of_row.size == 1:
            for i in range(own.size):
                product[i] = abs(own[i]) * of_row[0]
        else:
            for i in range(own.size):
                product[i] = abs(own[i]) * of_row[i]
    return _largest(codes)


@compiled("weights", "factors")
def scale_bfloat16(weights: CodeArray, mask: Code, factors: FloatArray, products: FloatArray, codes: CodeArray) -> int:
    """Write |w| times a factor for stored bits of bfloat16, the upper half of a float32, as ``scale_magnitudes``."""
    for row in range(weights.shape[0]):
        own, of_row, product, code = weights[row], factors[row % factors.shape[0]], products[row], codes[row]
        for i in range(own.size):
            code[i] = np.uint32(np.uint32(own[i] & mask) << np.uint32(16))
        if of_row.size == 1:
            for i in range(own.size):
                product[i] *= of_row[0]
        else:
            for i in range(own.size):
                product[i] *= of_row[i]
    return _largest(codes)


@compiled()
def _largest(codes: CodeArray) -> int:
    kind = codes.dtype.type
    largest = kind(0)
    for row in range(codes.shape[0]):
        own = codes[row]
        for i in range(own.size):
            largest = max(largest, own[i])
    return int(largest)
