"""The exact k-th strongest weight of one layer, or of all layers of a checkpoint together.

Ranks are unsigned integers of 32 or 64 bits, larger first; equal ranks are ordered by (tensor name, flat index). A
weight of rank 0, a stored zero or a protected weight, is not counted. The search counts the digits of the ranks, 16
bits at a time: it reads a checkpoint of any size layer by layer, and holds only counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from topoimp.arrays import CodeArray, IndexArray
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo
from topoimp.layers.streaming import LayerSource

DIGIT_BITS = 16
N_DIGITS = 1 << DIGIT_BITS

AT_ONCE = 32
"""Counts of digits, at most 1 MB each, that a pass over the layers may return if it is for several prefixes."""

Prefixes: TypeAlias = Sequence[int | None]
"""Different beginnings of ranks, the bits above a digit; or only None, in place of the beginning of the first digit."""


@dataclass(frozen=True)
class Digits:
    """The 16-bit digits that occur, ascending, and the count of each, above 0."""

    digits: IndexArray
    counts: IndexArray

    def n_of(self, digit: int) -> int:
        """Return the count of a digit."""
        place = int(np.searchsorted(self.digits, digit))
        occurs = place < len(self.digits) and self.digits[place] == digit
        return int(self.counts[place]) if occurs else 0

    def n_above(self, digit: int) -> int:
        """Return the count of all larger digits."""
        return int(self.counts[np.searchsorted(self.digits, digit, "right") :].sum())

    def with_others(self, others: "Digits") -> "Digits":
        """Return the digits that occur in either, with the sums of their counts."""
        if not len(others.digits):
            return self
        counts = np.zeros(N_DIGITS, np.int64)
        counts[self.digits] = self.counts
        counts[others.digits] += others.counts
        digits = np.flatnonzero(counts != 0)  # several times faster on booleans
        return Digits(digits, counts[digits])


class Ranking(Protocol):
    """The ranking of one layer's weights."""

    @property
    def info(self) -> LayerInfo:
        """The layer."""

    @property
    def n_bits(self) -> int:
        """Bits of a rank, 32 or 64; the same for all layers of one selection."""

    def prepare(self, layer: Layer, threads: int) -> None:
        """Cache, while the layer is in memory, the counts that would otherwise need another pass."""

    def known_digits(self, shift: int, prefix: int | None) -> Digits | None:
        """Return what ``count_digits`` counts for a prefix if the cache has it; None if it needs a pass."""

    def count_digits(self, layer: Layer, shift: int, prefixes: Prefixes, threads: int) -> list[Digits]:
        """Count, for each prefix, the digits at bit ``shift`` of the ranks above 0 that begin with it."""

    def protected_digits(self, shift: int, prefix: int | None) -> Digits:
        """Count the digits of the ranks that the protected weights would have, for one prefix."""

    def place_of(self, layer: Layer, rank: int, n: int, threads: int) -> int:
        """Return the flat index of the n-th weight (from 1) of a rank."""

    def ranks_in(self, layer: Layer, start: int, stop: int) -> CodeArray:
        """Return the ranks of a part of the layer, or integers in the same order; 0 for zeros and protected weights."""

    def ranks_in_columns(self, layer: Layer, start: int, stop: int) -> CodeArray:
        """Return the ranks, as ``ranks_in``, of the columns from ``start`` on, shape (rows, columns)."""

    def write_kept(self, layer: Layer, threshold: "Threshold", start: int, pruned: CodeArray) -> None:
        """Write a part of a layer, from ``start`` on, as codes; pruned weights become +0.0."""


@dataclass(frozen=True)
class LayerSelection:
    """The weights that one layer keeps: all above a rank, and the first ones of this rank.

    Args:
        rank: the rank of the weakest kept weight of all layers.
        n_equal: kept weights of this rank, the first ones by index.
        n_of_rank: all weights of this rank.
        n_kept: kept weights of all ranks.
    """

    rank: int
    n_equal: int
    n_of_rank: int
    n_kept: int


@dataclass(frozen=True)
class Threshold:
    """The weakest kept weight of a layer: larger ranks are kept, and equal ranks up to the flat index ``last``.

    A ``rank`` of 0 keeps every weight that has a rank; a ``last`` of -1 keeps no weight of the rank itself.
    """

    rank: int
    last: int


def threshold_of(selection: LayerSelection, ranking: Ranking, layer: Layer, threads: int) -> Threshold:
    """Return the threshold of a selection; read the layer only if the selection splits the weights of one rank."""
    if selection.n_equal == 0:
        return Threshold(selection.rank, -1)
    if selection.n_equal == selection.n_of_rank:
        return Threshold(selection.rank, ranking.info.n_weights - 1)
    return Threshold(selection.rank, ranking.place_of(layer, selection.rank, selection.n_equal, threads))


def layer_selections(
    rankings: Sequence[Ranking], targets: Sequence[int], source: LayerSource, targets_of_all: Sequence[int] = ()
) -> list[dict[str, LayerSelection]]:
    """Return, for each target, the selections by layer name that keep the strongest weights of all layers.

    A target below 1 keeps none, and one at or above the number of ranked weights all of them. The source reads each
    layer a few times. Behind them come the selections for ``targets_of_all``, in which protected weights have the ranks
    of others; they are found from the same counts, so that few of them need another reading.
    """
    searches = [
        *(_Search(target, len(rankings)) for target in targets),
        *(_Search(target, len(rankings), is_of_all=True) for target in targets_of_all),
    ]
    shift = rankings[0].n_bits - DIGIT_BITS

    # Digit by digit: searches whose ranks begin alike share the counts of the next digit, and the others the pass.
    by_prefix: dict[int | None, list[_Search]] = {None: searches}
    while shift >= 0:
        longer: dict[int | None, list[_Search]] = {}
        for prefix, counted in _counted(rankings, source, shift, list(by_prefix)):
            levels = _levels_of(rankings, counted, shift, prefix, by_prefix[prefix])
            for search in by_prefix[prefix]:
                if search.go_on(levels[search.is_of_all]):
                    longer.setdefault(search.rank, []).append(search)
        by_prefix = longer
        shift -= DIGIT_BITS

    return [search.selections(rankings) for search in searches]


def _counted(
    rankings: Sequence[Ranking], source: LayerSource, shift: int, prefixes: Prefixes
) -> Iterator[tuple[int | None, list[Digits]]]:
    """Yield each prefix with the digits of each layer.

    A pass over the layers counts for several prefixes, but for fewer of them the more layers there are: the memory
    stays flat.
    """
    n_at_once = max(AT_ONCE // len(rankings), 1)
    for start in range(0, len(prefixes), n_at_once):
        some = prefixes[start : start + n_at_once]
        yield from zip(some, _counted_in_one_pass(rankings, source, shift, some), strict=True)


def _counted_in_one_pass(
    rankings: Sequence[Ranking], source: LayerSource, shift: int, prefixes: Prefixes
) -> list[list[Digits]]:
    """Return the digits of each layer, for each prefix; read the layers only if a cache lacks the counts."""
    known = [[digits for each in rankings if (digits := each.known_digits(shift, prefix))] for prefix in prefixes]
    if all(len(of_prefix) == len(rankings) for of_prefix in known):
        return known
    by_name = {ranking.info.name: ranking for ranking in rankings}
    counted = source.each_with(_CountDigits(shift, prefixes), by_name)
    return [[counted[name][place] for name in by_name] for place in range(len(prefixes))]


@dataclass(frozen=True)
class _CountDigits:
    """Counts, for each prefix, the digits of the ranks of a layer."""

    shift: int
    prefixes: Prefixes

    def __call__(self, layer: Layer, ranking: Ranking, threads: int) -> list[Digits]:
        return ranking.count_digits(layer, self.shift, self.prefixes, threads)


@dataclass(frozen=True)
class _Level:
    """The counts of one digit by layer, and the digits of all layers, the largest first, with running totals."""

    by_layer: Sequence[Digits]
    digits: IndexArray
    n_at_least: IndexArray


def _level_of(by_layer: Sequence[Digits]) -> _Level:
    if len(by_layer) == 1:
        digits, counts = by_layer[0].digits, by_layer[0].counts
    else:
        together = np.zeros(N_DIGITS, np.int64)
        for layer in by_layer:
            together[layer.digits] += layer.counts
        digits = np.flatnonzero(together != 0)  # several times faster on booleans
        counts = together[digits]
    return _Level(by_layer, digits[::-1], np.cumsum(counts[::-1]))


def _levels_of(
    rankings: Sequence[Ranking],
    counted: Sequence[Digits],
    shift: int,
    prefix: int | None,
    searches: "Sequence[_Search]",
) -> dict[bool, _Level]:
    """Return the levels that searches look at: of all weights, or of those that are not protected."""
    levels: dict[bool, _Level] = {}
    if any(not search.is_of_all for search in searches):
        levels[False] = _level_of(counted)
    if any(search.is_of_all for search in searches):
        protected = [ranking.protected_digits(shift, prefix) for ranking in rankings]
        levels[True] = _level_of([one.with_others(other) for one, other in zip(counted, protected, strict=True)])
    return levels


class _Search:
    """The search for one target's rank, digit by digit; the rank is None if every weight is kept, or none.

    If it is of all weights, the protected ones are among them.
    """

    def __init__(self, target: int, n_layers: int, *, is_of_all: bool = False) -> None:
        self.rank: int | None = None
        self.is_of_all = is_of_all
        self._target = self._n_missing = target
        self._n_above = self._n_of_rank = [0] * n_layers

    def go_on(self, level: _Level) -> bool:
        """Find the next digit of the rank; return False if every weight is kept, or none."""
        if self.rank is None and self._target >= level.n_at_least[-1:].sum():  # an empty sum is 0
            self._n_above = [int(layer.counts.sum()) for layer in level.by_layer]
            return False
        if self._target < 1:
            return False

        place = int(np.searchsorted(level.n_at_least, self._n_missing))
        digit = int(level.digits[place])
        self._n_missing -= int(level.n_at_least[place - 1]) if place else 0
        self.rank = (self.rank or 0) << DIGIT_BITS | digit
        self._n_above = [n + layer.n_above(digit) for n, layer in zip(self._n_above, level.by_layer, strict=True)]
        self._n_of_rank = [layer.n_of(digit) for layer in level.by_layer]
        return True

    def selections(self, rankings: Sequence[Ranking]) -> dict[str, LayerSelection]:
        """Return the selections by layer name; the first layers by place take the missing weights of the rank."""
        rank = self.rank
        if rank is None:
            rank = (1 << rankings[0].n_bits) - 1 if self._target < 1 else 0

        selections = {}
        n_missing = max(self._n_missing, 0)
        parts = zip(rankings, self._n_above, self._n_of_rank, strict=True)
        for ranking, n_above, n_of_rank in sorted(parts, key=lambda part: part[0].info.place):
            n_equal = min(n_missing, n_of_rank)
            selections[ranking.info.name] = LayerSelection(rank, n_equal, n_of_rank, n_above + n_equal)
            n_missing -= n_equal
        return selections
