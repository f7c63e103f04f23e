"""Kernels that count the 16-bit digits of ranks: of all, or of those that begin with one of some prefixes."""

import numpy as np

from topoimp.arrays import Code, CodeArray, IndexArray
from topoimp.kernels.compiled import compiled

AT_A_TIME = 1024
"""Weights among which those that may begin with a prefix are gathered, before any is counted."""

TABLE = 1 << 16
"""Length of the table of prefixes."""


@compiled("ranks")
def count_first_digits(ranks: CodeArray, mask: Code, shift: int, counts: IndexArray) -> None:
    """Add to ``counts``, shape (65536,), how often each digit from bit ``shift`` on occurs among the ranks above 0.

    It is the first digit: no bit is above it. Ranks have 32 or 64 bits; ``mask`` clears bits that do not belong to
    them.
    """
    kind = ranks.dtype.type
    low = kind(shift)
    for i in range(ranks.size):
        rank = kind(ranks[i] & mask)
        if rank != kind(0):
            counts[kind(rank >> low)] += 1


@compiled("prefixes")
def place_prefixes(prefixes: CodeArray, table: CodeArray) -> None:
    """Fill a table of zeros, uint8, with the place of each prefix, from 1, at its hash or the next free entry."""
    for place in range(prefixes.size):
        entry = _hashed(prefixes[place])
        while table[entry] != 0:
            entry = (entry + np.uint64(1)) & np.uint64(65535)
        table[entry] = np.uint8(place + 1)


@compiled("ranks", "prefixes", "table")
def count_next_digits(
    ranks: CodeArray,
    mask: Code,
    shift: int,
    prefixes: CodeArray,
    table: CodeArray,
    counts: IndexArray,
    scratch: CodeArray,
) -> None:
    """Add up, for each prefix, how often each digit from bit ``shift`` on occurs among the ranks that begin with it.

    Args:
        ranks: 32 or 64 bits, flat.
        mask: clears bits that do not belong to a rank.
        shift: lowest bit of the digit; all bits above the digit are the prefix.
        prefixes: different, at most 255, in the type of the ranks.
        table: as ``place_prefixes`` fills it.
        counts: updated, shape (prefixes, 65536); a rank of 0 does not count.
        scratch: ``AT_A_TIME`` ranks.
    """
    kind = ranks.dtype.type
    low, digit = kind(shift), kind(16)
    for base in range(0, ranks.size, AT_A_TIME):
        block = ranks[base : base + AT_A_TIME]
        # Gather without a branch, so that the processor overlaps the looks into the table: few ranks have an entry.
        n_found = 0
        for i in range(block.size):
            rank = kind(block[i] & mask)
            scratch[n_found] = rank
            n_found += 1 if table[_hashed(kind(kind(rank >> low) >> digit))] != 0 else 0

        for i in range(n_found):
            rank = scratch[i]
            prefix = kind(kind(rank >> low) >> digit)
            entry = _hashed(prefix)
            while table[entry] != 0 and prefixes[table[entry] - 1] != prefix:
                entry = (entry + np.uint64(1)) & np.uint64(65535)
            if table[entry] != 0 and rank != kind(0):
                counts[table[entry] - 1, kind(kind(rank >> low) & kind(65535))] += 1


@compiled()
def _hashed(prefix: Code) -> Code:
    """Return an entry of the table: the exclusive or of the prefix's digits, of at most 48 bits together."""
    bits = np.uint64(prefix)
    return (bits ^ (bits >> np.uint64(16)) ^ (bits >> np.uint64(32))) & np.uint64(65535)
