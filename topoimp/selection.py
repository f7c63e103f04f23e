"""The exact k-th strongest weight of one layer, or of many layers together.

Weights are ranked by unsigned integers, larger first: the magnitude codes for pruning by strength, random numbers for
the control. Rank 0 means "not to be counted": a stored zero, or a weight that is kept anyway. Equal ranks are ordered
by (tensor name, flat index). The ranks are only ever counted, 16 bits at a time, so that a whole checkpoint is looked
at one layer at a time and nothing but 65,536 counters is held.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from topoimp.arrays import BoolArray, CodeArray

Ranks = Mapping[str, Callable[[], CodeArray]]
"""By layer name, a function that gives the layer's ranks, shape (rows, columns), all of one integer type."""

_DIGIT_BITS = 16


@dataclass(frozen=True)
class Cut:
    """Where a layer is cut: ranks above ``rank`` are kept, and those equal to it up to and including index ``last``.

    Args:
        rank: the smallest rank of which any is kept.
        last: flat index of the last weight of that rank that is kept; -1 if none is.
    """

    rank: int
    last: int

    def kept(self, ranks: CodeArray) -> BoolArray:
        """Give which weights are kept, in the shape of ``ranks``; those of rank 0 never are."""
        flat = ranks.reshape(-1)
        kept = flat > self.rank
        if self.rank > 0:
            kept[: self.last + 1] |= flat[: self.last + 1] == self.rank
        return kept.reshape(ranks.shape)


KEEP_ALL = Cut(rank=0, last=-1)


def cuts_keeping(ranks: Ranks, k: int) -> dict[str, Cut]:
    """Give the cut of every layer that keeps the k first weights of all layers together.

    Args:
        ranks: by layer name; each is called a few times.
        k: at least 0; with k at or above the number of ranked weights all of them are kept.
    """
    n_ranked = sum(int(np.count_nonzero(read())) for read in ranks.values())
    if k >= n_ranked:
        return dict.fromkeys(ranks, KEEP_ALL)
    if k <= 0:
        return {name: _cut_keeping_none(read()) for name, read in ranks.items()}
    rank, n_equal = _kth_largest(ranks, k)
    return _share_out(ranks, rank, n_equal)


def _cut_keeping_none(ranks: CodeArray) -> Cut:
    return Cut(rank=max(int(ranks.max()), 1), last=-1)


def _kth_largest(ranks: Ranks, k: int) -> tuple[int, int]:
    """Give the k-th largest rank, found digit by digit, and how many of the ranks equal to it belong to the first k."""
    prefix, wanted, shift = 0, k, None
    while shift is None or shift > 0:
        counts = np.zeros(1 << _DIGIT_BITS, np.int64)
        for read in ranks.values():
            flat = read().reshape(-1)
            n_bits = max(8 * flat.itemsize, _DIGIT_BITS)
            now = n_bits - _DIGIT_BITS if shift is None else shift - _DIGIT_BITS
            counts += _count_digits(flat, prefix, now, is_first=shift is None)
        shift = now
        counted = np.cumsum(counts[::-1])
        place = int(np.searchsorted(counted, wanted))
        digit = len(counts) - 1 - place
        wanted -= int(counted[place] - counts[digit])
        prefix = prefix << _DIGIT_BITS | digit
    return prefix, wanted


def _count_digits(flat: CodeArray, prefix: int, shift: int, *, is_first: bool) -> np.ndarray:
    """Count the digits at ``shift`` of the ranks that begin with ``prefix``; rank 0 is not counted."""
    kind = flat.dtype.type
    is_counted = flat != 0
    if not is_first:
        is_counted &= flat >> kind(shift + _DIGIT_BITS) == kind(prefix)
    flat = flat[is_counted]
    digits = (flat >> kind(shift)) & kind((1 << min(_DIGIT_BITS, 8 * flat.itemsize)) - 1)
    return np.bincount(digits.astype(np.int64), minlength=1 << _DIGIT_BITS)


def _share_out(ranks: Ranks, rank: int, n_equal: int) -> dict[str, Cut]:
    """Give the first ``n_equal`` of the weights of one rank to the layers in the order of their names."""
    cuts = {}
    for name in sorted(ranks):
        equals = np.flatnonzero(ranks[name]() == rank)
        taken = min(n_equal, len(equals))
        cuts[name] = Cut(rank, int(equals[taken - 1]) if taken else -1)
        n_equal -= taken
    return cuts
