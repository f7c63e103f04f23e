"""Logarithms of strengths as integers, log2 in steps of 2^-38: sums of them are exact, and the same on every machine.

Powers of two have exact logarithms; the logarithm of any other number is rounded to the nearest step, which is
within 2^-39, in octaves. Zero has none, ``ABSENT``.
"""

from collections.abc import Iterator

import numpy as np

from topoimp.arrays import FloatArray, IndexArray
from topoimp.checkpoint.number_format import F32, F64
from topoimp.kernels.path_strengths import write_logarithms
from topoimp.layers.layer import Layer

_PIECE = 1 << 15
"""Weights whose logarithms are in memory at once, for each thread."""


def logarithms(values: FloatArray) -> IndexArray:
    """Return log2 of numbers of at least 0 in steps of 2^-38, ``ABSENT`` for 0."""
    codes = np.ascontiguousarray(values, np.float64).view(np.uint64).ravel()
    logs = np.empty(codes.size, np.int64)
    write_logarithms(codes, np.uint64(F64.magnitude_mask), 52, 1023, logs)
    return logs


def layer_logarithms(layer: Layer | None, start: int, stop: int) -> IndexArray:
    """Return the logarithms of some rows of a layer, shape (rows, columns)."""
    if layer is None:
        raise ValueError("one-to-one edges are not weights")
    codes = layer.codes[start:stop]
    if layer.number_format is not F32:
        return logarithms(layer.number_format.strengths(codes)).reshape(codes.shape)
    logs = np.empty(codes.shape, np.int64)
    write_logarithms(codes.reshape(-1), np.uint32(F32.magnitude_mask), 23, 127, logs.reshape(-1))
    return logs


def row_pieces(layer: Layer, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Return consecutive (first, end) pairs of few rows that cover ``start`` to ``stop``."""
    n_rows = max(_PIECE // layer.n_columns, 1)
    return ((first, min(first + n_rows, stop)) for first in range(start, stop, n_rows))
