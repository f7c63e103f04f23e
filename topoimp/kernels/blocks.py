"""Kernels for blocks: consecutive weights of a row, or of a column, of which the strongest are kept.

``keys`` are unsigned integers in the order in which weights are kept, the largest first, equal ones by flat index. The
key 0 is never kept. Blocks side by side are worked on together: only then do the loops over them vectorise.
"""

import numpy as np

from topoimp.arrays import BoolArray, ByteArray, CodeArray
from topoimp.kernels.compiled import compiled

SIDE_BY_SIDE = 1024
"""Blocks of a row that are worked on together, in the nearest cache."""


@compiled("keys")
def mark_in_columns(keys: CodeArray, n_kept: int, size: int, kept: BoolArray) -> None:
    """Write into ``kept``, in the shape of ``keys``, the first ``n_kept`` keys of each block of every column.

    A block has ``size`` keys, at most 255; the last one of a column may have fewer.
    """
    n_before = np.empty(keys.shape[1], keys.dtype)
    for start in range(0, keys.shape[0], size):
        end = min(start + size, keys.shape[0])
        _mark_beside(keys[start:end], n_kept, kept[start:end], n_before)


@compiled("keys")
def mark_in_rows(keys: CodeArray, n_kept: int, size: int, kept: BoolArray) -> None:
    """Write into ``kept`` the first ``n_kept`` keys of each block of every row, as ``mark_in_columns`` of columns."""
    most = min(SIDE_BY_SIDE, -(-keys.shape[1] // size))
    beside, kept_beside = np.empty((size, most), keys.dtype), np.empty((size, most), np.bool_)
    n_before = np.empty(most, keys.dtype)
    for row in range(keys.shape[0]):
        start = 0
        while start < keys.shape[1]:
            # Whole blocks, or the shorter last one.
            n_left = keys.shape[1] - start
            n_blocks = max(min(n_left // size, most), 1)
            length = min(size, n_left)
            own, own_kept = keys[row, start:], kept[row, start:]
            for i in range(length):
                place = beside[i]
                for block in range(n_blocks):
                    place[block] = own[block * size + i]

            _mark_beside(beside[:length], n_kept, kept_beside[:length], n_before[:n_blocks])
            for i in range(length):
                flags = kept_beside[i]
                for block in range(n_blocks):
                    own_kept[block * size + i] = flags[block]
            start += n_blocks * length


@compiled("keys")
def _mark_beside(keys: CodeArray, n_kept: int, kept: BoolArray, n_before: CodeArray) -> None:
    """Mark the first keys of the first columns, each a block; ``n_before`` is room for a number for each of them."""
    kind = keys.dtype.type
    n_blocks = n_before.size
    for i in range(keys.shape[0]):
        own = keys[i, :n_blocks]
        n_before[:] = kind(0)
        for j in range(i):
            other = keys[j, :n_blocks]
            for block in range(own.size):
                n_before[block] = kind(n_before[block] + (kind(1) if other[block] >= own[block] else kind(0)))
        for j in range(i + 1, keys.shape[0]):
            other = keys[j, :n_blocks]
            for block in range(own.size):
                n_before[block] = kind(n_before[block] + (kind(1) if other[block] > own[block] else kind(0)))

        flags = kept[i, :n_blocks]
        for block in range(own.size):
            flags[block] = (n_before[block] < kind(n_kept)) & (own[block] != kind(0))


@compiled("flags")
def count_in_columns(flags: ByteArray, most: int, size: int) -> tuple[int, int]:
    """Count the flags, 0 and 1, at most ``most`` of each block of every column, and those of the fullest block."""
    counts = np.empty(flags.shape[1], np.uint8)
    n_within, n_fullest = 0, 0
    for start in range(0, flags.shape[0], size):
        counts[:] = np.uint8(0)
        for i in range(start, min(start + size, flags.shape[0])):
            row = flags[i]
            for block in range(row.size):
                counts[block] = np.uint8(counts[block] + row[block])
        for block in range(counts.size):
            n_within += min(int(counts[block]), most)
            n_fullest = max(n_fullest, int(counts[block]))
    return n_within, n_fullest


@compiled("flags")
def count_in_rows(flags: ByteArray, most: int, size: int) -> tuple[int, int]:
    """Count the flags in the blocks of every row, as ``count_in_columns`` of every column."""
    counts = np.empty(SIDE_BY_SIDE, np.uint8)
    n_within, n_fullest = 0, 0
    for row in range(flags.shape[0]):
        start = 0
        while start < flags.shape[1]:
            n_left = flags.shape[1] - start
            n_blocks = max(min(n_left // size, SIDE_BY_SIDE), 1)
            length = min(size, n_left)
            own, own_counts = flags[row, start:], counts[:n_blocks]
            own_counts[:] = np.uint8(0)
            for i in range(length):
                for block in range(n_blocks):
                    own_counts[block] = np.uint8(own_counts[block] + own[block * size + i])
            for block in range(n_blocks):
                n_within += min(int(own_counts[block]), most)
                n_fullest = max(n_fullest, int(own_counts[block]))
            start += n_blocks * length
    return n_within, n_fullest
