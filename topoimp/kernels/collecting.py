"""Kernels that collect the strongest edges of a layer and sort them."""

import numpy as np

from topoimp.arrays import Code, CodeArray, IndexArray
from topoimp.kernels import BLOCK
from topoimp.kernels.compiled import compiled

SORT_COUNTS = 4097
"""Length of the counts of ``sort_strongest_first``: one for each value of 12 bits, and one more."""


@compiled("codes")
def collect_strongest(
    codes: CodeArray, start: int, stop: int, mask: Code, threshold: Code, indices: IndexArray, ranks: CodeArray
) -> tuple[int, int, np.int64]:
    """Write the flat indices and ranks of a part's weights that reach a threshold of 1 or more, by ascending index.

    Once the arrays are full, further weights are counted but not stored.

    Returns:
        The number of weights that reach the threshold, the number that are not zero, and the largest rank.
    """
    kind = codes.dtype.type
    n_found, n_edges, largest = 0, 0, kind(0)
    in_blocks = stop - (stop - start) % BLOCK

    for base in range(start, in_blocks, BLOCK):
        # A loop of constant length is the fast one.
        block = codes[base : base + BLOCK]
        strongest, n_present = kind(0), kind(0)
        for j in range(BLOCK):
            rank = kind(block[j] & mask)
            strongest = rank if rank > strongest else strongest
            n_present = kind(n_present + (kind(1) if rank != kind(0) else kind(0)))
        n_edges += int(n_present)
        largest = strongest if strongest > largest else largest

        if strongest >= threshold:
            for j in range(BLOCK):
                rank = kind(block[j] & mask)
                if rank >= threshold:
                    if n_found < indices.size:
                        indices[n_found] = base + j
                        ranks[n_found] = rank
                    n_found += 1

    # The weights behind the last whole block.
    for j in range(in_blocks, stop):
        rank = kind(codes[j] & mask)
        n_edges += 1 if rank != kind(0) else 0
        largest = rank if rank > largest else largest
        if rank >= threshold:
            if n_found < indices.size:
                indices[n_found] = j
                ranks[n_found] = rank
            n_found += 1
    return n_found, n_edges, np.int64(largest)


@compiled()
def sort_strongest_first(
    indices: IndexArray,
    ranks: CodeArray,
    lowest: Code,
    highest: Code,
    scratch_indices: IndexArray,
    scratch_ranks: CodeArray,
    counts: IndexArray,
) -> None:
    """Sort edges by descending rank, in place; equal ranks keep their order (radix sort by 12 bits at a time).

    ``lowest`` and ``highest`` bound the ranks. ``counts`` is scratch too, shape (``SORT_COUNTS``,).
    """
    n = indices.size
    span = np.uint64(highest) - np.uint64(lowest)
    other_indices, other_ranks = scratch_indices, scratch_ranks
    shift = 0
    is_moved = False

    while shift < 64 and span >> np.uint64(shift) != 0:
        # Count the digits one place further on, so that their running sum is the first place of each digit.
        for value in range(counts.size):
            counts[value] = 0
        for i in range(n):
            digit = ((np.uint64(highest) - np.uint64(ranks[i])) >> np.uint64(shift)) & np.uint64(4095)
            counts[digit + np.uint64(1)] += 1
        for value in range(4096):
            counts[value + 1] += counts[value]

        for i in range(n):
            digit = ((np.uint64(highest) - np.uint64(ranks[i])) >> np.uint64(shift)) & np.uint64(4095)
            place = counts[digit]
            counts[digit] += 1
            other_indices[place] = indices[i]
            other_ranks[place] = ranks[i]

        indices, other_indices = other_indices, indices
        ranks, other_ranks = other_ranks, ranks
        is_moved = not is_moved
        shift += 12

    # After an odd number of moves the result lies in the scratch arrays.
    if is_moved:
        for i in range(n):
            other_indices[i] = indices[i]
            other_ranks[i] = ranks[i]
