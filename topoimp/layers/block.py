"""The part of a tensor that a layer is: a block of its rows, or of its columns.

A *place* is a flat index in the tensor, an *index* a flat index in the layer. Places ascend with indices, so weights
between two places have consecutive indices. In a block of columns the rows are apart: consecutive indices fall into
rectangles, whose rows lie in the tensor at equal distances.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from topoimp.arrays import BoolArray, IndexArray

SPAN = 1 << 22
"""Places from the first weight of a rectangle to the last, at most: the part of a tensor that is read at once."""

Array = TypeVar("Array", bound=NDArray[Any])  # Any: codes or flags


@dataclass(frozen=True)
class Rectangle:
    """Some weights of a block, from one index to another, that lie in a tensor as rows at equal distances.

    Args:
        start: the first index; the weights end before the index ``stop``.
        first: the place of the first weight; the last weight is before the place ``end``.
        shape: rows and columns.
        distance: places from the beginning of a row to that of the next.
    """

    start: int
    stop: int
    first: int
    shape: tuple[int, int]
    distance: int

    @property
    def end(self) -> int:
        """The place behind the last weight."""
        n_rows, n_columns = self.shape
        return self.first + (n_rows - 1) * self.distance + n_columns

    def in_values(self, values: Array) -> Array:
        """Return a view of the weights, shape (rows, columns), in values of the places from ``first`` to ``end``."""
        strides = (self.distance * values.itemsize, values.itemsize)
        own = values[: self.end - self.first]
        return np.lib.stride_tricks.as_strided(own, self.shape, strides)  # type: ignore[return-value]  # its type


@dataclass(frozen=True)
class Block:
    """The places of a layer's weights.

    Args:
        first: the place of the first weight.
        n_weights: weights of the layer, at least 1.
        width: weights that follow each other in the tensor.
        distance: places from the first of them to the first of the next ``width``; equal to ``width`` if the layer's
            weights follow each other from the first to the last.

    >>> columns = Block(first=2, n_weights=6, width=2, distance=4)  # the last 2 columns of 3 rows of 4
    >>> columns.places(np.arange(6))
    array([ 2,  3,  6,  7, 10, 11])
    """

    first: int
    n_weights: int
    width: int
    distance: int

    @property
    def is_whole(self) -> bool:
        """Whether the weights follow each other from the first to the last."""
        return self.distance == self.width

    def places(self, indices: IndexArray) -> IndexArray:
        """Return the places of weights by their indices."""
        if self.is_whole:
            return self.first + indices
        rows, columns = np.divmod(indices, self.width)
        return self.first + rows * self.distance + columns

    def n_before(self, place: int) -> int:
        """Return the number of weights before a place: the index of the first at or behind it."""
        rows, columns = divmod(place - self.first, self.distance)
        return min(max(rows * self.width + min(columns, self.width), 0), self.n_weights)

    def rectangles(self, start: int, stop: int) -> Iterator[Rectangle]:
        """Yield the weights from one index to another as rectangles of at most ``SPAN`` places, in their order."""
        while start < stop:
            row, column = divmod(start, self.width)
            n_rows, n_columns = 1, min(self.width - column, stop - start, SPAN)
            if n_columns == self.width:
                n_rows = min((stop - start) // self.width, max(SPAN // self.distance, 1))
            first = self.first + row * self.distance + column
            yield Rectangle(start, start + n_rows * n_columns, first, (n_rows, n_columns), self.distance)
            start += n_rows * n_columns

    def read(self, read_places: Callable[[int, int], Array], start: int, stop: int) -> Array:
        """Return the weights from one index to another, of a function that reads the tensor from place to place.

        Weights that follow each other are returned as they are read, others are copied.
        """
        if self.is_whole or start == stop:
            return read_places(self.first + start, self.first + stop)

        rectangles = self.rectangles(start, stop)
        parts = [part.in_values(read_places(part.first, part.end)).reshape(-1) for part in rectangles]
        return np.concatenate(parts)  # type: ignore[return-value]  # of the type of its parts

    def write(self, values: NDArray[Any], start: int, to: NDArray[Any], first: int) -> None:
        """Write values of weights from the index ``start`` on to an array of the tensor from the place ``first`` on."""
        for part in self.rectangles(start, start + len(values)):
            own = values[part.start - start : part.stop - start]
            part.in_values(to[part.first - first :])[...] = own.reshape(part.shape)


def are_in_blocks(blocks: Iterable[Block], first: int, end: int) -> BoolArray:
    """Return a flag for each place of a tensor from ``first`` to ``end``: whether one of the blocks has it."""
    flags = np.zeros(end - first, np.bool_)
    for block in blocks:
        start = block.n_before(first)
        block.write(np.ones(block.n_before(end) - start, np.bool_), start, flags, first)
    return flags
