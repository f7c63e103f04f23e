"""Patterns N:M, such as 2:4: of every M consecutive weights of a row of a layer as a matrix, at most N are kept.

These M weights are a *block*. The blocks of a row begin at its first weight; of a row whose length is no multiple of M,
the last block is shorter, with L weights, and keeps min(N, L) at most. Where the outputs of a layer are its columns, so
that its inputs lie along a column, blocks are of columns instead. Stored zeros are never kept.

Source: Mishra et al., "Accelerating sparse deep neural networks", 2021 (2:4); Zhou et al., "Learning N:M fine-grained
structured sparse neural networks from scratch", ICLR 2021.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import lcm

import numpy as np

from topoimp.arrays import BoolArray, IndexArray
from topoimp.errors import OptionError
from topoimp.kernels.blocks import count_in_columns, count_in_rows, mark_in_columns, mark_in_rows
from topoimp.kernels.threads import PIECE, in_parallel
from topoimp.layers.layer import Layer
from topoimp.pruning.masks import PackedMask, mask_bytes

LARGEST_BLOCK = 32


@dataclass(frozen=True)
class BlockPattern:
    """A pattern N:M: of every block of ``size`` weights at most ``n_kept`` are kept."""

    n_kept: int
    size: int

    def __str__(self) -> str:
        """Return the pattern as N:M."""
        return f"{self.n_kept}:{self.size}"


def parse_pattern(text: str) -> BlockPattern:
    """Return the pattern that a text such as 2:4 names.

    Raises:
        OptionError: if the text is no pattern, or a number is out of range.

    >>> parse_pattern("2:4")
    BlockPattern(n_kept=2, size=4)
    """
    found = re.fullmatch(r"([0-9]{1,2}):([0-9]{1,2})", str(text))
    n_kept, size = map(int, found.groups()) if found else (0, 0)
    if not 1 <= n_kept <= size <= LARGEST_BLOCK:
        needed = f"it must be N:M with N from 1 to M and M at most {LARGEST_BLOCK}, as in 2:4"
        raise OptionError(f"`pattern` is {text!r}; {needed}")
    return BlockPattern(n_kept, size)


def refuse_amounts(given: Mapping[str, object]) -> None:
    """Raise an OptionError if an option, by name, says how much is kept, which a pattern alone decides."""
    name = next((name for name, value in given.items() if value is not None), None)
    if name is not None:
        raise OptionError(f"`pattern` alone decides how much is kept, in one round; leave `{name}` out")


@dataclass(frozen=True)
class LayerBlocks:
    """The blocks of a layer, by row or by column."""

    pattern: BlockPattern
    by_column: bool = False

    def of(self, layer: Layer, indices: IndexArray) -> IndexArray:
        """Return a number of the block of each weight, given by flat index; blocks have different numbers."""
        rows, columns = np.divmod(indices, layer.n_columns)
        if self.by_column:
            return np.asarray(rows // self.pattern.size * layer.n_columns + columns)
        return np.asarray(rows * -(-layer.n_columns // self.pattern.size) + columns // self.pattern.size)

    def positions(self, layer: Layer, indices: IndexArray) -> IndexArray:
        """Return the position of each weight, from 0, in the order of the weights of its block by strength."""
        n_places, step = (layer.n_rows, layer.n_columns) if self.by_column else (layer.n_columns, 1)
        places = indices // layer.n_columns if self.by_column else indices % layer.n_columns
        magnitudes = layer.number_format.magnitudes(layer.weights[indices])

        positions = np.zeros(len(indices), np.int64)
        in_block = places % self.pattern.size
        for k in range(self.pattern.size):
            distance = k - in_block
            exists = np.flatnonzero(places + distance < n_places)
            others = indices[exists] + distance[exists] * step
            strengths, own = layer.number_format.magnitudes(layer.weights[others]), magnitudes[exists]
            positions[exists] += (strengths > own) | ((strengths == own) & (distance[exists] < 0))
        return positions

    def n_within(self, layer: Layer, threads: int) -> int:
        """Count the edges of the layer, at most N of each block: the most weights that the pattern can keep."""
        return self.count(layer.n_rows, layer.n_columns, lambda *rows: _edges(layer, *rows), threads)[0]

    def count(
        self, n_rows: int, n_columns: int, flags_of: Callable[[int, int], BoolArray], threads: int
    ) -> tuple[int, int]:
        """Return the number of flags, at most N of each block, and the number in the block with the most.

        ``flags_of(first, end)`` returns the flags of some rows, shape (rows, columns).
        """
        count = count_in_columns if self.by_column else count_in_rows

        def look(first: int, end: int) -> list[tuple[int, int]]:
            parts = (flags_of(*part).view(np.uint8) for part in self._chunks(n_columns, first, end))
            return [count(part, self.pattern.n_kept, self.pattern.size) for part in parts]

        looked = in_parallel(look, n_rows, threads, unit=self._unit)
        counted = [each for part in looked for each in part]
        return sum(n for n, _ in counted), max((most for _, most in counted), default=0)

    def mark(self, layer: Layer, favoured: IndexArray, threads: int) -> PackedMask:
        """Return the mask that keeps N weights of each block: the favoured ones first, then the others by strength.

        Both are in the order of topoimp: the stronger first, equal ones by flat index. ``favoured`` are flat indices of
        edges, ascending.
        """
        bits = np.zeros(mask_bytes(layer.codes.shape), np.uint8)
        mark = mark_in_columns if self.by_column else mark_in_rows
        first_of_all = layer.codes.dtype.type(layer.number_format.magnitude_mask + 1)  # the bit of the sign is free

        def look(first: int, end: int) -> None:
            for start, stop in self._chunks(layer.n_columns, first, end):
                keys = layer.number_format.magnitudes(layer.codes[start:stop])
                begin = start * layer.n_columns
                here = favoured[slice(*np.searchsorted(favoured, [begin, stop * layer.n_columns]))]
                keys.reshape(-1)[here - begin] |= first_of_all

                kept = np.empty(keys.shape, np.bool_)
                mark(keys, self.pattern.n_kept, self.pattern.size, kept)
                packed = np.packbits(kept, bitorder="little")
                bits[begin // 8 : begin // 8 + len(packed)] = packed

        in_parallel(look, layer.n_rows, threads, unit=self._unit)
        return PackedMask(layer.codes.shape, bits)

    @property
    def _unit(self) -> int:
        """Rows after which both a block and a byte of a mask end, whatever the number of columns."""
        return lcm(8, self.pattern.size) if self.by_column else 8

    def _chunks(self, n_columns: int, first: int, end: int) -> Iterator[tuple[int, int]]:
        """Return consecutive (start, stop) pairs that cover rows, about a piece at a time."""
        step = max(PIECE // (n_columns * self._unit), 1) * self._unit
        for start in range(first, end, step):
            yield start, min(start + step, end)


def _edges(layer: Layer, first: int, end: int) -> BoolArray:
    return np.not_equal(layer.number_format.magnitudes(layer.codes[first:end]), 0)
