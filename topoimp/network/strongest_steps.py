"""The strongest step of a path into each row of a layer, or out of each column, and its logarithm.

Logarithms are exact sums of integers. In a float32 layer they are only found of the few weights whose product in
float32 comes close to the largest of the row or column. Where products leave the range of float32, or too many come
close, all logarithms are found. The results are the same.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from topoimp.arrays import IndexArray
from topoimp.checkpoint.number_format import F32
from topoimp.kernels import BLOCK
from topoimp.kernels.path_strengths import (
    FRACTION_BITS,
    LEAST,
    NO_WEIGHT,
    strongest_of_columns,
    strongest_of_rows,
)
from topoimp.kernels.strongest_steps import largest_of_columns, largest_of_rows, near_in_columns, near_in_rows
from topoimp.kernels.threads import in_parallel
from topoimp.layers.layer import Layer
from topoimp.network.logarithms import layer_logarithms, logarithms, row_pieces

FEW = 1 << 12
"""A layer of fewer weights has all its logarithms found."""

_LEAST_PRODUCT = np.float32(2.0**-100)
_NEARLY = np.float32(1 - 2.0**-18)

_Floats = NDArray[np.float32]


def strongest_into_rows(layer: Layer, by_column: IndexArray, threads: int) -> tuple[IndexArray, IndexArray]:
    """Return for each row the largest sum of a weight's logarithm and its column's, and the first column that has it.

    A row without a path has a sum below ``LEAST``, and any column.
    """
    near = _near_in_rows(layer, by_column, threads)
    if near is None:
        return _exact_of_rows(layer, by_column, threads)
    column = near % layer.n_columns
    return _first_of_largest(
        near // layer.n_columns, column, _logarithms_at(layer, near) + by_column[column], layer.n_rows
    )


def strongest_out_of_columns(layer: Layer, by_row: IndexArray, threads: int) -> tuple[IndexArray, IndexArray]:
    """Return for each column the largest sum of a weight's logarithm and its row's, and the first row that has it."""
    near = _near_in_columns(layer, by_row, threads)
    if near is None:
        return _exact_of_columns(layer, by_row, threads)
    row = near // layer.n_columns
    total = _logarithms_at(layer, near) + by_row[row]
    return _first_of_largest(near % layer.n_columns, row, total, layer.n_columns)


def _near_in_rows(layer: Layer, by_column: IndexArray, threads: int) -> IndexArray | None:
    """Return the flat indices, ascending, among which the strongest of each row are; None if that cannot be told."""
    factors = approximate_strengths(layer, by_column)
    if factors is None:
        return None
    weights, largest = layer.codes.view(np.float32), np.empty(layer.n_rows, np.float32)

    def look(start: int, stop: int) -> None:
        largest_of_rows(weights[start:stop], factors, np.empty(BLOCK, np.float32), largest[start:stop])

    in_parallel(look, layer.n_rows, threads)
    if largest.min() < _LEAST_PRODUCT:
        return None
    limits = largest * _NEARLY

    def write(start: int, stop: int, near: IndexArray) -> int:
        return int(near_in_rows(weights[start:stop], factors, limits[start:stop], start * layer.n_columns, near))

    return _collected(write, layer, threads)


def _near_in_columns(layer: Layer, by_row: IndexArray, threads: int) -> IndexArray | None:
    """Return the flat indices, ascending, among which the strongest of each column are, as for rows."""
    factors = approximate_strengths(layer, by_row)
    if factors is None:
        return None
    weights = layer.codes.view(np.float32)

    def look(start: int, stop: int) -> _Floats:
        largest = np.zeros(layer.n_columns, np.float32)
        largest_of_columns(weights[start:stop], factors[start:stop], largest)
        return largest

    largest = np.max(in_parallel(look, layer.n_rows, threads), axis=0)
    if largest.min() < _LEAST_PRODUCT:
        return None
    limits = largest * _NEARLY

    def write(start: int, stop: int, near: IndexArray) -> int:
        return int(near_in_columns(weights[start:stop], factors[start:stop], limits, start * layer.n_columns, near))

    return _collected(write, layer, threads)


def approximate_strengths(layer: Layer, logs: IndexArray) -> _Floats | None:
    """Return the strengths of logarithms, the largest as 1; None if they or the weights are not for float32."""
    is_alive = logs >= LEAST
    if layer.number_format is not F32 or layer.n_weights < FEW or not is_alive.any():
        return None
    octaves = np.where(is_alive, logs - logs.max(), 0) / (1 << FRACTION_BITS)
    if octaves.min() < -100:
        return None
    return np.where(is_alive, np.exp2(octaves), 0.0).astype(np.float32)


def _collected(write: Callable[[int, int, IndexArray], int], layer: Layer, threads: int) -> IndexArray | None:
    """Return the indices that a function writes of all rows; None if they are too many."""
    room = 4 * layer.n_vertices + 1024

    def collect(start: int, stop: int) -> IndexArray | None:
        near = np.empty(room, np.int64)
        found = write(start, stop, near)
        return near[:found] if found <= room else None

    whole: list[IndexArray] = []
    for part in in_parallel(collect, layer.n_rows, threads):
        if part is None:
            return None
        whole.append(part)
    return np.concatenate(whole)


def _first_of_largest(
    group: IndexArray, other: IndexArray, total: IndexArray, n_groups: int
) -> tuple[IndexArray, IndexArray]:
    """Return the largest total of each group, and the smallest other index that has it; each group has one."""
    best = np.full(n_groups, NO_WEIGHT)
    np.maximum.at(best, group, total)
    is_best = total == best[group]
    first = np.full(n_groups, np.iinfo(np.int64).max)
    np.minimum.at(first, group[is_best], other[is_best])
    return best, first


def _logarithms_at(layer: Layer, flat: IndexArray) -> IndexArray:
    return logarithms(layer.number_format.strengths(layer.codes.reshape(-1)[flat]))


def _exact_of_rows(layer: Layer, by_column: IndexArray, threads: int) -> tuple[IndexArray, IndexArray]:
    best, column = np.empty(layer.n_rows, np.int64), np.empty(layer.n_rows, np.int64)

    def look(start: int, stop: int) -> None:
        for first, end in row_pieces(layer, start, stop):
            strongest_of_rows(layer_logarithms(layer, first, end), by_column, best[first:end], column[first:end])

    in_parallel(look, layer.n_rows, threads)
    return best, column


def _exact_of_columns(layer: Layer, by_row: IndexArray, threads: int) -> tuple[IndexArray, IndexArray]:
    def look(start: int, stop: int) -> tuple[IndexArray, IndexArray]:
        best, row = np.full(layer.n_columns, NO_WEIGHT), np.zeros(layer.n_columns, np.int64)
        for first, end in row_pieces(layer, start, stop):
            strongest_of_columns(layer_logarithms(layer, first, end), by_row[first:end], first, best, row)
        return best, row

    # Of equal sums in several parts of the rows the first counts, whatever the number of threads.
    parts = in_parallel(look, layer.n_rows, threads)
    best, row = parts[0]
    for best_here, row_here in parts[1:]:
        row = np.where(best_here > best, row_here, row)
        best = np.maximum(best, best_here)
    return best, row
