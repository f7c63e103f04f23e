"""The passes that count weights by their magnitude codes.

Arguments are as in ``forests``: stored codes, a mask that takes the sign away, and the part to look at.
"""

from typing import Any

import numpy as np

from topoimp.arrays import CodeArray, IndexArray
from topoimp.compilation import compiled
from topoimp.kernels import BLOCK


@compiled
def count_digits(
    ranks: CodeArray,
    start: int,
    stop: int,
    mask: Any,  # a scalar of the ranks' type
    shift: int,
    prefix: int,
    is_first: bool,
    counts: IndexArray,
) -> None:
    """Add up how often each 16-bit digit occurs among the ranks of a part; rank 0 is not counted.

    Args:
        ranks: unsigned integers of 32 or 64 bits, flat.
        start: first of the part.
        stop: one beyond its last.
        mask: bits that belong to the rank.
        shift: the digit's lowest bit.
        prefix: the bits above the digit that a rank must have.
        is_first: whether the digit is the first, so that there is no prefix.
        counts: 65,536 counts, updated.
    """
    kind = ranks.dtype.type
    low, above, wanted = kind(shift), kind(16), kind(prefix)
    for base in range(start, stop, BLOCK):
        block = ranks[base : min(base + BLOCK, stop)]
        if is_first:
            for j in range(block.size):
                rank = kind(block[j] & mask)
                if rank != kind(0):
                    counts[kind(rank >> low)] += 1
            continue
        n_matching = kind(0)
        for j in range(block.size):
            rank = kind(kind(kind(block[j] & mask) >> low) >> above)
            n_matching = kind(n_matching + (kind(1) if rank == wanted else kind(0)))
        if n_matching != kind(0):
            for j in range(block.size):
                rank = kind(block[j] & mask)
                if rank != kind(0) and kind(kind(rank >> low) >> above) == wanted:
                    counts[kind(kind(rank >> low) & kind(65535))] += 1


@compiled
def count_codes(codes: CodeArray, start: int, stop: int, mask: Any, counts: IndexArray) -> None:
    """Add up how often each magnitude code occurs among the codes, of 8 or 16 bits, of a part."""
    kind = codes.dtype.type
    for i in range(start, stop):
        counts[kind(codes[i] & mask)] += 1


@compiled
def count_equal(codes: CodeArray, start: int, stop: int, mask: Any, code: Any) -> int:
    """Count the weights of a part that have a magnitude code."""
    kind = codes.dtype.type
    n_equal = 0
    for base in range(start, stop, BLOCK):
        block = codes[base : min(base + BLOCK, stop)]
        n_here = kind(0)
        for j in range(block.size):
            n_here = kind(n_here + (kind(1) if kind(block[j] & mask) == code else kind(0)))
        n_equal += int(n_here)
    return n_equal


@compiled
def place_of_equal(codes: CodeArray, start: int, stop: int, mask: Any, code: Any, n: int, skipped: IndexArray) -> int:
    """Give the flat index of the n-th weight of a part, from 1, that has a magnitude code.

    Those ``skipped``, ascending and none of them before the part, do not count.
    """
    kind = codes.dtype.type
    next_skipped = 0
    for base in range(start, stop, BLOCK):
        block = codes[base : min(base + BLOCK, stop)]
        n_here = kind(0)
        for j in range(block.size):
            n_here = kind(n_here + (kind(1) if kind(block[j] & mask) == code else kind(0)))
        if n_here == kind(0):
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


@compiled
def count_until(codes: CodeArray, start: int, stop: int, mask: Any, code: Any, last: int) -> int:
    """Count the weights of a part that are stronger than a magnitude code, or have it and come up to ``last``."""
    kind = codes.dtype.type
    n_counted = 0
    least = code if code != kind(0) else kind(1)
    middle = min(max(last + 1, start), stop)
    for base in range(start, middle, BLOCK):
        block = codes[base : min(base + BLOCK, middle)]
        n_here = kind(0)
        for j in range(block.size):
            n_here = kind(n_here + (kind(1) if kind(block[j] & mask) >= least else kind(0)))
        n_counted += int(n_here)
    for base in range(middle, stop, BLOCK):
        block = codes[base : min(base + BLOCK, stop)]
        n_here = kind(0)
        for j in range(block.size):
            n_here = kind(n_here + (kind(1) if kind(block[j] & mask) > code else kind(0)))
        n_counted += int(n_here)
    return n_counted


LANES = 4
"""Weights that follow each other are counted apart: they often lie between the same bounds, and wait for no other."""


@compiled
def count_between(
    codes: CodeArray,
    start: int,
    stop: int,
    mask: Any,
    shift: int,
    table: CodeArray,
    bounds: CodeArray,
    most_in_one: int,
    counts: IndexArray,
    places: CodeArray,
) -> None:
    """Add up how many weights of a part lie between some bounds: at the first place those below the first bound.

    Args:
        codes: stored codes, flat.
        start: first of the part.
        stop: one beyond its last.
        mask: takes the sign away.
        shift: takes all bits of a magnitude code away but those that it is looked up by.
        table: of 32 bits; by these bits, how many bounds are at most the least code that begins with them.
        bounds: ascending, the last above all magnitude codes.
        most_in_one: how many bounds there are, at most, that begin alike.
        counts: shape (``LANES``, bounds), updated; what counts is the sum over the first axis.
        places: of 32 bits, room for as many as are looked at together.
    """
    kind = codes.dtype.type
    low, one, none = kind(shift), np.uint32(1), np.uint32(0)
    for base in range(start, stop, places.size):
        block = codes[base : min(base + places.size, stop)]
        # Without a branch, and nothing counted yet: several weights are looked up at a time.
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
