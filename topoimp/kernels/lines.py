"""Kernels for thresholds of single lines: the rows of a layer, or its columns laid out as rows."""

from topoimp.arrays import BoolArray, Code, CodeArray, IndexArray
from topoimp.kernels.compiled import compiled

N_IN_NARROW = 128
"""Ranks that are counted in their own type before the total takes them; 8 bits hold that number."""


@compiled("ranks", "n_kept")
def find_thresholds(ranks: CodeArray, n_kept: IndexArray, thresholds: CodeArray, lasts: IndexArray) -> None:
    """Find the thresholds with which each line keeps its strongest weights, equal ones by their place in the line.

    The search for a threshold counts the ranks above a guess, and interpolates between the counts. It begins at the
    threshold of the line before; every third guess halves the interval, so that the search always ends.

    Args:
        ranks: shape (lines, n), below the largest number of their type; 0 for a weight that cannot be kept.
        n_kept: weights to keep of each line, at most its ranks above 0.
        thresholds: written, shape (lines,), above 0: larger ranks are kept; if none is kept, the largest number.
        lasts: written, shape (lines,): the last place at which a rank equal to the threshold is kept; -1 for none.
    """
    kind = ranks.dtype.type
    largest = kind(~kind(0))
    start = kind(1)
    ranks_per_step = 0.0  # density of the ranks around the threshold of the line before
    for line in range(ranks.shape[0]):
        row, n_wanted = ranks[line], n_kept[line]
        if n_wanted == 0:
            thresholds[line], lasts[line] = largest, -1
            continue

        # At least the wanted number of ranks are ``low`` or larger, and fewer are ``high`` or larger.
        low, high = kind(1), largest
        n_low, n_high = row.size, 0
        guess = max(start, kind(2))
        n_guesses = 0
        while kind(high - low) > kind(1) and n_low > n_wanted:
            n_from = _count_from(row, guess)
            n_guesses += 1
            if n_from >= n_wanted:
                low, n_low = guess, n_from
            else:
                high, n_high = guess, n_from

            width = float(high - low)
            if n_guesses == 1 and ranks_per_step > 0:  # to the other side of the threshold
                distance = (abs(n_from - n_wanted) + 4) / ranks_per_step
                move = distance if n_from >= n_wanted else width - distance
            elif n_guesses % 3:
                move = width * (n_low - n_wanted + 0.5) / (n_low - n_high)
            else:
                move = width / 2
                if n_guesses == 3:
                    ranks_per_step = (n_low - n_high) / width
            guess = kind(low + kind(min(max(move, 1.0), width)))
            guess = min(max(guess, kind(low + kind(1))), kind(high - kind(1)))

        # Of the ranks from ``low`` to ``high``, now all equal or all kept, the first ones are kept.
        start = thresholds[line] = low
        lasts[line] = row.size - 1
        n_missing = n_wanted - n_high
        if n_low > n_wanted:
            lasts[line] = _place_of(row, low, n_missing)


@compiled("ranks")
def _count_from(ranks: CodeArray, least: Code) -> int:
    """Count the ranks that are ``least`` or larger."""
    kind = ranks.dtype.type
    n_from = 0
    for base in range(0, ranks.size, N_IN_NARROW):
        block = ranks[base : min(base + N_IN_NARROW, ranks.size)]
        n_in_block = kind(0)
        for i in range(block.size):
            n_in_block = kind(n_in_block + (kind(1) if block[i] >= least else kind(0)))
        n_from += int(n_in_block)
    return n_from


@compiled("ranks")
def _place_of(ranks: CodeArray, rank: Code, n: int) -> int:
    """Return the place of the n-th rank, from 1, that equals ``rank``; -1 if there are fewer."""
    for i in range(ranks.size):
        if ranks[i] == rank:
            n -= 1
            if n == 0:
                return i
    return -1


@compiled("ranks", "starts", "places", "is_skipped")
def find_positions(
    ranks: CodeArray, starts: IndexArray, places: IndexArray, is_skipped: BoolArray, positions: IndexArray
) -> None:
    """Find the positions of some weights among those of their lines: larger ranks first, equal ones by their place.

    Args:
        ranks: shape (lines, n).
        starts: shape (lines + 1,): ``places[starts[k] : starts[k + 1]]`` are the places of line k.
        places: places of weights in their lines, with ranks below the largest number of the type.
        is_skipped: shape (lines,): lines to leave alone.
        positions: written for the places, from 1.
    """
    kind = ranks.dtype.type
    for line in range(ranks.shape[0]):
        if is_skipped[line]:
            continue
        row = ranks[line]
        for k in range(starts[line], starts[line + 1]):
            place = places[k]
            rank = row[place]
            n_before = _count_from(row, kind(rank + kind(1)))
            for i in range(place + 1):
                n_before += 1 if row[i] == rank else 0
            positions[k] = n_before
