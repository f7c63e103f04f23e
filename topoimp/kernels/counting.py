"""Kernels that count weights by their magnitude codes."""

import numpy as np

from topoimp.arrays import Code, CodeArray, IndexArray
from topoimp.kernels import BLOCK
from topoimp.kernels.compiled import compiled

LANES = 4
"""Counters of ``count_between`` for each bound: neighbouring weights, often between the same bounds, take turns."""


@compiled("codes")
def count_codes(codes: CodeArray, start: int, stop: int, mask: Code, counts: IndexArray) -> None:
    """Add up how often each magnitude code occurs among the codes, of 8 or 16 bits, of a part."""
    kind = codes.dtype.type
    for i in range(start, stop):
        counts[kind(codes[i] & mask)] += 1


@compiled("codes")
def count_degrees(
    codes: CodeArray, start: int, stop: int, mask: Code, by_row: IndexArray, by_column: IndexArray
) -> None:
    """Add up the edges of each row from ``start`` to ``stop``, and of each column in these rows.

    ``codes`` has the shape (rows, columns), ``by_row`` (rows,) and ``by_column`` (columns,).
    """
    kind = codes.dtype.type
    for row in range(start, stop):
        n_edges = 0
        for column in range(by_column.size):
            is_edge = 1 if kind(codes[row, column] & mask) != kind(0) else 0
            by_column[column] += is_edge
            n_edges += is_edge
        by_row[row] += n_edges


@compiled("codes")
def count_equal(codes: CodeArray, start: int, stop: int, mask: Code, code: Code) -> int:
    """Count the weights of a part that have a magnitude code."""
    kind = codes.dtype.type
    n_equal = 0
    for base in range(start, stop, BLOCK):
        block = codes[base : min(base + BLOCK, stop)]
        n_in_block = kind(0)
        for j in range(block.size):
            n_in_block = kind(n_in_block + (kind(1) if kind(block[j] & mask) == code else kind(0)))
        n_equal += int(n_in_block)
    return n_equal


@compiled("codes", "skipped")
def place_of_equal(codes: CodeArray, start: int, stop: int, mask: Code, code: Code, n: int, skipped: IndexArray) -> int:
    """Return the flat index of the n-th weight of a part, from 1, that has a magnitude code; -1 if there are fewer.

    The indices ``skipped``, ascending and none before the part, do not count.
    """
    kind = codes.dtype.type
    next_skipped = 0
    for base in range(start, stop, BLOCK):
        block = codes[base : min(base + BLOCK, stop)]
        n_in_block = kind(0)
        for j in range(block.size):
            n_in_block = kind(n_in_block + (kind(1) if kind(block[j] & mask) == code else kind(0)))
        if n_in_block == kind(0):
            continue

        for j in range(block.size):
            if kind(block[j] & mask) == code:
                if next_skipped < skipped.size and skipped[next_skipped] == base + j:
                    next_skipped += 1
                    continue
                n -= 1
                if n == 0:
                    return base + j
    return -1


@compiled()
def count_at_least(codes: CodeArray, start: int, stop: int, mask: Code, least: Code) -> int:
    """Count the weights of a part that have a magnitude code or a larger one."""
    kind = codes.dtype.type
    n_reaching = 0
    for base in range(start, stop, BLOCK):
        block = codes[base : min(base + BLOCK, stop)]
        n_in_block = kind(0)
        for j in range(block.size):
            n_in_block = kind(n_in_block + (kind(1) if kind(block[j] & mask) >= least else kind(0)))
        n_reaching += int(n_in_block)
    return n_reaching


@compiled("codes")
def count_until(codes: CodeArray, start: int, stop: int, mask: Code, code: Code, last: int) -> int:
    """Count the weights of a part that are stronger than a magnitude code, or have it at index ``last`` or before."""
    kind = codes.dtype.type
    middle = min(max(last + 1, start), stop)
    above = kind(code + kind(1))  # a magnitude code is never the largest number of its type
    n_first = count_at_least(codes, start, middle, mask, code if code != kind(0) else above)
    return n_first + count_at_least(codes, middle, stop, mask, above)


@compiled("codes", "table", "bounds")
def count_between(
    codes: CodeArray,
    start: int,
    stop: int,
    mask: Code,
    shift: int,
    table: CodeArray,
    bounds: CodeArray,
    most_in_one: int,
    counts: IndexArray,
    scratch: CodeArray,
) -> None:
    """Add up how many weights of a part lie between successive bounds; the first count is of those below all bounds.

    Args:
        codes: stored codes, flat.
        start: first weight of the part.
        stop: one beyond its last.
        mask: clears the sign bit.
        shift: lowest bit of a rank that its place in ``table`` depends on.
        table: uint32: for each value of the bits from ``shift`` on, the number of bounds up to the least such rank.
        bounds: ascending, the last above all ranks.
        most_in_one: largest number of bounds that agree in the bits from ``shift`` on.
        counts: updated, shape (``LANES``, bounds); the sum over the first axis is the result.
        scratch: uint32, as long as the number of weights to take at a time.
    """
    kind = codes.dtype.type
    low, one, none = kind(shift), np.uint32(1), np.uint32(0)
    places = scratch
    for base in range(start, stop, places.size):
        # Look up all places first, without a branch, so that the processor overlaps them.
        block = codes[base : min(base + places.size, stop)]
        for i in range(block.size):
            rank = kind(block[i] & mask)
            place = table[kind(rank >> low)]
            places[i] = place + (one if bounds[place] <= rank else none)
        if most_in_one > 1:
            for i in range(block.size):
                while bounds[places[i]] <= kind(block[i] & mask):
                    places[i] += one

        whole = block.size // 4 * 4
        for i in range(0, whole, 4):
            counts[0, places[i]] += 1
            counts[1, places[i + 1]] += 1
            counts[2, places[i + 2]] += 1
            counts[3, places[i + 3]] += 1
        for i in range(whole, block.size):
            counts[0, places[i]] += 1
