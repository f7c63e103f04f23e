"""The exact k-th strongest weight of one layer, or of many layers together.

Ranks are unsigned integers of 32 or 64 bits, larger first. A stored zero and a protected weight, which is kept
whatever the target, have rank 0 and are not counted. Equal ranks are ordered by (tensor name, flat index). The search
counts the digits of the ranks, 16 bits at a time, so it reads a checkpoint of any size layer by layer, and holds only
the counts of each layer's digits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from topoimp.arrays import CodeArray, IndexArray
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import LayerSource

DIGIT_BITS = 16
N_DIGITS = 1 << DIGIT_BITS


@dataclass(frozen=True)
class Digits:
    """The counts of 16-bit digits.

    Args:
        digits: the digits that occur, ascending.
        counts: of each digit, above 0.
    """

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


class Ranked(Protocol):
    """The ranking of one layer's weights."""

    @property
    def name(self) -> str:
        """The layer's name."""

    @property
    def place(self) -> tuple[str, int]:
        """The layer's place among layers with equal ranks."""

    @property
    def n_weights(self) -> int:
        """Weights, those of rank 0 included."""

    @property
    def n_bits(self) -> int:
        """Bits of a rank, 32 or 64; the same for all layers of one selection."""

    def prepare(self, layer: Layer, threads: int) -> None:
        """Cache, while the layer is in memory, the counts that would otherwise need another pass."""

    def known_digits(self, shift: int, prefix: int | None) -> Digits | None:
        """Return the result of ``count_digits`` if the cache has it; None if it needs a pass over the layer."""

    def count_digits(self, layer: Layer, shift: int, prefix: int | None, threads: int) -> Digits:
        """Count the digits at bit ``shift`` of all ranks above 0, or of those that begin with ``prefix``."""

    def place_of(self, layer: Layer, rank: int, n: int, threads: int) -> int:
        """Return the flat index of the n-th weight (from 1) of a rank."""

    def write_kept(self, layer: Layer, threshold: "Threshold", start: int, pruned: CodeArray) -> None:
        """Write a part of a layer, from ``start`` on, as codes; pruned weights become +0.0."""


@dataclass(frozen=True)
class LayerSelection:
    """The weights that one layer keeps: those of a rank above ``rank``, and the first ones of this rank.

    Args:
        rank: ranks above it are kept.
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

    Args:
        rank: 0 keeps every weight that has a rank.
        last: -1 keeps no weight of this rank.
    """

    rank: int
    last: int


def threshold_of(selection: LayerSelection, ranked: Ranked, layer: Layer, threads: int) -> Threshold:
    """Return the threshold of a selection; read the layer only if the selection splits the weights of one rank."""
    if selection.n_equal == 0:
        return Threshold(selection.rank, -1)
    if selection.n_equal == selection.n_of_rank:
        return Threshold(selection.rank, ranked.n_weights - 1)
    return Threshold(selection.rank, ranked.place_of(layer, selection.rank, selection.n_equal, threads))


def layer_selections(
    layers: Sequence[Ranked], targets: Sequence[int], source: LayerSource
) -> list[dict[str, LayerSelection]]:
    """Return, for each target, the selections by layer name that keep the strongest weights of all layers.

    Args:
        layers: at least one.
        targets: weights to keep; below 1 keeps none, and at or above the number of ranked weights keeps all of them.
        source: of the same layers; reads each a few times.
    """
    searches = [_Search(target, [0] * len(layers)) for target in targets]
    shift = layers[0].n_bits - DIGIT_BITS

    # Digit by digit: searches whose ranks begin alike share the counts of the next digit.
    by_prefix: dict[int | None, list[_Search]] = {None: searches}
    while shift >= 0:
        longer: dict[int | None, list[_Search]] = {}
        for prefix, group in by_prefix.items():
            level = _Level.of(_counted(layers, source, shift, prefix))
            for search in group:
                if search.go_on(level):
                    longer.setdefault(search.rank, []).append(search)
        by_prefix = longer
        shift -= DIGIT_BITS

    return [search.selections(layers) for search in searches]


def _counted(layers: Sequence[Ranked], source: LayerSource, shift: int, prefix: int | None) -> list[Digits]:
    """Count each layer's digits; read the layers only if a cache lacks the counts."""
    known = [ranked.known_digits(shift, prefix) for ranked in layers]
    if not any(digits is None for digits in known):
        return [digits for digits in known if digits is not None]
    by_name = {ranked.name: ranked for ranked in layers}
    counted = source.each(lambda layer, threads: by_name[layer.name].count_digits(layer, shift, prefix, threads))
    return [counted[name] for name in by_name]


@dataclass(frozen=True)
class _Level:
    """The counts of one digit over all layers.

    Args:
        by_layer: each layer's counts.
        digits: the digits that occur in any layer, the largest first.
        n_at_least: by digit, the ranks of all layers with this digit or a larger one.
    """

    by_layer: Sequence[Digits]
    digits: IndexArray
    n_at_least: IndexArray

    @staticmethod
    def of(by_layer: Sequence[Digits]) -> "_Level":
        """Add up the counts of all layers."""
        if len(by_layer) == 1:
            digits, counts = by_layer[0].digits, by_layer[0].counts
        else:
            together = np.zeros(N_DIGITS, np.int64)
            for layer in by_layer:
                together[layer.digits] += layer.counts
            digits = np.flatnonzero(together != 0)  # several times faster on booleans
            counts = together[digits]
        return _Level(by_layer, digits[::-1], np.cumsum(counts[::-1]))

    @property
    def n_ranked(self) -> int:
        """Ranks above 0 of all layers."""
        return int(self.n_at_least[-1]) if len(self.n_at_least) else 0


class _Search:
    """The search for one target's rank, digit by digit.

    Args:
        target: weights to keep.
        n_above: by layer, the ranks that are known to be kept; all 0 at first.
    """

    def __init__(self, target: int, n_above: list[int]) -> None:
        self.rank: int | None = None
        self._target = self._n_missing = target
        self._n_above = n_above
        self._n_of_rank: list[int] | None = None

    def go_on(self, level: _Level) -> bool:
        """Find the next digit of the rank; return False if every weight is kept, or none."""
        if self.rank is None and self._target >= level.n_ranked:
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

    def selections(self, layers: Sequence[Ranked]) -> dict[str, LayerSelection]:
        """Return the selections by layer name, once the last digit is found."""
        if self._n_of_rank is not None:
            return _select_equal(layers, self.rank or 0, self._n_above, self._n_of_rank, self._n_missing)
        # Every weight is kept, or none.
        rank = (1 << layers[0].n_bits) - 1 if self._target < 1 else 0
        return {ranked.name: LayerSelection(rank, 0, 0, n) for ranked, n in zip(layers, self._n_above, strict=True)}


def _select_equal(
    layers: Sequence[Ranked], rank: int, n_above: list[int], n_of_rank: list[int], n_missing: int
) -> dict[str, LayerSelection]:
    """Select the first ``n_missing`` weights of one rank, in the order of the layers' places."""
    selections = {}
    for ranked, above, n in sorted(zip(layers, n_above, n_of_rank, strict=True), key=lambda each: each[0].place):
        taken = min(n_missing, n)
        selections[ranked.name] = LayerSelection(rank, taken, n, above + taken)
        n_missing -= taken
    return selections
